/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lpm_test.c -- the longest match beside a plain search through all prefixes. */
#include "routes/lpm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text), 0);
	return a;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(&p, text, NULL), 0);
	return p;
}

static struct lpm *build(const struct prefix *at, size_t count)
{
	struct lpm_builder *b;
	struct lpm *l;

	assert_int_equal(lpm_builder_new(&b), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(lpm_add(b, &at[i], (uint32_t)i + 1), 0);
	assert_int_equal(lpm_build(&l, &b, NULL), 0);
	assert_null(b);
	return l;
}

static void what_is_found(void **state)
{
	static const char *const prefixes[] = {
		"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25", "10.1.2.255/32", "192.0.2.0/18",
		"224.0.0.0/3", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::/64", "2001:db8:1::1/128", "::/0",
		"8000::/1", "2001:db8:1:8000::/49",
	};
	static const struct { const char *address, *prefix; } cases[] = {
		{ "9.255.255.255", "0.0.0.0/0" }, { "10.0.0.0", "10.0.0.0/8" }, { "10.1.3.0", "10.1.0.0/16" },
		{ "10.1.2.127", "10.1.2.0/24" }, { "10.1.2.128", "10.1.2.128/25" }, { "10.1.2.254", "10.1.2.128/25" },
		{ "10.1.2.255", "10.1.2.255/32" }, { "10.255.255.255", "10.0.0.0/8" }, { "11.0.0.0", "0.0.0.0/0" },
		{ "192.0.63.255", "192.0.0.0/18" }, { "192.0.64.0", "0.0.0.0/0" }, { "255.255.255.255", "224.0.0.0/3" },
		{ "2001:db8::1", "2001:db8::/32" }, { "2001:db8:1::", "2001:db8:1::/64" }, { "2001:db8:1::1",
		  "2001:db8:1::1/128" },
		{ "2001:db8:1:1::", "2001:db8:1::/48" }, { "2001:db8:1:ffff::", "2001:db8:1:8000::/49" }, { "::1", "::/0" },
		{ "ffff::", "8000::/1" }, { "::ffff:10.1.2.3", "::/0" },
	};
	struct prefix all[COUNT(prefixes)];
	struct lpm *l;

	(void)state;
	for (size_t i = 0; i < COUNT(prefixes); i++)
		all[i] = prefix_of(prefixes[i]);
	l = build(all, COUNT(all));
	assert_int_equal(lpm_count(l, ADDR_IP4), 8);
	assert_int_equal(lpm_count(l, ADDR_IP6), 7);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr a = addr_of(cases[i].address);
		struct lpm_match m = lpm_find(l, &a);
		struct prefix p = lpm_prefix(&a, m.bits), wanted = prefix_of(cases[i].prefix);

		print_message("%s\n", cases[i].address);
		assert_int_not_equal(m.value, 0);
		assert_memory_equal(&all[m.value - 1].addr, &wanted.addr, sizeof wanted.addr);
		assert_int_equal(all[m.value - 1].bits, wanted.bits);
		assert_memory_equal(&p.addr, &wanted.addr, sizeof wanted.addr);
	}
	lpm_free(&l);
}

static void nothing_is_found_in_nothing(void **state)
{
	struct addr none = { 0 }, a4 = addr_of("192.0.2.1"), a6 = addr_of("2001:db8::1"), last = addr_of("ffff:ffff::");
	struct lpm *l = build(NULL, 0);

	(void)state;
	assert_int_equal(lpm_find(l, &none).value, 0);
	assert_int_equal(lpm_find(l, &a4).value, 0);
	assert_int_equal(lpm_find(l, &a6).value, 0);
	assert_int_equal(lpm_find(l, &last).value, 0);
	lpm_free(&l);
	lpm_free(&l);
}

static void what_is_refused(void **state)
{
	struct prefix good = prefix_of("192.0.2.0/24"), p = good;
	struct lpm_builder *b;

	(void)state;
	assert_int_equal(lpm_builder_new(&b), 0);
	assert_int_equal(lpm_add(b, &good, 0), -EINVAL);
	assert_int_equal(lpm_add(b, &good, LPM_VALUE_MAX + 1), -EINVAL);
	assert_int_equal(lpm_add(b, &good, LPM_VALUE_MAX), 0);
	p.bits = 33;
	assert_int_equal(lpm_add(b, &p, 1), -EINVAL);
	p = (struct prefix){ 0 };
	assert_int_equal(lpm_add(b, &p, 1), -EINVAL);
	lpm_builder_free(&b);
	lpm_builder_free(&b);
}

static void the_later_of_equal_prefixes_stays(void **state)
{
	struct prefix all[] = { prefix_of("192.0.2.0/24"), prefix_of("10.0.0.0/8"), prefix_of("192.0.2.0/24"),
				prefix_of("2001:db8::/32"), prefix_of("2001:db8::/32") };
	struct addr a4 = addr_of("192.0.2.1"), a6 = addr_of("2001:db8::1");
	struct lpm *l = build(all, COUNT(all));
	struct prefix p;

	(void)state;
	assert_int_equal(lpm_count(l, ADDR_IP4), 2);
	assert_int_equal(lpm_count(l, ADDR_IP6), 1);
	assert_int_equal(lpm_find(l, &a4).value, 3);
	assert_int_equal(lpm_find(l, &a6).value, 5);
	assert_int_equal(lpm_at(l, ADDR_IP4, 0, &p), 2);
	assert_int_equal(p.bits, 8);
	assert_int_equal(lpm_at(l, ADDR_IP4, 1, &p), 3);
	assert_true(addr_equal(&p.addr, &all[0].addr));
	assert_int_equal(lpm_at(l, ADDR_IP6, 0, &p), 5);
	assert_true(addr_equal(&p.addr, &all[3].addr));
	lpm_free(&l);
}

/* The first is highest: a prefix of the family, its bits as given. */
static struct prefix random_prefix(enum addr_family family, const struct prefix *near, unsigned spread)
{
	struct addr a = near->addr;
	unsigned first = family == ADDR_IP4 ? 12 : 0, width = family == ADDR_IP4 ? 32 : 128;
	unsigned bits = (unsigned)rand() % (width + 1);

	for (unsigned i = first + spread; i < 16; i++)
		a.bytes[i] = (uint8_t)rand();
	if (rand() % 2)
		bits = near->bits < bits ? bits : near->bits;
	return lpm_prefix(&a, (uint8_t)bits);
}

static const struct prefix *search(const struct prefix *at, size_t count, const struct addr *a)
{
	const struct prefix *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (prefix_contains(&at[i], a) && (!best || at[i].bits >= best->bits))
			best = &at[i];
	return best;
}

/* First, last, the one before and the one behind it, and one inside. */
static struct addr address_at(const struct prefix *p, unsigned which)
{
	struct addr a = p->addr;
	unsigned first = a.family == ADDR_IP4 ? 12 : 0, keep = first * 8 + p->bits;

	if (which == 1 || which == 3)
		for (unsigned i = keep; i < 128; i++)
			a.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	if (which == 4)
		for (unsigned i = keep; i < 128; i++)
			a.bytes[i / 8] ^= (uint8_t)((rand() & 1) << (7 - i % 8));
	for (unsigned i = 16; which == 2 && i-- > first && a.bytes[i]-- == 0;)
		;
	for (unsigned i = 16; which == 3 && i-- > first && ++a.bytes[i] == 0;)
		;
	return a;
}

static void compare(const struct prefix *all, size_t count, const struct lpm *l)
{
	struct addr asked[5 * 64];
	struct lpm_match many[COUNT(asked)];
	unsigned n = 0;

	for (size_t i = 0; i < COUNT(asked) / 5; i++)
		for (unsigned which = 0; which < 5; which++)
			asked[n++] = address_at(&all[(size_t)rand() % count], which);
	lpm_find_many(l, asked, n, many);
	for (unsigned i = 0; i < n; i++) {
		const struct prefix *wanted = search(all, count, &asked[i]);
		struct lpm_match m = lpm_find(l, &asked[i]);

		assert_int_equal(m.value, many[i].value);
		assert_int_equal(m.bits, many[i].bits);
		assert_int_equal(m.value, wanted ? (uint32_t)(wanted - all) + 1 : 0);
		assert_true(!wanted || m.bits == wanted->bits);
	}
}

static void as_a_plain_search_finds(void **state)
{
	static const struct { const char *near; size_t count; unsigned spread; } sets[] = {
		{ "0.0.0.0/0", 1, 0 }, { "0.0.0.0/0", 50, 0 }, { "0.0.0.0/0", 3000, 0 }, { "10.0.0.0/8", 3000, 1 },
		{ "10.1.0.0/16", 3000, 2 }, { "10.1.2.0/24", 300, 3 }, { "255.255.255.0/18", 1000, 2 }, { "::/0", 50, 0 },
		{ "::/0", 3000, 0 }, { "2001:db8::/32", 3000, 4 }, { "2001::/16", 3000, 2 }, { "2001:db8:1::/48", 1000, 6 },
		{ "2001:db8::/64", 500, 8 }, { "2001:db8::/120", 300, 15 }, { "ffff:ffff::/24", 1000, 3 },
	};

	(void)state;
	srand(1);
	for (size_t s = 0; s < COUNT(sets); s++)
		for (unsigned round = 0; round < 6; round++) {
			struct prefix near = prefix_of(sets[s].near), *all = calloc(sets[s].count, sizeof *all);
			struct lpm *l;

			assert_non_null(all);
			for (size_t i = 0; i < sets[s].count; i++)
				all[i] = random_prefix((enum addr_family)near.addr.family, &near, sets[s].spread);
			l = build(all, sets[s].count);
			compare(all, sets[s].count, l);
			lpm_free(&l);
			free(all);
		}
}

/* Prefixes of one value side by side, as countries are: what is merged is still found with its own length. */
static void few_values(void **state)
{
	struct lpm_builder *b;
	struct lpm *l;

	(void)state;
	assert_int_equal(lpm_builder_new(&b), 0);
	for (unsigned i = 0; i < 65536; i++) {
		struct prefix p = { .addr = { .family = ADDR_IP4, .bytes = { [10] = 0xff, 0xff, 10, i >> 8 & 0xff, i & 0xff } },
				    .bits = 24 };

		assert_int_equal(lpm_add(b, &p, 1 + i / 256 % 3), 0);
	}
	assert_int_equal(lpm_build(&l, &b, NULL), 0);
	assert_true(lpm_family_bytes(l, ADDR_IP4) < (1u << 20) + 4096);
	for (unsigned i = 0; i < 65536; i += 7) {
		struct addr a = { .family = ADDR_IP4, .bytes = { [10] = 0xff, 0xff, 10, i >> 8 & 0xff, i & 0xff, 9 } };
		struct lpm_match m = lpm_find(l, &a);

		assert_int_equal(m.value, 1 + i / 256 % 3);
		assert_int_equal(m.bits, 24);
	}
	lpm_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_found),
		cmocka_unit_test(nothing_is_found_in_nothing),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(the_later_of_equal_prefixes_stays),
		cmocka_unit_test(as_a_plain_search_finds),
		cmocka_unit_test(few_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
