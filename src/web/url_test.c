/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "web/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *why, *target;
	int want;
	const char *path, *params; /* "name=value;" each */
} cases[] = {
	{ "a path alone", "/metrics", 0, "/metrics", "" },
	{ "parameters", "/a?from=-1h&limit=5", 0, "/a", "from=-1h;limit=5;" },
	{ "the value has an equals sign", "/a?where=host=192.0.2.1", 0, "/a", "where=host=192.0.2.1;" },
	{ "escapes", "/a%20b?x=%3D%26%23&y=%2F", 0, "/a b", "x==&#;y=/;" },
	{ "a plus is a blank in the query only", "/a+b?x=1+2%2B3", 0, "/a+b", "x=1 2+3;" },
	{ "no value, no name, nothing", "/?a&=b&&", 0, "/", "a=;=b;" },
	{ "repeated", "/?where=a=1&where=b=2", 0, "/", "where=a=1;where=b=2;" },
	{ "the fragment is not for us", "/a?b=1#c", 0, "/a", "b=1;" },
	{ "not UTF-8 is text like any other", "/?a=%ff", 0, "/", "a=\xff;" },
	{ "no path", "", -EINVAL, NULL, NULL },
	{ "of a proxy", "http://example.org/", -EINVAL, NULL, NULL },
	{ "an escape cut short", "/?a=%4", -EINVAL, NULL, NULL },
	{ "an escape of other digits", "/%zz", -EINVAL, NULL, NULL },
	{ "an encoded NUL", "/?a=%00", -EINVAL, NULL, NULL },
	{ "an encoded slash", "/api%2Fv1", -EINVAL, NULL, NULL },
};

static void test_cases(void **state)
{
	static struct url u;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct slice s = { (const uint8_t *)cases[i].target, strlen(cases[i].target) };
		char params[256] = "";
		int r = url_parse(&u, s, NULL);

		if (r != cases[i].want)
			fail_msg("%s: %d", cases[i].why, r);
		if (r < 0)
			continue;
		for (unsigned p = 0; p < u.param_count; p++)
			snprintf(params + strlen(params), sizeof params - strlen(params), "%s=%s;", u.params[p].name,
				 u.params[p].value);
		assert_string_equal(u.path, cases[i].path);
		assert_string_equal(params, cases[i].params);
	}
}

static void test_limits(void **state)
{
	static char text[URL_BYTES_MAX + 1] = "/?";
	static struct url u;
	struct slice s = { (const uint8_t *)text, URL_BYTES_MAX - 1 };

	(void)state;
	memset(text + 2, 'a', URL_BYTES_MAX - 2);
	assert_int_equal(url_parse(&u, s, NULL), 0);
	s.len++;
	assert_int_equal(url_parse(&u, s, NULL), -ENAMETOOLONG);
	for (size_t i = 2; i < URL_BYTES_MAX; i += 2)
		memcpy(text + i, "a&", 2);
	s.len = 2 + 2 * URL_PARAMS_MAX;
	assert_int_equal(url_parse(&u, s, NULL), 0);
	assert_int_equal(u.param_count, URL_PARAMS_MAX);
	s.len += 2;
	assert_int_equal(url_parse(&u, s, NULL), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
