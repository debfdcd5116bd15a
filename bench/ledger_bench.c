/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long the ledger takes to book a million hosts in one window, and again on the next ticks.
 * ledger_bench DIRECTORY [KEYS [SIGHTINGS]] prints seconds per step; the file stays in DIRECTORY/bench.db. */
#include "ledger/ledger.h"
#include "ledger/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct moment {
	double wall_s, cpu_s;
};

static struct moment now(void)
{
	return (struct moment){ now_s(), cpu_s() };
}

static void tell(const char *what, struct moment since)
{
	printf("%-40s %6.2f s, %6.2f s of CPU time\n", what, now_s() - since.wall_s, cpu_s() - since.cpu_s);
}

static void die(const struct err *e)
{
	fprintf(stderr, "ledger_bench: %s\n", e->msg);
	exit(1);
}

/* Addresses in no order, as a hash table gives them. */
static uint32_t scatter(uint32_t n)
{
	return n * 2654435761u;
}

static void set_addr(struct addr *a, uint32_t n)
{
	*a = (struct addr){ .bytes = { [10] = 0xff, [11] = 0xff, [12] = (uint8_t)(n >> 24), [13] = (uint8_t)(n >> 16),
				       [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n }, .family = ADDR_IP4 };
}

static struct booking *make(struct account *a, int64_t window, uint32_t keys, uint32_t sightings)
{
	struct booking *b = booking_new();
	struct batch *batch = b->batches = calloc(1, sizeof *batch);
	struct addr addr;

	b->batch_count = 1;
	b->taken_utc_s = window;
	*batch = (struct batch){ .account = account_ref(a), .window_utc_s = window, .count = keys, .room = keys,
				 .records = calloc(keys, record_size(a)) };
	for (uint32_t i = 0; i < keys; i++) {
		uint8_t *record = batch->records + i * record_size(a);
		struct party_tally t = { { i, i * 1000u, i * 986u }, { i / 2, i * 64u, i * 50u } };

		set_addr(&addr, scatter(i));
		memcpy(record + a->layout.at[FIELD_HOST], addr.bytes, 16);
		record[a->layout.at[FIELD_HOST_FAMILY]] = addr.family;
		memcpy(record + a->layout.size, &t, sizeof t);
	}
	b->sightings = calloc(sightings + 1, sizeof *b->sightings);
	b->sighting_count = sightings;
	for (uint32_t i = 0; i < sightings; i++)
		set_addr(&b->sightings[i].addr, scatter(i));
	return b;
}

static void step(struct ledger *l, const char *what, struct booking *b)
{
	struct moment start = now();
	struct err e;

	if (ledger_book(l, b, &e) < 0)
		die(&e);
	tell(what, start);
	booking_free(&b);
}

static void ask(const char *path, const char *what, int64_t limit, const char *sort)
{
	struct query q = { .account = "hosts", .from_utc_s = INT64_MIN, .to_utc_s = INT64_MAX, .basis = -1, .limit = limit,
			   .sort = sort };
	FILE *nowhere = fopen("/dev/null", "w");
	struct ledger_reader *r;
	struct output *out;
	struct moment start = now();
	struct err e;

	if (!nowhere || ledger_reader_open(&r, path, &e) < 0 || output_open(&out, nowhere, FORMAT_TSV, &e) < 0 ||
	    query_run(r, &q, out, &e) < 0 || output_close(&out, &e) < 0)
		die(&e);
	ledger_reader_close(&r);
	fclose(nowhere);
	tell(what, start);
}

int main(int argc, char **argv)
{
	uint32_t keys = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000000, sightings = argc > 3 ? (uint32_t)atoi(argv[3]) : 0;
	struct account *a = account_new();
	struct ledger_options o = { 0 };
	struct rusage usage;
	struct ledger *l;
	struct err e;
	char path[256];

	if (argc < 2) {
		fprintf(stderr, "usage: ledger_bench DIRECTORY [KEYS [SIGHTINGS]]\n");
		return 2;
	}
	snprintf(path, sizeof path, "%s/bench.db", argv[1]);
	snprintf(a->name, sizeof a->name, "hosts");
	a->by[a->by_count++] = FIELD_HOST;
	if (strings_new(&o.strings) < 0 || account_finish(a, &e) < 0 || ledger_open(&l, path, &o, &e) < 0 ||
	    ledger_define(l, &a, 1, &e) < 0)
		die(&e);
	printf("%u keys, %u sightings\n", keys, sightings);
	step(l, "a new window", make(a, 1700000040, keys, sightings));
	step(l, "the same keys on the next tick", make(a, 1700000040, keys, sightings));
	step(l, "the next window", make(a, 1700000100, keys, sightings));
	step(l, "1000 of its keys on the next tick", make(a, 1700000100, 1000, sightings < 1000 ? sightings : 1000));
	struct moment start = now();
	int r, rounds = 0;
	double longest = 0, before = start.wall_s;
	while ((r = ledger_maintain(l, 1700000100 + 8 * 86400, 50, &e)) > 0) {
		double t = now_s();
		longest = t - before > longest ? t - before : longest;
		before = t;
		rounds++;
	}
	if (r < 0)
		die(&e);
	tell("both windows rolled up", start);
	printf("  in %d calls, the longest %.2f s\n", rounds, longest);
	ask(path, "all of them summed", -1, NULL);
	ask(path, "the ten largest", 10, "-rx_bytes");
	start = now();
	ledger_close(&l);
	tell("closed", start);
	getrusage(RUSAGE_SELF, &usage);
	printf("memory at most %ld MiB\n", usage.ru_maxrss / 1024);
	account_unref(&a);
	strings_free(&o.strings);
	return 0;
}
