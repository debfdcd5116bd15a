/* SPDX-License-Identifier: GPL-2.0-or-later */
/* views.h -- a compiled table together with what its routes are in keys: texts are interned once a path and once a prefix,
 * so that the second time costs the look-up alone.
 *
 * Thread: the main loop's, which also counts the references: a dump may outlive the table's time in force. */
#ifndef NETTALLY_ROUTES_VIEWS_H
#define NETTALLY_ROUTES_VIEWS_H

#include "base/strings.h"
#include "model/attribution.h"
#include "routes/route_table.h"

/* Of all views: prefixes have the same text in each. */
struct view_texts;
int view_texts_new(struct view_texts **ret, struct strings *s); /* `s` is borrowed */
void view_texts_free(struct view_texts **t);

struct view_table;
int view_table_new(struct view_table **ret, struct route_table **t); /* takes the table; 0 or -ENOMEM, then it is freed */
struct view_table *view_table_ref(struct view_table *v);
void view_table_unref(struct view_table **v); /* accepts NULL */
const struct route_table *view_table_routes(const struct view_table *v);
size_t view_table_bytes(const struct view_table *v);

/* What `wanted` names of prefix, AS path, origin, neighbour and transit ASes; the rest of *ret stays as it is. */
void view_attribute(struct view_table *v, struct view_texts *t, const struct addr *a, uint64_t wanted, struct attribution *ret);

#endif
