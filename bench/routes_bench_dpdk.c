/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_bench_dpdk.c -- the same routes in DPDK's rte_lpm (IPv4) and rte_fib6 (IPv6), in plain memory of which huge pages are
 * made afterwards where the kernel can. */
#include "routes_bench.h"

#include <rte_eal.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_rib6.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define AT_A_TIME 64

struct rival {
	struct rte_lpm *ip4;
	struct rte_fib6 *ip6;
};

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void make_huge(void *at, size_t bytes)
{
	uintptr_t huge = 2u << 20, from = ((uintptr_t)at + huge - 1) / huge * huge, to = ((uintptr_t)at + bytes) / huge * huge;

	if (to > from && madvise((void *)from, to - from, MADV_COLLAPSE) < 0)
		printf("DPDK's table has small pages\n");
}

static int fill(struct rival *r, const struct route_table *t)
{
	for (size_t i = 0; i < route_table_count(t, ADDR_IP4); i++) {
		struct route one = route_table_at(t, ADDR_IP4, i);
		uint32_t a;

		memcpy(&a, one.prefix.addr.bytes + 12, 4);
		if (one.prefix.bits && rte_lpm_add(r->ip4, rte_be_to_cpu_32(a), one.prefix.bits, one.path & 0xffffff) < 0)
			return -1;
	}
	printf("rte_lpm filled after %.1f s of CPU\n\n", cpu_s());
	for (size_t i = 0; i < route_table_count(t, ADDR_IP6); i++) {
		struct route one = route_table_at(t, ADDR_IP6, i);

		if (rte_fib6_add(r->ip6, one.prefix.addr.bytes, one.prefix.bits, one.path) < 0)
			return -1;
	}
	printf("rte_fib6 filled after %.1f s of CPU\n\n", cpu_s());
	return 0;
}

struct rival *rival_open(const struct route_table *t)
{
	static char *arguments[] = { (char *)"routes_bench", (char *)"--no-huge", (char *)"--no-pci", (char *)"--no-shconf",
				     (char *)"--no-telemetry", (char *)"-m", (char *)"2500", (char *)"-l", (char *)"0",
				     (char *)"--log-level=4" };
	struct rte_lpm_config ip4 = { .max_rules = 1100000, .number_tbl8s = 1 << 16 };
	struct rte_fib6_conf ip6 = { .type = RTE_FIB6_TRIE, .default_nh = 0, .max_routes = 300000,
				     .trie = { .nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = 700000 } };
	struct rival *r = calloc(1, sizeof *r);

	if (!r || rte_eal_init(sizeof arguments / sizeof *arguments, arguments) < 0)
		return NULL;
	r->ip4 = rte_lpm_create("bench", 0, &ip4);
	r->ip6 = rte_fib6_create("bench", 0, &ip6);
	if (!r->ip4 || !r->ip6 || fill(r, t) < 0) {
		printf("DPDK: no memory for its tables\n");
		return NULL;
	}
	make_huge(r->ip4, sizeof *r->ip4);
	return r;
}

uint64_t rival_find_ip4(struct rival *r, const uint32_t *a, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t value = 0;

		if (rte_lpm_lookup(r->ip4, a[i], &value) == 0)
			sum += value;
	}
	return sum;
}

uint64_t rival_find_ip4_many(struct rival *r, const uint32_t *a, uint32_t count)
{
	uint32_t values[AT_A_TIME];
	uint64_t sum = 0;

	for (uint32_t i = 0; i + AT_A_TIME <= count; i += AT_A_TIME) {
		rte_lpm_lookup_bulk(r->ip4, a + i, values, AT_A_TIME);
		sum += values[0];
	}
	return sum;
}

uint64_t rival_find_ip6(struct rival *r, uint8_t (*a)[16], uint32_t count, uint32_t at_a_time)
{
	uint64_t values[AT_A_TIME], sum = 0;

	for (uint32_t i = 0; i + at_a_time <= count; i += at_a_time) {
		rte_fib6_lookup_bulk(r->ip6, a + i, values, (int)at_a_time);
		sum += values[0];
	}
	return sum;
}

uint32_t rival_value_ip4(struct rival *r, uint32_t a)
{
	uint32_t value = 0;

	return rte_lpm_lookup(r->ip4, a, &value) == 0 ? value : 0;
}

uint32_t rival_value_ip6(struct rival *r, uint8_t *a)
{
	uint64_t value = 0;

	rte_fib6_lookup_bulk(r->ip6, (uint8_t (*)[16])(void *)a, &value, 1);
	return (uint32_t)value;
}
