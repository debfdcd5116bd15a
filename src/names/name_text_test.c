/* SPDX-License-Identifier: GPL-2.0-or-later */
/* name_text_test.c -- foreign bytes become names that no output can be broken with. */
#include "names/testing.h"

#include "names/name_text.h"

#include <errno.h>

static void foreign_bytes_are_escaped(void **state)
{
	static const struct { const char *why, *bytes; size_t len; const char *want; } rows[] = {
		{ "a host name", "www.example.net", 15, "www.example.net" },
		{ "the root's dot goes", "www.example.net.", 16, "www.example.net" },
		{ "case says nothing", "WWW.Example.NET", 15, "www.example.net" },
		{ "a service", "_ipp._tcp.x", 11, "_ipp._tcp.x" },
		{ "RFC 2317", "0/25.2.0.192", 12, "0/25.2.0.192" },
		{ "a terminal's escape", "a\033[2Jb", 6, "a\\027\\0912jb" },
		{ "an 8-bit control", "a\x9bz", 3, "a\\155z" },
		{ "lines", "a\nb\r\tc", 6, "a\\010b\\013\\009c" },
		{ "the end of a string", "a\0b", 3, "a\\000b" },
		{ "quotes", "a\"b'c`", 6, "a\\034b\\039c\\096" },
		{ "markup", "<b>&amp;", 8, "\\060b\\062\\038amp\\059" },
		{ "a backslash is no escape", "a\\032", 5, "a\\092032" },
		{ "SQL", "x';--", 5, "x\\039\\059--" },
		{ "UTF-8", "k\xc3\xbc", 3, "k\\195\\188" },
		{ "blank and comma", "a b,c", 5, "a\\032b\\044c" },
		{ "what stands for nothing known", "-", 1, "\\045" },
		{ "what stands for the rest", "Other", 5, "\\111ther" },
		{ "nothing", "", 0, "" }, { "dots alone", "...", 3, "" },
	};
	struct name_text t;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].why);
		assert_int_equal(name_text_of(&t, (struct slice){ (const uint8_t *)rows[i].bytes, rows[i].len }),
			rows[i].want[0] != '\0');
		assert_string_equal(t.at, rows[i].want);
	}
}

/* 255 bytes on the wire can be 1020 characters here; what is cut is cut between escapes. */
static void long_names_are_cut(void **state)
{
	uint8_t bytes[300];
	struct name_text t;

	(void)state;
	memset(bytes, 'a', sizeof bytes);
	assert_true(name_text_of(&t, (struct slice){ bytes, sizeof bytes }));
	assert_int_equal(strlen(t.at), 255);
	assert_true(t.cut);
	memset(bytes, 1, sizeof bytes);
	assert_true(name_text_of(&t, (struct slice){ bytes, sizeof bytes }));
	assert_int_equal(strlen(t.at), 252);
	assert_string_equal(t.at + 248, "\\001");
	bytes[254] = 'a';
	name_text_of(&t, (struct slice){ bytes + 192, 63 });
	assert_false(t.cut);
}

static void names_of_the_config(void **state)
{
	static const struct { const char *why, *name; int want; } rows[] = {
		{ "plain", "printer", 0 }, { "for people", "Küche TV (oben)", 0 }, { "quotes are text", "Bob's \"PC\"", 0 },
		{ "empty", "", -EINVAL }, { "nothing known", "-", -EINVAL }, { "the rest", "other", -EINVAL },
		{ "a control", "a\033[2J", -EINVAL }, { "DEL", "a\177", -EINVAL }, { "a C1 control", "a\xc2\x9b", -EINVAL },
		{ "no UTF-8", "\xff", -EINVAL }, { "overlong", "\xc0\xaf", -EINVAL }, { "cut", "a\xe2\x82", -EINVAL },
		{ "a surrogate", "\xed\xa0\x80", -EINVAL },
		{ "63 bytes", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123", 0 },
		{ "64 bytes", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = { 0 };

		print_message("%s\n", rows[i].why);
		assert_int_equal(name_text_check(rows[i].name, &e), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_bytes_are_escaped),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(names_of_the_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
