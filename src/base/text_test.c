/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_test.c -- durations, sizes, times, people's numbers, JSON strings. */
#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void durations_are_parsed(void **state)
{
	static const struct { const char *text; int code; uint32_t s; } cases[] = {
		{ "1s", 0, 1 }, { "90s", 0, 90 }, { "5min", 0, 300 }, { "5m", 0, 300 }, { "1h", 0, 3600 },
		{ "1d", 0, 86400 }, { "2w", 0, 1209600 }, { "007s", 0, 7 }, { "36525d", 0, 3155760000u },
		{ "3155760000s", 0, 3155760000u },
		{ "3155760001s", -EINVAL, 0 }, { "36526d", -EINVAL, 0 }, { "0s", -EINVAL, 0 }, { "0d", -EINVAL, 0 },
		{ "", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "60", -EINVAL, 0 }, { "1 s", -EINVAL, 0 },
		{ " 1s", -EINVAL, 0 }, { "1s ", -EINVAL, 0 }, { "-1s", -EINVAL, 0 }, { "+1s", -EINVAL, 0 },
		{ "1.5h", -EINVAL, 0 }, { "1h30min", -EINVAL, 0 }, { "1S", -EINVAL, 0 }, { "1y", -EINVAL, 0 },
		{ "18446744073709551616s", -EINVAL, 0 }, { "18446744073709551615w", -EINVAL, 0 },
		{ "4294967297s", -EINVAL, 0 }, { "0x10s", -EINVAL, 0 }, { "forever", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = { 0 };
		uint32_t s = 77;

		print_message("%s\n", cases[i].text);
		assert_int_equal(duration_parse(&s, cases[i].text, &e), cases[i].code);
		assert_int_equal(s, cases[i].code ? 77 : cases[i].s);
		assert_int_equal(e.msg[0] != '\0', cases[i].code != 0);
	}
	assert_int_equal(duration_parse(&(uint32_t){ 0 }, "nonsense", NULL), -EINVAL);
}

static void durations_are_formatted(void **state)
{
	static const struct { uint32_t s; const char *text; } cases[] = {
		{ 1, "1s" }, { 59, "59s" }, { 60, "1min" }, { 90, "90s" }, { 3600, "1h" }, { 5400, "90min" },
		{ 86400, "1d" }, { 604800, "7d" }, { 2419200, "28d" }, { 0, "0s" }, { 4294967295u, "4294967295s" },
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t back;

		assert_string_equal(duration_format(cases[i].s, buf, sizeof buf), cases[i].text);
		if (duration_parse(&back, buf, NULL) == 0)
			assert_int_equal(back, cases[i].s);
	}
}

static void sizes_are_parsed(void **state)
{
	static const struct { const char *text; int code; uint64_t bytes; } cases[] = {
		{ "0", 0, 0 }, { "4096", 0, 4096 }, { "1B", 0, 1 }, { "512KiB", 0, 512 << 10 }, { "64MiB", 0, 64 << 20 },
		{ "10GiB", 0, UINT64_C(10) << 30 }, { "1TiB", 0, UINT64_C(1) << 40 }, { "1PiB", 0, UINT64_C(1) << 50 },
		{ "10MB", 0, 10000000 }, { "1kB", 0, 1000 }, { "1KB", 0, 1000 }, { "2GB", 0, UINT64_C(2000000000) },
		{ "1TB", 0, UINT64_C(1000000000000) }, { "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -EINVAL, 0 }, { "16777216TiB", -EINVAL, 0 }, { "", -EINVAL, 0 },
		{ "GiB", -EINVAL, 0 }, { "10G", -EINVAL, 0 }, { "1.5GiB", -EINVAL, 0 }, { "1 GiB", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 }, { "1gib", -EINVAL, 0 }, { "1GiBx", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = { 0 };
		uint64_t bytes = 77;

		print_message("%s\n", cases[i].text);
		assert_int_equal(size_parse(&bytes, cases[i].text, &e), cases[i].code);
		assert_true(bytes == (cases[i].code ? 77 : cases[i].bytes));
		assert_int_equal(e.msg[0] != '\0', cases[i].code != 0);
	}
}

static void sizes_are_formatted(void **state)
{
	static const struct { uint64_t bytes; const char *text; } cases[] = {
		{ 0, "0" }, { 1, "1" }, { 1000, "1000" }, { 1024, "1KiB" }, { 1536, "1536" }, { 64 << 20, "64MiB" },
		{ UINT64_C(10) << 30, "10GiB" }, { UINT64_C(1) << 50, "1024TiB" }, { UINT64_MAX, "18446744073709551615" },
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(size_format(cases[i].bytes, buf, sizeof buf), cases[i].text);
}

static void people_get_three_digits(void **state)
{
	static const struct { uint64_t n; const char *bytes, *count; } cases[] = {
		{ 0, "0 B", "0" }, { 950, "950 B", "950" }, { 999, "999 B", "999" }, { 1000, "1.0 kB", "1.0 k" },
		{ 3449, "3.4 kB", "3.4 k" }, { 3450, "3.5 kB", "3.5 k" }, { 99949, "99.9 kB", "99.9 k" },
		{ 99950, "100 kB", "100 k" }, { 123456, "123 kB", "123 k" }, { 999499, "999 kB", "999 k" },
		{ 999500, "1.0 MB", "1.0 M" }, { 1234567, "1.2 MB", "1.2 M" }, { 999499999, "999 MB", "999 M" },
		{ 999500000, "1.0 GB", "1.0 G" }, { UINT64_C(5000000000000), "5.0 TB", "5.0 T" },
		{ UINT64_C(999999999999999999), "1.0 EB", "1.0 E" }, { UINT64_MAX, "18.4 EB", "18.4 E" },
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(human_bytes(cases[i].n, buf, sizeof buf), cases[i].bytes);
		assert_string_equal(human_count(cases[i].n, buf, sizeof buf), cases[i].count);
	}
	assert_string_equal(human_bytes(1234567, buf, 4), "1.2"); /* never past the buffer */
}

static void times_are_parsed(void **state)
{
	const int64_t now = 1763771160; /* 2025-11-22T00:26:00Z, a Saturday */
	static const struct { const char *text; int code; int64_t s; } cases[] = {
		{ "now", 0, 1763771160 }, { "today", 0, 1763769600 }, { "yesterday", 0, 1763683200 },
		{ "-1h", 0, 1763767560 }, { "-7d", 0, 1763166360 },
		{ "0", 0, 0 }, { "1700000000", 0, 1700000000 }, { "253402300799", 0, 253402300799 },
		{ "1970-01-01T00:00:00Z", 0, 0 }, { "2023-11-14T22:13:20Z", 0, 1700000000 },
		{ "2023-11-14 22:13:20Z", 0, 1700000000 }, { "2023-11-14t22:13:20z", 0, 1700000000 },
		{ "2023-11-14T23:13:20+01:00", 0, 1700000000 }, { "2023-11-14T18:43:20-03:30", 0, 1700000000 },
		{ "2023-11-14T18:43:20-0330", 0, 1700000000 }, { "2023-11-14T22:13:20.999999999999999999999999Z", 0, 1700000000 },
		{ "2023-11-14 22:13:20", 0, 1700000000 }, { "2023-11-14T22:13", 0, 1699999980 },
		{ "2023-11-14", 0, 1699920000 }, { "2024-02-29", 0, 1709164800 }, { "2000-02-29", 0, 951782400 },
		{ "2016-12-31T23:59:60Z", 0, 1483228800 }, { "1969-12-31T23:59:59Z", 0, -1 },
		{ "0000-01-01", 0, -62167219200 }, { "9999-12-31T23:59:59Z", 0, 253402300799 },
		{ "2023-02-29", -EINVAL, 0 }, { "1900-02-29", -EINVAL, 0 }, { "2023-04-31", -EINVAL, 0 },
		{ "2023-13-01", -EINVAL, 0 }, { "2023-00-01", -EINVAL, 0 }, { "2023-01-00", -EINVAL, 0 },
		{ "2023-1-1", -EINVAL, 0 }, { "2023-11-14T", -EINVAL, 0 }, { "2023-11-14T24:00:00Z", -EINVAL, 0 },
		{ "2023-11-14T22:60:00Z", -EINVAL, 0 }, { "2023-11-14T22:13:61Z", -EINVAL, 0 },
		{ "2023-11-14T22:13:20.Z", -EINVAL, 0 }, { "2023-11-14T22:13:20+24:00", -EINVAL, 0 },
		{ "2023-11-14T22:13:20Zx", -EINVAL, 0 }, { "2023-11-14T22:13:20 Z", -EINVAL, 0 },
		{ "253402300800", -EINVAL, 0 }, { "99999999999999999999", -EINVAL, 0 }, { "", -EINVAL, 0 },
		{ "-", -EINVAL, 0 }, { "-1", -EINVAL, 0 }, { "1h", -EINVAL, 0 }, { "tomorrow", -EINVAL, 0 },
		{ "Now", -EINVAL, 0 }, { "17000x", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = { 0 };
		int64_t s = 77;

		print_message("%s\n", cases[i].text);
		assert_int_equal(time_parse(&s, cases[i].text, now, &e), cases[i].code);
		assert_true(s == (cases[i].code ? 77 : cases[i].s));
		assert_int_equal(e.msg[0] != '\0', cases[i].code != 0);
	}
}

static void times_are_formatted(void **state)
{
	static const struct { int64_t s; const char *text; } cases[] = {
		{ 0, "1970-01-01T00:00:00Z" }, { -1, "1969-12-31T23:59:59Z" }, { 1700000000, "2023-11-14T22:13:20Z" },
		{ 951782399, "2000-02-28T23:59:59Z" }, { 951782400, "2000-02-29T00:00:00Z" },
		{ 253402300799, "9999-12-31T23:59:59Z" }, { -62167219200, "0000-01-01T00:00:00Z" },
	};
	char buf[TIME_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(time_format(cases[i].s, buf, sizeof buf), cases[i].text);
	(void)time_format(INT64_MAX, buf, sizeof buf); /* no year that fits, no harm either */
	(void)time_format(INT64_MIN, buf, sizeof buf);
}

static void times_come_back(void **state)
{
	char buf[TIME_TEXT_MAX];

	(void)state;
	for (int64_t s = -62167219200; s <= 253402300799; s += 86400 * 17 + 12345) {
		int64_t back = 0;

		assert_int_equal(time_parse(&back, time_format(s, buf, sizeof buf), 0, NULL), 0);
		assert_true(back == s);
	}
}

static void json_strings_are_safe(void **state)
{
	static const struct { const char *text, *json; } cases[] = {
		{ "", "\"\"" }, { "plain", "\"plain\"" }, { "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "a\nb\tc\x01\x7f", "\"a\\nb\\tc\\u0001\\u007f\"" },
		{ "</script>&", "\"\\u003c/script\\u003e\\u0026\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\xff" "a", "\"\\u00ffa\"" }, { "\xc0\xaf", "\"\\u00c0\\u00af\"" },       /* overlong */
		{ "\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"" },                             /* a surrogate */
		{ "\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\"" },                   /* over U+10FFFF */
		{ "\xe2\x82", "\"\\u00e2\\u0082\"" }, { "\xe0\x80\x80", "\"\\u00e0\\u0080\\u0080\"" },
		{ "\xf0\x80\x80\x80", "\"\\u00f0\\u0080\\u0080\\u0080\"" }, { "\xc3", "\"\\u00c3\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = NULL;
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);

		assert_non_null(f);
		json_string(f, cases[i].text);
		fclose(f);
		assert_string_equal(text, cases[i].json);
		free(text);
	}
}

static void printable_text_is_safe(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "", "" }, { "plain <&>", "plain <&>" }, { "a\tb\nc\x1b[31m", "a?b?c?[31m" }, { "\x7f", "?" },
		{ "\xc3\xa9", "\xc3\xa9" }, { "\xc2\x9b" "31m", "?31m" }, { "\xc2\xa0", "\xc2\xa0" },
		{ "\xff\xfe", "??" }, { "0123456789abcdefgh", "0123456789abcde" },
		{ "0123456789abcd\xc3\xa9", "0123456789abcd" }, /* never half a character */
	};
	char buf[16];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(text_printable(cases[i].text, buf, sizeof buf), cases[i].want);
	buf[0] = 'x';
	(void)text_printable("abc", buf, 0);
	assert_int_equal(buf[0], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_parsed), cmocka_unit_test(durations_are_formatted),
		cmocka_unit_test(sizes_are_parsed), cmocka_unit_test(sizes_are_formatted),
		cmocka_unit_test(people_get_three_digits), cmocka_unit_test(times_are_parsed),
		cmocka_unit_test(times_are_formatted), cmocka_unit_test(times_come_back),
		cmocka_unit_test(json_strings_are_safe), cmocka_unit_test(printable_text_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
