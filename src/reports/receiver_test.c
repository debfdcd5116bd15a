/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receiver_test.c -- forged, stale, replayed, cut, oversized ...: nothing of it is booked, each is counted by its reason. */
#include "reports/receiver.h"

#include "reports/testing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct seen {
	unsigned batches, reports;
	uint64_t bytes;
	char type[40], sender[60];
	struct report_server server;
} seen;

static void on_batch(void *arg, const struct report_batch *b)
{
	struct seen *s = arg;

	s->batches++;
	s->reports += b->count;
	for (unsigned i = 0; i < b->count; i++)
		s->bytes += b->reports[i].bytes;
	if (b->count == 0)
		return;
	snprintf(s->type, sizeof s->type, "%.*s", (int)b->types[0].len, (const char *)b->types[0].at);
	snprintf(s->sender, sizeof s->sender, "%.*s", (int)b->sender.len, (const char *)b->sender.at);
	s->server = b->servers[0];
}

static struct receiver *open_receiver(bool trafstat)
{
	struct receiver_config cf = { .opened_utc_us = TEST_NOW_US - 60000000, .book = on_batch, .arg = &seen };
	struct receiver *r = NULL;
	struct keys *k = NULL;
	struct err e;

	seen = (struct seen){ 0 };
	assert_int_equal(keys_new(&k, &e), 0);
	assert_int_equal(keys_add(k, "web1", (struct slice){ (const uint8_t *)TEST_SECRET, sizeof TEST_SECRET - 1 }, &e), 0);
	if (trafstat)
		assert_int_equal(keys_set_trafstat(k, (struct slice){ (const uint8_t *)"old secret", 10 }, &e), 0);
	assert_int_equal(receiver_open(&r, &cf, k, &e), 0);
	return r;
}

static void give(struct receiver *r, const void *bytes, size_t len)
{
	struct addr from;

	assert_int_equal(addr_parse(&from, "203.0.113.5"), 0);
	receiver_take(r, (struct slice){ bytes, len }, &from, false, TEST_NOW_US);
	receiver_flush(r);
}

static void check_sums(struct receiver *r)
{
	const struct report_counters *c = receiver_counters(r);
	uint64_t all = c->booked_datagrams;

	for (unsigned i = 0; i < REFUSALS_COUNT; i++)
		all += c->refused[i];
	assert_int_equal(all, c->datagrams);
	assert_int_equal(c->booked_records, seen.reports);
}

static void booked(void **state)
{
	struct receiver *r = open_receiver(false);
	const struct sender *senders;
	struct datagram d;

	(void)state;
	datagram_make(&d, 1, 0, 3);
	give(r, d.bytes, d.len);
	assert_int_equal(seen.reports, 3);
	assert_int_equal(seen.bytes, 900);
	assert_string_equal(seen.type, "video");
	assert_string_equal(seen.sender, "web1");
	assert_int_equal(seen.server.port, 443);
	assert_int_equal(receiver_senders(r, &senders), 1);
	assert_int_equal(senders[0].records, 3);
	assert_int_equal(senders[0].bytes, 900);
	assert_int_equal(senders[0].rtt_us, 3 * 500);
	assert_string_equal(senders[0].key, "web1");
	check_sums(r);
	receiver_close(&r);
}

/* What is changed before and after signing, and what it is counted as. */
enum change { NOTHING, CUT_ONE, CUT_MOST, EMPTY, MAGIC, VERSION, KEY, SIGNATURE, BODY, OLD, FUTURE, LEFT_OVER, OVERSIZED };

static void change_before(struct datagram *d, enum change what)
{
	if (what == OLD)
		put_number(d->bytes + LAYOUT_AT_TIME, 8, (uint64_t)(TEST_NOW_US - SESSION_TOLERANCE_US - 1));
	if (what == FUTURE)
		put_number(d->bytes + LAYOUT_AT_TIME, 8, (uint64_t)(TEST_NOW_US + SESSION_TOLERANCE_US + 1));
	if (what == LEFT_OVER)
		datagram_put(d, "x", 1);
}

static void change_after(struct datagram *d, enum change what)
{
	switch (what) {
	case CUT_ONE: d->len--; break;
	case CUT_MOST: d->len = 40; break;
	case EMPTY: d->len = 0; break;
	case MAGIC: d->bytes[0] ^= 1; break;
	case VERSION: d->bytes[LAYOUT_AT_VERSION] = 3; break;
	case KEY: d->bytes[LAYOUT_AT_KEY] ^= 1; break;
	case SIGNATURE: d->bytes[d->len - 1] ^= 1; break;
	case BODY: d->bytes[LAYOUT_HEAD + 20] ^= 1; break;
	case OVERSIZED: d->len = LAYOUT_DATAGRAM_MAX + 1; break;
	default: break;
	}
}

static void refused(void **state)
{
	static const struct {
		enum change what;
		enum refusal want;
	} cases[] = {
		{ CUT_ONE, REFUSED_BAD_SIGNATURE }, { CUT_MOST, REFUSED_BAD_LENGTH }, { EMPTY, REFUSED_BAD_FORMAT },
		{ MAGIC, REFUSED_BAD_FORMAT }, { VERSION, REFUSED_BAD_VERSION }, { KEY, REFUSED_UNKNOWN_KEY },
		{ SIGNATURE, REFUSED_BAD_SIGNATURE }, { BODY, REFUSED_BAD_SIGNATURE }, { OLD, REFUSED_STALE },
		{ FUTURE, REFUSED_STALE }, { LEFT_OVER, REFUSED_MALFORMED }, { OVERSIZED, REFUSED_BAD_LENGTH },
		{ NOTHING, REFUSED_REPLAYED },
	};
	struct receiver *r = open_receiver(false);
	struct datagram d;

	(void)state;
	datagram_make(&d, 1, 0, 1);
	give(r, d.bytes, d.len);
	assert_int_equal(seen.reports, 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t before = receiver_counters(r)->refused[cases[i].want];

		datagram_head(&d, cases[i].what == NOTHING ? 1 : 2, 1);
		datagram_tables(&d);
		datagram_record(&d, 1);
		change_before(&d, cases[i].what);
		datagram_sign(&d);
		change_after(&d, cases[i].what);
		give(r, d.bytes, d.len);
		assert_int_equal(receiver_counters(r)->refused[cases[i].want], before + 1);
		assert_int_equal(seen.reports, 1);
		check_sums(r);
	}
	assert_int_equal(receiver_counters(r)->malformed_records, 1);
	datagram_make(&d, 3, 2, 1);
	give(r, d.bytes, d.len);
	assert_int_equal(seen.reports, 2);
	assert_int_equal(receiver_counters(r)->gaps.missing_datagrams, 0); /* the malformed one came */
	receiver_close(&r);
}

static void the_old_protocol(void **state)
{
	struct receiver *r = open_receiver(true);
	struct old_report old = { TEST_NOW_US / 1000000, 14480, 2, 1, 3, 1448, "2001:db8::1" };
	const struct sender *senders;
	const struct report_counters *c = receiver_counters(r);
	uint8_t d[TRAFSTAT_LENGTH + 1] = { 0 };

	(void)state;
	old_make(d, &old, "old secret");
	give(r, d, TRAFSTAT_LENGTH);
	give(r, d, TRAFSTAT_LENGTH); /* two requests of a second may be equal */
	assert_int_equal(seen.reports, 2);
	assert_string_equal(seen.type, "2");
	assert_string_equal(seen.sender, "203.0.113.5");
	assert_int_equal(c->trafstat_datagrams, 2);
	assert_int_equal(receiver_senders(r, &senders), 1);
	assert_string_equal(senders[0].key, "trafstat");
	give(r, d, TRAFSTAT_LENGTH - 1);
	give(r, d, TRAFSTAT_LENGTH + 1);
	assert_int_equal(c->refused[REFUSED_BAD_LENGTH], 2);
	d[40] ^= 1;
	give(r, d, TRAFSTAT_LENGTH);
	assert_int_equal(c->refused[REFUSED_BAD_SIGNATURE], 1);
	old.time_s -= 21;
	old_make(d, &old, "old secret");
	give(r, d, TRAFSTAT_LENGTH);
	assert_int_equal(c->refused[REFUSED_STALE], 1);
	old.time_s += 21;
	old.ip = "nobody";
	old_make(d, &old, "old secret");
	give(r, d, TRAFSTAT_LENGTH);
	assert_int_equal(c->refused[REFUSED_MALFORMED], 1);
	assert_int_equal(seen.reports, 2);
	check_sums(r);
	receiver_close(&r);

	r = open_receiver(false);
	old.ip = "192.0.2.1";
	old_make(d, &old, "old secret");
	give(r, d, TRAFSTAT_LENGTH);
	assert_int_equal(receiver_counters(r)->refused[REFUSED_BAD_FORMAT], 1);
	receiver_close(&r);
}

/* Many types, and senders by turns: each is booked, whatever was gathered before it. */
static void old_ones_gather(void **state)
{
	struct receiver *r = open_receiver(true);
	const struct report_counters *c;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct old_report old = { TEST_NOW_US / 1000000, i, i % 7 * i % 40, 1, 3, 1448, "192.0.2.1" };
		uint8_t d[TRAFSTAT_LENGTH];
		struct addr from;

		old_make(d, &old, "old secret");
		assert_int_equal(addr_parse(&from, i % 100 < 3 ? "203.0.113.5" : "2001:db8::5"), 0);
		receiver_take(r, (struct slice){ d, sizeof d }, &from, false, TEST_NOW_US);
	}
	receiver_flush(r);
	receiver_flush(r);
	c = receiver_counters(r);
	assert_int_equal(c->booked_datagrams, 1000);
	assert_int_equal(c->trafstat_datagrams, 1000);
	assert_int_equal(seen.reports, 1000);
	assert_int_equal(seen.bytes, 999 * 1000 / 2);
	check_sums(r);
	receiver_close(&r);
}

static void keys_are_exchanged(void **state)
{
	struct receiver *r = open_receiver(false);
	struct keys *k = NULL;
	struct datagram d;
	struct err e;

	(void)state;
	datagram_make(&d, 1, 0, 1);
	give(r, d.bytes, d.len);
	assert_int_equal(keys_new(&k, &e), 0);
	assert_int_equal(keys_add(k, "web1", (struct slice){ (const uint8_t *)TEST_SECRET, sizeof TEST_SECRET - 1 }, &e), 0);
	assert_int_equal(keys_add(k, "web1", (struct slice){ (const uint8_t *)"the next one", 12 }, &e), 0);
	receiver_set_keys(r, k);
	give(r, d.bytes, d.len);
	assert_int_equal(receiver_counters(r)->refused[REFUSED_REPLAYED], 1); /* sessions outlive it */
	datagram_make(&d, 2, 1, 1);
	give(r, d.bytes, d.len);
	assert_int_equal(seen.reports, 2);
	assert_int_equal(keys_new(&k, &e), 0);
	receiver_set_keys(r, k);
	datagram_make(&d, 3, 2, 1);
	give(r, d.bytes, d.len);
	assert_int_equal(receiver_counters(r)->refused[REFUSED_UNKNOWN_KEY], 1);
	receiver_close(&r);
	receiver_close(&r);
}

static void reasons_have_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REFUSALS_COUNT; i++) {
		assert_non_null(refusal_name(i));
		assert_non_null(refusal_help(i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(booked), cmocka_unit_test(refused), cmocka_unit_test(the_old_protocol),
		cmocka_unit_test(old_ones_gather),
		cmocka_unit_test(keys_are_exchanged), cmocka_unit_test(reasons_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
