/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_test.c -- rows as line protocol, JSON and CSV, and how long a sink waits after a failure. */
#include "sinks/backoff.h"
#include "sinks/line_protocol.h"
#include "sinks/text_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* A table of one text key, one number key, one counter and one address. */
static const struct sink_table table = {
	.name = "a table, of hosts",
	.columns = { .count = 5, .at = { { .alias = "window", .of = COLUMN_OF_TIME },
					 { .alias = "service", .of = COLUMN_OF_KEY, .field = FIELD_SERVICE },
					 { .alias = "port", .of = COLUMN_OF_KEY, .field = FIELD_SRC_PORT },
					 { .alias = "ipv4", .of = COLUMN_OF_IPV4 },
					 { .alias = "bytes", .of = COLUMN_OF_COUNTER } } },
};

static const struct {
	const char *why, *service, *port, *ipv4;
	uint64_t bytes;
	const char *line, *json, *csv;
} cases[] = {
	{ "plain", "https", NULL, NULL, 7, "service=https,port=443 bytes=7i 0",
	  "\"service\":\"https\",\"port\":443,\"ipv4\":null,\"bytes\":7}", "https,443,,7" },
	{ "nothing known", "-", "-", NULL, 7, "service=-,port=- bytes=7i 0",
	  "\"service\":\"-\",\"port\":\"-\",\"ipv4\":null,\"bytes\":7}", "-,-,,7" },
	{ "an address", "x", NULL, "192.0.2.1", 7, "service=x,port=443 ipv4=\"192.0.2.1\",bytes=7i 0",
	  "\"service\":\"x\",\"port\":443,\"ipv4\":\"192.0.2.1\",\"bytes\":7}", "x,443,192.0.2.1,7" },
	{ "what separates", "a,b=c d", NULL, NULL, 7, "service=a\\,b\\=c\\ d,port=443 bytes=7i 0",
	  "\"service\":\"a,b=c d\",\"port\":443,\"ipv4\":null,\"bytes\":7}", "\"a,b=c d\",443,,7" },
	{ "quotes", "a\"b", NULL, NULL, 7, "service=a\"b,port=443 bytes=7i 0",
	  "\"service\":\"a\\\"b\",\"port\":443,\"ipv4\":null,\"bytes\":7}", "\"a\"\"b\",443,,7" },
	{ "a backslash", "a\\b", NULL, NULL, 7, "service=a\\b,port=443 bytes=7i 0",
	  "\"service\":\"a\\\\b\",\"port\":443,\"ipv4\":null,\"bytes\":7}", "a\\b,443,,7" },
	{ "one at the end, one before a comma", "a\\,b\\", NULL, NULL, 7, "service=a/\\,b/,port=443 bytes=7i 0",
	  "\"service\":\"a\\\\,b\\\\\",\"port\":443,\"ipv4\":null,\"bytes\":7}", "\"a\\,b\\\",443,,7" },
	{ "a line end", "a\nb", NULL, NULL, 7, "service=a?b,port=443 bytes=7i 0",
	  "\"service\":\"a\\u000ab\",\"port\":443,\"ipv4\":null,\"bytes\":7}", "\"a\nb\",443,,7" },
	{ "no UTF-8", "a\xff", NULL, NULL, 7, "service=a\xff,port=443 bytes=7i 0",
	  "\"service\":\"a\\u00ff\",\"port\":443,\"ipv4\":null,\"bytes\":7}", "a\xff,443,,7" },
	{ "UTF-8", "gr\xc3\xbcn", NULL, NULL, 7, "service=gr\xc3\xbcn,port=443 bytes=7i 0",
	  "\"service\":\"gr\xc3\xbcn\",\"port\":443,\"ipv4\":null,\"bytes\":7}", "gr\xc3\xbcn,443,,7" },
	{ "an empty key", "", NULL, NULL, 7, "service=-,port=443 bytes=7i 0",
	  "\"service\":\"\",\"port\":443,\"ipv4\":null,\"bytes\":7}", ",443,,7" },
	{ "the largest number", "x", NULL, NULL, UINT64_MAX, "service=x,port=443 bytes=9223372036854775807i 0",
	  "\"service\":\"x\",\"port\":443,\"ipv4\":null,\"bytes\":18446744073709551615}", "x,443,,18446744073709551615" },
};

static struct sink_cell cell(const char *text, uint64_t number)
{
	return (struct sink_cell){ .text = text, .len = text ? strlen(text) : 0, .number = number };
}

static void assert_text(const char *why, struct bytes *got, const char *begin, const char *end)
{
	char want[1024];

	snprintf(want, sizeof want, "%s%s", begin, end);
	bytes_char(got, '\0');
	assert_false(got->failed);
	if (strcmp(got->at, want) != 0)
		fail_msg("%s: %s, not %s", why, got->at, want);
	bytes_clear(got);
}

static void rows_as_text(void **state)
{
	const struct sink_window window = { .table = &table };
	struct bytes b = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct sink_cell cells[] = { cell(NULL, 0), cell(cases[i].service, 0), cell(cases[i].port, 443),
						   cell(cases[i].ipv4, 0), cell(NULL, cases[i].bytes) };
		const struct sink_row row = { .window = &window, .cells = cells };
		char want[512];

		line_protocol_row(&b, &row);
		snprintf(want, sizeof want, "%s\n", cases[i].line);
		assert_text(cases[i].why, &b, "a\\ table\\,\\ of\\ hosts,", want);
		text_row_json(&b, &row, false);
		assert_text(cases[i].why, &b, "{\"window\":\"1970-01-01T00:00:00Z\",", cases[i].json);
		text_row_csv(&b, &row);
		snprintf(want, sizeof want, "%s\n", cases[i].csv);
		assert_text(cases[i].why, &b, "1970-01-01T00:00:00Z,", want);
	}
	bytes_free(&b);
}

static void keys_and_headers(void **state)
{
	const struct sink_window window = { .table = &table };
	const struct sink_cell cells[] = { cell(NULL, 60), cell("x", 0), cell(NULL, 443), cell(NULL, 0), cell(NULL, 1) };
	const struct sink_row row = { .window = &window, .time_utc_s = 60, .cells = cells };
	struct bytes b = { 0 };

	(void)state;
	text_row_key(&b, &row);
	assert_text("key", &b, "[\"a table, of hosts\",\"1970-01-01T00:01:00Z\",", "\"x\",443]");
	text_row_csv_header(&b, &table.columns);
	assert_text("header", &b, "", "window,service,port,ipv4,bytes\n");
	bytes_free(&b);
}

static void a_row_without_a_field_is_no_line(void **state)
{
	struct sink_table devices = { .name = "d", .columns = { .count = 2, .at = { { .alias = "mac", .of = COLUMN_OF_KEY,
			.field = FIELD_MAC },
										    { .alias = "ipv6",
												.of = COLUMN_OF_IPV6 } } } };
	const struct sink_window window = { .table = &devices };
	const struct sink_cell cells[] = { cell("02:00:00:00:00:01", 0), cell(NULL, 0) };
	const struct sink_row row = { .window = &window, .cells = cells };
	struct bytes b = { 0 };

	(void)state;
	line_protocol_row(&b, &row);
	assert_int_equal(b.len, 0);
	bytes_free(&b);
}

static void waits_grow_and_differ(void **state)
{
	static const struct {
		unsigned failures;
		uint32_t least_ms, most_ms;
	} waits[] = { { 0, 500, 1000 }, { 1, 1000, 2000 }, { 2, 2000, 4000 }, { 5, 16000, 32000 }, { 6, 30000, 60000 },
			{ 1000, 30000, 60000 } };

	(void)state;
	for (size_t i = 0; i < COUNT(waits); i++)
		for (uint32_t random = 0; random < 5; random++) {
			struct backoff b = { waits[i].failures };
			uint32_t ms = backoff_next(&b, random * 1103515245u + UINT32_MAX / 2);

			assert_in_range(ms, waits[i].least_ms, waits[i].most_ms);
			assert_int_equal(b.failures, waits[i].failures + 1);
		}
	struct backoff low = { 3 }, high = { 3 };
	assert_int_not_equal(backoff_next(&low, 1), backoff_next(&high, 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_as_text), cmocka_unit_test(keys_and_headers),
		cmocka_unit_test(a_row_without_a_field_is_no_line), cmocka_unit_test(waits_grow_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
