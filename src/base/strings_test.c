/* SPDX-License-Identifier: GPL-2.0-or-later */
/* strings_test.c -- ids are stable, strings never move, and the limit has its answer. */
#include "base/strings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MANY 20000u /* several chunks, several index sizes */

static void ids_and_their_strings(void **state)
{
	struct strings *s = NULL;
	uint32_t a, b;
	char text[] = "eth0";

	(void)state;
	assert_int_equal(strings_new(&s), 0);
	assert_string_equal(strings_at(s, 0), "-");
	assert_string_equal(strings_at(s, 1), "-");
	a = strings_add(s, text);
	memcpy(text, "eth1", 4); /* it was copied */
	b = strings_add(s, text);
	assert_int_equal(a, 1);
	assert_int_equal(b, 2);
	assert_int_equal(strings_add(s, "eth0"), a);
	assert_int_equal(strings_add(s, "eth1"), b);
	assert_string_equal(strings_at(s, a), "eth0");
	assert_string_equal(strings_at(s, b), "eth1");
	assert_int_equal(strings_add(s, ""), 3);
	assert_string_equal(strings_at(s, 3), "");
	assert_string_equal(strings_at(s, 4), "-");
	assert_string_equal(strings_at(s, STRINGS_MAX), "-");
	assert_string_equal(strings_at(s, STRINGS_MAX + 1), "-");
	assert_string_equal(strings_at(s, UINT32_MAX), "-");
	strings_free(&s);
	assert_null(s);
	strings_free(&s);
}

static void many_stay_where_they_are(void **state)
{
	static const char *was[MANY + 1];
	struct strings *s = NULL;
	char text[32];

	(void)state;
	assert_int_equal(strings_new(&s), 0);
	for (uint32_t i = 1; i <= MANY; i++) {
		snprintf(text, sizeof text, "name %u", i);
		assert_int_equal(strings_add(s, text), i);
		was[i] = strings_at(s, i);
	}
	for (uint32_t i = 1; i <= MANY; i++) {
		snprintf(text, sizeof text, "name %u", i);
		assert_int_equal(strings_add(s, text), i);
		assert_string_equal(strings_at(s, i), text);
		assert_ptr_equal(strings_at(s, i), was[i]);
	}
	strings_free(&s);
}

/* The last id there is; then 0, and what was known is still found. */
static void the_limit(void **state)
{
	struct strings *s = NULL;
	char text[16];

	(void)state;
	assert_int_equal(strings_new(&s), 0);
	for (uint32_t i = 1; i <= STRINGS_MAX; i++) {
		snprintf(text, sizeof text, "%x", i);
		if (strings_add(s, text) != i)
			fail_msg("no id for string %u", i);
	}
	assert_int_equal(strings_add(s, "one too many"), 0);
	assert_string_equal(strings_at(s, STRINGS_MAX), text);
	assert_int_equal(strings_add(s, text), STRINGS_MAX);
	assert_int_equal(strings_add(s, "1"), 1);
	strings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_and_their_strings),
		cmocka_unit_test(many_stay_where_they_are),
		cmocka_unit_test(the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
