/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_bench.h -- DPDK's tables of the same routes, for routes_bench.c: routes_bench_dpdk.c, or where DPDK is not
 * installed routes_bench_none.c. */
#ifndef NETTALLY_BENCH_ROUTES_BENCH_H
#define NETTALLY_BENCH_ROUTES_BENCH_H

#include "routes/lpm.h"
#include "routes/route_table.h"

struct rival;

struct rival *rival_open(const struct route_table *t); /* NULL = none; prints how long it took */
uint64_t rival_find_ip4(struct rival *r, const uint32_t *a, uint32_t count);
uint64_t rival_find_ip4_many(struct rival *r, const uint32_t *a, uint32_t count);
uint64_t rival_find_ip6(struct rival *r, uint8_t (*a)[16], uint32_t count, uint32_t at_a_time);
uint32_t rival_value_ip4(struct rival *r, uint32_t a);
uint32_t rival_value_ip6(struct rival *r, uint8_t *a);

#endif
