/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rollup, retention, max_size: what goes where and when, and that sums never change on the way. */
#include "ledger/testing.h"

#include <sys/stat.h>

#define DAY 86400
#define W 1700006400 /* midnight */

static void keep_house(struct bench *b, int64_t now)
{
	struct err e = { 0 };
	int r, rounds = 0;

	while ((r = ledger_maintain(b->ledger, now, 1000, &e)) > 0)
		assert_true(++rounds < 1000);
	if (r < 0)
		fail_msg("%s", e.msg);
}

static struct account *with_keep(const struct keep *keep, size_t count, const char *by)
{
	struct account *a = account_new();

	snprintf(a->name, sizeof a->name, "hosts");
	a->every_s = keep[0].window_s;
	memcpy(a->keep, keep, count * sizeof *keep);
	a->keep_count = count;
	assert_int_equal(field_list_parse(a->by, &a->by_count, by, NULL), 0);
	must(account_finish(a, &e));
	return a;
}

#define LEVELS "SELECT group_concat(length || ':' || n, ' ') FROM (SELECT length, count(*) n FROM record_hosts GROUP BY length)"
#define SUMS "SELECT sum(rx_packets) || ' ' || sum(tx_l3_bytes) FROM record_hosts"
#define BOOKS_CLOSE \
	"SELECT t.rx_packets = ifnull(x.rx_packets, 0) + (SELECT ifnull(sum(rx_packets), 0) FROM record_hosts) " \
	"AND a.records = (SELECT count(*) FROM record_hosts) " \
	"FROM total t JOIN account a ON a.id = t.account LEFT JOIN expired x ON x.account = t.account"

static void test_each_boundary(void **state)
{
	struct bench *b = *state;
	const struct keep keep[] = { { 60, 3600 }, { 600, 7200 }, { 3600, 4 * 3600 } };
	struct account *a = with_keep(keep, 3, "host");
	static const struct {
		int64_t after_s;
		const char *levels, *sums;
	} cases[] = {
		{ 3600, "60:60", "60 10320" },                 /* the first ten minutes end at 600 */
		{ 3600 + 599, "60:60", "60 10320" },
		{ 3600 + 600, "60:50 600:1", "60 10320" },
		{ 3600 + 1201, "60:40 600:2", "60 10320" },
		{ 7200, "600:6", "60 10320" },
		{ 7200 + 3599, "600:6", "60 10320" },
		{ 7200 + 3600, "3600:1", "60 10320" },         /* the hour ends, and is two hours old */
		{ 5 * 3600 - 1, "3600:1", "60 10320" },
		{ 5 * 3600, "NULL", "NULL" },                  /* kept four hours, then gone */
	};

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	for (int i = 0; i < 60; i++)
		book_some(b, a, W + 60 * i, 1, 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		keep_house(b, W + cases[i].after_s);
		assert_ask(b, LEVELS, cases[i].levels);
		assert_ask(b, SUMS, cases[i].sums);
		assert_ask(b, BOOKS_CLOSE, "1");
	}
	assert_ask(b, "SELECT records || ' ' || rx_packets || ' ' || tx_l3_bytes FROM expired", "1 60 10320");
	struct ledger_facts f;
	ledger_facts(b->ledger, &f);
	assert_int_equal(f.expired_records, 1);
	account_unref(&a);
}

static void test_late_records_join_their_level(void **state)
{
	struct bench *b = *state;
	const struct keep keep[] = { { 60, 3600 }, { 3600, 0 } };
	struct account *a = with_keep(keep, 2, "host,service");

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	book_some(b, a, W, 1, 5);
	keep_house(b, W + DAY);
	book_some(b, a, W + 60, 4, 3); /* two known keys, one new */
	keep_house(b, W + DAY);
	assert_ask(b, LEVELS, "3600:6");
	assert_ask(b, SUMS, "8 1376");
	assert_ask(b, BOOKS_CLOSE, "1");
	account_unref(&a);
}

static void test_large_windows_go_in_parts(void **state)
{
	struct bench *b = *state;
	const struct keep keep[] = { { 60, 3600 }, { 3600, 2 * DAY } };
	struct account *a = with_keep(keep, 2, "host,src_port,service");
	struct err problem;

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	book_some(b, a, W, 0, 50000); /* more than a step takes */
	book_some(b, a, W + 60, 100, 1000);
	assert_int_equal(ledger_maintain(b->ledger, W + DAY, 0, &problem), 1);
	assert_true(ask(b, "SELECT count(*) FROM record_hosts WHERE length = 60") > 20000);
	assert_ask(b, SUMS, "51000 8772000");
	assert_ask(b, BOOKS_CLOSE, "1");
	keep_house(b, W + DAY);
	assert_ask(b, LEVELS, "3600:50000");
	assert_ask(b, SUMS, "51000 8772000");
	keep_house(b, W + 4 * DAY);
	assert_ask(b, LEVELS, "NULL");
	assert_ask(b, "SELECT records || ' ' || rx_packets FROM expired", "50000 51000");
	assert_ask(b, BOOKS_CLOSE, "1");
	account_unref(&a);
}

static void test_changed_keep(void **state)
{
	struct bench *b = *state;
	const struct keep before[] = { { 1, 60 }, { 10, 0 } }, after[] = { { 60, 3600 }, { 86400, 0 } };
	struct account *a = with_keep(before, 2, "host"), *changed = with_keep(after, 2, "host");

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	for (int i = 0; i < 20; i++)
		book_some(b, a, W + i, 1, 1);
	keep_house(b, W + 71);
	assert_ask(b, LEVELS, "1:10 10:1");
	must(ledger_define(b->ledger, &changed, 1, &e)); /* both old lengths are finer than the new windows */
	keep_house(b, W + 3600 + 60);
	assert_ask(b, LEVELS, "60:1");
	keep_house(b, W + 2 * DAY);
	assert_ask(b, LEVELS, "86400:1");
	assert_ask(b, SUMS, "20 3440");
	assert_ask(b, BOOKS_CLOSE, "1");
	account_unref(&a);
	account_unref(&changed);
}

static void test_max_size(void **state)
{
	struct bench *b = *state;
	const struct keep keep[] = { { 60, 7 * DAY }, { 3600, 0 } };
	struct account *a = with_keep(keep, 2, "host");
	struct ledger_facts f;
	struct stat st;

	b->max_size_bytes = 2 << 20;
	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	book_some(b, a, W - 30 * DAY, 1, 100);
	keep_house(b, W - DAY); /* one coarse window, to be kept */
	for (int i = 0; i < 100; i++) {
		book_some(b, a, W + 60 * i, 1, 1000);
		keep_house(b, W + 60 * i);
		ledger_facts(b->ledger, &f);
		assert_true(f.size_bytes <= b->max_size_bytes);
		assert_int_equal(stat(b->path, &st), 0);
		assert_true(st.st_size <= (int64_t)b->max_size_bytes + (1 << 20));
	}
	assert_ask(b, "SELECT count(*) FROM record_hosts WHERE length = 3600", "100");
	assert_ask(b, "SELECT max(window) FROM record_hosts", "1700012340"); /* the newest is there */
	assert_true(ask(b, "SELECT min(window) FROM record_hosts WHERE length = 60") > W + 600);
	assert_true(f.expired_records > 10000);
	assert_ask(b, BOOKS_CLOSE, "1");
	account_unref(&a);
}

static void test_hosts_end_somewhere(void **state)
{
	struct bench *b = *state;
	struct booking *k = booking_new();

	b->max_size_bytes = 1 << 20; /* a quarter: 4096 hosts */
	bench_open(b);
	k->sighting_count = 6000;
	k->sightings = calloc(k->sighting_count, sizeof *k->sightings);
	for (uint32_t i = 0; i < 6000; i++)
		k->sightings[i].addr = (struct addr){ .family = ADDR_IP6, .bytes = { 0x20, 1, (uint8_t)(i >> 8), (uint8_t)i } };
	k->taken_utc_s = W;
	must(ledger_book(b->ledger, k, &e));
	k->sighting_count = 100;
	k->taken_utc_s = W + 1;
	must(ledger_book(b->ledger, k, &e));
	keep_house(b, W + 2);
	assert_ask(b, "SELECT (count(*) < 4096 AND count(*) > 3600) || ' ' || sum(last_seen = 1700006401) FROM host", "1 100");
	assert_ask(b, "SELECT value + (SELECT count(*) FROM host) FROM meta WHERE key = 'forgotten_hosts'", "6000");
	booking_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(test_each_boundary), ledger_test(test_late_records_join_their_level),
		ledger_test(test_large_windows_go_in_parts), ledger_test(test_changed_keep),
		ledger_test(test_max_size), ledger_test(test_hosts_end_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
