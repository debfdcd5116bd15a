/* SPDX-License-Identifier: GPL-2.0-or-later */
/* as_path_test.c -- paths as text and as words, and what they tell. */
#include "routes/as_path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void what_a_path_tells(void **state)
{
	static const struct { const char *text, *origin; uint32_t neighbour, length, distinct; } cases[] = {
		{ "", "", 0, 0, 0 },
		{ "64500", "64500", 64500, 1, 1 },
		{ "64500 64501 64502", "64502", 64500, 3, 3 },
		{ "64500 64500 64500 64501 64501", "64501", 64500, 5, 2 },
		{ "4294967295 23456 1", "1", 4294967295u, 3, 3 },
		{ "64500 {64502,64503}", "{64502,64503}", 64500, 2, 3 },
		{ "64500 {64502}", "{64502}", 64500, 2, 2 },
		{ "{64502,64503}", "{64502,64503}", 0, 1, 2 },
		{ "{64502}", "{64502}", 64502, 1, 1 },
		{ "{64502,64503} 64504", "64504", 0, 2, 3 },
		{ "(65001 65002) 64500 64501", "64501", 64500, 2, 4 },
		{ "[65001,65002] 64500", "64500", 64500, 1, 3 },
		{ "(65001 65002)", "65002", 0, 0, 2 },
		{ "64500 (65001) 64501 {1,2,3}", "{1,2,3}", 64500, 3, 6 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t words[32], as[32];
		struct as_path p = { .words = words };
		struct as_origin o;
		char text[80];

		print_message("%s\n", cases[i].text);
		assert_int_equal(as_path_parse(words, 32, &p.count, cases[i].text), 0);
		assert_int_equal(as_path_format(&p, text, sizeof text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
		o = as_path_origin(&p);
		assert_int_equal(as_origin_format(&o, text, sizeof text), strlen(cases[i].origin));
		assert_string_equal(text, cases[i].origin);
		assert_int_equal(as_path_neighbour(&p), cases[i].neighbour);
		assert_int_equal(as_path_length(&p), cases[i].length);
		assert_int_equal(as_path_distinct(&p, as, 32), cases[i].distinct);
		assert_int_equal(as_path_distinct(&p, as, 1), cases[i].distinct ? 1 : 0);
	}
}

static void text_that_is_no_path(void **state)
{
	static const struct { const char *text; uint32_t room; int want; } cases[] = {
		{ "x", 8, -EINVAL }, { "1 x", 8, -EINVAL }, { "{1,2", 8, -EINVAL }, { "{1 2}", 8, -EINVAL }, { "{}", 8, -EINVAL },
		{ "1,2", 8, -EINVAL }, { "4294967296", 8, -EINVAL }, { "-1", 8, -EINVAL }, { "(1,2)", 8, -EINVAL },
		{ "1 2 3", 3, -ENOSPC }, { "1 2 3", 4, 0 }, { "1 2 {3}", 5, 0 }, { "1 2 {3}", 4, -ENOSPC },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t words[8], count;

		print_message("%s\n", cases[i].text);
		assert_int_equal(as_path_parse(words, cases[i].room, &count, cases[i].text), cases[i].want);
	}
}

/* As snprintf: never over the room, always the whole length. */
static void text_without_room(void **state)
{
	static const uint32_t words[] = { AS_SEGMENT(AS_SEGMENT_SEQUENCE, 2), 64500, 64501, AS_SEGMENT(AS_SEGMENT_SET, 1), 7 };
	const struct as_path p = { words, COUNT(words) };
	char text[16];

	(void)state;
	for (size_t size = 0; size <= sizeof text; size++) {
		memset(text, 'x', sizeof text);
		assert_int_equal(as_path_format(&p, size ? text : NULL, size), strlen("64500 64501 {7}"));
		if (size)
			assert_int_equal(strlen(text), size - 1);
		for (size_t i = size; i < sizeof text; i++)
			assert_int_equal(text[i], 'x');
	}
	assert_string_equal(text, "64500 64501 {7}");
}

/* Words that no parser of ours makes: the walk ends, nothing is read behind them. */
static void words_that_are_cut(void **state)
{
	static const uint32_t words[] = { AS_SEGMENT(AS_SEGMENT_SEQUENCE, 1), 64500, AS_SEGMENT(AS_SEGMENT_SEQUENCE, 9), 64501 };
	const struct as_path p = { words, COUNT(words) };
	struct as_segment s;
	uint32_t at = 0;

	(void)state;
	assert_true(as_path_next(&p, &at, &s));
	assert_int_equal(s.count, 1);
	assert_false(as_path_next(&p, &at, &s));
	assert_int_equal(as_path_length(&p), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_path_tells),
		cmocka_unit_test(text_that_is_no_path),
		cmocka_unit_test(text_without_room),
		cmocka_unit_test(words_that_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
