/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/asnames.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *why, *text;
	int want;        /* names, or negative */
	uint32_t as;
	const char *name;
} cases[] = {
	{ "empty", "", 0, 1, NULL },
	{ "one", "64500 Example Networks\n", 1, 64500, "Example Networks" },
	{ "without a line's end", "64500 Example", 1, 64500, "Example" },
	{ "AS before it, tabs, line ends of DOS", "AS64501\tExample, Inc.\r\n", 1, 64501, "Example, Inc." },
	{ "as CSV", "64501,Example", 1, 64501, "Example" },
	{ "comments and empty lines", "# all\n\n 64500 A\n", 1, 64500, "A" },
	{ "the largest number", "4294967295 Last\n", 1, 4294967295, "Last" },
	{ "beyond it", "4294967296 No\n", -EINVAL, 0, NULL },
	{ "any order; the first of two stays", "64502 C\n64500 A\n64500 B\n", 2, 64500, "A" },
	{ "no number", "Example\n", -EINVAL, 0, NULL },
	{ "a number alone", "64500\n", -EINVAL, 0, NULL },
	{ "not there", "64500 A\n64502 C\n", 2, 64501, NULL },
};

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct slice text = { (const uint8_t *)cases[i].text, strlen(cases[i].text) };
		struct asnames *n = NULL;
		struct err e = { 0 };
		const char *name;
		int r = asnames_parse(&n, text, "test", &e);

		if (r != (cases[i].want < 0 ? cases[i].want : 0) || (r == 0 && asnames_count(n) != (size_t)cases[i].want))
			fail_msg("%s: %d, %zu names: %s", cases[i].why, r, asnames_count(n), e.msg);
		name = asnames_find(n, cases[i].as);
		if (r == 0 && (cases[i].name ? !name || strcmp(name, cases[i].name) != 0 : name != NULL))
			fail_msg("%s: '%s'", cases[i].why, name ? name : "none");
		asnames_free(&n);
	}
}

static void test_long_name_is_cut(void **state)
{
	char text[600] = "64500 ";
	struct asnames *n = NULL;

	(void)state;
	memset(text + 6, 'x', 500);
	assert_int_equal(asnames_parse(&n, (struct slice){ (uint8_t *)text, 506 }, "test", NULL), 0);
	assert_int_equal(strlen(asnames_find(n, 64500)), ASNAME_TEXT_MAX - 1);
	asnames_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text), cmocka_unit_test(test_long_name_is_cut) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
