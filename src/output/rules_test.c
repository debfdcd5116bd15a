/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_test.c -- which identifiers read as labels. */
#include "output/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct {
	const char *identifier;
	bool labels;
} cases[] = {
	{ "type=\"arp\"", true },
	{ "type=\"arp\",subtype=\"request\"", true },
	{ "_x9=\"a,b;c=d\"", true },
	{ "a=\"\\\"\\\\\\n\"", true },
	{ "a=\"\xc3\xa9\"", true },
	{ "", false },
	{ "arp", false },
	{ "type=arp", false },
	{ "type=\"arp", false },
	{ "type=\"arp\",", false },
	{ "type=\"arp\", b=\"c\"", false },
	{ " type=\"arp\"", false },
	{ "type=\"arp\"x", false },
	{ "a=\"\"", false },
	{ "a=\"1\",a=\"2\"", false },
	{ "9a=\"1\"", false },
	{ "a-b=\"1\"", false },
	{ "__a=\"1\"", false },
	{ "=\"1\"", false },
	{ "a=\"\\x\"", false },
	{ "a=\"\\", false },
	{ "a=\"\xff\"", false },
	{ "a=\"\t\"", false },
	{ "rule=\"1\"", false },
	{ "interface=\"eth0\"", false },
	{ "a=\"1\",direction=\"x\"", false },
};

static void labels_are_told_from_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (rules_is_labels(cases[i].identifier) != cases[i].labels)
			fail_msg("%s", cases[i].identifier);
}

static void the_same_in_another_order(void **state)
{
	static const char *const names[] = { "b=\"2\",a=\"1\"", "a=\"1\",b=\"2\"", "a=\"1\"", "x" };
	static const bool want[] = { true, false, true, false };
	struct account *a = account_new();
	struct strings *strings;
	bool *labels;

	(void)state;
	assert_int_equal(strings_new(&strings), 0);
	a->rules = calloc(COUNT(names), sizeof *a->rules);
	a->rule_count = COUNT(names);
	for (size_t i = 0; i < COUNT(names); i++)
		a->rules[i] = strings_add(strings, names[i]);
	labels = rules_labels(a, strings);
	assert_memory_equal(labels, want, sizeof want);
	free(labels);
	strings_free(&strings);
	account_unref(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_told_from_names), cmocka_unit_test(the_same_in_another_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
