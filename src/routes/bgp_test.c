/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bgp_test.c -- messages and attributes, whole and damaged. */
#include "routes/bgp.h"

#include "routes/mrt_testing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* What a handler was told, as text: "+192.0.2.0/24 64500; -10.0.0.0/8; eor6; ". */
struct told {
	char text[2000];
	size_t len;
};

static void tell(struct told *t, const char *sign, const struct bgp_nlri *n, const char *path)
{
	char prefix[PREFIX_TEXT_MAX];

	prefix_format(&n->prefix, prefix);
	t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s%s", sign, prefix);
	if (n->path_id)
		t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "#%u", n->path_id);
	t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s%s; ", *path ? " " : "", path);
}

static void on_announce(void *arg, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	char path[200];

	as_path_format(&a->path, path, sizeof path);
	tell(arg, "+", n, path);
}

static void on_withdraw(void *arg, const struct bgp_nlri *n)
{
	tell(arg, "-", n, "");
}

static void on_end(void *arg, enum addr_family family)
{
	struct told *t = arg;

	t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "eor%u; ", (unsigned)family);
}

static int read_message(struct bgp_parser *p, struct slice m, const struct bgp_options *o, struct told *t, struct err *e)
{
	const struct bgp_handler h = { on_announce, on_withdraw, on_end, t };

	return bgp_message_read(p, m, o, &h, e);
}

#define ORIGIN "40 01 01 00 "
#define HOP "40 03 04 c0 00 02 01 "
#define PATH2 "40 02 06 02 02 fb f4 fb f5 "                     /* 64500 64501 */
#define PATH4 "40 02 0a 02 02 00 00 fb f4 00 03 00 00 "         /* 64500 196608 */
#define REACH6 "80 0e 1a 00 02 01 10 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 00 20 20 01 0d b8 "

static void updates(void **state)
{
	static const struct {
		const char *why, *withdrawn, *attributes, *announced, *want;
		struct bgp_options o;
		int result;
	} cases[] = {
		{ "an announcement", "", ORIGIN PATH2 HOP, "18 c0 00 02", "+192.0.2.0/24 64500 64501; ", { 0 }, 0 },
		{ "numbers of 4 octets", "", ORIGIN PATH4 HOP, "18 c0 00 02", "+192.0.2.0/24 64500 196608; ",
		  { .as4 = true }, 0 },
		{ "withdrawals first", "08 0a", ORIGIN PATH2 HOP, "00", "-10.0.0.0/8; +0.0.0.0/0 64500 64501; ", { 0 }, 0 },
		{ "host bits are cleared", "", ORIGIN PATH2 HOP, "0d 0b 0d", "+11.8.0.0/13 64500 64501; ", { 0 }, 0 },
		{ "IPv6", "", ORIGIN PATH2 REACH6, "", "+2001:db8::/32 64500 64501; ", { 0 }, 0 },
		{ "IPv6 and IPv4", "", ORIGIN PATH2 HOP REACH6, "08 0a", "+10.0.0.0/8 64500 64501; +2001:db8::/32 64500 64501; ",
		  { 0 }, 0 },
		{ "IPv6 withdrawn", "", "80 0f 08 00 02 01 20 20 01 0d b8", "", "-2001:db8::/32; ", { 0 }, 0 },
		{ "ADD-PATH", "00 00 00 07 08 0a", ORIGIN PATH2 HOP, "00 00 00 01 18 c0 00 02 00 00 00 02 18 c0 00 02",
		  "-10.0.0.0/8#7; +192.0.2.0/24#1 64500 64501; +192.0.2.0/24#2 64500 64501; ", { .add_path_ip4 = true }, 0 },
		{ "the end of IPv4", "", "", "", "eor4; ", { 0 }, 0 },
		{ "the end of IPv6", "", "80 0f 03 00 02 01", "", "eor6; ", { 0 }, 0 },
		{ "the end of a family that we do not know", "", "80 0f 03 00 19 41", "", "", { 0 }, 0 },
		{ "multicast is passed over", "", ORIGIN PATH2 "80 0e 0a 00 01 02 04 c0 00 02 01 00 00", "", "", { 0 }, 0 },
		{ "a set", "", ORIGIN "40 02 0a 02 01 fb f4 01 02 00 01 00 02 " HOP, "08 0a", "+10.0.0.0/8 64500 {1,2}; ",
		  { 0 }, 0 },
		{ "a confederation", "", ORIGIN "40 02 0c 03 01 fd e9 04 01 fd ea 02 01 fb f4 " HOP, "08 0a",
		  "+10.0.0.0/8 (65001) [65002] 64500; ", { 0 }, 0 },
		{ "sequences that follow one another are one", "", ORIGIN "40 02 08 02 01 fb f4 02 01 fb f5 " HOP, "08 0a",
		  "+10.0.0.0/8 64500 64501; ", { 0 }, 0 },
		{ "an empty path", "", ORIGIN "40 02 00 " HOP, "08 0a", "+10.0.0.0/8; ", { 0 }, 0 },
		{ "an extended length", "", ORIGIN "50 02 00 04 02 01 fb f4 " HOP, "08 0a", "+10.0.0.0/8 64500; ", { 0 }, 0 },
		{ "attributes that nobody knows", "", ORIGIN PATH2 HOP "c0 ff 02 01 02 c0 08 04 00 01 00 02", "08 0a",
		  "+10.0.0.0/8 64500 64501; ", { 0 }, 0 },
		{ "of two of a kind the first counts", "", ORIGIN PATH2 "40 02 04 02 01 00 09 " HOP, "08 0a",
		  "+10.0.0.0/8 64500 64501; ", { 0 }, 0 },
		/* RFC 7606: treated as withdrawn */
		{ "no path", "", ORIGIN HOP, "08 0a", "-10.0.0.0/8; ", { 0 }, 0 },
		{ "a bad origin", "", "40 01 01 03 " PATH2 HOP, "08 0a", "-10.0.0.0/8; ", { 0 }, 0 },
		{ "a damaged path, and IPv6 behind it", "", ORIGIN "40 02 03 02 02 fb " REACH6, "", "-2001:db8::/32; ",
		  { 0 }, 0 },
		{ "an empty segment", "", ORIGIN "40 02 02 02 00 " HOP, "08 0a", "-10.0.0.0/8; ", { 0 }, 0 },
		{ "a segment of an unknown kind", "", ORIGIN "40 02 04 05 01 00 01 " HOP, "08 0a", "-10.0.0.0/8; ", { 0 }, 0 },
		{ "an attribute longer than the list", "", ORIGIN PATH2 "40 03 09 c0", "08 0a", "-10.0.0.0/8; ", { 0 }, 0 },
		{ "MED of three bytes", "", ORIGIN PATH2 HOP "80 04 03 00 00 01", "08 0a", "-10.0.0.0/8; ", { 0 }, 0 },
		{ "a damaged prefix: what stood before it counts", "", ORIGIN PATH2 HOP, "08 0a 21 c0 00 02 01 01",
		  "+10.0.0.0/8 64500 64501; ", { 0 }, 0 },
		{ "a prefix that is cut", "", ORIGIN PATH2 HOP, "08 0a 18 c0 00", "+10.0.0.0/8 64500 64501; ", { 0 }, 0 },
		{ "MP_REACH is cut", "", ORIGIN PATH2 "80 0e 04 00 02 01 10", "08 0a", "", { 0 }, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes m = bgp_update(cases[i].withdrawn, cases[i].attributes, cases[i].announced);
		struct told t = { .text = "" };
		struct bgp_parser *p;
		struct err e = { 0 };

		print_message("%s\n", cases[i].why);
		assert_int_equal(bgp_parser_new(&p), 0);
		assert_int_equal(read_message(p, slice_of(&m), &cases[i].o, &t, &e), cases[i].result);
		assert_string_equal(t.text, cases[i].want);
		assert_int_equal(e.code, cases[i].result < 0 ? -EBADMSG : e.code);
		bgp_parser_free(&p);
	}
}

/* RFC 6793 4.2.3 */
static void as4_paths(void **state)
{
	static const struct { const char *why, *attributes, *want; } cases[] = {
		{ "AS_TRANS is filled in", "40 02 08 02 03 fb f4 5b a0 5b a0 c0 11 0a 02 02 00 03 00 00 00 03 00 01",
		  "64500 196608 196609" },
		{ "the longer AS4_PATH is passed over", "40 02 04 02 01 fb f4 c0 11 0a 02 02 00 03 00 00 00 03 00 01", "64500" },
		{ "a set counts as one", "40 02 0a 02 01 fb f4 01 02 5b a0 5b a0 c0 11 0a 01 02 00 03 00 00 00 03 00 01",
		  "64500 {196608,196609}" },
		{ "a confederation in front stays", "40 02 0a 03 01 fd e9 02 02 fb f4 5b a0 c0 11 06 02 01 00 03 00 00",
		  "(65001) 64500 196608" },
		{ "one in AS4_PATH is passed over", "40 02 06 02 02 fb f4 5b a0 c0 11 0c 03 01 00 00 00 01 02 01 00 03 00 00",
		  "64500 196608" },
		{ "a damaged AS4_PATH is passed over", "40 02 06 02 02 fb f4 5b a0 c0 11 05 02 01 00 03 00", "64500 23456" },
		{ "aggregated by one who knows no 4 octets",
		  "40 02 06 02 02 fb f4 5b a0 c0 07 06 fb f4 c0 00 02 01 c0 11 06 02 01 00 03 00 00 "
		  "c0 12 08 00 03 00 00 c0 00 02 01",
		  "64500 23456" },
		{ "aggregated by AS_TRANS",
		  "40 02 06 02 02 fb f4 5b a0 c0 07 06 5b a0 c0 00 02 01 c0 11 06 02 01 00 03 00 00 "
		  "c0 12 08 00 03 00 00 c0 00 02 01",
		  "64500 196608" },
	};
	const struct bgp_options o = { 0 };
	struct bgp_parser *p;

	(void)state;
	assert_int_equal(bgp_parser_new(&p), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes b = { 0 };
		struct bgp_attributes a;
		char path[100];

		print_message("%s\n", cases[i].why);
		put_hex(&b, cases[i].attributes);
		assert_int_equal(bgp_attributes_read(p, slice_of(&b), &o, &a, NULL), 0);
		as_path_format(&a.path, path, sizeof path);
		assert_string_equal(path, cases[i].want);
	}
	bgp_parser_free(&p);
}

static void what_is_missing_has_a_value(void **state)
{
	const struct bgp_options o = { .as4 = true };
	struct bgp_attributes a;
	struct bgp_parser *p;
	struct bytes b = { 0 };

	(void)state;
	assert_int_equal(bgp_parser_new(&p), 0);
	assert_int_equal(bgp_attributes_read(p, slice_of(&b), &o, &a, NULL), 0);
	assert_int_equal(a.local_pref, 100);
	assert_int_equal(a.med, 0);
	assert_int_equal(a.origin, BGP_ORIGIN_INCOMPLETE);
	assert_false(a.has_path);
	put_hex(&b, "80 04 04 00 00 01 00 40 05 04 00 00 00 c8 40 01 01 01");
	assert_int_equal(bgp_attributes_read(p, slice_of(&b), &o, &a, NULL), 0);
	assert_int_equal(a.local_pref, 200);
	assert_int_equal(a.med, 256);
	assert_int_equal(a.origin, BGP_ORIGIN_EGP);
	bgp_parser_free(&p);
}

/* A path of more numbers than fit is an error, and nothing is written behind its memory. */
static void a_path_that_is_too_long(void **state)
{
	const struct bgp_options o = { 0 };
	size_t segments = 127, len = segments * (2 + 255 * 2);
	uint8_t *b = calloc(1, len + 4);
	struct bgp_attributes a;
	struct bgp_parser *p;

	(void)state;
	assert_non_null(b);
	assert_int_equal(bgp_parser_new(&p), 0);
	b[0] = 0x50;
	b[1] = 2;
	b[2] = (uint8_t)(len >> 8);
	b[3] = (uint8_t)len;
	for (size_t i = 0; i < segments; i++) {
		b[4 + i * 512] = 2;
		b[5 + i * 512] = 255;
	}
	assert_int_equal(bgp_attributes_read(p, (struct slice){ b, len + 4 }, &o, &a, NULL), -EBADMSG);
	assert_int_equal(bgp_attributes_read(p, (struct slice){ b, 4 + 512 }, &o, &a, NULL), -EBADMSG);
	bgp_parser_free(&p);
	free(b);
}

/* Every beginning of a message, and every length in its header: an error or less, never more than the whole. */
static void messages_that_are_cut(void **state)
{
	struct bytes m = bgp_update("08 0a", ORIGIN PATH2 HOP REACH6, "18 c0 00 02");
	const struct bgp_options o = { 0 };
	struct bgp_parser *p;

	(void)state;
	assert_int_equal(bgp_parser_new(&p), 0);
	for (size_t len = 0; len < m.len; len++) {
		struct told t = { .text = "" };
		struct err e = { 0 };
		uint8_t *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, m.at, len);
		assert_int_equal(read_message(p, (struct slice){ copy, len }, &o, &t, &e), -EBADMSG);
		assert_true(e.msg[0]);
		assert_string_equal(t.text, "");
		if (len >= 19) { /* as if it were whole */
			copy[16] = (uint8_t)(len >> 8);
			copy[17] = (uint8_t)len;
			(void)read_message(p, (struct slice){ copy, len }, &o, &t, &e);
		}
		free(copy);
	}
	assert_int_equal(bgp_parser_counters(p)->malformed_messages >= m.len, true);
	bgp_parser_free(&p);
}

static void other_messages_are_counted(void **state)
{
	const struct bgp_options o = { 0 };
	struct bytes nothing = { 0 }, m = bgp_message(BGP_KEEPALIVE, &nothing);
	struct told t = { .text = "" };
	struct bgp_parser *p;

	(void)state;
	assert_int_equal(bgp_parser_new(&p), 0);
	assert_int_equal(read_message(p, slice_of(&m), &o, &t, NULL), 0);
	assert_int_equal(bgp_parser_counters(p)->other_messages, 1);
	assert_int_equal(bgp_parser_counters(p)->updates, 0);
	bgp_parser_free(&p);
}

static void opens(void **state)
{
	static const struct { const char *why, *body; int result; struct bgp_open want; } cases[] = {
		{ "nothing agreed on", "04 fb f4 00 5a c0 00 02 01 00", 0, { 64500, 0xc0000201, false, 0, 0 } },
		{ "4 octets", "04 5b a0 00 5a c0 00 02 01 08 02 06 41 04 00 03 00 00", 0, { 196608, 0xc0000201, true, 0, 0 } },
		{ "ADD-PATH of both families", "04 fb f4 00 5a c0 00 02 01 0c 02 0a 45 08 00 01 01 03 00 02 01 01", 0,
		  { 64500, 0xc0000201, false, 3, 1 } },
		{ "two parameters", "04 5b a0 00 5a c0 00 02 01 10 02 06 41 04 00 03 00 00 02 06 45 04 00 01 01 02", 0,
		  { 196608, 0xc0000201, true, 2, 0 } },
		{ "long parameters (RFC 9072)", "04 5b a0 00 5a c0 00 02 01 ff ff 00 09 02 00 06 41 04 00 03 00 00", 0,
		  { 196608, 0xc0000201, true, 0, 0 } },
		{ "cut", "04 fb f4 00 5a c0 00", -EBADMSG, { 0 } },
		{ "parameters that are cut", "04 fb f4 00 5a c0 00 02 01 08 02 06 41 04", -EBADMSG, { 0 } },
		{ "a capability that is cut", "04 fb f4 00 5a c0 00 02 01 04 02 02 41 04", -EBADMSG, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes body = { 0 }, m;
		struct bgp_open o = { 0 };

		print_message("%s\n", cases[i].why);
		put_hex(&body, cases[i].body);
		m = bgp_message(BGP_OPEN, &body);
		assert_int_equal(bgp_open_read(slice_of(&m), &o, NULL), cases[i].result);
		assert_int_equal(o.as, cases[i].want.as);
		assert_int_equal(o.bgp_id, cases[i].want.bgp_id);
		assert_int_equal(o.as4, cases[i].want.as4);
		assert_int_equal(o.add_path_ip4, cases[i].want.add_path_ip4);
		assert_int_equal(o.add_path_ip6, cases[i].want.add_path_ip6);
	}
}

static void what_two_opens_agree_on(void **state)
{
	const struct bgp_open sends = { .as4 = true, .add_path_ip4 = 2, .add_path_ip6 = 1 }, old = { 0 };
	const struct bgp_open takes = { .as4 = true, .add_path_ip4 = 1, .add_path_ip6 = 3 };
	struct bgp_options o = bgp_options_of(&sends, &takes);

	(void)state;
	assert_true(o.as4 && o.add_path_ip4 && !o.add_path_ip6);
	o = bgp_options_of(&takes, &sends);
	assert_true(o.as4 && !o.add_path_ip4 && o.add_path_ip6);
	o = bgp_options_of(&sends, &old);
	assert_true(!o.as4 && !o.add_path_ip4 && !o.add_path_ip6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(updates),
		cmocka_unit_test(as4_paths),
		cmocka_unit_test(what_is_missing_has_a_value),
		cmocka_unit_test(a_path_that_is_too_long),
		cmocka_unit_test(messages_that_are_cut),
		cmocka_unit_test(other_messages_are_counted),
		cmocka_unit_test(opens),
		cmocka_unit_test(what_two_opens_agree_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
