/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_test.c -- every link layer by hand-made frames, whole and cut at every byte; the short
 * way against the general one; the segments of super-packets. */
#include "decode/decode.h"

#include "model/key.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Frames are written as hexadecimal digits; blanks are left out. */
#define MACS "02000000000b 02000000000a "
#define SRC4 "192.0.2.1"
#define DST4 "198.51.100.2"
#define ADDRS4 "c0000201 c6336402 "
#define SRC6 "2001:db8::1"
#define DST6 "2001:db8::2"
#define ADDRS6 "20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define IP4_OF(vihl, total, fragment, proto) vihl "00" total "0001" fragment "40" proto "0000" ADDRS4
#define IP4(total, proto) IP4_OF("45", total, "0000", proto)
#define IP6(payload, next) "60000000" payload next "40" ADDRS6
#define TCP "1f900050 00000001 00000002 50100100 00000000 "
#define UDP "1f900050 000c0000 6e657474 "
#define ETHER4(total, proto) MACS "0800" IP4(total, proto)
#define ETHER6(payload, next) MACS "86dd" IP6(payload, next)
#define UDP_IP4 IP4("0020", "11") UDP   /* 32 bytes */
#define UDP_IP6 IP6("000c", "11") UDP   /* 52 bytes */
#define NONE (-1)

struct expected {
	const char *src, *dst;       /* NULL = none */
	int proto, src_port, dst_port, vlan, ethertype; /* NONE = unknown */
	unsigned l3_bytes;
	bool malformed;
};

#define OF4(pr, sp, dp) SRC4, DST4, pr, sp, dp
#define OF6(pr, sp, dp) SRC6, DST6, pr, sp, dp
#define NOBODY NULL, NULL, NONE, NONE, NONE
#define UDP4 OF4(17, 8080, 80)
#define TCP4 OF4(6, 8080, 80)
#define UDP6 OF6(17, 8080, 80)
#define TCP6 OF6(6, 8080, 80)

static const struct frame_case { const char *why; uint16_t linktype; const char *hex; struct expected want; } cases[] = {
	{ "IPv4 UDP", LINKTYPE_ETHERNET, MACS "0800" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "IPv4 TCP", LINKTYPE_ETHERNET, ETHER4("0028", "06") TCP, { TCP4, NONE, 0x800, 40, 0 } },
	{ "IPv4 with the padding of a short frame", LINKTYPE_ETHERNET, MACS "0800" UDP_IP4 "0000000000000000",
	  { UDP4, NONE, 0x800, 32, 0 } },
	{ "IPv4 ICMP", LINKTYPE_ETHERNET, ETHER4("001c", "01") "0800000000000000", { OF4(1, NONE, NONE), NONE, 0x800, 28, 0 } },
	{ "IPv4 with options", LINKTYPE_ETHERNET, MACS "0800" IP4_OF("46", "0024", "0000", "11") "01010100" UDP,
	  { UDP4, NONE, 0x800, 36, 0 } },
	{ "IPv4, all 40 bytes of options", LINKTYPE_ETHERNET,
	  MACS "0800" IP4_OF("4f", "0048", "0000", "11") "0101010101010101010101010101010101010101"
	  "0101010101010101010101010101010101010100" UDP, { UDP4, NONE, 0x800, 72, 0 } },
	{ "IPv4, first fragment", LINKTYPE_ETHERNET, MACS "0800" IP4_OF("45", "0020", "2000", "11") UDP,
	  { UDP4, NONE, 0x800, 32, 0 } },
	{ "IPv4, don't fragment", LINKTYPE_ETHERNET, MACS "0800" IP4_OF("45", "0020", "4000", "11") UDP,
	  { UDP4, NONE, 0x800, 32, 0 } },
	{ "IPv4, later fragment: no ports", LINKTYPE_ETHERNET, MACS "0800" IP4_OF("45", "0020", "2001", "11") UDP,
	  { OF4(17, NONE, NONE), NONE, 0x800, 32, 0 } },
	{ "IPv4, last fragment", LINKTYPE_ETHERNET, MACS "0800" IP4_OF("45", "0020", "1fff", "06") UDP,
	  { OF4(6, NONE, NONE), NONE, 0x800, 32, 0 } },
	{ "IPv4 AH UDP", LINKTYPE_ETHERNET, ETHER4("0038", "33") "1104000000000001000000010102030405060708090a0b0c" UDP,
	  { UDP4, NONE, 0x800, 56, 0 } },
	{ "IPv4 ESP", LINKTYPE_ETHERNET, ETHER4("001c", "32") "0000000100000001", { OF4(50, NONE, NONE), NONE, 0x800, 28, 0 } },
	{ "IPv4 in IPv4: the outermost", LINKTYPE_ETHERNET, ETHER4("0034", "04") "450000200001000040110000 0a000001 0a000002" UDP,
	  { OF4(4, NONE, NONE), NONE, 0x800, 52, 0 } },
	{ "IPv4 that says 0 bytes (TSO)", LINKTYPE_ETHERNET, ETHER4("0000", "11") UDP, { UDP4, NONE, 0x800, 32, 0 } },
	{ "IPv4 that says more than there is", LINKTYPE_ETHERNET, ETHER4("0fff", "11") UDP, { UDP4, NONE, 0x800, 32, 0 } },
	{ "IPv4, header of 16 bytes", LINKTYPE_ETHERNET, MACS "0800" IP4_OF("44", "0020", "0000", "11") UDP,
	  { NOBODY, NONE, 0x800, 32, 1 } },
	{ "IPv4 that says version 5", LINKTYPE_ETHERNET, MACS "0800" IP4_OF("55", "0020", "0000", "11") UDP,
	  { NOBODY, NONE, 0x800, 32, 1 } },
	{ "IPv6 under the EtherType of IPv4", LINKTYPE_ETHERNET, MACS "0800" UDP_IP6, { NOBODY, NONE, 0x800, 52, 1 } },
	{ "IPv4 under the EtherType of IPv6", LINKTYPE_ETHERNET, MACS "86dd" UDP_IP4, { NOBODY, NONE, 0x86dd, 32, 1 } },
	{ "IPv6 UDP", LINKTYPE_ETHERNET, MACS "86dd" UDP_IP6, { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "IPv6 TCP", LINKTYPE_ETHERNET, ETHER6("0014", "06") TCP, { TCP6, NONE, 0x86dd, 60, 0 } },
	{ "IPv6 ICMP", LINKTYPE_ETHERNET, ETHER6("0008", "3a") "8000000000000000", { OF6(58, NONE, NONE), NONE, 0x86dd, 48, 0 } },
	{ "IPv6, no next header", LINKTYPE_ETHERNET, ETHER6("0004", "3b") "00000000",
	  { OF6(59, NONE, NONE), NONE, 0x86dd, 44, 0 } },
	{ "IPv6 hop-by-hop", LINKTYPE_ETHERNET, ETHER6("0014", "00") "1100050200000100" UDP, { UDP6, NONE, 0x86dd, 60, 0 } },
	{ "IPv6 hop-by-hop, routing, fragment, options", LINKTYPE_ETHERNET,
	  ETHER6("0034", "00") "2b00050200000100" "2c01040000000000aaaaaaaaaaaaaaaa" "3c00000100000007" "1100010400000000" UDP,
	  { UDP6, NONE, 0x86dd, 92, 0 } },
	{ "IPv6 later fragment: no ports", LINKTYPE_ETHERNET, ETHER6("0014", "2c") "1100000800000007" UDP,
	  { OF6(17, NONE, NONE), NONE, 0x86dd, 60, 0 } },
	{ "IPv6 AH TCP", LINKTYPE_ETHERNET, ETHER6("0020", "33") "0601000000000001 00000001" TCP, { TCP6, NONE, 0x86dd, 72, 0 } },
	{ "IPv6 HIP, Shim6", LINKTYPE_ETHERNET, ETHER6("001c", "8b") "8c00000000000000" "1100000000000000" UDP,
	  { UDP6, NONE, 0x86dd, 68, 0 } },
	{ "IPv6 jumbogram", LINKTYPE_ETHERNET, ETHER6("0000", "00") "1100c20400000014" UDP, { UDP6, NONE, 0x86dd, 60, 0 } },
	{ "ARP", LINKTYPE_ETHERNET, MACS "0806 0001080006040001 02000000000ac0000201 000000000000c6336402",
	  { NOBODY, NONE, 0x806, 28, 0 } },
	{ "802.1Q", LINKTYPE_ETHERNET, MACS "8100a064 0800" UDP_IP4, { UDP4, 100, 0x800, 32, 0 } },
	{ "802.1Q, priority alone", LINKTYPE_ETHERNET, MACS "8100e000 0800" UDP_IP4, { UDP4, 0, 0x800, 32, 0 } },
	{ "802.1Q, IPv6", LINKTYPE_ETHERNET, MACS "81000fff 86dd" UDP_IP6, { UDP6, 4095, 0x86dd, 52, 0 } },
	{ "QinQ", LINKTYPE_ETHERNET, MACS "88a80064 810000c8 0800" UDP_IP4, { UDP4, 100, 0x800, 32, 0 } },
	{ "QinQ, old, four tags", LINKTYPE_ETHERNET, MACS "91000001 91000002 81000003 81000004 86dd" UDP_IP6,
	  { UDP6, 1, 0x86dd, 52, 0 } },
	{ "802.1Q ARP", LINKTYPE_ETHERNET, MACS "81000064 0806 0001080006040001", { NOBODY, 100, 0x806, 8, 0 } },
	{ "802.3 SNAP", LINKTYPE_ETHERNET, MACS "0028 aaaa03000000 0800" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "802.1Q SNAP", LINKTYPE_ETHERNET, MACS "81000064 0028 aaaa03000000 86dd" UDP_IP6, { UDP6, 100, 0x86dd, 52, 0 } },
	{ "802.3 LLC: a bridge's spanning tree", LINKTYPE_ETHERNET, MACS "0026 424203 0000000000", { NOBODY, NONE, NONE, 8, 0 } },
	{ "802.3 LLC, three bytes", LINKTYPE_ETHERNET, MACS "0003 f0f07f", { NOBODY, NONE, NONE, 3, 0 } },
	{ "SNAP of another organisation", LINKTYPE_ETHERNET, MACS "0010 aaaa0300000c 2000 0000000000000000",
	  { NOBODY, NONE, NONE, 16, 0 } },
	{ "MPLS", LINKTYPE_ETHERNET, MACS "8847 00064140" UDP_IP4, { UDP4, NONE, 0x8847, 32, 0 } },
	{ "MPLS, three labels, IPv6", LINKTYPE_ETHERNET, MACS "8848 00064040 00065040 00066140" UDP_IP6,
	  { UDP6, NONE, 0x8848, 52, 0 } },
	{ "MPLS pseudowire", LINKTYPE_ETHERNET, MACS "8847 00064140 00000000" MACS "0800" UDP_IP4,
	  { NOBODY, NONE, 0x8847, 54, 0 } },
	{ "802.1Q MPLS", LINKTYPE_ETHERNET, MACS "81000005 8847 00064140" UDP_IP4, { UDP4, 5, 0x8847, 32, 0 } },
	{ "PPPoE IPv4", LINKTYPE_ETHERNET, MACS "8864 11000001 0022 0021" UDP_IP4, { UDP4, NONE, 0x8864, 32, 0 } },
	{ "PPPoE IPv6", LINKTYPE_ETHERNET, MACS "8864 11000001 0036 0057" UDP_IP6, { UDP6, NONE, 0x8864, 52, 0 } },
	{ "PPPoE, compressed protocol number", LINKTYPE_ETHERNET, MACS "8864 11000001 0021 21" UDP_IP4,
	  { UDP4, NONE, 0x8864, 32, 0 } },
	{ "PPPoE link control", LINKTYPE_ETHERNET, MACS "8864 11000001 0006 c021 09000004", { NOBODY, NONE, 0x8864, 12, 0 } },
	{ "PPPoE discovery", LINKTYPE_ETHERNET, MACS "8863 11090000 0004 01010000", { NOBODY, NONE, 0x8863, 10, 0 } },
	{ "PPPoE in a tag", LINKTYPE_ETHERNET, MACS "81000007 8864 11000001 0022 0021" UDP_IP4, { UDP4, 7, 0x8864, 32, 0 } },
	{ "PPPoE alone", LINKTYPE_PPP_ETHER, "11000001 0022 0021" UDP_IP4, { UDP4, NONE, NONE, 32, 0 } },
	{ "SLL", LINKTYPE_LINUX_SLL, "0000 0001 0006 02000000000a 0000 0800" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "SLL IPv6", LINKTYPE_LINUX_SLL, "0004 0001 0006 02000000000a 0000 86dd" UDP_IP6, { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "SLL with a tag", LINKTYPE_LINUX_SLL, "0000 0001 0006 02000000000a 0000 8100 0009 0800" UDP_IP4,
	  { UDP4, 9, 0x800, 32, 0 } },
	{ "SLL ARP", LINKTYPE_LINUX_SLL, "0000 0001 0006 02000000000a 0000 0806 00010800", { NOBODY, NONE, 0x806, 4, 0 } },
	{ "SLL SNAP", LINKTYPE_LINUX_SLL, "0000 0001 0006 02000000000a 0000 0004 aaaa03000000 0800" UDP_IP4,
	  { UDP4, NONE, 0x800, 32, 0 } },
	{ "SLL, no protocol", LINKTYPE_LINUX_SLL, "0000 0001 0006 02000000000a 0000 0001 ffff", { NOBODY, NONE, NONE, 2, 0 } },
	{ "SLL2", LINKTYPE_LINUX_SLL2, "0800 0000 00000002 0001 00 06 02000000000a0000" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "SLL2 IPv6", LINKTYPE_LINUX_SLL2, "86dd 0000 00000002 0001 04 06 02000000000a0000" UDP_IP6,
	  { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "raw IPv4", LINKTYPE_RAW, UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "raw IPv6", LINKTYPE_RAW, UDP_IP6, { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "raw, neither", LINKTYPE_RAW, "7500002000010000", { NOBODY, NONE, NONE, 8, 1 } },
	{ "IPv4 alone", LINKTYPE_IPV4, UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "IPv4 alone, but it is IPv6", LINKTYPE_IPV4, UDP_IP6, { NOBODY, NONE, NONE, 52, 1 } },
	{ "IPv6 alone", LINKTYPE_IPV6, UDP_IP6, { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "NULL, little-endian", LINKTYPE_NULL, "02000000" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "NULL, big-endian", LINKTYPE_NULL, "00000002" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "NULL, IPv6 of macOS", LINKTYPE_NULL, "1e000000" UDP_IP6, { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "NULL, IPv6 of FreeBSD", LINKTYPE_NULL, "0000001c" UDP_IP6, { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "NULL, another family", LINKTYPE_NULL, "07000000 00000000", { NOBODY, NONE, NONE, 4, 0 } },
	{ "LOOP", LINKTYPE_LOOP, "00000002" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "LOOP, IPv6 of OpenBSD", LINKTYPE_LOOP, "00000018" UDP_IP6, { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "LOOP knows its byte order", LINKTYPE_LOOP, "02000000" UDP_IP4, { NOBODY, NONE, NONE, 32, 0 } },
	{ "PPP", LINKTYPE_PPP, "0021" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "PPP, address and control", LINKTYPE_PPP, "ff030057" UDP_IP6, { UDP6, NONE, 0x86dd, 52, 0 } },
	{ "PPP, compressed", LINKTYPE_PPP, "21" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "PPP in HDLC", LINKTYPE_PPP_HDLC, "ff030021" UDP_IP4, { UDP4, NONE, 0x800, 32, 0 } },
	{ "PPP MPLS", LINKTYPE_PPP, "ff030281 00064140" UDP_IP4, { UDP4, NONE, 0x8847, 32, 0 } },
	{ "PPP link control", LINKTYPE_PPP, "ff03c021 09000004", { NOBODY, NONE, NONE, 4, 0 } },
	{ "a link type that nobody knows", 147, UDP_IP4, { NOBODY, NONE, NONE, 32, 0 } },
};

static unsigned digit(char c)
{
	return (unsigned)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
}

/* The caller frees; exactly as long as the frame, so that a read past its end is found. */
static uint8_t *bytes_of(const char *hex, uint32_t *ret_len)
{
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
	unsigned digits = 0;

	assert_non_null(bytes);
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_true(isxdigit((unsigned char)*hex));
		bytes[digits / 2] = (uint8_t)(digits % 2 ? bytes[digits / 2] << 4 | digit(*hex) : digit(*hex));
		digits++;
	}
	assert_int_equal(digits % 2, 0);
	*ret_len = digits / 2;
	return bytes;
}

static uint8_t *copy_of(const uint8_t *bytes, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	if (len == 0) { /* malloc(0) may be NULL: the end of one byte has no byte to read either */
		free(copy);
		return NULL;
	}
	return copy;
}

static int unkeyed(uint32_t v, uint32_t mark)
{
	assert_true(v == 0 || (v & mark && v < 2 * mark));
	return v ? (int)(v - mark) : NONE;
}

static void is_addr(const struct addr *a, const char *text)
{
	struct addr want = { 0 };

	if (text)
		assert_int_equal(addr_parse(&want, text), 0);
	assert_memory_equal(a, &want, sizeof want);
}

#define SAME(field) assert_int_equal(a->field, b->field)

/* Field by field: the padding of a struct packet is nobody's. */
static void same_packet(const struct packet *a, const struct packet *b)
{
	assert_memory_equal(&a->src, &b->src, sizeof a->src);
	assert_memory_equal(&a->dst, &b->dst, sizeof a->dst);
	SAME(src_mac);
	SAME(dst_mac);
	SAME(seen_utc_ns);
	SAME(l2_bytes);
	SAME(l3_bytes);
	SAME(segments);
	SAME(src_port);
	SAME(dst_port);
	SAME(ethertype);
	SAME(interface);
	SAME(vlan);
	SAME(proto);
	SAME(direction);
	SAME(malformed);
}

/* All three ways in; they must agree. */
static void decode_all_ways(const struct frame *f, struct packet *ret)
{
	struct packet general, batch;

	memset(ret, 0xa5, sizeof *ret); /* nothing of what was there may stay */
	memset(&general, 0x5a, sizeof general);
	memset(&batch, 0xff, sizeof batch);
	decode_frame(f, ret);
	decode_frame_generally(f, &general);
	decode_batch(f, 1, &batch);
	same_packet(ret, &general);
	same_packet(ret, &batch);
}

static void every_link_layer(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct expected *want = &cases[i].want;
		struct frame f = { .linktype = cases[i].linktype, .seen_utc_ns = 5, .interface = 3,
					.direction = DIRECTION_EGRESS };
		uint8_t *bytes = bytes_of(cases[i].hex, &f.cap_len);
		uint8_t *exact = copy_of(bytes, f.cap_len);
		bool ether = f.linktype == LINKTYPE_ETHERNET;
		struct packet p;

		print_message("%s\n", cases[i].why);
		f.bytes = exact;
		f.wire_len = f.cap_len;
		decode_all_ways(&f, &p);
		is_addr(&p.src, want->src);
		is_addr(&p.dst, want->dst);
		assert_int_equal(unkeyed(p.proto, 0x100), want->proto);
		assert_int_equal(unkeyed(p.src_port, 0x10000), want->src_port);
		assert_int_equal(unkeyed(p.dst_port, 0x10000), want->dst_port);
		assert_int_equal(unkeyed(p.vlan, 0x1000), want->vlan);
		assert_int_equal(unkeyed(p.ethertype, 0x10000), want->ethertype);
		assert_int_equal(p.l2_bytes, f.wire_len);
		assert_int_equal(p.l3_bytes, want->l3_bytes);
		assert_int_equal(p.malformed, want->malformed);
		assert_int_equal(p.src_mac, ether ? UINT64_C(0x102000000000a) : 0);
		assert_int_equal(p.dst_mac, ether ? UINT64_C(0x102000000000b) : 0);
		assert_int_equal(p.segments, 1);
		assert_int_equal(p.seen_utc_ns, 5);
		assert_int_equal(p.interface, 3);
		assert_int_equal(p.direction, DIRECTION_EGRESS);
		free(exact);
		free(bytes);
	}
}

/* A capture cut anywhere: counted with its original length, and hosts that the cut took away are
 * told. */
static void cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct frame f = { .linktype = cases[i].linktype };
		uint32_t len;
		uint8_t *bytes = bytes_of(cases[i].hex, &len);
		bool found = false;

		f.wire_len = len;
		for (f.cap_len = 0; f.cap_len <= len; f.cap_len++) {
			uint8_t *exact = copy_of(bytes, f.cap_len);
			struct packet p;
			bool now;

			f.bytes = exact;
			decode_all_ways(&f, &p);
			now = p.src.family != ADDR_NONE;
			if (found && !now)
				fail_msg("%s: %u bytes have no host any more", cases[i].why, f.cap_len);
			if (!now && cases[i].want.src && !p.malformed)
				fail_msg("%s: cut after %u bytes, and not malformed", cases[i].why, f.cap_len);
			found = now;
			assert_int_equal(p.segments, 1);
			assert_int_equal(p.l2_bytes, len);
			assert_true(p.l3_bytes <= len);
			if (now) { /* lengths need no more than the fixed header */
				is_addr(&p.src, cases[i].want.src);
				is_addr(&p.dst, cases[i].want.dst);
				assert_int_equal(p.l3_bytes, cases[i].want.l3_bytes);
			}
			if (p.src_port)
				assert_int_equal(unkeyed(p.src_port, 0x10000), cases[i].want.src_port);
			free(exact);
		}
		assert_int_equal(found, cases[i].want.src != NULL);
		free(bytes);
	}
}

static void cooked_frames_tell_their_direction(void **state)
{
	static const struct { uint8_t packet_type, given, want; } rows[] = {
		{ 0, DIRECTION_UNKNOWN, DIRECTION_INGRESS }, { 1, DIRECTION_UNKNOWN, DIRECTION_INGRESS },
		{ 2, DIRECTION_UNKNOWN, DIRECTION_INGRESS }, { 3, DIRECTION_UNKNOWN, DIRECTION_INGRESS },
		{ 4, DIRECTION_UNKNOWN, DIRECTION_EGRESS }, { 4, DIRECTION_INGRESS, DIRECTION_INGRESS },
		{ 0, DIRECTION_EGRESS, DIRECTION_EGRESS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t sll[16] = { [1] = rows[i].packet_type }, sll2[20] = { [10] = rows[i].packet_type };
		struct frame f = { .direction = rows[i].given, .wire_len = 20 };
		struct packet p;

		f.bytes = sll;
		f.cap_len = sizeof sll;
		f.linktype = LINKTYPE_LINUX_SLL;
		decode_all_ways(&f, &p);
		assert_int_equal(p.direction, rows[i].want);
		f.bytes = sll2;
		f.cap_len = sizeof sll2;
		f.linktype = LINKTYPE_LINUX_SLL2;
		decode_all_ways(&f, &p);
		assert_int_equal(p.direction, rows[i].want);
	}
}

/* A tag that the kernel took off is the outermost again, and its 4 bytes were on the wire. */
static void tags_in_metadata(void **state)
{
	static const struct { const char *hex; uint16_t tci, tpid; int vlan; unsigned more; } rows[] = {
		{ MACS "0800" UDP_IP4, 0x6064, 0x8100, 0x64, 4 },
		{ MACS "0800" UDP_IP4, 0x0000, 0x8100, 0, 4 },
		{ MACS "81000009 0800" UDP_IP4, 0x0064, 0x88a8, 0x64, 4 },
		{ MACS "0800" UDP_IP4, 0x0064, 0, NONE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct frame f = { .linktype = LINKTYPE_ETHERNET, .vlan_tci = rows[i].tci, .vlan_tpid = rows[i].tpid };
		uint8_t *bytes = bytes_of(rows[i].hex, &f.cap_len);
		struct packet p;

		f.bytes = bytes;
		f.wire_len = f.cap_len;
		decode_all_ways(&f, &p);
		assert_int_equal(unkeyed(p.vlan, 0x1000), rows[i].vlan);
		assert_int_equal(p.l2_bytes, f.cap_len + rows[i].more);
		assert_int_equal(p.l3_bytes, 32);
		assert_int_equal(p.src_port, 0x10000 | 8080);
		free(bytes);
	}
}

/* Each segment repeats all headers: payload / gso_size of them, the last one perhaps shorter. */
static void super_packets_count_as_their_segments(void **state)
{
	static const struct { const char *why, *hex; unsigned link, ip, l4, payload, gso, tagged, segments; } rows[] = {
		{ "TCPv4, whole segments", MACS "0800" IP4("0000", "06") TCP, 14, 20, 20, 14480, 1448, 0, 10 },
		{ "TCPv4, a shorter last one", MACS "0800" IP4("0000", "06") TCP, 14, 20, 20, 14481, 1448, 0, 11 },
		{ "TCPv4, one segment", MACS "0800" IP4("0000", "06") TCP, 14, 20, 20, 1448, 1448, 0, 1 },
		{ "TCPv4, less than one", MACS "0800" IP4("0000", "06") TCP, 14, 20, 20, 7, 1448, 0, 1 },
		{ "TCPv4, no payload", MACS "0800" IP4("0000", "06") TCP, 14, 20, 20, 0, 1448, 0, 1 },
		{ "TCPv4, options of both", MACS "0800" IP4_OF("46", "0000", "0000", "06") "01010100"
		  "1f900050 00000001 00000002 80100100 00000000 0101080a0000000100000002", 14, 24, 32, 64000, 1000, 0, 64 },
		{ "TCPv4, tag in the frame", MACS "81000064 0800" IP4("0000", "06") TCP, 18, 20, 20, 3000, 1000, 0, 3 },
		{ "TCPv4, tag in metadata", MACS "0800" IP4("0000", "06") TCP, 14, 20, 20, 3000, 1000, 1, 3 },
		{ "TCPv6", MACS "86dd" IP6("0000", "06") TCP, 14, 40, 20, 61200, 1428, 0, 43 },
		{ "TCPv6, hop-by-hop", MACS "86dd" IP6("0000", "00") "0600050200000100" TCP, 14, 48, 20, 5000, 1000, 0, 5 },
		{ "TCPv6, two tags, one in metadata", MACS "81000064 86dd" IP6("0000", "06") TCP, 18, 40, 20, 5001, 1000, 1, 6 },
		{ "UDPv4", MACS "0800" IP4("0000", "11") "1f90005000000000", 14, 20, 8, 12000, 1200, 0, 10 },
		{ "UDPv6", MACS "86dd" IP6("0000", "11") "1f90005000000000", 14, 40, 8, 12001, 1200, 1, 11 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned headers = rows[i].link + rows[i].ip + rows[i].l4, n = rows[i].segments;
		struct frame f = { .linktype = LINKTYPE_ETHERNET, .gso_size = (uint16_t)rows[i].gso };
		uint8_t *bytes = bytes_of(rows[i].hex, &f.cap_len);
		struct packet p;

		print_message("%s\n", rows[i].why);
		assert_int_equal(f.cap_len, headers);
		f.bytes = bytes;
		f.wire_len = headers + rows[i].payload;
		f.vlan_tpid = rows[i].tagged ? 0x8100 : 0;
		decode_all_ways(&f, &p);
		assert_int_equal(p.segments, n);
		assert_int_equal(p.l2_bytes, rows[i].payload + n * (headers + 4 * rows[i].tagged));
		assert_int_equal(p.l3_bytes, rows[i].payload + n * (rows[i].ip + rows[i].l4));
		assert_int_equal(p.malformed, 0);
		free(bytes);
	}
}

/* The header's own length says what the super-packet is; the segments' headers come on top all
 * the same. */
static void super_packets_that_tell_their_length(void **state)
{
	uint8_t bytes[54];
	uint32_t len;
	uint8_t *made = bytes_of(MACS "0800" IP4("0bd8", "06") TCP, &len); /* 3032 = 40 + 2992 */
	struct frame f = { .bytes = bytes, .cap_len = 54, .wire_len = 14 + 3032, .linktype = LINKTYPE_ETHERNET,
				.gso_size = 1000 };
	struct packet p;

	(void)state;
	assert_int_equal(len, sizeof bytes);
	memcpy(bytes, made, len);
	free(made);
	decode_all_ways(&f, &p);
	assert_int_equal(p.segments, 3);
	assert_int_equal(p.l2_bytes, 3032 + 14 + 2 * 54);
	assert_int_equal(p.l3_bytes, 3032 + 2 * 40);
	for (f.cap_len = 0; f.cap_len < 54; f.cap_len++) { /* headers that were not captured cannot be repeated */
		uint8_t *exact = copy_of(bytes, f.cap_len);

		f.bytes = exact;
		decode_all_ways(&f, &p);
		if (f.cap_len < 14 + 20 + 13)
			assert_int_equal(p.segments, 1);
		free(exact);
	}
}

static void four_gigabytes(void **state)
{
	struct frame f = { .linktype = LINKTYPE_ETHERNET, .wire_len = UINT32_MAX };
	uint8_t *v6 = bytes_of(MACS "86dd" IP6("0000", "11") UDP, &f.cap_len), *v4;
	struct packet p;
	uint64_t payload;

	(void)state;
	f.bytes = v6;
	decode_all_ways(&f, &p);
	assert_int_equal(p.l2_bytes, UINT32_MAX);
	assert_int_equal(p.l3_bytes, UINT32_MAX - 14);
	f.vlan_tpid = 0x8100;
	decode_all_ways(&f, &p);
	assert_int_equal(p.l2_bytes, UINT64_C(0xffffffff) + 4);
	v4 = bytes_of(ETHER4("0000", "06") TCP, &f.cap_len);
	f.bytes = v4;
	f.gso_size = 1;
	decode_all_ways(&f, &p);
	payload = UINT32_MAX - 54;
	assert_int_equal(p.segments, payload);
	assert_int_equal(p.l2_bytes, payload * (1 + 54 + 4));
	assert_int_equal(p.l3_bytes, payload * (1 + 40));
	free(v4);
	free(v6);
}

/* A frame that says it is shorter than what we hold of it: never less than nothing. */
static void shorter_than_its_headers(void **state)
{
	struct frame f = { .linktype = LINKTYPE_ETHERNET };
	uint8_t *bytes = bytes_of(MACS "81000064 0800" UDP_IP4, &f.cap_len);
	struct packet p;

	(void)state;
	f.bytes = bytes;
	for (f.wire_len = 0; f.wire_len < 50; f.wire_len++) {
		decode_all_ways(&f, &p);
		assert_int_equal(p.l2_bytes, f.wire_len);
		assert_int_equal(p.l3_bytes, f.wire_len > 18 ? f.wire_len - 18 : 0);
	}
	free(bytes);
}

/* --- generated frames: the short way gives what the general way gives --- */

struct maker {
	uint64_t seed;
	uint8_t b[400];
	unsigned len;
};

static uint32_t dice(struct maker *m, uint32_t sides) /* splitmix64: the same frames on every machine */
{
	uint64_t z = m->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 32) % sides;
}

static void add_u8(struct maker *m, unsigned v)
{
	assert_true(m->len < sizeof m->b);
	m->b[m->len++] = (uint8_t)v;
}

static void add_u16(struct maker *m, unsigned v)
{
	add_u8(m, v >> 8);
	add_u8(m, v & 0xff);
}

static void add_random(struct maker *m, unsigned n)
{
	while (n--)
		add_u8(m, dice(m, 256));
}

#define PICK(m, list) (list)[dice(m, COUNT(list))]

static void make_l4(struct maker *m, unsigned proto)
{
	add_random(m, proto == 6 ? 12 : 4);
	if (proto == 6)
		add_u8(m, dice(m, 16) << 4);
	add_random(m, dice(m, 30));
}

static unsigned honest_length(struct maker *m, unsigned honest)
{
	return dice(m, 4) ? honest : dice(m, 2) ? 0 : dice(m, 65536);
}

static void make_ip4(struct maker *m)
{
	static const uint8_t protos[] = { 6, 6, 6, 17, 17, 17, 1, 4, 47, 50, 51, 132, 44, 0 };
	static const uint16_t fragments[] = { 0, 0, 0, 0x4000, 0x2000, 0x2001, 0x1fff, 1, 0x8000 };
	unsigned at = m->len, ihl = dice(m, 3) ? 5 : dice(m, 16), proto = PICK(m, protos);

	add_u8(m, (dice(m, 30) ? 4 : dice(m, 16)) << 4 | ihl);
	add_u8(m, 0);
	add_u16(m, 0);
	add_u16(m, 1);
	add_u16(m, PICK(m, fragments));
	add_u8(m, 64);
	add_u8(m, proto);
	add_u16(m, 0);
	add_random(m, 8 + (ihl > 5 ? (ihl - 5) * 4 : 0));
	if (proto == 51) {
		proto = PICK(m, protos);
		add_u8(m, proto);
		add_u8(m, dice(m, 6));
		add_random(m, dice(m, 24));
	}
	make_l4(m, proto);
	unsigned total = honest_length(m, m->len - at);
	m->b[at + 2] = (uint8_t)(total >> 8);
	m->b[at + 3] = (uint8_t)total;
}

static void make_ip6(struct maker *m)
{
	static const uint8_t nexts[] = { 6, 6, 6, 17, 17, 17, 58, 59, 50, 0, 43, 44, 51, 60, 139, 140 };
	unsigned at = m->len, next = PICK(m, nexts);

	add_u8(m, (dice(m, 30) ? 6 : dice(m, 16)) << 4);
	add_random(m, 3);
	add_u16(m, 0);
	add_u8(m, next);
	add_u8(m, 64);
	add_random(m, 32);
	for (unsigned n = 0; n < 3 && (next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next >= 139); n++) {
		bool fragment = next == 44, ah = next == 51;

		next = PICK(m, nexts);
		add_u8(m, next);
		add_u8(m, fragment || dice(m, 3) ? ah : dice(m, 3));
		add_u16(m, fragment && dice(m, 2) ? dice(m, 4) << 1 : 0);
		add_random(m, 4);
	}
	make_l4(m, next);
	unsigned payload = honest_length(m, m->len - at - 40);
	m->b[at + 4] = (uint8_t)(payload >> 8);
	m->b[at + 5] = (uint8_t)payload;
}

static void make_ethernet(struct maker *m)
{
	static const uint16_t tags[] = { 0x8100, 0x8100, 0x88a8, 0x9100 };
	static const uint16_t types[] = { 0x800, 0x800, 0x800, 0x86dd, 0x86dd, 0x86dd, 0x806, 0x8847, 0x8864, 40, 0x88cc };
	unsigned type;

	add_random(m, 12);
	for (unsigned n = dice(m, 3) ? dice(m, 2) : dice(m, 4); n; n--) {
		add_u16(m, PICK(m, tags));
		add_random(m, 2);
	}
	type = PICK(m, types);
	add_u16(m, type);
	switch (type) {
	case 0x800: make_ip4(m); break;
	case 0x86dd: make_ip6(m); break;
	case 0x8847:
		add_random(m, 2);
		add_u16(m, dice(m, 4) ? 0x0140 : 0x0040);
		make_ip4(m);
		break;
	case 0x8864:
		add_u16(m, 0x1100);
		add_random(m, 4);
		add_u16(m, dice(m, 2) ? 0x0021 : 0x0057);
		make_ip4(m);
		break;
	case 40:
		add_u16(m, 0xaaaa);
		add_u16(m, 0x0300);
		add_u16(m, 0);
		add_u16(m, 0x0800);
		make_ip4(m);
		break;
	default: add_random(m, dice(m, 60)); break;
	}
	if (!dice(m, 3))
		add_random(m, dice(m, 20)); /* padding */
}

static void make_frame(struct maker *m, struct frame *f)
{
	static const uint16_t linktypes[] = { 0, 9, 50, 51, 101, 108, 113, 228, 229, 276, 999 };

	*f = (struct frame){ .linktype = LINKTYPE_ETHERNET, .seen_utc_ns = dice(m, 1000), .interface = dice(m, 4),
			     .direction = (uint8_t)dice(m, 3) };
	m->len = 0;
	make_ethernet(m);
	for (unsigned n = dice(m, 3) ? 0 : dice(m, 4); n; n--)
		m->b[dice(m, m->len)] = (uint8_t)dice(m, 256);
	f->cap_len = dice(m, 5) ? m->len : dice(m, m->len + 1);
	f->wire_len = dice(m, 8) ? m->len : dice(m, 2) ? dice(m, 100) : dice(m, UINT32_MAX);
	if (!dice(m, 20))
		f->linktype = PICK(m, linktypes);
	if (!dice(m, 8)) {
		f->vlan_tpid = 0x8100;
		f->vlan_tci = (uint16_t)dice(m, 65536);
	}
	if (!dice(m, 8))
		f->gso_size = (uint16_t)dice(m, 2000);
}

#define GENERATED 200000

static void generated_frames(void **state)
{
	struct maker m = { .seed = 20261122 };
	unsigned hosts = 0, ports = 0, malformed = 0, tagged = 0;

	(void)state;
	for (unsigned i = 0; i < GENERATED; i++) {
		struct frame f;
		struct packet p;
		uint8_t *exact;

		make_frame(&m, &f);
		exact = copy_of(m.b, f.cap_len);
		f.bytes = exact;
		decode_all_ways(&f, &p);
		assert_true(p.segments >= 1);
		assert_true(p.l2_bytes >= f.wire_len);
		assert_true(p.src.family == p.dst.family);
		assert_true(p.l3_bytes <= p.l2_bytes);
		assert_true(p.src.family != ADDR_NONE || (!p.src_port && !p.proto));
		hosts += p.src.family != ADDR_NONE;
		ports += p.src_port != 0;
		malformed += p.malformed;
		tagged += p.vlan != 0;
		free(exact);
	}
	print_message("%u with hosts, %u with ports, %u malformed, %u tagged\n", hosts, ports, malformed, tagged);
	assert_in_range(hosts, GENERATED / 2, GENERATED); /* the generator is worth its time */
	assert_in_range(ports, GENERATED / 5, GENERATED);
	assert_in_range(malformed, GENERATED / 20, GENERATED / 2);
	assert_in_range(tagged, GENERATED / 4, GENERATED);
}

/* Random bytes under every link type: nothing is read past the end, and the sums hold. */
static void random_bytes(void **state)
{
	static const uint16_t linktypes[] = { 0, 1, 9, 50, 51, 101, 108, 113, 228, 229, 276, 147 };
	struct maker m = { .seed = 7 };

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		struct frame f = { .linktype = linktypes[i % COUNT(linktypes)] };
		struct packet p;
		uint8_t *exact;

		m.len = 0;
		add_random(&m, dice(&m, 120));
		f.cap_len = f.wire_len = m.len;
		exact = copy_of(m.b, m.len);
		f.bytes = exact;
		decode_all_ways(&f, &p);
		assert_int_equal(p.l2_bytes, m.len);
		assert_true(p.l3_bytes <= m.len);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_layer),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(cooked_frames_tell_their_direction),
		cmocka_unit_test(tags_in_metadata),
		cmocka_unit_test(super_packets_count_as_their_segments),
		cmocka_unit_test(super_packets_that_tell_their_length),
		cmocka_unit_test(four_gigabytes),
		cmocka_unit_test(shorter_than_its_headers),
		cmocka_unit_test(generated_frames),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
