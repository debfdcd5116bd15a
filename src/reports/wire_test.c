/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire_test.c -- datagrams of version 2: right ones, and each way to be wrong. */
#include "reports/wire.h"

#include "reports/testing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int read_all(struct wire_head *h, struct wire_body *b, const struct datagram *d)
{
	int err = wire_head(h, datagram_slice(d));

	return err < 0 ? err : wire_body(b, h);
}

static void a_right_one(void **state)
{
	static struct wire_body body;
	struct wire_head h;
	struct datagram d;
	char text[ADDR_TEXT_MAX];
	const struct report *r;

	(void)state;
	datagram_make(&d, 7, 100, 3);
	assert_true(wire_is_ours(datagram_slice(&d)));
	assert_int_equal(read_all(&h, &body, &d), 0);
	assert_int_equal(h.sequence, 7);
	assert_int_equal(h.before, 100);
	assert_int_equal(h.time_us, TEST_NOW_US);
	assert_int_equal(h.records, 3);
	assert_false(h.last);
	assert_int_equal(h.sender.len, 4);
	assert_memory_equal(h.sender.at, "web1", 4);
	assert_int_equal(h.signed_part.len + LAYOUT_SIGNATURE, d.len);
	assert_int_equal(body.batch.count, 3);
	assert_int_equal(body.types[0].len, 5);
	assert_memory_equal(body.types[0].at, "video", 5);
	assert_int_equal(body.servers[0].port, 443);
	addr_format(&body.servers[0].addr, text);
	assert_string_equal(text, "192.0.2.1");
	r = &body.reports[2];
	addr_format(&r->client, text);
	assert_string_equal(text, "198.51.100.2");
	assert_int_equal(r->bytes, 300);
	assert_int_equal(r->packets, 2);
	assert_int_equal(r->retransmits, 1);
	assert_int_equal(r->requests, 1);
	assert_int_equal(r->duration_us, 1000);
	assert_int_equal(r->rtt_us, 500);
}

static void ipv6_and_no_address(void **state)
{
	static const uint8_t record[] = { 0, 0, 6, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0 };
	static struct wire_body body;
	struct wire_head h;
	struct datagram d;
	char text[ADDR_TEXT_MAX];

	(void)state;
	datagram_head(&d, 1, 0);
	d.bytes[LAYOUT_AT_TYPES] = d.bytes[LAYOUT_AT_SERVERS] = d.bytes[LAYOUT_AT_RECORDS + 1] = 1;
	datagram_put(&d, "\0" "\0\0\x50", 1 + 3); /* no type, no address, port 80 */
	datagram_put(&d, record, sizeof record);
	datagram_sign(&d);
	assert_int_equal(read_all(&h, &body, &d), 0);
	assert_int_equal(body.types[0].len, 0);
	assert_int_equal(body.servers[0].addr.family, ADDR_NONE);
	assert_int_equal(body.servers[0].port, 80);
	addr_format(&body.reports[0].client, text);
	assert_string_equal(text, "2001:db8::9");
}

/* A byte of the head, changed. */
static void wrong_heads(void **state)
{
	static const struct {
		const char *why;
		unsigned at;
		uint8_t value;
		int want;
	} cases[] = {
		{ "version 1", LAYOUT_AT_VERSION, 1, -EPROTONOSUPPORT },
		{ "version 3", LAYOUT_AT_VERSION, 3, -EPROTONOSUPPORT },
		{ "an unknown flag", LAYOUT_AT_FLAGS, 2, -EBADMSG },
		{ "the last", LAYOUT_AT_FLAGS, 1, 0 },
		{ "more records than fit", LAYOUT_AT_RECORDS, 0xff, -EBADMSG },
		{ "sequence 0", LAYOUT_AT_SEQUENCE + 7, 0, -EBADMSG },
		{ "a sequence beyond 48 bits", LAYOUT_AT_SEQUENCE, 1, -EBADMSG },
		{ "records before beyond 48 bits", LAYOUT_AT_BEFORE, 1, -EBADMSG },
		{ "a negative time", LAYOUT_AT_TIME, 0x80, -EBADMSG },
		{ "a negative start", LAYOUT_AT_BEGAN, 0x80, -EBADMSG },
		{ "no sender", LAYOUT_AT_SENDER_LENGTH, 0, -EBADMSG },
		{ "a sender longer than allowed", LAYOUT_AT_SENDER_LENGTH, 33, -EBADMSG },
		{ "a sender longer than the rest", LAYOUT_AT_SENDER_LENGTH, 255, -EBADMSG },
		{ "not zero", LAYOUT_AT_ZERO, 1, -EBADMSG },
		{ "a control character in the sender", LAYOUT_HEAD, '\n', -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wire_head h;
		struct datagram d;

		datagram_make(&d, 1, 0, 1);
		d.bytes[cases[i].at] = cases[i].value;
		print_message("%s\n", cases[i].why);
		assert_int_equal(wire_head(&h, datagram_slice(&d)), cases[i].want);
	}
}

/* The body's bytes, written whole. */
static void wrong_bodies(void **state)
{
#define TABLES "\5video" "\4\xc0\0\2\1\1\xbb"
#define CLIENT "\4\xc0\0\2\2"
#define CASE(why, types, servers, records, text, want) { why, types, servers, records, sizeof(text) - 1, text, want }
	static const struct {
		const char *why;
		uint8_t types, servers, records;
		size_t len;
		const char *text;
		int want;
	} cases[] = {
		CASE("right", 1, 1, 1, TABLES "\0\0" CLIENT "\1\1\1\1\1\1", 0),
		CASE("no record", 1, 1, 0, TABLES, 0),
		CASE("nothing", 0, 0, 0, "", 0),
		CASE("bytes left over", 1, 1, 1, TABLES "\0\0" CLIENT "\1\1\1\1\1\1\1", -EBADMSG),
		CASE("a record short of a number", 1, 1, 1, TABLES "\0\0" CLIENT "\1\1\1\1\1", -EBADMSG),
		CASE("a record that is not there", 1, 1, 2, TABLES "\0\0" CLIENT "\1\1\1\1\1\1", -EBADMSG),
		CASE("type out of range", 1, 1, 1, TABLES "\1\0" CLIENT "\1\1\1\1\1\1", -EBADMSG),
		CASE("server out of range", 1, 1, 1, TABLES "\0\1" CLIENT "\1\1\1\1\1\1", -EBADMSG),
		CASE("neither request nor packet", 1, 1, 1, TABLES "\0\0" CLIENT "\1\0\1\0\1\1", -EBADMSG),
		CASE("a client without an address", 1, 1, 1, TABLES "\0\0\0" "\1\1\1\1\1\1", -EBADMSG),
		CASE("a family of 5", 1, 1, 1, TABLES "\0\0\5\xc0\0\2\2" "\1\1\1\1\1\1", -EBADMSG),
		CASE("a number of 8 bytes", 1, 1, 1, TABLES "\0\0" CLIENT "\xff\xff\xff\xff\xff\xff\xff\x7f\1\1\1\1\1", 0),
		CASE("a number of 9 bytes", 1, 1, 1,
		     TABLES "\0\0" CLIENT "\xff\xff\xff\xff\xff\xff\xff\xff\1\1\1\1\1\1", -EBADMSG),
		CASE("a number that does not end", 1, 1, 1, TABLES "\0\0" CLIENT "\1\1\1\1\1\xff", -EBADMSG),
		CASE("a type that is cut", 1, 0, 0, "\5vide", -EBADMSG),
		CASE("a type of 33 bytes", 1, 0, 0, "\41" "123456789012345678901234567890123", -EBADMSG),
		CASE("a type with a line end", 1, 0, 0, "\3a\nb", -EBADMSG),
		CASE("a server that is cut", 0, 1, 0, "\4\1\2\3\4\1", -EBADMSG),
		CASE("a server of family 6 that is cut", 0, 1, 0, "\6\1\2\3\4\1\2", -EBADMSG),
		CASE("servers that are not there", 0, 2, 0, "\4\1\2\3\4\1\2", -EBADMSG),
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		static struct wire_body body;
		struct wire_head h;
		struct datagram d;

		datagram_head(&d, 1, 0);
		d.bytes[LAYOUT_AT_TYPES] = cases[i].types;
		d.bytes[LAYOUT_AT_SERVERS] = cases[i].servers;
		d.bytes[LAYOUT_AT_RECORDS + 1] = cases[i].records;
		datagram_put(&d, cases[i].text, cases[i].len);
		datagram_sign(&d);
		print_message("%s\n", cases[i].why);
		assert_int_equal(read_all(&h, &body, &d), cases[i].want);
	}
}

static void every_length(void **state)
{
	static struct wire_body body;
	struct wire_head h;
	struct datagram d;
	size_t all;

	(void)state;
	datagram_make(&d, 1, 0, 2);
	all = d.len;
	for (d.len = 5; d.len < all; d.len++)
		assert_true(read_all(&h, &body, &d) < 0);
	assert_int_equal(wire_head(&h, (struct slice){ d.bytes, LAYOUT_DATAGRAM_MAX + 1 }), -EMSGSIZE);
	assert_false(wire_is_ours((struct slice){ d.bytes, 3 }));
	assert_false(wire_is_ours((struct slice){ d.bytes, 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_one), cmocka_unit_test(ipv6_and_no_address), cmocka_unit_test(wrong_heads),
		cmocka_unit_test(wrong_bodies), cmocka_unit_test(every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
