/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes.h -- what an address belongs to: the views of routers (MRT files, BMP sessions) and the geo files, answered
 * for the books.
 *
 * All calls belong to the main loop's thread; files are read and tables compiled on threads of their own, and whole
 * tables are swapped in routes_tick(). Foreign bytes: MRT, BMP, MMDB. Never logs: routes_config.say does. */
#ifndef NETTALLY_ROUTES_ROUTES_H
#define NETTALLY_ROUTES_ROUTES_H

#include "base/err.h"
#include "base/strings.h"
#include "model/attribution.h"

struct routes;

/* Fills what `wanted` (FIELD_BITs) names and is known of `a`: by the view of `router` (id of the name of a `routes` section,
 * or of an interface that has a view), else by the default view. The rest stays 0. */
void routes_attribute(struct routes *r, uint32_t router, const struct addr *a, uint64_t wanted, struct attribution *ret);

#endif
