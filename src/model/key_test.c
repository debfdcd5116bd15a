/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key_test.c -- layouts without overlap, fields as text, `other`, projection, order. */
#include "model/key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* No two fields share a byte, words are aligned, and the size holds all. */
static void check_layout(uint64_t fields)
{
	uint8_t taken[KEY_BYTES_MAX] = { 0 };
	struct key_layout l;

	assert_int_equal(key_layout_make(&l, fields, NULL), 0);
	assert_int_equal(l.fields & fields, fields);
	assert_true(l.size >= 8 && l.size % 8 == 0 && l.size <= KEY_BYTES_MAX);
	for (enum field f = 0; f < FIELD_COUNT; f++) {
		unsigned align = field_width(f) == 16 ? 8 : field_width(f);

		if (!key_has(&l, f))
			continue;
		assert_true(l.at[f] + field_width(f) <= l.size);
		assert_int_equal(l.at[f] % align, 0);
		for (unsigned i = 0; i < field_width(f); i++)
			assert_int_equal(taken[l.at[f] + i]++, 0);
	}
	if (key_has(&l, FIELD_WINDOW))
		assert_int_equal(l.at[FIELD_WINDOW], 0);
	assert_int_equal(key_has(&l, FIELD_HOST_FAMILY), (fields & (FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_HOST_FAMILY))) != 0);
}

static void no_overlap(void **state)
{
	(void)state;
	check_layout(0);
	for (enum field a = 0; a < FIELD_COUNT; a++)
		for (enum field b = a; b < FIELD_COUNT; b++)
			for (enum field c = b; c < FIELD_COUNT; c++) {
				check_layout(FIELD_BIT(a) | FIELD_BIT(b) | FIELD_BIT(c));
				check_layout(FIELD_BIT(a) | FIELD_BIT(b) | FIELD_BIT(c) | FIELD_BIT(FIELD_WINDOW));
			}
	check_layout(FIELD_BIT(FIELD_COUNT) - 1); /* all at once */
}

/* The way of a packet copies a struct addr as the key of a grain by host alone. */
static void a_host_key_is_a_struct_addr(void **state)
{
	struct key_layout l;

	(void)state;
	assert_int_equal(key_layout_make(&l, FIELD_BIT(FIELD_HOST), NULL), 0);
	assert_int_equal(l.size, sizeof(struct addr));
	assert_int_equal(l.at[FIELD_HOST], offsetof(struct addr, bytes));
	assert_int_equal(l.at[FIELD_HOST_FAMILY], offsetof(struct addr, family));
}

static void set(const struct key_layout *l, uint8_t *key, enum field f, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;
	uint16_t v16 = (uint16_t)v;

	switch (field_width(f)) {
	case 1: key[l->at[f]] = (uint8_t)v; break;
	case 2: memcpy(key + l->at[f], &v16, 2); break;
	case 4: memcpy(key + l->at[f], &v32, 4); break;
	default: memcpy(key + l->at[f], &v, 8); break;
	}
}

static void set_host(const struct key_layout *l, uint8_t *key, enum field f, enum field family, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text), 0);
	memcpy(key + l->at[f], a.bytes, 16);
	key[l->at[family]] = a.family;
}

#define MAC(n) (UINT64_C(1) << 48 | (n))
#define PORT(n) (0x10000u | (n))

static void numbers_and_names_as_text(void **state)
{
	static const struct { enum field f; uint64_t value; const char *text; int64_t number; } rows[] = {
		{ FIELD_MAC, 0, "-", 0 }, { FIELD_MAC, MAC(0), "00:00:00:00:00:00", 0 },
		{ FIELD_SRC_MAC, MAC(0x0123456789ab), "01:23:45:67:89:ab", 0 },
		{ FIELD_DST_MAC, MAC(0xffffffffffff), "ff:ff:ff:ff:ff:ff", 0 }, { FIELD_DST_MAC, UINT64_MAX, "other", 0 },
		{ FIELD_SRC_PORT, 0, "-", -1 }, { FIELD_SRC_PORT, PORT(0), "0", 0 }, { FIELD_SRC_PORT, PORT(7), "7", 7 },
		{ FIELD_DST_PORT, PORT(65535), "65535", 65535 }, { FIELD_DST_PORT, UINT32_MAX, "other", -1 },
		{ FIELD_ETHERTYPE, 0, "-", -1 }, { FIELD_ETHERTYPE, PORT(0x800), "0x0800", 0x800 },
		{ FIELD_ETHERTYPE, PORT(0xffff), "0xffff", 0xffff }, { FIELD_ETHERTYPE, UINT32_MAX, "other", -1 },
		{ FIELD_VLAN, 0, "-", -1 }, { FIELD_VLAN, 0x1000, "0", 0 }, { FIELD_VLAN, 0x1fff, "4095", 4095 },
		{ FIELD_VLAN, 0xffff, "other", -1 },
		{ FIELD_PROTO, 0, "-", -1 }, { FIELD_PROTO, 0x100, "0", 0 }, { FIELD_PROTO, 0x106, "6", 6 },
		{ FIELD_PROTO, 0x1ff, "255", 255 }, { FIELD_PROTO, 0xffff, "other", -1 },
		{ FIELD_DIRECTION, 0, "-", 0 }, { FIELD_DIRECTION, 1, "ingress", 0 }, { FIELD_DIRECTION, 2, "egress", 0 },
		{ FIELD_DIRECTION, 3, "-", 0 }, { FIELD_DIRECTION, 0xff, "other", 0 },
		{ FIELD_INTERFACE, 0, "-", 0 }, { FIELD_INTERFACE, 1, "eth0", 0 }, { FIELD_INTERFACE, UINT32_MAX, "other", 0 },
		{ FIELD_SERVICE, 2, "https", 0 }, { FIELD_SERVICE, 3, "-", 0 },
		{ FIELD_ORIGIN_AS, 0, "-", -1 }, { FIELD_ORIGIN_AS, UINT64_C(1) << 32, "0", 0 },
		{ FIELD_ORIGIN_AS, UINT64_C(0x1ffffffff), "4294967295", 4294967295 },
		  { FIELD_ORIGIN_AS, UINT64_MAX, "other", -1 },
		{ FIELD_TRANSIT_AS, UINT64_C(0x10000fde8), "65000", 65000 },
		  { FIELD_ORIGIN_AS, UINT64_C(0x200000001), "eth0", -1 },
	};
	struct strings *strings = NULL;

	(void)state;
	assert_int_equal(strings_new(&strings), 0);
	assert_int_equal(strings_add(strings, "eth0"), 1);
	assert_int_equal(strings_add(strings, "https"), 2);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t key[KEY_BYTES_MAX] = { 0 };
		char text[KEY_TEXT_MAX];
		struct key_layout l;

		print_message("%s %s\n", field_name(rows[i].f), rows[i].text);
		assert_int_equal(key_layout_make(&l, FIELD_BIT(rows[i].f), NULL), 0);
		set(&l, key, rows[i].f, rows[i].value);
		assert_int_equal(key_format(&l, key, rows[i].f, strings, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(key_field_is_other(&l, key, rows[i].f), strcmp(rows[i].text, "other") == 0);
		if (field_is_number(rows[i].f) || rows[i].f == FIELD_ETHERTYPE)
			assert_int_equal(key_get_number(&l, key, rows[i].f), rows[i].number);
	}
	strings_free(&strings);
}

static void long_strings_are_cut(void **state)
{
	uint8_t key[KEY_BYTES_MAX] = { 0 };
	char name[2 * KEY_TEXT_MAX], text[KEY_TEXT_MAX];
	struct strings *strings = NULL;
	struct key_layout l;

	(void)state;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(strings_new(&strings), 0);
	assert_int_equal(key_layout_make(&l, FIELD_BIT(FIELD_SERVICE), NULL), 0);
	set(&l, key, FIELD_SERVICE, strings_add(strings, name));
	assert_int_equal(key_format(&l, key, FIELD_SERVICE, strings, text), KEY_TEXT_MAX - 1);
	assert_int_equal(strlen(text), KEY_TEXT_MAX - 1);
	strings_free(&strings);
}

static void hosts_as_text(void **state)
{
	static const enum field hosts[][2] = { { FIELD_HOST, FIELD_HOST_FAMILY }, { FIELD_SRC_HOST, FIELD_SRC_FAMILY },
					       { FIELD_DST_HOST, FIELD_DST_FAMILY } };
	static const char *const texts[] = { "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "::ffff:1.2.3.4",
					     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };
	struct strings *strings = NULL;

	(void)state;
	assert_int_equal(strings_new(&strings), 0);
	for (size_t h = 0; h < COUNT(hosts); h++) {
		uint8_t key[KEY_BYTES_MAX] = { 0 };
		char text[KEY_TEXT_MAX];
		struct key_layout l;
		struct addr a, want;

		assert_int_equal(key_layout_make(&l, FIELD_BIT(hosts[h][0]) | FIELD_BIT(FIELD_PROTO), NULL), 0);
		key_format(&l, key, hosts[h][0], strings, text);
		assert_string_equal(text, "-");
		for (size_t i = 0; i < COUNT(texts); i++) {
			set_host(&l, key, hosts[h][0], hosts[h][1], texts[i]);
			assert_int_equal(key_format(&l, key, hosts[h][0], strings, text), strlen(texts[i]));
			assert_string_equal(text, texts[i]);
			assert_false(key_field_is_other(&l, key, hosts[h][0]));
			memset(&a, 0, sizeof a);
			key_get_addr(&l, key, hosts[h][0], &a);
			assert_int_equal(addr_parse(&want, texts[i]), 0);
			assert_true(addr_equal(&a, &want));
		}
		key_set_other(&l, key);
		key_format(&l, key, hosts[h][0], strings, text);
		assert_string_equal(text, "other");
	}
	strings_free(&strings);
}

/* `other` is every field but the window, and no padding: equal keys are equal words. */
static void other_is_all_but_the_window(void **state)
{
	uint8_t key[KEY_BYTES_MAX], again[KEY_BYTES_MAX] = { 0 };
	int64_t window = 1700000000, have;
	struct key_layout l;

	(void)state;
	assert_int_equal(key_layout_make(&l, FIELD_BIT(FIELD_COUNT) - 1, NULL), 0);
	memset(key, 0, sizeof key);
	set(&l, key, FIELD_WINDOW, (uint64_t)window);
	set_host(&l, key, FIELD_HOST, FIELD_HOST_FAMILY, "1.2.3.4");
	key_set_other(&l, key);
	for (enum field f = 0; f < FIELD_COUNT; f++)
		if (key_has(&l, f) && f != FIELD_WINDOW)
			assert_true(key_field_is_other(&l, key, f));
	memcpy(&have, key + l.at[FIELD_WINDOW], sizeof have);
	assert_int_equal(have, window);
	set(&l, again, FIELD_WINDOW, (uint64_t)window);
	key_set_other(&l, again);
	assert_memory_equal(key, again, l.size);
}

static void projection(void **state)
{
	uint8_t from_key[KEY_BYTES_MAX] = { 0 }, to_key[KEY_BYTES_MAX], want[KEY_BYTES_MAX] = { 0 };
	struct key_layout from, to;

	(void)state;
	assert_int_equal(key_layout_make(&from, FIELD_BIT(FIELD_WINDOW) | FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_MAC) |
					 FIELD_BIT(FIELD_PROTO) | FIELD_BIT(FIELD_LOCALITY), NULL), 0);
	assert_int_equal(key_layout_make(&to, FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_PROTO) | FIELD_BIT(FIELD_VLAN), NULL), 0);
	set(&from, from_key, FIELD_WINDOW, 1700000000);
	set(&from, from_key, FIELD_MAC, MAC(5));
	set(&from, from_key, FIELD_PROTO, 0x106);
	set(&from, from_key, FIELD_LOCALITY, LOCALITY_LOCAL);
	set_host(&from, from_key, FIELD_HOST, FIELD_HOST_FAMILY, "192.0.2.1");
	set(&to, want, FIELD_PROTO, 0x106);
	set_host(&to, want, FIELD_HOST, FIELD_HOST_FAMILY, "192.0.2.1");
	memset(to_key, 0xee, sizeof to_key);
	key_project(&to, to_key, &from, from_key);
	assert_memory_equal(to_key, want, to.size); /* the VLAN is unknown, the padding zero */
	key_set_other(&from, from_key);
	key_project(&to, to_key, &from, from_key);
	assert_true(key_field_is_other(&to, to_key, FIELD_HOST));
	assert_true(key_field_is_other(&to, to_key, FIELD_PROTO));
}

/* Each row stands before the next. */
static void order_of_one_field(void **state)
{
	static const struct { enum field f; uint64_t values[6]; } rows[] = {
		{ FIELD_SRC_PORT, { 0, PORT(0), PORT(9), PORT(80), PORT(443), UINT32_MAX } },
		{ FIELD_VLAN, { 0, 0x1000, 0x1002, 0x100a, 0x1fff, 0xffff } },
		{ FIELD_PROTO, { 0, 0x101, 0x106, 0x111, 0x1ff, 0xffff } },
		{ FIELD_ETHERTYPE, { 0, PORT(0x9), PORT(0x800), PORT(0x86dd), PORT(0xffff), UINT32_MAX } },
		{ FIELD_MAC, { 0, MAC(0), MAC(9), MAC(0x0a0000000000), MAC(0xffffffffffff), UINT64_MAX } },
		{ FIELD_DIRECTION, { 0, 2, 1, 0xff, 0xff, 0xff } }, /* by their text */
	};
	struct strings *strings = NULL;

	(void)state;
	assert_int_equal(strings_new(&strings), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct key_layout l;

		assert_int_equal(key_layout_make(&l, FIELD_BIT(rows[i].f), NULL), 0);
		for (size_t x = 0; x < 6; x++)
			for (size_t y = 0; y < 6; y++) {
				uint8_t a[KEY_BYTES_MAX] = { 0 }, b[KEY_BYTES_MAX] = { 0 };
				int want = rows[i].values[x] == rows[i].values[y] ? 0 : x < y ? -1 : 1, c;

				set(&l, a, rows[i].f, rows[i].values[x]);
				set(&l, b, rows[i].f, rows[i].values[y]);
				c = key_compare(&l, &rows[i].f, 1, strings, a, b);
				if ((c > 0) - (c < 0) != want)
					fail_msg("%s: %zu and %zu: %d", field_name(rows[i].f), x, y, c);
			}
	}
	strings_free(&strings);
}

static void order_of_several_fields(void **state)
{
	static const enum field by[] = { FIELD_PROTO, FIELD_HOST }, back[] = { FIELD_HOST, FIELD_PROTO };
	uint8_t a[KEY_BYTES_MAX] = { 0 }, b[KEY_BYTES_MAX] = { 0 };
	struct strings *strings = NULL;
	struct key_layout l;

	(void)state;
	assert_int_equal(strings_new(&strings), 0);
	assert_int_equal(key_layout_make(&l, FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_PROTO), NULL), 0);
	set(&l, a, FIELD_PROTO, 0x106);
	set_host(&l, a, FIELD_HOST, FIELD_HOST_FAMILY, "9.0.0.0");
	set(&l, b, FIELD_PROTO, 0x111);
	set_host(&l, b, FIELD_HOST, FIELD_HOST_FAMILY, "10.0.0.0");
	assert_true(key_compare(&l, by, 2, strings, a, b) < 0);
	assert_true(key_compare(&l, back, 2, strings, a, b) > 0); /* "10.0.0.0" is before "9.0.0.0" as text */
	assert_int_equal(key_compare(&l, by, 2, strings, a, a), 0);
	assert_int_equal(key_compare(&l, by, 0, strings, a, b), 0);
	strings_free(&strings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_overlap),
		cmocka_unit_test(a_host_key_is_a_struct_addr),
		cmocka_unit_test(numbers_and_names_as_text),
		cmocka_unit_test(long_strings_are_cut),
		cmocka_unit_test(hosts_as_text),
		cmocka_unit_test(other_is_all_but_the_window),
		cmocka_unit_test(projection),
		cmocka_unit_test(order_of_one_field),
		cmocka_unit_test(order_of_several_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
