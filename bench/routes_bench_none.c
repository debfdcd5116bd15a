/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_bench_none.c -- no DPDK here. */
#include "routes_bench.h"

struct rival *rival_open(const struct route_table *t)
{
	(void)t;
	return 0;
}

uint64_t rival_find_ip4(struct rival *r, const uint32_t *a, uint32_t count)
{
	(void)r, (void)a, (void)count;
	return 0;
}

uint64_t rival_find_ip4_many(struct rival *r, const uint32_t *a, uint32_t count)
{
	(void)r, (void)a, (void)count;
	return 0;
}

uint64_t rival_find_ip6(struct rival *r, uint8_t (*a)[16], uint32_t count, uint32_t at_a_time)
{
	(void)r, (void)a, (void)count, (void)at_a_time;
	return 0;
}

uint32_t rival_value_ip4(struct rival *r, uint32_t a)
{
	(void)r, (void)a;
	return 0;
}

uint32_t rival_value_ip6(struct rival *r, uint8_t *a)
{
	(void)r, (void)a;
	return 0;
}
