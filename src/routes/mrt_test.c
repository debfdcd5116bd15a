/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mrt_test.c -- records of every kind, whole and cut. */
#include "routes/mrt.h"

#include "routes/mrt_testing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* What a handler was told, as text. */
struct told {
	char text[2000];
	size_t len;
};

static void tell(struct told *t, const char *sign, const struct mrt_peer *peer, const struct bgp_nlri *n,
	const struct as_path *path)
{
	char prefix[PREFIX_TEXT_MAX] = "", addr[ADDR_TEXT_MAX], as_path[100] = "", id[20] = "";

	addr_format(&peer->addr, addr);
	if (n)
		prefix_format(&n->prefix, prefix);
	if (n && n->path_id)
		snprintf(id, sizeof id, "#%u", n->path_id);
	if (path)
		as_path_format(path, as_path, sizeof as_path);
	t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s%s%s of %s AS%u%s%s; ", sign, prefix, id, addr,
				   peer->as, path ? ": " : "", as_path);
}

static void on_row(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	tell(arg, "=", peer, n, &a->path);
}

static void on_row_end(void *arg, const struct bgp_nlri *n)
{
	struct told *t = arg;

	(void)n;
	t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, ". ");
}

static void on_announce(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	tell(arg, "+", peer, n, &a->path);
}

static void on_withdraw(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n)
{
	tell(arg, "-", peer, n, NULL);
}

static void on_state(void *arg, const struct mrt_peer *peer, uint16_t from, uint16_t to)
{
	char sign[20];

	snprintf(sign, sizeof sign, "%u>%u", from, to);
	tell(arg, sign, peer, NULL, NULL);
}

static struct mrt_reader *new_reader(struct told *t)
{
	const struct mrt_handler h = { on_row, on_row_end, on_announce, on_withdraw, on_state, t };
	struct mrt_reader *m;

	memset(t, 0, sizeof *t);
	assert_int_equal(mrt_reader_new(&m, &h), 0);
	return m;
}

/* Attributes: 64500 64501, in 4 and in 2 octets. */
#define A4 "40 01 01 00 40 02 0a 02 02 00 00 fb f4 00 00 fb f5 "
#define A2 "40 01 01 00 40 02 06 02 02 fb f4 fb f5 "
#define A4_LEN "00 11 "
#define A2_LEN "00 0d "
#define TIME "65 54 00 00 "
/* Two peers: 10.0.0.1 AS64500 and 2001:db8::2 AS196608. */
#define PEERS "c0 00 02 fe 00 03 61 62 63 00 02 00 0a 00 00 01 0a 00 00 01 fb f4 03 0a 00 00 02 20 01 0d b8 00 00 00 00 \
00 00 00 00 00 00 00 02 00 03 00 00 "
#define V6 "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 "
#define NLRI_18 "18 c0 00 02"
/* The head of BGP4MP: peer AS, local AS, interface, family, addresses. */
#define HEAD2 "fb f4 fb f5 00 00 00 01 0a 00 00 01 0a 00 00 09 "
#define HEAD4 "00 03 00 00 00 00 fb f5 00 00 00 01 0a 00 00 01 0a 00 00 09 "

static void kinds(void **state)
{
	static const struct { const char *why; uint16_t type, subtype; const char *body, *want; } cases[] = {
		{ "TABLE_DUMP, IPv4", 12, 1, "00 00 00 01 c0 00 02 07 18 01 " TIME "0a 00 00 01 fb f4 " A2_LEN A2,
		  "=192.0.2.0/24 of 10.0.0.1 AS64500: 64500 64501; . " },
		{ "TABLE_DUMP, IPv6", 12, 2, "00 00 00 01 " V6 "20 01 " TIME V6 "fb f4 " A2_LEN A2,
		  "=2001:db8::/32 of 2001:db8::1 AS64500: 64500 64501; . " },
		{ "TABLE_DUMP, AS numbers of 4 octets", 12, 3,
		  "00 00 00 01 c0 00 02 00 18 01 " TIME "0a 00 00 01 00 03 00 00 " A4_LEN A4,
		  "=192.0.2.0/24 of 10.0.0.1 AS196608: 64500 64501; . " },
		{ "IPv4 unicast", 13, 2, "00 00 00 00 " NLRI_18 "00 02 00 00 " TIME A4_LEN A4 "00 01 " TIME A4_LEN A4,
		  "=192.0.2.0/24 of 10.0.0.1 AS64500: 64500 64501; =192.0.2.0/24 of 2001:db8::2 AS196608: 64500 64501; . " },
		{ "IPv6 unicast", 13, 4, "00 00 00 00 20 20 01 0d b8 00 01 00 00 " TIME A4_LEN A4,
		  "=2001:db8::/32 of 10.0.0.1 AS64500: 64500 64501; . " },
		{ "an unknown peer", 13, 2, "00 00 00 00 " NLRI_18 "00 02 00 02 " TIME A4_LEN A4 "00 01 " TIME A4_LEN A4,
		  "=192.0.2.0/24 of 2001:db8::2 AS196608: 64500 64501; . " },
		{ "damaged attributes", 13, 2, "00 00 00 00 " NLRI_18 "00 02 00 00 " TIME "00 02 40 01 00 01 " TIME A4_LEN A4,
		  "=192.0.2.0/24 of 2001:db8::2 AS196608: 64500 64501; . " },
		{ "IPv4 multicast is passed over", 13, 3, "00 00 00 00 " NLRI_18 "00 01 00 00 " TIME A4_LEN A4, "" },
		{ "generic, IPv4", 13, 6, "00 00 00 00 00 01 01 " NLRI_18 "00 01 00 00 " TIME A4_LEN A4,
		  "=192.0.2.0/24 of 10.0.0.1 AS64500: 64500 64501; . " },
		{ "generic, EVPN", 13, 6, "00 00 00 00 00 19 46 00 01", "" },
		{ "ADD-PATH, IPv4", 13, 8, "00 00 00 00 " NLRI_18 "00 02 00 00 " TIME "00 00 00 05 " A4_LEN A4 "00 00 " TIME
		  "00 00 00 06 " A4_LEN A4,
		  "=192.0.2.0/24#5 of 10.0.0.1 AS64500: 64500 64501; =192.0.2.0/24#6 of 10.0.0.1 AS64500: 64500 64501; . " },
		{ "ADD-PATH, IPv6", 13, 10, "00 00 00 00 20 20 01 0d b8 00 01 00 01 " TIME "00 00 00 05 " A4_LEN A4,
		  "=2001:db8::/32#5 of 2001:db8::2 AS196608: 64500 64501; . " },
		{ "ADD-PATH, generic, as RFC 8050 has it", 13, 12,
		  "00 00 00 00 00 01 01 00 00 00 05 " NLRI_18 "00 01 00 00 " TIME A4_LEN A4,
		  "=192.0.2.0/24#5 of 10.0.0.1 AS64500: 64500 64501; . " },
		{ "ADD-PATH, generic, as OpenBGPD writes it", 13, 12,
		  "00 00 00 00 00 01 01 " NLRI_18 "00 01 00 00 " TIME "00 00 00 05 " A4_LEN A4,
		  "=192.0.2.0/24#5 of 10.0.0.1 AS64500: 64500 64501; . " },
		{ "a change of state", 16, 0, HEAD2 "00 05 00 06", "5>6 of 10.0.0.1 AS64500; " },
		{ "a change of state, 4 octets", 16, 5, HEAD4 "00 06 00 01", "6>1 of 10.0.0.1 AS196608; " },
		{ "with microseconds", 17, 5, "00 00 00 01 " HEAD4 "00 06 00 01", "6>1 of 10.0.0.1 AS196608; " },
		{ "an old kind of BGP4MP", 16, 3, HEAD2, "" },
		{ "an unknown subtype", 16, 99, HEAD2, "" },
		{ "OSPF", 11, 0, "00 00", "" },
		{ "an unknown type", 48, 0, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes body = { 0 }, peers = { 0 }, record = { 0 }, first = { 0 };
		struct mrt_reader *m;
		struct told t;

		print_message("%s\n", cases[i].why);
		put_hex(&peers, PEERS);
		put_record(&first, 13, 1, &peers);
		put_hex(&body, cases[i].body);
		put_record(&record, cases[i].type, cases[i].subtype, &body);
		m = new_reader(&t);
		assert_int_equal(mrt_record_read(m, slice_of(&first), NULL), 0);
		assert_int_equal(mrt_reader_peers(m), 2);
		assert_int_equal(mrt_record_read(m, slice_of(&record), NULL), 0);
		assert_string_equal(t.text, cases[i].want);
		assert_int_equal(mrt_reader_counters(m)->unsupported, !*cases[i].want);
		assert_int_equal(mrt_record_time(slice_of(&record)), 1700000000);
		mrt_reader_free(&m);
	}
}

static void messages(void **state)
{
	static const struct { uint16_t subtype; bool as4, add_path; const char *speaker; } cases[] = {
		{ 1, false, false, "10.0.0.1 AS64500" }, { 4, true, false, "10.0.0.1 AS196608" },
		{ 6, false, false, "10.0.0.9 AS64501" }, { 7, true, false, "10.0.0.9 AS64501" },
		{ 8, false, true, "10.0.0.1 AS64500" }, { 9, true, true, "10.0.0.1 AS196608" },
		{ 10, false, true, "10.0.0.9 AS64501" }, { 11, true, true, "10.0.0.9 AS64501" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		bool with_us = i % 2, add_path = cases[i / 2].add_path;
		struct bytes message = bgp_update(add_path ? "00 00 00 03 08 0a" : "08 0a", cases[i / 2].as4 ? A4 : A2,
						  add_path ? "00 00 00 04 18 c0 00 02" : NLRI_18);
		struct bytes body = { 0 }, record = { 0 };
		struct mrt_reader *m;
		struct told t;
		char want[200];

		put_hex(&body, with_us ? "00 0f 42 3f " : "");
		put_hex(&body, cases[i / 2].as4 ? HEAD4 : HEAD2);
		put(&body, message.at, message.len);
		put_record(&record, with_us ? 17 : 16, cases[i / 2].subtype, &body);
		m = new_reader(&t);
		assert_int_equal(mrt_record_read(m, slice_of(&record), NULL), 0);
		snprintf(want, sizeof want, "-10.0.0.0/8%s of %s; +192.0.2.0/24%s of %s: 64500 64501; ", add_path ? "#3" : "",
			 cases[i / 2].speaker, add_path ? "#4" : "", cases[i / 2].speaker);
		assert_string_equal(t.text, want);
		mrt_reader_free(&m);
	}
}

/* Each record cut at every byte, its length told as it was and as it is: an error, or less than the whole. */
static void records_that_are_cut(void **state)
{
	static const struct { uint16_t type, subtype; const char *body; } cases[] = {
		{ 12, 1, "00 00 00 01 c0 00 02 00 18 01 " TIME "0a 00 00 01 fb f4 " A2_LEN A2 },
		{ 13, 1, PEERS },
		{ 13, 2, "00 00 00 00 " NLRI_18 "00 01 00 00 " TIME A4_LEN A4 },
		{ 13, 6, "00 00 00 00 00 01 01 " NLRI_18 "00 01 00 00 " TIME A4_LEN A4 },
		{ 13, 10, "00 00 00 00 20 20 01 0d b8 00 01 00 01 " TIME "00 00 00 05 " A4_LEN A4 },
		{ 13, 12, "00 00 00 00 00 01 01 " NLRI_18 "00 01 00 00 " TIME "00 00 00 05 " A4_LEN A4 },
		{ 16, 5, HEAD4 "00 06 00 01" },
	};
	struct bytes peers = { 0 }, first = { 0 };

	(void)state;
	put_hex(&peers, PEERS);
	put_record(&first, 13, 1, &peers);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes body = { 0 }, whole = { 0 };
		struct mrt_reader *m;
		struct told t;

		put_hex(&body, cases[i].body);
		put_record(&whole, cases[i].type, cases[i].subtype, &body);
		m = new_reader(&t);
		assert_int_equal(mrt_record_read(m, slice_of(&first), NULL), 0);
		for (size_t len = 0; len < whole.len; len++) {
			uint8_t *copy = malloc(len ? len : 1);
			struct err e = { 0 };

			assert_non_null(copy);
			memcpy(copy, whole.at, len);
			assert_int_equal(mrt_record_read(m, (struct slice){ copy, len }, &e), -EBADMSG);
			assert_true(e.msg[0]);
			assert_int_equal(t.len, 0);
			if (len >= 12) {
				copy[11] = (uint8_t)(len - 12);
				assert_int_equal(mrt_record_read(m, (struct slice){ copy, len }, &e), -EBADMSG);
				assert_null(strchr(t.text, '='));
				memset(&t, 0, sizeof t);
			}
			free(copy);
		}
		assert_int_equal(mrt_reader_peers(m), 2); /* a table of peers that is cut leaves the old one */
		assert_int_equal(mrt_record_read(m, slice_of(&whole), NULL), 0);
		mrt_reader_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(messages),
		cmocka_unit_test(records_that_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
