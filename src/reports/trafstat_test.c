/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trafstat_test.c -- the old datagram: its rules, and each way to break them. */
#include "reports/trafstat.h"

#include "reports/testing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct slice slice_of(const char *text)
{
	return (struct slice){ (const uint8_t *)text, strlen(text) };
}

static void records(void **state)
{
	static const struct {
		const char *ip;
		uint64_t bytes;
		uint32_t mss;
		int want;
		uint64_t packets;
		const char *text;
	} cases[] = {
		{ "192.0.2.7", 14480, 1448, 0, 10, "192.0.2.7" },
		{ "192.0.2.7", 14479, 1448, 0, 9, "192.0.2.7" },      /* whole ones */
		{ "192.0.2.7", 100, 1448, 0, 0, "192.0.2.7" },
		{ "192.0.2.7", 100, 0, 0, 0, "192.0.2.7" },           /* no division by zero */
		{ "2001:db8::7", 1000000000000, 1000, 0, 1000000000, "2001:db8::7" },
		{ "255.255.255.255", 1, 1, 0, 1, "255.255.255.255" },
		{ "0.0.0.0", 1, 1, 0, 1, "0.0.0.0" },
		{ "", 1, 1, -EBADMSG, 0, NULL },
		{ "192.0.2", 1, 1, -EBADMSG, 0, NULL },
		{ "192.0.2.256", 1, 1, -EBADMSG, 0, NULL },
		{ "192.0.2.1.1", 1, 1, -EBADMSG, 0, NULL },
		{ "192.0.02.1", 1, 1, -EBADMSG, 0, NULL },
		{ "192.0.2.1 ", 1, 1, -EBADMSG, 0, NULL },
		{ "web1.example.net", 1, 1, -EBADMSG, 0, NULL },
		{ "fe80::1%eth0", 1, 1, -EBADMSG, 0, NULL },
		{ "2001:db8::7:0000:0000:0000:0000:0000:0000:0000:0000:0000", 1, 1, -EBADMSG, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct old_report old = { 1000, cases[i].bytes, 17, 3, 5, cases[i].mss, cases[i].ip };
		char text[ADDR_TEXT_MAX];
		uint32_t type;
		uint8_t d[TRAFSTAT_LENGTH];
		struct report r;

		old_make(d, &old, "secret");
		assert_int_equal(trafstat_read(&r, &type, d), cases[i].want);
		if (cases[i].want < 0)
			continue;
		addr_format(&r.client, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(type, 17);
		assert_int_equal(r.bytes, cases[i].bytes);
		assert_int_equal(r.packets, cases[i].packets);
		assert_int_equal(r.retransmits, 5);
		assert_int_equal(r.requests, 1);
		assert_int_equal(r.duration_us, 3000000);
	}
}

static void an_address_without_an_end(void **state)
{
	struct old_report old = { 1000, 1, UINT32_MAX, 3, 5, 1, "192.0.2.1" };
	uint32_t type;
	uint8_t d[TRAFSTAT_LENGTH];
	struct report r;

	(void)state;
	old_make(d, &old, "secret");
	assert_int_equal(trafstat_read(&r, &type, d), 0);
	assert_int_equal(type, UINT32_MAX);
	memset(d + 32, '1', 256);
	assert_int_equal(trafstat_read(&r, &type, d), -EBADMSG);
}

static void signatures(void **state)
{
	static const char *const secrets[] = { "s", "secret", "12345678901234567890" };
	struct old_report old = { 1000, 1, 1, 1, 1, 1, "192.0.2.1" };
	struct trafstat *t = NULL;
	struct err e;
	uint8_t d[TRAFSTAT_LENGTH];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(trafstat_open(&t, slice_of(secrets[i]), &e), 0);
		old_make(d, &old, secrets[i]);
		assert_true(trafstat_is_signed(t, d));
		assert_true(trafstat_is_signed(t, d)); /* again, in the same context */
		for (unsigned at = 0; at < TRAFSTAT_LENGTH; at++) {
			d[at] ^= 1;
			assert_false(trafstat_is_signed(t, d));
			d[at] ^= 1;
		}
		old_make(d, &old, "another");
		assert_false(trafstat_is_signed(t, d));
		trafstat_close(&t);
	}
	assert_int_equal(trafstat_open(&t, slice_of(""), &e), -EINVAL);
	assert_int_equal(trafstat_open(&t, slice_of("123456789012345678901"), &e), -EINVAL);
	trafstat_close(&t);
}

static void times(void **state)
{
	static const struct {
		int64_t now;
		bool fresh;
	} cases[] = { { 1000, true }, { 980, true }, { 1020, true }, { 979, false }, { 1021, false }, { 0, false } };
	struct old_report old = { 1000, 1, 1, 1, 1, 1, "192.0.2.1" };
	uint8_t d[TRAFSTAT_LENGTH];

	(void)state;
	old_make(d, &old, "secret");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(trafstat_is_fresh(d, cases[i].now), cases[i].fresh);
	memset(d, 0xff, 8);
	assert_false(trafstat_is_fresh(d, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records), cmocka_unit_test(an_address_without_an_end), cmocka_unit_test(signatures),
		cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
