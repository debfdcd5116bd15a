/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr_test.c -- addresses and MACs, to text and back, and which of them are groups. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void addresses_there_and_back(void **state)
{
	static const struct { const char *text, *as; unsigned family; bool group; } cases[] = {
		{ "0.0.0.0", "0.0.0.0", ADDR_IP4, false },
		{ "1.20.100.255", "1.20.100.255", ADDR_IP4, false },
		{ "109.99.200.10", "109.99.200.10", ADDR_IP4, false },
		{ "223.255.255.255", "223.255.255.255", ADDR_IP4, false },
		{ "224.0.0.0", "224.0.0.0", ADDR_IP4, true },
		{ "239.255.255.255", "239.255.255.255", ADDR_IP4, true },
		{ "240.0.0.1", "240.0.0.1", ADDR_IP4, false },
		{ "255.255.255.254", "255.255.255.254", ADDR_IP4, false },
		{ "255.255.255.255", "255.255.255.255", ADDR_IP4, true },
		{ "::", "::", ADDR_IP6, false },
		{ "::1", "::1", ADDR_IP6, false },
		{ "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", ADDR_IP6, false },
		{ "::ffff:1.2.3.4", "::ffff:1.2.3.4", ADDR_IP6, false },
		{ "ff02::1", "ff02::1", ADDR_IP6, true },
		{ "fe80::ff", "fe80::ff", ADDR_IP6, false },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDR_IP6, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr a, again;

		print_message("%s\n", cases[i].text);
		assert_int_equal(addr_parse(&a, cases[i].text), 0);
		assert_int_equal(a.family, cases[i].family);
		assert_int_equal(addr_format(&a, text), strlen(cases[i].as));
		assert_string_equal(text, cases[i].as);
		assert_int_equal(addr_is_group(&a), cases[i].group);
		assert_int_equal(addr_parse(&again, text), 0);
		assert_true(addr_equal(&a, &again));
		assert_memory_equal(&a, &again, sizeof a); /* padding too: keys are made of its words */
	}
}

static void what_is_no_address(void **state)
{
	static const char *const cases[] = {
		"", "-", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", " 1.2.3.4", "01.2.3.4x", ":", ":::", "1::2::3",
		"g::1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "10.0.0.0/8", "fe80::1%eth0", "0x7f.1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr a = { .family = 77 };

		print_message("\"%s\"\n", cases[i]);
		assert_int_equal(addr_parse(&a, cases[i]), -EINVAL);
		assert_int_equal(a.family, 77); /* written only on success */
	}
}

static void every_byte_as_inet_ntop_writes_it(void **state)
{
	(void)state;
	for (unsigned b = 0; b < 256; b++) {
		char mine[ADDR_TEXT_MAX], theirs[ADDR_TEXT_MAX];
		struct addr a = { .family = ADDR_IP4 };
		uint8_t bytes[4] = { (uint8_t)b, (uint8_t)(255 - b), (uint8_t)(b * 7), (uint8_t)(b ^ 0x55) };

		memcpy(a.bytes + 12, bytes, 4);
		assert_non_null(inet_ntop(AF_INET, bytes, theirs, sizeof theirs));
		assert_int_equal(addr_format(&a, mine), strlen(theirs));
		assert_string_equal(mine, theirs);
	}
}

static void families_tell_addresses_apart(void **state)
{
	struct addr v4, mapped, nobody = { 0 };
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(addr_parse(&v4, "1.2.3.4"), 0);
	assert_int_equal(addr_parse(&mapped, "::ffff:1.2.3.4"), 0);
	assert_memory_equal(v4.bytes, mapped.bytes, 16);
	assert_false(addr_equal(&v4, &mapped));
	assert_int_equal(addr_format(&nobody, text), 1);
	assert_string_equal(text, "-");
	assert_false(addr_is_group(&nobody));
	nobody.family = 0xff; /* `other` */
	memset(nobody.bytes, 0xff, sizeof nobody.bytes);
	assert_false(addr_is_group(&nobody));
	addr_format(&nobody, text);
	assert_string_equal(text, "-");
}

static void macs_there_and_back(void **state)
{
	static const struct { const char *text, *as; } cases[] = {
		{ "00:00:00:00:00:00", "00:00:00:00:00:00" }, { "AA:bb:Cc:09:f0:0F", "aa:bb:cc:09:f0:0f" },
		{ "ff-ff-ff-ff-ff-ff", "ff:ff:ff:ff:ff:ff" }, { "01:23-45:67-89:ab", "01:23:45:67:89:ab" },
		{ "", NULL }, { "aa:bb:cc:dd:ee", NULL }, { "aa:bb:cc:dd:ee:f", NULL }, { "aa:bb:cc:dd:ee:ff:", NULL },
		{ "aabbccddeeff", NULL }, { "aa:bb:cc:dd:ee:fg", NULL }, { ":aa:bb:cc:dd:ee:ff", NULL },
		{ "aa.bb.cc.dd.ee.ff", NULL }, { "aa:bb:cc:dd:ee:ff ", NULL }, { "a:bb:cc:dd:ee:ff", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t mac[6] = { 9, 9, 9, 9, 9, 9 };
		char text[MAC_TEXT_MAX];

		print_message("\"%s\"\n", cases[i].text);
		assert_int_equal(mac_parse(mac, cases[i].text), cases[i].as ? 0 : -EINVAL);
		assert_int_equal(mac_format(mac, text), 17);
		assert_string_equal(text, cases[i].as ? cases[i].as : "09:09:09:09:09:09");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_there_and_back),
		cmocka_unit_test(what_is_no_address),
		cmocka_unit_test(every_byte_as_inet_ntop_writes_it),
		cmocka_unit_test(families_tell_addresses_apart),
		cmocka_unit_test(macs_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
