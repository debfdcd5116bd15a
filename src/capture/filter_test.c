/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter_test.c -- expressions on frames: as libpcap says of the same bytes in a file. */
#include "capture/filter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include <cmocka.h>

#define ETHER "\2\0\0\0\0\2\2\0\0\0\0\1"
#define UDP4 "\x45\0\0\x1c\0\0\0\0\x40\x11\0\0\xc0\0\2\1\xc0\0\2\2\4\0\0\x35\0\x08\0\0"
#define UDP6 "\x60\0\0\0\0\x08\x11\x40" \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\4\0\0\x35\0\x08\0\0"
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void expressions(void **state)
{
	static const struct {
		const char *why, *expression;
		uint16_t linktype;
		const uint8_t *bytes;
		size_t len;
		uint16_t tpid, tci;
		bool want;
	} cases[] = {
		{ "ethernet", "udp port 53", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0, 0, true },
		{ "ethernet, other port", "udp port 54", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0, 0, false },
		{ "empty matches all", "", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0, 0, true },
		{ "rejects all", "ip and ip6", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0, 0, false },
		{ "cut before the field", "udp port 53", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0\x45"), 0, 0, false },
		{ "tag taken off", "vlan 42", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0x8100, 42, true },
		{ "tag taken off, behind it", "vlan and udp", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0x8100, 42, true },
		{ "tag taken off, plain", "udp", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0x8100, 42, false },
		{ "another tag", "vlan 43", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0x8100, 42, false },
		{ "priority bits", "vlan 42", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0x8100, 0xe02a, true },
		{ "length with its tag", "greater 46", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0x8100, 42, true },
		{ "length without one", "greater 46", LINKTYPE_ETHERNET, BYTES(ETHER "\x08\0" UDP4), 0, 0, false },
		{ "too short for a tag", "vlan", LINKTYPE_ETHERNET, BYTES("\2\0\0"), 0x8100, 42, false },
		{ "raw IPv4", "host 192.0.2.1", LINKTYPE_RAW, BYTES(UDP4), 0, 0, true },
		{ "raw IPv6", "host 2001:db8::1", LINKTYPE_RAW, BYTES(UDP6), 0, 0, true },
		{ "IPv4 link type", "host 192.0.2.1", LINKTYPE_IPV4, BYTES(UDP4), 0, 0, true },
		{ "IPv6 link type", "udp port 53", LINKTYPE_IPV6, BYTES(UDP6), 0, 0, true },
		{ "PPP", "udp", LINKTYPE_PPP, BYTES("\xff\3\0\x21" UDP4), 0, 0, true },
		{ "cooked", "udp port 53", LINKTYPE_LINUX_SLL, BYTES("\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0" UDP4), 0, 0, true },
		{ "null, little-endian", "ip host 192.0.2.1", LINKTYPE_NULL, BYTES("\2\0\0\0" UDP4), 0, 0, true },
		{ "null, big-endian", "ip host 192.0.2.1", LINKTYPE_NULL, BYTES("\0\0\0\2" UDP4), 0, 0, true },
		{ "null, FreeBSD's IPv6", "ip6", LINKTYPE_NULL, BYTES("\x1c\0\0\0" UDP6), 0, 0, true },
		{ "null, macOS' IPv6", "ip6 and port 53", LINKTYPE_NULL, BYTES("\0\0\0\x1e" UDP6), 0, 0, true },
		{ "null, IPv4 is no IPv6", "ip6", LINKTYPE_NULL, BYTES("\2\0\0\0" UDP4), 0, 0, false },
		{ "loop", "ip", LINKTYPE_LOOP, BYTES("\0\0\0\2" UDP4), 0, 0, true },
		{ "loop, OpenBSD's IPv6", "ip6", LINKTYPE_LOOP, BYTES("\0\0\0\x18" UDP6), 0, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct frame frame = {
			.bytes = cases[i].bytes, .cap_len = (uint32_t)cases[i].len, .wire_len = (uint32_t)cases[i].len,
			.linktype = cases[i].linktype, .vlan_tpid = cases[i].tpid, .vlan_tci = cases[i].tci,
		};
		struct filter *f = NULL;
		struct err e;

		if (filter_open(&f, cases[i].expression, cases[i].linktype, &e) < 0)
			fail_msg("%s: %s", cases[i].why, e.msg);
		if (filter_match(f, &frame) != cases[i].want)
			fail_msg("%s: \"%s\" should %s", cases[i].why, cases[i].expression,
				 cases[i].want ? "match" : "not match");
		filter_close(&f);
		assert_null(f);
	}
}

static void bad_expressions(void **state)
{
	static const struct {
		const char *expression;
		uint16_t linktype;
	} cases[] = { { "port http(", 1 }, { "host 1.2.3.4.5", 1 }, { "nonsense", 1 }, { "ether host 2:0:0:0:0:1", 101 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct filter *f = NULL;
		struct err e = { 0 };

		assert_int_equal(filter_open(&f, cases[i].expression, cases[i].linktype, &e), -EINVAL);
		assert_non_null(strstr(e.msg, cases[i].expression));
		assert_null(f);
	}
}

/* A frame with its tag in metadata must match as libpcap matches the same frame with the tag in
 * its bytes. */
static void tagged_as_in_a_file(void **state)
{
	static const char *const expressions_all[] = {
		"vlan", "vlan 5", "not vlan", "vlan and ip", "ip", "vlan 5 and udp port 53", "ether[12:2] = 0x8100",
		"ether proto 0x8100", "vlan and vlan 9", "less 60", "ether src 02:00:00:00:00:01", "len > 200",
	};
	static const uint8_t plain[256] = ETHER "\x08\0" UDP4;

	(void)state;
	srand(1);
	for (size_t i = 0; i < sizeof expressions_all / sizeof *expressions_all; i++) {
		pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
		struct bpf_program program;
		struct filter *f;

		assert_int_equal(pcap_compile(p, &program, expressions_all[i], 1, PCAP_NETMASK_UNKNOWN), 0);
		assert_int_equal(filter_open(&f, expressions_all[i], LINKTYPE_ETHERNET, NULL), 0);
		for (int round = 0; round < 2000; round++) {
			uint32_t len = 14 + (uint32_t)rand() % 242;
			uint16_t tci = (uint16_t)(rand() % 8), tpid = rand() % 2 ? 0x8100 : 0x88a8;
			struct frame frame = { .bytes = plain, .cap_len = len, .wire_len = len,
					       .vlan_tpid = tpid, .vlan_tci = tci };
			struct pcap_pkthdr h = { .caplen = len + 4, .len = len + 4 };
			uint8_t on_wire[260];

			memcpy(on_wire, plain, 12);
			on_wire[12] = (uint8_t)(tpid >> 8);
			on_wire[13] = (uint8_t)tpid;
			on_wire[14] = (uint8_t)(tci >> 8);
			on_wire[15] = (uint8_t)tci;
			memcpy(on_wire + 16, plain + 12, len - 12);
			assert_int_equal(filter_match(f, &frame), pcap_offline_filter(&program, &h, on_wire) != 0);
		}
		pcap_freecode(&program);
		pcap_close(p);
		filter_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions), cmocka_unit_test(bad_expressions), cmocka_unit_test(tagged_as_in_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
