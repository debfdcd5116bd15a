/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/output.h"

#include "output/testing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct column columns[] = {
	{ "window", COLUMN_TIME }, { "name", COLUMN_TEXT }, { "port", COLUMN_NUMBER }, { "bytes", COLUMN_BYTES },
};

static const struct cell rows[][4] = {
	{ { .time_utc_s = 1700000000 }, { .text = "plain" }, { .number = 80 }, { .number = 0 } },
	{ { .time_utc_s = 1700000000 }, { .text = HOSTILE }, { .text = "-" }, { .number = 1234567 } },
	{ { .time_utc_s = 1700000060 }, { .text = "a,b" }, { .text = "other" }, { .number = UINT64_MAX } },
};

static char *print(enum format format, size_t row_count)
{
	struct output *o;
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_int_equal(output_open(&o, to, format, NULL), 0);
	assert_int_equal(output_columns(o, columns, 4), 0);
	for (size_t i = 0; i < row_count; i++)
		assert_int_equal(output_row(o, rows[i]), 0);
	assert_int_equal(output_close(&o, NULL), 0);
	assert_null(o);
	fclose(to);
	return text;
}

static const struct {
	enum format format;
	size_t rows;
	const char *want;
} cases[] = {
	{ FORMAT_TSV, 0, "window\tname\tport\tbytes\n" },
	{ FORMAT_TSV, 3,
	  "window\tname\tport\tbytes\n"
	  "2023-11-14T22:13:20Z\tplain\t80\t0\n"
	  "2023-11-14T22:13:20Z\t\"<b>?[31m?\\?{}\xc3\xa4\t-\t1234567\n"
	  "2023-11-14T22:14:20Z\ta,b\tother\t18446744073709551615\n" },
	{ FORMAT_CSV, 0, "window,name,port,bytes\n" },
	{ FORMAT_CSV, 3,
	  "window,name,port,bytes\n"
	  "2023-11-14T22:13:20Z,plain,80,0\n"
	  "2023-11-14T22:13:20Z,\"\"\"<b>?[31m\n\\?{}\xc3\xa4\",-,1234567\n"
	  "2023-11-14T22:14:20Z,\"a,b\",other,18446744073709551615\n" },
	{ FORMAT_JSON, 0, "[]\n" },
	{ FORMAT_JSON, 3,
	  "[\n{\"window\":\"2023-11-14T22:13:20Z\",\"name\":\"plain\",\"port\":80,\"bytes\":0},\n"
	  "{\"window\":\"2023-11-14T22:13:20Z\",\"name\":\"\\\"\\u003cb\\u003e\\u001b[31m\\u000a\\\\\\u00ff{}\xc3\xa4\","
	  "\"port\":\"-\",\"bytes\":1234567},\n"
	  "{\"window\":\"2023-11-14T22:14:20Z\",\"name\":\"a,b\",\"port\":\"other\",\"bytes\":18446744073709551615}\n]\n" },
	{ FORMAT_NDJSON, 0, "" },
	{ FORMAT_NDJSON, 1, "{\"window\":\"2023-11-14T22:13:20Z\",\"name\":\"plain\",\"port\":80,\"bytes\":0}\n" },
	{ FORMAT_TABLE, 0, "window  name  port  bytes\n" },
	{ FORMAT_TABLE, 2,
	  "window                name             port   bytes\n"
	  "2023-11-14T22:13:20Z  plain              80     0 B\n"
	  "2023-11-14T22:13:20Z  \"<b>?[31m?\\?{}\xc3\xa4     -  1.2 MB\n" },
};

static void test_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = print(cases[i].format, cases[i].rows);

		assert_string_equal(text, cases[i].want);
		free(text);
	}
}

static void test_wide_characters_align(void **state)
{
	static const struct column two[] = { { "name", COLUMN_TEXT }, { "n", COLUMN_NUMBER } };
	static const struct cell lines[][2] = {
		{ { .text = "\xe4\xb8\xad\xe6\x96\x87" }, { .number = 1 } }, /* two characters, four columns */
		{ { .text = "a\xcc\x88" }, { .number = 2 } },                 /* a and a combining mark: one column */
		{ { .text = "\xe2\x80\xae" }, { .number = 3 } },              /* turns the direction round: '?' */
	};
	struct output *o;
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(output_open(&o, to, FORMAT_TABLE, NULL), 0);
	assert_int_equal(output_columns(o, two, 2), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(output_row(o, lines[i]), 0);
	assert_int_equal(output_close(&o, NULL), 0);
	fclose(to);
	assert_string_equal(text, "name  n\n\xe4\xb8\xad\xe6\x96\x87  1\na\xcc\x88     2\n?     3\n");
	free(text);
}

/* Larger than the buffer: nothing is lost where it is written out. */
static void test_many_rows(void **state)
{
	static const struct column one[] = { { "n", COLUMN_NUMBER } };
	uint64_t sum = 0, n;
	struct output *o;
	char *text, *at;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(output_open(&o, to, FORMAT_TSV, NULL), 0);
	assert_int_equal(output_columns(o, one, 1), 0);
	for (uint64_t i = 0; i < 100000; i++)
		assert_int_equal(output_row(o, &(struct cell){ .number = i }), 0);
	assert_int_equal(output_close(&o, NULL), 0);
	fclose(to);
	at = text + 2;
	for (uint64_t i = 0; i < 100000; i++, at++) {
		n = strtoull(at, &at, 10);
		assert_int_equal(n, i);
		sum += n;
	}
	assert_int_equal(sum, UINT64_C(100000) * 99999 / 2);
	free(text);
}

static void test_full_disk(void **state)
{
	FILE *to = fopen("/dev/full", "w");
	struct err e = { 0 };
	struct output *o;

	(void)state;
	if (!to)
		skip();
	assert_int_equal(output_open(&o, to, FORMAT_TSV, NULL), 0);
	assert_int_equal(output_columns(o, columns, 4), 0);
	assert_int_equal(output_close(&o, &e), -ENOSPC);
	assert_non_null(strstr(e.msg, "could not write"));
	fclose(to);
}

static void test_format_names(void **state)
{
	enum format f = FORMAT_TABLE;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(format_parse(&f, "ndjson", NULL), 0);
	assert_int_equal(f, FORMAT_NDJSON);
	assert_int_equal(format_parse(&f, "xml", &e), -EINVAL);
	assert_non_null(strstr(e.msg, "table, tsv, csv, json or ndjson"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),   cmocka_unit_test(test_wide_characters_align),
		cmocka_unit_test(test_many_rows), cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_format_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
