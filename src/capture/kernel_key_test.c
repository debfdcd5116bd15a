/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_key_test.c -- words of a slot against the text that a user sees. */
#include "capture/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S(value, shift) ((uint64_t)(value) << (shift))
#define IP4_WORD UINT64_C(0x010200c0ffff0000) /* ::ffff:192.0.2.1, as in a packet, read by a little-endian machine */
#define MAC_WORD (UINT64_C(1) << 48 | 0x020000000001)

static const struct {
	const char *why;
	enum field field;
	uint64_t key[TALLY_WIDE_WORDS];
	bool other;
	const char *want;
} cases[] = {
	{ "nothing known", FIELD_HOST, { 0 }, false, "-" },
	{ "IPv4", FIELD_HOST,
	  { [TALLY_SMALL] = S(TALLY_IP4, TALLY_FAMILY_SHIFT), [TALLY_HOST_END] = IP4_WORD }, false, "192.0.2.1" },
	{ "the same bytes in an IPv6 packet", FIELD_HOST,
	  { [TALLY_SMALL] = S(TALLY_IP6, TALLY_FAMILY_SHIFT), [TALLY_HOST_END] = IP4_WORD }, false, "::ffff:192.0.2.1" },
	{ "a source", FIELD_SRC_HOST,
	  { [TALLY_SMALL] = S(TALLY_IP4, TALLY_FAMILY_SHIFT), [TALLY_SRC_HOST_END] = IP4_WORD }, false, "192.0.2.1" },
	{ "a destination", FIELD_DST_HOST,
	  { [TALLY_SMALL] = S(TALLY_IP4, TALLY_FAMILY_SHIFT), [TALLY_DST_HOST_END] = IP4_WORD }, false, "192.0.2.1" },
	{ "not the source", FIELD_SRC_HOST,
	  { [TALLY_SMALL] = S(TALLY_IP4, TALLY_FAMILY_SHIFT), [TALLY_DST_HOST_END] = IP4_WORD }, false, "0.0.0.0" },
	{ "no MAC", FIELD_MAC, { 0 }, false, "-" },
	{ "a MAC", FIELD_MAC, { [TALLY_MAC] = MAC_WORD }, false, "02:00:00:00:00:01" },
	{ "a source MAC", FIELD_SRC_MAC, { [TALLY_SRC_MAC] = MAC_WORD }, false, "02:00:00:00:00:01" },
	{ "a destination MAC", FIELD_DST_MAC, { [TALLY_DST_MAC] = MAC_WORD }, false, "02:00:00:00:00:01" },
	{ "a source port", FIELD_SRC_PORT, { [TALLY_PORTS] = 0x10035 | S(0x1ffff, 32) }, false, "53" },
	{ "a destination port", FIELD_DST_PORT, { [TALLY_PORTS] = 0x10035 | S(0x1ffff, 32) }, false, "65535" },
	{ "port 0 is one", FIELD_DST_PORT, { [TALLY_PORTS] = S(0x10000, 32) }, false, "0" },
	{ "no port", FIELD_SRC_PORT, { [TALLY_PORTS] = S(0x10000, 32) }, false, "-" },
	{ "protocol", FIELD_PROTO, { S(0x106, TALLY_PROTO_SHIFT) }, false, "6" },
	{ "protocol 0", FIELD_PROTO, { S(0x100, TALLY_PROTO_SHIFT) }, false, "0" },
	{ "no protocol, neighbours full", FIELD_PROTO, { ~S(0x1ff, TALLY_PROTO_SHIFT) }, false, "-" },
	{ "VLAN", FIELD_VLAN, { S(0x1000 | 4094, TALLY_VLAN_SHIFT) }, false, "4094" },
	{ "no VLAN, neighbours full", FIELD_VLAN, { ~S(0x1fff, TALLY_VLAN_SHIFT) }, false, "-" },
	{ "ethertype", FIELD_ETHERTYPE, { S(0x186dd, TALLY_ETHERTYPE_SHIFT) }, false, "0x86dd" },
	{ "direction", FIELD_DIRECTION, { S(DIRECTION_EGRESS, TALLY_DIRECTION_SHIFT) }, false, "egress" },
	{ "the first service", FIELD_SERVICE, { S(1, TALLY_SERVICE_SHIFT) }, false, "web" },
	{ "the last service", FIELD_SERVICE, { S(2, TALLY_SERVICE_SHIFT) }, false, "mail" },
	{ "a service there is not", FIELD_SERVICE, { S(3, TALLY_SERVICE_SHIFT) }, false, "-" },
	{ "other", FIELD_HOST, { [TALLY_SMALL] = S(TALLY_IP4, TALLY_FAMILY_SHIFT) }, true, "other" },
	{ "other service", FIELD_SERVICE, { S(1, TALLY_SERVICE_SHIFT) }, true, "other" },
	{ "the interface is the caller's", FIELD_INTERFACE, { ~UINT64_C(0) }, false, "-" },
	{ "also of other", FIELD_INTERFACE, { ~UINT64_C(0) }, true, "-" },
};

static void fields_as_text(void **state)
{
	struct strings *strings;
	uint32_t ids[2];

	(void)state;
	assert_int_equal(strings_new(&strings), 0);
	ids[0] = strings_add(strings, "web");
	ids[1] = strings_add(strings, "mail");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct kernel_entry e = { .other = cases[i].other, .key = cases[i].key };
		uint8_t key[KEY_BYTES_MAX];
		char text[KEY_TEXT_MAX];
		struct key_layout l;

		if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ && (cases[i].key[TALLY_HOST_END] || i < 6))
			continue; /* addresses are bytes, not numbers */
		assert_int_equal(key_layout_make(&l, FIELD_BIT(cases[i].field) | FIELD_BIT(FIELD_WINDOW), NULL), 0);
		memset(key, 0xaa, sizeof key);
		kernel_key_unpack(&e, &l, ids, 2, key);
		key_format(&l, key, cases[i].field, strings, text);
		if (strcmp(text, cases[i].want) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].why, text, cases[i].want);
		for (unsigned b = 0; b < 8; b++)
			assert_int_equal(key[l.at[FIELD_WINDOW] + b], 0);
		assert_int_equal(key[l.size], 0xaa);
	}
	strings_free(&strings);
}

static void localities(void **state)
{
	(void)state;
	for (unsigned other = 0; other < 2; other++) {
		for (unsigned locality = 0; locality < TALLY_LOCALITIES; locality++) {
			const uint64_t words[TALLY_WIDE_WORDS] = { S(locality, TALLY_LOCALITY_SHIFT) };
			const struct kernel_entry e = { .other = other, .key = words };
			uint8_t key[KEY_BYTES_MAX];
			struct key_layout l;

			assert_int_equal(key_layout_make(&l, FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_LOCALITY), NULL), 0);
			kernel_key_unpack(&e, &l, NULL, 0, key);
			assert_int_equal(key[l.at[FIELD_LOCALITY]], locality);
			assert_int_equal(key_field_is_other(&l, key, FIELD_HOST), other);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_as_text),
		cmocka_unit_test(localities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
