/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_bench.c -- routes_bench MRTFILE MMDB: what a full table costs to load, to hold and to ask, beside libmaxminddb and,
 * where DPDK's libraries are installed, rte_lpm and rte_fib6, in one run: CPU time, interleaved, medians. All are asked for
 * the same addresses: random ones inside the table (each prefix as likely, random host bits), and traffic-like ones (50,000
 * such addresses, the n-th of them 1/n as often as the first). Prints Markdown tables. */
#include "routes_bench.h"

#include "routes/routes_file.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define RUNS 7
#define ASKED (1u << 20)
#define HOT 50000u
#define BATCH 64u

struct bench {
	const struct route_table *table;
	const struct lpm *lpm;
	MMDB_s mmdb;
	struct addr *addrs;
	struct sockaddr_storage *sockets;
	uint32_t *ip4;
	uint8_t (*ip6)[16];
	struct lpm_match *matches;
	struct rival *rival;
	enum addr_family family;
};

static volatile uint64_t sink; /* keeps the loops */

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *need(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);

	if (!p) {
		fprintf(stderr, "routes_bench: no memory\n");
		exit(1);
	}
	memset(p, 0, bytes);
	return p;
}

static uint64_t random_state = 1;

static uint64_t random_word(void) /* splitmix64: the same addresses in every run */
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static struct addr random_inside(const struct bench *b)
{
	struct route r = route_table_at(b->table, b->family, random_word() % route_table_count(b->table, b->family));
	struct addr a = r.prefix.addr;
	unsigned keep = r.prefix.bits + (b->family == ADDR_IP4 ? 96u : 0u);

	for (unsigned i = keep / 8; i < 16; i++) {
		uint8_t mask = i == keep / 8 ? (uint8_t)(0xff >> keep % 8) : 0xff;

		a.bytes[i] |= (uint8_t)random_word() & mask;
	}
	return a;
}

static void put_addr(struct bench *b, uint32_t i, const struct addr *a)
{
	b->addrs[i] = *a;
	memset(&b->sockets[i], 0, sizeof b->sockets[i]);
	if (b->family == ADDR_IP4) {
		struct sockaddr_in *s = (struct sockaddr_in *)&b->sockets[i];

		s->sin_family = AF_INET;
		memcpy(&s->sin_addr, a->bytes + 12, 4);
		b->ip4[i] = ntohl(s->sin_addr.s_addr);
	} else {
		struct sockaddr_in6 *s = (struct sockaddr_in6 *)&b->sockets[i];

		s->sin6_family = AF_INET6;
		memcpy(&s->sin6_addr, a->bytes, 16);
		memcpy(b->ip6[i], a->bytes, 16);
	}
}

static void choose_random(struct bench *b)
{
	for (uint32_t i = 0; i < ASKED; i++) {
		struct addr a = random_inside(b);

		put_addr(b, i, &a);
	}
}

/* Zipf with exponent 1 over the hot addresses, by a search in the sums. */
static void choose_traffic(struct bench *b)
{
	struct addr *hot = need(HOT * sizeof *hot);
	double *sums = need(HOT * sizeof *sums), sum = 0;

	for (uint32_t i = 0; i < HOT; i++) {
		hot[i] = random_inside(b);
		sums[i] = sum += 1.0 / (i + 1);
	}
	for (uint32_t i = 0; i < ASKED; i++) {
		double want = (double)(random_word() >> 11) / (double)(UINT64_C(1) << 53) * sum;
		uint32_t low = 0, high = HOT - 1;

		while (low < high) {
			uint32_t middle = (low + high) / 2;

			if (sums[middle] < want)
				low = middle + 1;
			else
				high = middle;
		}
		put_addr(b, i, &hot[low]);
	}
	free(sums);
	free(hot);
}

static void run_find(struct bench *b)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < ASKED; i++) {
		struct lpm_match m = lpm_find(b->lpm, &b->addrs[i]);

		sum += m.value + m.bits;
	}
	sink += sum;
}

static void run_find_many(struct bench *b)
{
	for (uint32_t i = 0; i < ASKED; i += BATCH)
		lpm_find_many(b->lpm, b->addrs + i, BATCH, b->matches + i);
	sink += b->matches[ASKED / 2].value;
}

/* Each question waits for the answer before: the latency, not the rate. */
static void run_find_chain(struct bench *b)
{
	uint32_t i = 0;

	for (uint32_t n = 0; n < ASKED; n++) {
		struct lpm_match m = lpm_find(b->lpm, &b->addrs[i]);

		i = (n + (m.value & 1)) & (ASKED - 1);
	}
	sink += i;
}

static void run_route(struct bench *b)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < ASKED; i++) {
		struct route r;

		if (route_table_find(b->table, &b->addrs[i], &r)) {
			struct as_path p = route_table_path(b->table, r.path);

			sum += r.prefix.bits + as_path_origin(&p).as + as_path_neighbour(&p);
		}
	}
	sink += sum;
}

static void run_mmdb(struct bench *b)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < ASKED; i++) {
		int error;
		MMDB_lookup_result_s r = MMDB_lookup_sockaddr(&b->mmdb, (const struct sockaddr *)&b->sockets[i], &error);

		sum += r.found_entry + r.netmask;
	}
	sink += sum;
}

static void run_rival(struct bench *b)
{
	sink += b->family == ADDR_IP4 ? rival_find_ip4(b->rival, b->ip4, ASKED) : rival_find_ip6(b->rival, b->ip6, ASKED, 1);
}

static void run_rival_many(struct bench *b)
{
	sink += b->family == ADDR_IP4 ? rival_find_ip4_many(b->rival, b->ip4, ASKED) :
					rival_find_ip6(b->rival, b->ip6, ASKED, BATCH);
}

static const struct way {
	const char *name;
	void (*run)(struct bench *b);
	bool rival;
} ways[] = {
	{ "lpm_find", run_find, false },
	{ "lpm_find, each after the one before", run_find_chain, false },
	{ "lpm_find_many, 64 at a time", run_find_many, false },
	{ "route_table_find, origin and neighbour AS", run_route, false },
	{ "libmaxminddb, MMDB_lookup_sockaddr", run_mmdb, false },
	{ "DPDK rte_lpm / rte_fib6, one at a time", run_rival, true },
	{ "DPDK rte_lpm / rte_fib6, many at a time", run_rival_many, true },
};
#define WAYS (sizeof ways / sizeof *ways)

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct bench *b, const char *addresses)
{
	double ns[WAYS][RUNS];

	for (unsigned run = 0; run < RUNS; run++)
		for (unsigned w = 0; w < WAYS; w++) {
			double start = cpu_s();

			if (!ways[w].rival || b->rival)
				ways[w].run(b);
			ns[w][run] = (cpu_s() - start) * 1e9 / ASKED;
		}
	for (unsigned w = 0; w < WAYS; w++) {
		if (ways[w].rival && !b->rival)
			continue;
		qsort(ns[w], RUNS, sizeof ns[w][0], compare_doubles);
		printf("| %s | %s | %s | %.1f |\n", b->family == ADDR_IP4 ? "IPv4" : "IPv6", addresses, ways[w].name,
		       ns[w][RUNS / 2]);
	}
}

/* Every answer beside the rival's: the value that it gives. */
static void check(struct bench *b)
{
	uint32_t wrong = 0;

	if (!b->rival)
		return;
	for (uint32_t i = 0; i < ASKED; i++) {
		uint32_t ours = lpm_find(b->lpm, &b->addrs[i]).value, theirs;

		theirs = b->family == ADDR_IP4 ? rival_value_ip4(b->rival, b->ip4[i]) : rival_value_ip6(b->rival, b->ip6[i]);
		wrong += ours != theirs;
	}
	if (wrong)
		printf("%u of %u answers differ from DPDK's\n", wrong, ASKED);
}

static void measure_family(struct bench *b, enum addr_family family)
{
	b->family = family;
	choose_random(b);
	check(b);
	measure(b, "random");
	choose_traffic(b);
	measure(b, "traffic");
}

static const struct route_table *load(const char *path)
{
	struct routes_file_result result;
	struct rusage usage;
	struct err e;
	double start = cpu_s();

	if (routes_file_load(&result, path, &e) < 0) {
		fprintf(stderr, "routes_bench: %s\n", e.msg);
		exit(1);
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("loaded and compiled in %.2f s of CPU: %zu IPv4 and %zu IPv6 prefixes, %u paths, %" PRIu64 " routes of %" PRIu64
	       " peers\n\n", cpu_s() - start, route_table_count(result.table, ADDR_IP4),
	       route_table_count(result.table, ADDR_IP6), route_table_paths(result.table), result.routes, result.peers);
	printf("memory: %.1f MB in all; look-ups touch %.1f MB (IPv4) and %.1f MB (IPv6); at most %.1f MB while loading\n\n",
	       (double)route_table_bytes(result.table) / 1e6,
	       (double)lpm_family_bytes(route_table_lpm(result.table), ADDR_IP4) / 1e6,
	       (double)lpm_family_bytes(route_table_lpm(result.table), ADDR_IP6) / 1e6, (double)usage.ru_maxrss / 1e3);
	return result.table;
}

/* The table alone, from its sorted list. */
static void time_build(const struct route_table *t)
{
	static const enum addr_family families[] = { ADDR_IP4, ADDR_IP6 };
	struct lpm_builder *builder;
	struct lpm *lpm = NULL;
	double start;

	if (lpm_builder_new(&builder) < 0)
		exit(1);
	for (unsigned f = 0; f < 2; f++)
		for (size_t i = route_table_count(t, families[f]); i-- > 0;) { /* the wrong way round: it must sort */
			struct route r = route_table_at(t, families[f], i);

			if (lpm_add(builder, &r.prefix, r.path) < 0)
				exit(1);
		}
	start = cpu_s();
	if (lpm_build(&lpm, &builder, NULL) < 0)
		exit(1);
	printf("compiled alone, with sorting, in %.3f s of CPU\n\n", cpu_s() - start);
	lpm_free(&lpm);
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };

	if (argc < 3) {
		fprintf(stderr, "usage: routes_bench MRTFILE MMDB\n");
		return 2;
	}
	b.table = load(argv[1]);
	b.lpm = route_table_lpm(b.table);
	time_build(b.table);
	if (MMDB_open(argv[2], MMDB_MODE_MMAP, &b.mmdb) != MMDB_SUCCESS) {
		fprintf(stderr, "routes_bench: %s: no MMDB file\n", argv[2]);
		return 1;
	}
	b.rival = getenv("NO_DPDK") ? 0 : rival_open(b.table);
	b.addrs = need(ASKED * sizeof *b.addrs);
	b.sockets = need(ASKED * sizeof *b.sockets);
	b.ip4 = need(ASKED * sizeof *b.ip4);
	b.ip6 = need(ASKED * sizeof *b.ip6);
	b.matches = need(ASKED * sizeof *b.matches);
	printf("| family | addresses | asked | ns an address |\n|---|---|---|---|\n");
	measure_family(&b, ADDR_IP4);
	measure_family(&b, ADDR_IP6);
	return 0;
}
