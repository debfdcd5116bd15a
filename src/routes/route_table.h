/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route_table.h -- a compiled table of routes: prefix to AS path, immutable, read by any thread without locks.
 *
 * Made by routes_file_load() (an MRT file) or by rib_collect() and route_table_build() (what routers told). A path's id is
 * 1..route_table_paths(); paths are kept once. */
#ifndef NETTALLY_ROUTES_ROUTE_TABLE_H
#define NETTALLY_ROUTES_ROUTE_TABLE_H

#include "base/err.h"
#include "base/prefix.h"
#include "routes/as_path.h"

struct route_table;

struct route {
	struct prefix prefix;
	uint32_t path;        /* id */
};

bool route_table_find(const struct route_table *t, const struct addr *a, struct route *ret);
struct as_path route_table_path(const struct route_table *t, uint32_t id);
uint32_t route_table_paths(const struct route_table *t);

/* All routes, sorted by address and length. */
size_t route_table_count(const struct route_table *t, enum addr_family family);
struct route route_table_at(const struct route_table *t, enum addr_family family, size_t i);
size_t route_table_bytes(const struct route_table *t);
const struct lpm *route_table_lpm(const struct route_table *t); /* its values are path ids */

void route_table_free(struct route_table **t);

/* The way there: routes in any order, each with a path that the builder knows; of a prefix that is added twice, the later
 * stays. */
struct route_builder;
int route_builder_new(struct route_builder **ret);
uint32_t route_builder_path(struct route_builder *b, const struct as_path *path); /* its id; 0 = no memory, or too many */
int route_builder_add(struct route_builder *b, const struct prefix *p, uint32_t path); /* -ENOMEM, -ENOSPC (lpm.h), -EINVAL */
/* May run on another thread than the adding. Takes the builder, also on failure. */
int route_table_build(struct route_table **ret, struct route_builder **b, struct err *e);
void route_builder_free(struct route_builder **b);

#endif
