/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prefix_test.c -- prefixes as text, what they contain, and the set of them. */
#include "base/prefix.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text), 0);
	return a;
}

static void texts_are_parsed(void **state)
{
	static const struct { const char *text, *as; } cases[] = {
		{ "192.0.2.0/24", "192.0.2.0/24" }, { "192.0.2.77/24", "192.0.2.0/24" }, { "192.0.2.1", "192.0.2.1/32" },
		{ "192.0.2.129/25", "192.0.2.128/25" }, { "10.255.255.255/9", "10.128.0.0/9" },
		{ "1.2.3.4/0", "0.0.0.0/0" }, { "1.2.3.5/31", "1.2.3.4/31" }, { "1.2.3.4/32", "1.2.3.4/32" },
		{ "2001:db8::1/32", "2001:db8::/32" }, { "::1", "::1/128" }, { "ffff::/0", "::/0" },
		{ "2001:db8:ffff::/33", "2001:db8:8000::/33" }, { "::ffff:1.2.3.4/96", "::ffff:0.0.0.0/96" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
		{ "", NULL }, { "/", NULL }, { "/24", NULL }, { "192.0.2.0/", NULL }, { "192.0.2.0/33", NULL },
		{ "192.0.2.0/-1", NULL }, { "192.0.2.0/+8", NULL }, { "192.0.2.0/ 8", NULL }, { "192.0.2.0/8 ", NULL },
		{ "192.0.2.0/8/8", NULL }, { "192.0.2/24", NULL }, { "2001:db8::/129", NULL },
		{ "192.0.2.0/4294967304", NULL }, { "192.0.2.0/255.255.255.0", NULL }, { "eth0", NULL },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/1288", NULL },
		{ "something that is much longer than any prefix can ever be, and no prefix at all", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix p = { .bits = 99 };
		char text[PREFIX_TEXT_MAX];
		struct err e = { 0 };

		print_message("%s\n", cases[i].text);
		assert_int_equal(prefix_parse(&p, cases[i].text, &e), cases[i].as ? 0 : -EINVAL);
		if (!cases[i].as) {
			assert_int_equal(p.bits, 99);
			assert_true(e.msg[0]);
			continue;
		}
		prefix_format(&p, text);
		assert_string_equal(text, cases[i].as);
	}
}

static void what_lies_within(void **state)
{
	static const struct { const char *prefix, *addr; bool within; } cases[] = {
		{ "192.0.2.0/24", "192.0.2.0", true }, { "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false }, { "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true }, { "192.0.2.4/30", "192.0.2.8", false },
		{ "192.0.2.1/32", "192.0.2.1", true }, { "192.0.2.1/32", "192.0.2.0", false },
		{ "0.0.0.0/0", "255.255.255.255", true }, { "0.0.0.0/0", "::", false }, { "::/0", "1.2.3.4", false },
		{ "::/0", "ffff::1", true }, { "::ffff:0:0/96", "1.2.3.4", false },
		{ "::ffff:0:0/96", "::ffff:1.2.3.4", true }, { "2001:db8::/33", "2001:db8:8000::", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true }, { "fe80::/10", "febf::1", true },
		{ "fe80::/10", "fec0::1", false }, { "2001:db8::1/128", "2001:db8::1", true },
		{ "2001:db8::1/128", "2001:db8::", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr a = addr_of(cases[i].addr);
		struct prefix p;

		print_message("%s in %s\n", cases[i].addr, cases[i].prefix);
		assert_int_equal(prefix_parse(&p, cases[i].prefix, NULL), 0);
		assert_int_equal(prefix_contains(&p, &a), cases[i].within);
	}
}

/* Each length: the last bit inside decides, the first bit outside does not. */
static void every_length(void **state)
{
	static const char *const bases[] = { "170.85.170.85", "aaaa:5555:aaaa:5555:aaaa:5555:aaaa:5555" };

	(void)state;
	for (unsigned b = 0; b < COUNT(bases); b++) {
		struct addr base = addr_of(bases[b]);
		unsigned most = base.family == ADDR_IP4 ? 32 : 128, first = 128 - most;

		for (unsigned bits = 0; bits <= most; bits++) {
			char text[PREFIX_TEXT_MAX];
			struct prefix p;

			snprintf(text, sizeof text, "%s/%u", bases[b], bits);
			assert_int_equal(prefix_parse(&p, text, NULL), 0);
			assert_true(prefix_contains(&p, &base));
			for (unsigned bit = 0; bit < most; bit++) {
				struct addr other = base;

				other.bytes[(first + bit) / 8] ^= (uint8_t)(0x80 >> bit % 8);
				assert_int_equal(prefix_contains(&p, &other), bit >= bits);
			}
		}
	}
}

static void broadcast_addresses(void **state)
{
	static const struct { const char *prefix, *addr; bool broadcast; } cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", true }, { "192.0.2.0/24", "192.0.2.0", false },
		{ "192.0.2.0/24", "192.0.3.255", false }, { "192.0.2.0/25", "192.0.2.127", true },
		{ "192.0.2.0/25", "192.0.2.255", false }, { "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "10.0.255.255", false }, { "192.0.2.4/30", "192.0.2.7", true },
		{ "192.0.2.4/31", "192.0.2.5", false }, { "192.0.2.4/32", "192.0.2.4", false },
		{ "0.0.0.0/0", "255.255.255.255", true }, { "2001:db8::/120", "2001:db8::ff", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr a = addr_of(cases[i].addr);
		struct prefix_set s = { 0 };
		struct prefix p;

		print_message("%s of %s\n", cases[i].addr, cases[i].prefix);
		assert_int_equal(prefix_parse(&p, cases[i].prefix, NULL), 0);
		assert_int_equal(prefix_set_add(&s, &p), 0);
		assert_int_equal(prefix_set_is_broadcast(&s, &a), cases[i].broadcast);
		prefix_set_free(&s);
	}
}

static void a_set_of_prefixes(void **state)
{
	static const char *const texts[] = { "10.0.0.0/8", "192.168.0.0/16", "fd00::/8" };
	struct prefix_set s = { 0 };
	struct addr a = addr_of("192.168.3.4"), b = addr_of("fd12::1"), c = addr_of("11.0.0.1"), nobody = { 0 };

	(void)state;
	assert_false(prefix_set_contains(&s, &a));
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct prefix p;

		assert_int_equal(prefix_parse(&p, texts[i], NULL), 0);
		assert_int_equal(prefix_set_add(&s, &p), 0);
	}
	assert_int_equal(s.count, 3);
	assert_true(prefix_set_contains(&s, &a));
	assert_true(prefix_set_contains(&s, &b));
	assert_false(prefix_set_contains(&s, &c));
	assert_false(prefix_set_contains(&s, &nobody));
	prefix_set_free(&s);
	assert_null(s.at);
	assert_int_equal(s.count, 0);
	prefix_set_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_parsed),
		cmocka_unit_test(what_lies_within),
		cmocka_unit_test(every_length),
		cmocka_unit_test(broadcast_addresses),
		cmocka_unit_test(a_set_of_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
