/* SPDX-License-Identifier: GPL-2.0-or-later */
/* changes_test.c -- which windows sinks get, in which order, what is held for them, and what they have refused. */
#include "ledger/testing.h"

#include "ledger/cursors.h"
#include "ledger/windows.h"

#include <errno.h>

#define W 1700000040 /* a minute begins */
#define LIST_MAX 64

static void book_at(struct bench *b, struct account *a, int64_t window, int64_t taken, uint32_t first, uint32_t count)
{
	struct booking *k = make_booking(a, window, first, count, b->strings);

	k->taken_utc_s = taken;
	must(ledger_book(b->ledger, k, &e));
	booking_free(&k);
}

static struct account *hosts(struct bench *b)
{
	struct account *a = make_account("hosts", "host", 60);

	must(ledger_define(b->ledger, &a, 1, &e));
	return a;
}

static void set_sink(struct bench *b, struct account *a, uint32_t hold_s, uint64_t hold_bytes)
{
	struct ledger_sink s = { .name = "home", .accounts = &a, .account_count = 1, .hold_s = hold_s, .hold_bytes = hold_bytes };

	must(ledger_set_sinks(b->ledger, &s, 1, &e));
}

/* What comes behind `after`, as "window:seq ..." with windows in minutes after W. */
static const char *listed(struct bench *b, uint64_t after, char buf[static 256], uint64_t *upto)
{
	struct window_change c[LIST_MAX];
	struct windows *w = NULL;
	size_t count;

	must(windows_open(&w, b->path, &e));
	must(windows_list(w, after, c, LIST_MAX, &count, upto, &e));
	buf[0] = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(buf + strlen(buf), 256 - strlen(buf), "%s%lld", i ? " " : "", (long long)(c[i].start_utc_s - W) / 60);
	windows_close(&w);
	return buf;
}

static void test_a_window_is_sent_when_it_is_over(void **state)
{
	struct bench *b = *state;
	char text[256];
	uint64_t upto, again;

	bench_open(b);
	struct account *a = hosts(b);
	book_at(b, a, W, W + 10, 1, 3);
	book_at(b, a, W, W + 59, 1, 3);
	assert_string_equal(listed(b, 0, text, &upto), "");
	book_at(b, a, W + 60, W + 61, 1, 1); /* over, but for the slack */
	assert_string_equal(listed(b, 0, text, &upto), "");
	book_at(b, a, W + 60, W + 62, 1, 1);
	assert_string_equal(listed(b, 0, text, &upto), "0");
	book_at(b, a, W + 120, W + 130, 1, 1);
	assert_string_equal(listed(b, 0, text, &again), "0 1");
	assert_string_equal(listed(b, upto, text, &again), "1");
	account_unref(&a);
}

static void test_a_late_change_comes_again(void **state)
{
	struct bench *b = *state;
	char text[256];
	uint64_t upto, last;

	bench_open(b);
	struct account *a = hosts(b);
	for (int i = 0; i < 4; i++)
		book_at(b, a, W + 60 * i, W + 60 * i + 70, 1, 2);
	assert_string_equal(listed(b, 0, text, &upto), "0 1 2 3");
	book_at(b, a, W + 60, W + 400, 5, 1);
	assert_string_equal(listed(b, upto, text, &last), "1");
	assert_string_equal(listed(b, 0, text, &last), "0 2 3 1");
	ledger_close(&b->ledger);
	bench_open(b); /* numbers go on after a restart */
	book_at(b, a, W + 240, W + 400, 1, 1);
	assert_string_equal(listed(b, last, text, &last), "4");
	account_unref(&a);
}

static uint64_t sum_pages(struct windows *w, const struct account *a, const struct window_change *c, size_t *ret_records)
{
	struct windows_page p = { 0 };
	uint64_t sum = 0;

	*ret_records = 0;
	do {
		must(windows_page(w, a, c, &p, &e));
		for (size_t i = 0; i < p.count; i++)
			sum += p.records[i].tally.tx.l2_bytes;
		*ret_records += p.count;
	} while (p.count);
	windows_page_free(&p);
	return sum;
}

static void test_pages_are_the_whole_window(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 4095, 4096, 4097, 10000 };
	struct bench *b = *state;
	struct windows *w = NULL;
	struct window_change c = { .length_s = 60 };

	bench_open(b);
	struct account *a = hosts(b);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		book_at(b, a, W + 60 * (int64_t)i, W + 1000, 1, sizes[i]);
	must(windows_open(&w, b->path, &e));
	must(windows_account(w, a, &c.account, &e));
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t records;
		uint64_t count;

		c.start_utc_s = W + 60 * (int64_t)i;
		assert_int_equal(sum_pages(w, a, &c, &records), 200u * sizes[i]);
		assert_int_equal(records, sizes[i]);
		must(windows_count(w, a, &c, 5000, &count, &e));
		assert_int_equal(count, sizes[i] < 5000 ? sizes[i] : 5000);
	}
	windows_close(&w);
	account_unref(&a);
}

static void maintain(struct bench *b, int64_t now)
{
	struct err e = { 0 };
	int r;

	do {
		r = ledger_maintain(b->ledger, now, 1000, &e);
	} while (r == 1);
	if (r < 0)
		fail_msg("%s", e.msg);
}

/* The account keeps minutes for 7 days. */
static void test_what_is_not_sent_is_held_for_a_time(void **state)
{
	struct bench *b = *state;
	char text[256];
	uint64_t upto;

	bench_open(b);
	struct account *a = hosts(b);
	set_sink(b, a, 10 * 86400, 0);
	book_at(b, a, W, W + 70, 1, 5);
	maintain(b, W + 8 * 86400);
	assert_string_equal(listed(b, 0, text, &upto), "0");
	maintain(b, W + 11 * 86400); /* longer than that it is not */
	assert_string_equal(listed(b, 0, text, &upto), "");
	assert_ask(b, "SELECT expired FROM sink", "5");
	assert_ask(b, "SELECT length FROM record_hosts LIMIT 1", "3600"); /* rolled up, as ever */
	account_unref(&a);
}

static void test_what_is_sent_is_not_held(void **state)
{
	struct bench *b = *state;
	char text[256];
	uint64_t upto;

	bench_open(b);
	struct account *a = hosts(b);
	set_sink(b, a, 10 * 86400, 0);
	book_at(b, a, W, W + 70, 1, 5);
	listed(b, 0, text, &upto);
	must(ledger_note_sink(b->ledger, &(struct ledger_sink_note){ .sink = "home", .seq = upto, .records = 5 }, &e));
	maintain(b, W + 8 * 86400);
	assert_string_equal(listed(b, 0, text, &upto), "");
	assert_ask(b, "SELECT expired || ' ' || records FROM sink", "0 5");
	account_unref(&a);
}

static void test_hold_ends_at_its_size(void **state)
{
	struct bench *b = *state;
	char text[256];
	uint64_t upto;

	bench_open(b);
	struct account *a = hosts(b);
	set_sink(b, a, 30 * 86400, 1 << 20);
	book_at(b, a, W, W + 70, 1, 30000);
	maintain(b, W + 8 * 86400);
	assert_string_equal(listed(b, 0, text, &upto), "");
	assert_ask(b, "SELECT expired FROM sink", "30000");
	account_unref(&a);
}

/* A window that was rolled up is whole no more: what comes late is no window to be sent. */
static void test_late_into_what_was_rolled_up(void **state)
{
	struct bench *b = *state;
	char text[256];
	uint64_t upto;

	bench_open(b);
	struct account *a = hosts(b);
	set_sink(b, a, 60, 0);
	book_at(b, a, W, W + 70, 1, 5);
	maintain(b, W + 8 * 86400);
	book_at(b, a, W, W + 8 * 86400, 1, 2);
	assert_string_equal(listed(b, 0, text, &upto), "");
	assert_ask(b, "SELECT expired FROM sink", "7");
	account_unref(&a);
}

static void test_refused_and_tried_again(void **state)
{
	struct bench *b = *state;
	struct window_change c[4];
	struct windows_cursor k;
	struct windows *w = NULL;
	uint64_t windows;
	size_t count;

	bench_open(b);
	struct account *a = hosts(b);
	set_sink(b, a, 86400, 0);
	book_at(b, a, W, W + 70, 1, 5);
	must(windows_open(&w, b->path, &e));
	struct ledger_window refused = { .length_s = 60, .start_utc_s = W };
	must(windows_account(w, a, &refused.account, &e));
	struct ledger_sink_note n = { .sink = "home", .seq = 2, .windows = &refused, .window_count = 1, .rejected_why = "no",
				      .rejected_records = 5 };
	must(ledger_note_sink(b->ledger, &n, &e));
	must(windows_rejected(w, "home", c, 4, &count, &e));
	assert_int_equal(count, 0); /* not before it is asked for */
	must(windows_cursor(w, "home", &k, &e));
	assert_int_equal(k.set_aside, 1);
	assert_int_equal(k.rejected, 5);
	must(ledger_retry_sink(b->ledger, "home", false, &windows, &e));
	assert_int_equal(windows, 1);
	must(windows_rejected(w, "home", c, 4, &count, &e));
	assert_int_equal(count, 1);
	n.rejected_why = NULL;
	must(ledger_note_sink(b->ledger, &n, &e));
	must(windows_cursor(w, "home", &k, &e));
	assert_int_equal(k.set_aside, 0);
	must(ledger_retry_sink(b->ledger, "home", true, &windows, &e));
	must(windows_cursor(w, "home", &k, &e));
	assert_int_equal(k.again, 1);
	assert_int_equal(k.seq, 0);
	n.seq = 9; /* a note of the round before is only counted */
	must(ledger_note_sink(b->ledger, &n, &e));
	must(windows_cursor(w, "home", &k, &e));
	assert_int_equal(k.seq, 0);
	assert_int_equal(ledger_retry_sink(b->ledger, "nobody", false, &windows, NULL), -ENOENT);
	windows_close(&w);
	account_unref(&a);
}

static void see(struct bench *b, struct account *a, int64_t at, uint64_t mac, const char *addr)
{
	struct booking *k = make_booking(a, W, 1, 1, b->strings);

	k->taken_utc_s = at;
	k->sightings = calloc(1, sizeof *k->sightings);
	k->sighting_count = 1;
	k->sightings[0].mac = UINT64_C(1) << 48 | mac;
	if (addr)
		must(addr_parse(&k->sightings[0].addr, addr));
	must(ledger_book(b->ledger, k, &e));
	booking_free(&k);
}

static size_t devices_behind(struct bench *b, uint64_t *after)
{
	struct window_device *d = NULL;
	struct windows *w = NULL;
	size_t count;

	must(windows_open(&w, b->path, &e));
	must(windows_devices(w, *after, UINT32_MAX, &d, &count, &e));
	for (size_t i = 0; i < count; i++)
		*after = d[i].seq;
	free(d);
	windows_close(&w);
	return count;
}

static void test_devices_that_changed(void **state)
{
	static const struct {
		const char *why, *addr;
		uint64_t mac;
		size_t changed;
	} steps[] = {
		{ "a new device", "192.0.2.1", 1, 1 }, { "the same again", "192.0.2.1", 1, 0 },
		{ "another address", "192.0.2.2", 1, 1 }, { "an IPv6 address beside", "2001:db8::1", 1, 1 },
		{ "the same again", "2001:db8::1", 1, 0 }, { "no address", NULL, 1, 0 }, { "a device without address", NULL,
				2, 1 },
	};
	struct bench *b = *state;
	uint64_t after = 0;

	bench_open(b);
	struct account *a = hosts(b);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		see(b, a, W + (int64_t)i, steps[i].mac, steps[i].addr);
		if (devices_behind(b, &after) != steps[i].changed)
			fail_msg("%zu: %s", i, steps[i].why);
	}
	account_unref(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(test_a_window_is_sent_when_it_is_over), ledger_test(test_a_late_change_comes_again),
		ledger_test(test_pages_are_the_whole_window), ledger_test(test_what_is_not_sent_is_held_for_a_time),
		ledger_test(test_what_is_sent_is_not_held), ledger_test(test_hold_ends_at_its_size),
		ledger_test(test_late_into_what_was_rolled_up), ledger_test(test_refused_and_tried_again),
		ledger_test(test_devices_that_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
