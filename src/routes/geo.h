/* SPDX-License-Identifier: GPL-2.0-or-later */
/* geo.h -- the country of an address, from an MMDB file: `country.iso_code` (MaxMind), `country_code`, or `country` as text.
 *
 * The file's tree is flattened when it is loaded: neighbours of one country become one prefix, all go into a struct lpm, and
 * a look-up costs what a route's does. Immutable once loaded. Thread: any, without locks. */
#ifndef NETTALLY_ROUTES_GEO_H
#define NETTALLY_ROUTES_GEO_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "routes/geo_groups.h"

struct geo;

/* -EBADMSG: damaged, or no record has a country; the sentence names the file. */
int geo_load(struct geo **ret, const char *path, struct err *e);
int geo_load_bytes(struct geo **ret, struct slice bytes, const char *name, struct err *e);
void geo_free(struct geo **g); /* accepts NULL */

/* 0 = not known, else the number of a country in this file. */
uint32_t geo_find(const struct geo *g, const struct addr *a);
const char *geo_country(const struct geo *g, uint32_t number); /* "DE"; "-" for 0 */
uint32_t geo_countries(const struct geo *g);                   /* numbers are 1 to this */
size_t geo_networks(const struct geo *g, enum addr_family family); /* after flattening */
size_t geo_bytes(const struct geo *g);

#endif
