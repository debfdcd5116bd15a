/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service_test.c -- ports by name: parsing, overlaps, the look-up of a packet. */
#include "model/service.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define KEY_TCP (0x100u | 6)
#define KEY_UDP (0x100u | 17)
#define KEY_PORT(p) (0x10000u | (p))

static void texts_are_parsed(void **state)
{
	static const struct { const char *text; int code; } cases[] = {
		{ "web=tcp:80", 0 }, { "quic=udp:443", 0 }, { "alt=tcp:8000-8010", 0 }, { "all=udp:1-65535", 0 },
		{ "a.b-c_D=tcp:1", 0 },
		{ "", -EINVAL }, { "web", -EINVAL }, { "web=", -EINVAL }, { "=tcp:80", -EINVAL }, { "web=tcp", -EINVAL },
		{ "web=tcp:", -EINVAL }, { "web=sctp:80", -EINVAL }, { "web=tcp:0", -EINVAL }, { "web=tcp:65536", -EINVAL },
		{ "web=tcp:80-", -EINVAL }, { "web=tcp:-80", -EINVAL }, { "web=tcp:90-80", -EINVAL },
		{ "web=tcp:80,81", -EINVAL }, { "web=tcp:80 ", -EINVAL }, { "web=tcp:4294967376", -EINVAL },
		{ "we b=tcp:80", -EINVAL }, { "-=tcp:80", -EINVAL }, { "other=tcp:80", -EINVAL },
		{ "a23456789012345678901234567890123456789012345678=tcp:1", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct services s = { 0 };
		struct err e = { 0 };

		print_message("%s\n", cases[i].text);
		assert_int_equal(services_parse(&s, cases[i].text, &e), cases[i].code);
		assert_int_equal(e.msg[0] != '\0', cases[i].code != 0);
		assert_int_equal(s.count, cases[i].code == 0);
		services_free(&s);
	}
}

static void overlaps_name_the_owner(void **state)
{
	struct services s = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(services_parse(&s, "web=tcp:80-90", &e), 0);
	assert_int_equal(services_parse(&s, "web=tcp:85", &e), 0); /* its own: no harm */
	assert_int_equal(services_parse(&s, "dns=udp:85", &e), 0); /* another protocol */
	assert_int_equal(services_parse(&s, "api=tcp:90", &e), -EEXIST);
	assert_non_null(strstr(e.msg, "\"web\""));
	assert_int_equal(s.count, 2);
	services_free(&s);
	assert_null(s.names);
}

static void a_packet_finds_its_service(void **state)
{
	static const struct { const char *why; uint32_t proto, src, dst; const char *name; } cases[] = {
		{ "the destination's port", KEY_TCP, KEY_PORT(40000), KEY_PORT(22), "ssh" },
		{ "the source's port", KEY_TCP, KEY_PORT(22), KEY_PORT(40000), "ssh" },
		{ "both: the destination first", KEY_TCP, KEY_PORT(22), KEY_PORT(443), "https" },
		{ "the same port by another protocol", KEY_UDP, KEY_PORT(40000), KEY_PORT(443), "quic" },
		{ "no such service", KEY_UDP, KEY_PORT(40000), KEY_PORT(40001), "-" },
		{ "no port", KEY_TCP, 0, 0, "-" },
		{ "no protocol with ports", 0x100 | 1, KEY_PORT(22), KEY_PORT(22), "-" },
	};
	struct services s = { 0 };
	struct strings *strings = NULL;
	struct err e;

	(void)state;
	assert_int_equal(services_find(&s, KEY_TCP, KEY_PORT(22), KEY_PORT(22)), 0);
	assert_int_equal(strings_new(&strings), 0);
	assert_int_equal(services_add_well_known(&s, &e), 0);
	assert_int_equal(services_intern(&s, strings, &e), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t id = services_find(&s, cases[i].proto, cases[i].src, cases[i].dst);

		print_message("%s\n", cases[i].why);
		assert_string_equal(strings_at(strings, id), cases[i].name);
	}
	services_free(&s);
	strings_free(&strings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_parsed),
		cmocka_unit_test(overlaps_name_the_owner),
		cmocka_unit_test(a_packet_finds_its_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
