/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptr_reply_test.c -- answers of DNS, byte by byte. */
#include "names/testing.h"

#include "names/ptr_reply.h"

#include <errno.h>

#define HEAD(answers, authorities) "\x12\x34\x81\x80\x00\x01\x00" answers "\x00" authorities "\x00\x00"
#define QUESTION "\x01" "1\x01" "2\x01" "0\x03" "192\x07" "in-addr\x04" "arpa\x00\x00\x0c\x00\x01" /* 12 .. */
#define PTR(ttl, length) "\xc0\x0c\x00\x0c\x00\x01" ttl "\x00" length
#define CNAME(ttl, length) "\xc0\x0c\x00\x05\x00\x01" ttl "\x00" length
#define HOUR "\x00\x00\x0e\x10"
#define MINUTE "\x00\x00\x00\x3c"
#define ROW(text) text, sizeof(text) - 1

static void replies(void **state)
{
	static const struct { const char *why, *bytes; size_t len; int want; const char *name; uint32_t ttl_s,
		negative_s; } rows[] = {
		{ "a name", ROW(HEAD("\x01", "\x00") QUESTION PTR(HOUR, "\x0d") "\x03" "www\x07" "Example\x00"), 0,
		  "www.example", 3600, 0 },
		{ "a compressed one", ROW(HEAD("\x01", "\x00") QUESTION PTR(HOUR, "\x06") "\x03" "www\xc0\x12"), 0,
		  "www.192.in-addr.arpa", 3600, 0 },
		{ "of several the first by the alphabet", ROW(HEAD("\x02", "\x00") QUESTION PTR(HOUR, "\x03") "\x01" "b\x00"
		  PTR(MINUTE, "\x03") "\x01" "a\x00"), 0, "a", 60, 0 },
		{ "by a CNAME, RFC 2317", ROW(HEAD("\x02", "\x00") QUESTION CNAME(MINUTE, "\x03") "\x01"
		  "z\x00" PTR(HOUR, "\x03") "\x01" "a\x00"),
		  0, "a", 60, 0 },
		{ "hostile labels", ROW(HEAD("\x01", "\x00") QUESTION PTR(HOUR, "\x08") "\x06" "a.\033\"<\x00" "\x00"), 0,
		  "a\\046\\027\\034\\060\\000", 3600, 0 },
		{ "the root", ROW(HEAD("\x01", "\x00") QUESTION PTR(HOUR, "\x01") "\x00"), 0, "", 3600, 0 },
		{ "none, with an SOA", ROW(HEAD("\x00", "\x01") QUESTION "\xc0\x0c\x00\x06\x00\x01" HOUR "\x00\x1a"
		  "\x01" "a\x00\x01" "b\x00"
		  "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4" "\0\0\2\x58"), 0, "", INT32_MAX, 600 },
		{ "none at all", ROW(HEAD("\x00", "\x00") QUESTION), 0, "", INT32_MAX, 0 },
		{ "a TTL over 2^31", ROW(HEAD("\x01", "\x00") QUESTION PTR("\xff\xff\xff\xff", "\x03") "\x01"
		  "a\x00"), 0, "a", 0, 0 },
		{ "a pointer to itself", ROW(HEAD("\x01", "\x00") QUESTION PTR(HOUR, "\x02") "\xc0\x34"), -EBADMSG, NULL, 0, 0 },
		{ "a pointer forward", ROW(HEAD("\x01", "\x00") QUESTION PTR(HOUR, "\x02") "\xc0\xff"), -EBADMSG, NULL, 0, 0 },
		{ "a label beyond the data", ROW(HEAD("\x01", "\x00") QUESTION PTR(HOUR, "\x03") "\x3f" "a\x00"),
		  -EBADMSG, NULL, 0, 0 },
		{ "a strange label", ROW(HEAD("\x01", "\x00") QUESTION PTR(HOUR, "\x03") "\x41" "a\x00"), -EBADMSG, NULL, 0, 0 },
		{ "cut off", ROW(HEAD("\x01", "\x00") QUESTION "\xc0\x0c\x00\x0c"), -EBADMSG, NULL, 0, 0 },
		{ "cut in the question", ROW(HEAD("\x01", "\x00") "\x01"), -EBADMSG, NULL, 0, 0 },
		{ "cut in the head", ROW("\x12\x34"), -EBADMSG, NULL, 0, 0 },
		{ "too many records", ROW("\x12\x34\x81\x80\x00\x01\xff\xff\xff\xff\x00\x00" QUESTION), -EBADMSG, NULL, 0, 0 },
		{ "another class", ROW(HEAD("\x01", "\x00") QUESTION "\xc0\x0c\x00\x0c\x00\x03" HOUR "\x00\x03"
		  "\x01" "a\x00"), 0, "", INT32_MAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ptr_reply r;

		print_message("%s\n", rows[i].why);
		assert_int_equal(ptr_reply_parse(&r, (struct slice){ (const uint8_t *)rows[i].bytes, rows[i].len }),
			rows[i].want);
		if (rows[i].want < 0)
			continue;
		assert_string_equal(r.name.at, rows[i].name);
		assert_int_equal(r.ttl_s, rows[i].ttl_s);
		assert_int_equal(r.negative_ttl_s, rows[i].negative_s);
	}
}

/* 127 pointers, one to the next before it: as long as a name may be, and no longer. */
static void a_name_that_never_ends(void **state)
{
	uint8_t message[4096] = { 0x12, 0x34, 0x81, 0x80, 0, 0, 0, 1 };
	size_t at = 12;
	struct ptr_reply r;

	(void)state;
	message[at++] = 0; /* the owner: the root */
	memcpy(message + at, "\x00\x0c\x00\x01\x00\x00\x0e\x10", 8);
	at += 8;
	size_t length_at = at;
	at += 2;
	size_t first = at;
	for (unsigned i = 0; i < 200; i++) { /* label, pointer back to the one before */
		size_t to = i ? at - 4 : 12;

		message[at++] = 1;
		message[at++] = 'a';
		message[at++] = (uint8_t)(0xc0 | to >> 8);
		message[at++] = (uint8_t)to;
	}
	message[length_at] = (uint8_t)((at - first) >> 8);
	message[length_at + 1] = (uint8_t)(at - first);
	assert_int_equal(ptr_reply_parse(&r, (struct slice){ message, at }), 0); /* its data begin with a short one */
	assert_string_equal(r.name.at, "a");
}

static void questions(void **state)
{
	static const struct { const char *host, *want; } rows[] = {
		{ "192.0.2.10", "10.2.0.192.in-addr.arpa" }, { "255.255.255.255", "255.255.255.255.in-addr.arpa" },
		{ "2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
		{ "::ffff:1.2.3.4", "4.0.3.0.2.0.1.0.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr a = addr_of(rows[i].host);
		char text[PTR_QUESTION_MAX];

		ptr_question(&a, text);
		assert_string_equal(text, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies), cmocka_unit_test(a_name_that_never_ends), cmocka_unit_test(questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
