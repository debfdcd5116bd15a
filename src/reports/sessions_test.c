/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sessions_test.c -- nothing is taken twice, and gaps are counted and repaired. */
#include "reports/sessions.h"

#include "reports/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPENED_US (TEST_NOW_US - 10000000)
#define EACH 10 /* records of a datagram */

static struct wire_head head(uint64_t sequence)
{
	return (struct wire_head){
		.sender = { (const uint8_t *)"web1", 4 }, .time_us = TEST_NOW_US, .began_us = TEST_NOW_US - 1000,
		.sequence = sequence, .before = (sequence - 1) * EACH, .records = EACH, .nonce = 1, .version = 2,
	};
}

static struct sessions *open_sessions(void)
{
	struct sessions *s = NULL;
	struct err e;

	assert_int_equal(sessions_open(&s, OPENED_US, &e), 0);
	return s;
}

static enum session_answer take_head(struct sessions *s, const struct wire_head *h)
{
	struct sender *sender;

	return sessions_take(s, h, "web1", TEST_NOW_US, &sender);
}

static enum session_answer take(struct sessions *s, uint64_t sequence)
{
	struct wire_head h = head(sequence);

	return take_head(s, &h);
}

/* The order in which datagrams come, 0 = end; what was missing, and what came late. */
static void orders(void **state)
{
	static const struct {
		const char *why;
		uint64_t come[12];
		uint64_t missing, late;
	} cases[] = {
		{ "in order", { 1, 2, 3, 4 }, 0, 0 },
		{ "two lost", { 1, 4 }, 2, 0 },
		{ "the first lost", { 3 }, 2, 0 },
		{ "swapped", { 2, 1, 4, 3 }, 2, 2 },
		{ "one lost, one late", { 1, 4, 2 }, 2, 1 },
		{ "far ahead and back within the window", { 1, 1024, 2, 1023 }, 1022, 2 },
		{ "far ahead", { 1, 5000, 5001 }, 4998, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sessions *s = open_sessions();
		const struct session_gaps *g = sessions_gaps(s);

		print_message("%s\n", cases[i].why);
		for (unsigned at = 0; cases[i].come[at]; at++) {
			assert_int_equal(take(s, cases[i].come[at]), SESSION_TAKE);
			assert_int_equal(take(s, cases[i].come[at]), SESSION_REPLAYED);
		}
		assert_int_equal(g->missing_datagrams, cases[i].missing);
		assert_int_equal(g->missing_records, cases[i].missing * EACH);
		assert_int_equal(g->late_datagrams, cases[i].late);
		assert_int_equal(g->late_records, cases[i].late * EACH);
		for (unsigned at = 0; cases[i].come[at]; at++) /* all of them once more */
			assert_true(take(s, cases[i].come[at]) != SESSION_TAKE);
		sessions_close(&s);
	}
}

static void the_window_against_a_plain_set(void **state)
{
	static bool had[20000];
	struct sessions *s = open_sessions();
	uint64_t highest = 0, taken = 0;

	(void)state;
	srandom(1);
	memset(had, 0, sizeof had);
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t n = highest + (uint64_t)(random() % 1400) - (highest > 1300 ? 1300 : highest ? highest - 1 : 0);
		enum session_answer want;

		n = n == 0 ? 1 : n;
		if (n >= sizeof had)
			break;
		want = n <= highest && had[n] ? SESSION_REPLAYED : SESSION_TAKE;
		if (n <= highest && highest - n >= SESSION_WINDOW)
			want = SESSION_OLD;
		assert_int_equal(take(s, n), want);
		if (want != SESSION_TAKE)
			continue;
		had[n] = true;
		taken++;
		highest = n > highest ? n : highest;
	}
	/* every number up to the highest was taken, or is missing and not late */
	assert_int_equal(highest, taken + sessions_gaps(s)->missing_datagrams - sessions_gaps(s)->late_datagrams);
	assert_int_equal(highest * EACH, taken * EACH + sessions_gaps(s)->missing_records - sessions_gaps(s)->late_records);
	sessions_close(&s);
}

static void what_is_from_before_our_start(void **state)
{
	struct sessions *s = open_sessions();
	struct wire_head h = head(500);

	(void)state;
	h.time_us = OPENED_US - 1;
	h.began_us = OPENED_US - 100000000;
	assert_int_equal(take_head(s, &h), SESSION_STALE);
	h.time_us = OPENED_US;
	assert_int_equal(take_head(s, &h), SESSION_TAKE); /* an old session, a new datagram */
	assert_int_equal(sessions_gaps(s)->missing_datagrams, 0);
	h.sequence = 499; /* may have been booked by the run before */
	assert_int_equal(take_head(s, &h), SESSION_REPLAYED);
	h.sequence = 502;
	h.before = 501 * EACH;
	assert_int_equal(take_head(s, &h), SESSION_TAKE);
	assert_int_equal(sessions_gaps(s)->missing_datagrams, 1);
	assert_int_equal(sessions_gaps(s)->missing_records, EACH);
	sessions_close(&s);
}

static void sessions_are_told_apart(void **state)
{
	struct sessions *s = open_sessions();
	struct wire_head a = head(1), b = a;
	const struct sender *senders;

	(void)state;
	assert_int_equal(take_head(s, &a), SESSION_TAKE);
	b.nonce = 2;
	assert_int_equal(take_head(s, &b), SESSION_TAKE);
	b = a;
	b.began_us++;
	assert_int_equal(take_head(s, &b), SESSION_TAKE);
	b = a;
	b.key_id[0] = 1;
	assert_int_equal(take_head(s, &b), SESSION_TAKE);
	assert_int_equal(sessions_senders(s, &senders), 1);
	b = a;
	b.sender = (struct slice){ (const uint8_t *)"web", 3 };
	assert_int_equal(take_head(s, &b), SESSION_TAKE);
	b.sender = (struct slice){ (const uint8_t *)"web11", 5 };
	assert_int_equal(take_head(s, &b), SESSION_TAKE);
	assert_int_equal(take_head(s, &b), SESSION_REPLAYED);
	assert_int_equal(take_head(s, &a), SESSION_REPLAYED);
	assert_int_equal(sessions_senders(s, &senders), 3);
	assert_string_equal(senders[0].name, "web1");
	assert_int_equal(senders[0].sessions, 4);
	assert_string_equal(senders[1].name, "web");
	assert_string_equal(senders[2].name, "web11");
	sessions_close(&s);
}

static void limits(void **state)
{
	struct sessions *s = open_sessions();
	struct wire_head h = head(1);
	struct sender *sender;
	struct addr a = { .family = ADDR_IP4 };
	const struct sender *all;

	(void)state;
	for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
		h.nonce = i;
		assert_int_equal(take_head(s, &h), SESSION_TAKE);
	}
	h.nonce = SESSIONS_MAX;
	assert_int_equal(take_head(s, &h), SESSION_NO_ROOM);
	/* later: the idle ones make room, and nothing of theirs is fresh any more */
	h.time_us = TEST_NOW_US + 2 * SESSION_TOLERANCE_US + 1;
	assert_int_equal(sessions_take(s, &h, "web1", h.time_us, &sender), SESSION_TAKE);
	for (uint32_t i = 0; i < SENDERS_MAX + 10; i++) {
		a.bytes[12] = (uint8_t)(i >> 8);
		a.bytes[15] = (uint8_t)i;
		assert_non_null(sessions_address(s, &a));
	}
	assert_int_equal(sessions_senders(s, &all), SENDERS_MAX + 1);
	assert_string_equal(all[SENDERS_MAX].name, "other");
	sessions_close(&s);
	sessions_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders), cmocka_unit_test(the_window_against_a_plain_set),
		cmocka_unit_test(what_is_from_before_our_start), cmocka_unit_test(sessions_are_told_apart),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
