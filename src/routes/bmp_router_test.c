/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions of a made-up router, message by message, and the table that they come to. */
#include "routes/bmp_router.h"
#include "routes/bmp_snapshot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OWN_AS 65001u

/* ---- making messages ---- */

struct made {
	uint8_t at[2048];
	size_t len;
};

static void put(struct made *m, uint64_t value, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		m->at[m->len++] = i < 8 ? (uint8_t)(value >> 8 * i) : 0;
}

static void patch(struct made *m, size_t at, size_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		m->at[at + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

struct peer {
	uint8_t type, flags;
	uint64_t distinguisher;
	uint32_t ip4, as;
};

static const struct peer first = { BMP_PEER_GLOBAL, 0, 0, 0xc0000202, 64500 };
static const struct peer first_post = { BMP_PEER_GLOBAL, BMP_FLAG_POST_POLICY, 0, 0xc0000202, 64500 };
static const struct peer first_out = { BMP_PEER_GLOBAL, BMP_FLAG_OUT, 0, 0xc0000202, 64500 };
static const struct peer second = { BMP_PEER_GLOBAL, 0, 0, 0xc0000203, 64501 };
static const struct peer loc_rib = { BMP_PEER_LOC_RIB, 0, 0, 0, OWN_AS };
static const struct peer vrf = { BMP_PEER_RD, 0, 7, 0xc0000204, 64502 };

static void begin(struct made *m, uint8_t type, const struct peer *p)
{
	m->len = 0;
	put(m, 3, 1);
	put(m, 0, 4);
	put(m, type, 1);
	put(m, p->type, 1);
	put(m, p->flags, 1);
	put(m, p->distinguisher, 8);
	put(m, 0, 8);
	put(m, 0, 4);
	put(m, p->ip4, 4);
	put(m, p->as, 4);
	put(m, p->ip4, 4); /* BGP identifier */
	put(m, 0, 8);
}

static void end(struct made *m)
{
	patch(m, 1, m->len, 4);
}

static size_t begin_bgp(struct made *m, uint8_t type)
{
	size_t at = m->len;

	put(m, UINT64_MAX, 8);
	put(m, UINT64_MAX, 8);
	put(m, 0, 2);
	put(m, type, 1);
	return at;
}

static void end_bgp(struct made *m, size_t at)
{
	patch(m, at + 16, m->len - at, 2);
}

static void put_open(struct made *m, uint32_t as)
{
	size_t at = begin_bgp(m, BGP_OPEN);

	put(m, 4, 1);
	put(m, as, 2);
	put(m, 180, 2);
	put(m, 0xc0000201, 4);
	put(m, 8, 1);
	put(m, 2, 1); /* capabilities */
	put(m, 6, 1);
	put(m, 65, 1); /* AS numbers of 4 octets */
	put(m, 4, 1);
	put(m, as, 4);
	end_bgp(m, at);
}

static void peer_up(struct made *m, const struct peer *p)
{
	begin(m, BMP_PEER_UP, p);
	put(m, 0, 20);
	put_open(m, OWN_AS);
	put_open(m, p->as);
	end(m);
}

static void peer_down(struct made *m, const struct peer *p)
{
	begin(m, BMP_PEER_DOWN, p);
	put(m, 4, 1);
	end(m);
}

/* One prefix 10.N.0.0/16; a path of no AS withdraws it, N of -1 is an End-of-RIB. */
static void routes(struct made *m, const struct peer *p, int n, const uint32_t *path, unsigned count)
{
	size_t at, attributes;

	begin(m, BMP_ROUTE_MONITORING, p);
	at = begin_bgp(m, BGP_UPDATE);
	put(m, n >= 0 && count == 0 ? 3 : 0, 2);
	if (n >= 0 && count == 0)
		put(m, UINT64_C(0x100a00) | (unsigned)n, 3);
	attributes = m->len;
	put(m, 0, 2);
	if (count) {
		put(m, 0x40010100, 4); /* ORIGIN */
		put(m, 0x4002, 2);     /* AS_PATH */
		put(m, 2 + 4 * count, 1);
		put(m, 2, 1);
		put(m, count, 1);
		for (unsigned i = 0; i < count; i++)
			put(m, path[i], 4);
		put(m, UINT64_C(0x400304c0000202), 7); /* NEXT_HOP */
		patch(m, attributes, m->len - attributes - 2, 2);
		put(m, UINT64_C(0x100a00) | (unsigned)n, 3);
	}
	end_bgp(m, at);
	end(m);
}

/* ---- the table as text ---- */

static void table_text(const struct bmp_router *r, char *text, size_t size)
{
	struct route_builder *b;
	struct route_table *t;
	struct err e = { 0 };
	size_t used = 0;

	text[0] = '\0';
	assert_int_equal(route_builder_new(&b), 0);
	assert_int_equal(bmp_router_collect(r, b), 0);
	assert_int_equal(route_table_build(&t, &b, &e), 0);
	for (size_t i = 0; i < route_table_count(t, ADDR_IP4); i++) {
		struct route route = route_table_at(t, ADDR_IP4, i);
		struct as_path path = route_table_path(t, route.path);
		char as[128];

		as_path_format(&path, as, sizeof as);
		used += (size_t)snprintf(text + used, size - used, "%s%u: %s", used ? "; " : "",
					 addr_ip4_bytes(&route.prefix.addr)[1], as);
	}
	route_table_free(&t);
}

enum step {
	END, CONNECT, LOSE, UP, DOWN, SAY, TAKE_BACK, END_OF_RIB, WAIT, EXPECT, EXPECT_STALE,
};

struct act {
	enum step step;
	const struct peer *peer;
	int n;                  /* of the prefix; seconds of WAIT; routes of EXPECT_STALE */
	uint32_t path[4];
	const char *table;
};

static void do_act(struct bmp_router *r, const struct act *a, int64_t *now, const char *why)
{
	struct bmp_router_facts facts;
	struct made m = { 0 };
	char text[512];
	unsigned count = 0;
	struct err e = { 0 };

	while (count < 4 && a->path[count])
		count++;
	switch (a->step) {
	case END: return;
	case CONNECT: bmp_router_connected(r, *now); return;
	case LOSE: bmp_router_lost(r, *now); return;
	case UP: peer_up(&m, a->peer); break;
	case DOWN: peer_down(&m, a->peer); break;
	case SAY: routes(&m, a->peer, a->n, a->path, count); break;
	case TAKE_BACK: routes(&m, a->peer, a->n, NULL, 0); break;
	case END_OF_RIB: routes(&m, a->peer, -1, NULL, 0); break;
	case WAIT:
		*now += a->n;
		bmp_router_tick(r, *now);
		return;
	case EXPECT:
		table_text(r, text, sizeof text);
		if (strcmp(text, a->table) != 0)
			fail_msg("%s: is '%s', expected '%s'", why, text, a->table);
		return;
	case EXPECT_STALE:
		bmp_router_facts(r, &facts);
		if (facts.stale != (uint64_t)a->n)
			fail_msg("%s: %d stale routes", why, (int)facts.stale);
		return;
	}
	if (bmp_router_read(r, (struct slice){ m.at, m.len }, *now, &e) < 0)
		fail_msg("%s: %s", why, e.msg);
}

#define OF(what, p) { .step = what, .peer = p }
#define SAYS(p, prefix, ...) { .step = SAY, .peer = p, .n = prefix, .path = { __VA_ARGS__ } }
#define TAKES_BACK(p, prefix) { .step = TAKE_BACK, .peer = p, .n = prefix }
#define WAITS(s) { .step = WAIT, .n = s }
#define IS(text) { .step = EXPECT, .table = text }
#define ACTS_MAX 16
static const struct {
	const char *why;
	enum bmp_table table;
	struct act acts[ACTS_MAX];
} sessions[] = {
	{ "routes come, change, go", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first),
		SAYS(&first, 1, 64500, 64510), SAYS(&first, 2, 64500),
		IS("1: 64500 64510; 2: 64500"),
		SAYS(&first, 1, 64500, 64511), TAKES_BACK(&first, 2), TAKES_BACK(&first, 3),
		IS("1: 64500 64511") } },
	{ "the shorter path of two peers; it goes with its peer", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first), OF(UP, &second),
		SAYS(&first, 1, 64500, 64510, 64511), SAYS(&second, 1, 64501, 64511),
		IS("1: 64501 64511"),
		OF(DOWN, &second), OF(DOWN, &second), IS("1: 64500 64510 64511") } },
	{ "post-policy counts before pre-policy, also where it denies", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first),
		SAYS(&first, 1, 64500), SAYS(&first, 2, 64500), IS("1: 64500; 2: 64500"),
		SAYS(&first_post, 1, 64500), IS("1: 64500") } },
	{ "the Loc-RIB counts first, without a Peer Up", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first),
		SAYS(&first_post, 1, 64500), SAYS(&loc_rib, 2, 64500), IS("2: 64500") } },
	{ "as configured", BMP_TABLE_PRE_POLICY, {
		{ .step = CONNECT }, OF(UP, &first),
		SAYS(&first, 1, 64500), SAYS(&first_post, 2, 64500), SAYS(&loc_rib, 3, 64500),
		IS("1: 64500") } },
	{ "Adj-RIB-Out and VRFs are other tables", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first), OF(UP, &vrf),
		SAYS(&first_out, 1, 64500), SAYS(&vrf, 2, 64502), IS("") } },
	{ "the router's own AS is taken off, but not from its own table", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first),
		SAYS(&first, 1, OWN_AS, 64500, 64510), SAYS(&first, 2, OWN_AS),
		IS("1: 64500 64510; 2: "),
		SAYS(&loc_rib, 3, OWN_AS, 64500), IS("3: 65001 64500") } },
	{ "a lost session leaves all, stale; its end is the End-of-RIB of the next", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first), SAYS(&first, 1, 64500), SAYS(&first, 2, 64500),
		{ .step = LOSE }, { .step = EXPECT_STALE, .n = 2 }, IS("1: 64500; 2: 64500"),
		{ .step = CONNECT }, OF(UP, &first), SAYS(&first, 1, 64500, 64510), { .step = EXPECT_STALE, .n = 1 },
		IS("1: 64500 64510; 2: 64500"),
		OF(END_OF_RIB, &first), IS("1: 64500 64510") } },
	{ "without End-of-RIB: once it is quiet; and a peer that is gone", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first), OF(UP, &second), SAYS(&first, 1, 64500), SAYS(&second, 2, 64501),
		{ .step = LOSE }, WAITS(100), { .step = CONNECT }, WAITS(100), IS("1: 64500; 2: 64501"),
		OF(UP, &first), SAYS(&first, 1, 64500), WAITS(BMP_QUIET_S - 1),
		{ .step = EXPECT_STALE, .n = 1 }, WAITS(1), IS("1: 64500") } },
	{ "a better table is not left for the moment of a new session", BMP_TABLE_AUTO, {
		{ .step = CONNECT }, OF(UP, &first), SAYS(&first, 1, 64500), SAYS(&loc_rib, 2, 64500),
		{ .step = LOSE }, { .step = CONNECT }, OF(UP, &first), SAYS(&first, 1, 64500), IS("2: 64500"),
		WAITS(BMP_QUIET_S), IS("1: 64500") } },
};

static void test_sessions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
		struct bmp_limits limits = { 0 };
		struct bmp_router *r = NULL;
		int64_t now = 1000;

		assert_int_equal(bmp_router_new(&r, sessions[i].table, &limits), 0);
		for (size_t k = 0; k < ACTS_MAX && sessions[i].acts[k].step != END; k++)
			do_act(r, &sessions[i].acts[k], &now, sessions[i].why);
		bmp_router_free(&r);
	}
}

/* Two peers, two routes. */
static struct bmp_router *small_router(void)
{
	static const struct act acts[] = {
		{ .step = CONNECT }, OF(UP, &first), OF(UP, &second), SAYS(&first, 1, 64500), SAYS(&second, 2, 64501, 64510),
	};
	struct bmp_limits limits = { 0 };
	struct bmp_router *r = NULL;
	int64_t now = 1000;

	assert_int_equal(bmp_router_new(&r, BMP_TABLE_AUTO, &limits), 0);
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		do_act(r, &acts[i], &now, "small");
	return r;
}

static void test_snapshot(void **state)
{
	struct bmp_limits limits = { 0 };
	struct bmp_router *r = small_router(), *back = NULL;
	struct bmp_snapshot s = { 0 };
	struct err e = { 0 };
	int64_t utc_s = 0, now = 3000;
	struct act expect = IS("1: 64500; 2: 64501 64510"), stale = { .step = EXPECT_STALE, .n = 2 };

	(void)state;
	assert_int_equal(bmp_snapshot_make(&s, r, 2000), 0);
	for (size_t len = 0; len <= s.len; len++) { /* cut at every byte */
		assert_int_equal(bmp_router_new(&back, BMP_TABLE_AUTO, &limits), 0);
		assert_int_equal(bmp_snapshot_restore(back, (struct slice){ s.at, len }, &utc_s, &e),
				 len == s.len ? 0 : -EBADMSG);
		if (len < s.len)
			bmp_router_free(&back);
	}
	assert_int_equal(utc_s, 2000);
	bmp_router_lost(back, utc_s);
	do_act(back, &expect, &now, "restored");
	do_act(back, &stale, &now, "restored");
	bmp_snapshot_free(&s);
	bmp_router_free(&back);
	bmp_router_free(&r);
}

/* Every byte of every message changed in turn: whatever it then says, nothing breaks. */
static void test_damage(void **state)
{
	static const uint32_t path[] = { 64500, 64510 };
	struct made made[3];

	(void)state;
	peer_up(&made[0], &first);
	routes(&made[1], &first, 1, path, 2);
	peer_down(&made[2], &first);
	for (size_t i = 0; i < 3; i++) {
		struct bmp_router *r = small_router();

		for (size_t at = 0; at < made[i].len; at++) {
			struct made m = made[i];

			m.at[at] ^= 0xff;
			bmp_router_read(r, (struct slice){ m.at, m.len }, 1000, NULL);
			bmp_router_read(r, (struct slice){ m.at, at }, 1000, NULL);
		}
		bmp_router_free(&r);
	}
}

static void test_limits(void **state)
{
	static const struct act acts[] = {
		{ .step = CONNECT }, OF(UP, &first), SAYS(&first, 1, 64500), SAYS(&first, 2, 64500), SAYS(&first, 3, 64500),
		OF(UP, &second), SAYS(&second, 4, 64501), IS("1: 64500; 2: 64500"),
	};
	struct bmp_limits limits = { .routes = 2, .peers = 1 };
	struct bmp_router_facts facts;
	struct bmp_router *r = NULL;
	int64_t now = 1000;

	(void)state;
	assert_int_equal(bmp_router_new(&r, BMP_TABLE_AUTO, &limits), 0);
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		do_act(r, &acts[i], &now, "limits");
	bmp_router_facts(r, &facts);
	assert_int_equal(facts.counters.refused_routes, 1);
	assert_int_equal(facts.counters.refused_peers, 2);
	bmp_router_free(&r);
}

static const struct {
	const char *why;
	uint8_t bytes[6];
	size_t len;
	int64_t want;
} lengths[] = {
	{ "nothing yet", { 0 }, 0, 0 },
	{ "a part of the header", { 3, 0, 0 }, 3, 0 },
	{ "whole", { 3, 0, 0, 1, 0, 4 }, 6, 256 },
	{ "version 1", { 1 }, 1, -EBADMSG },
	{ "shorter than its header", { 3, 0, 0, 0, 5, 4 }, 6, -EBADMSG },
	{ "longer than anything sound", { 3, 0x7f, 0, 0, 0, 4 }, 6, -EBADMSG },
};

static void test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct err e = { 0 };

		if (bmp_message_length((struct slice){ lengths[i].bytes, lengths[i].len }, &e) != lengths[i].want)
			fail_msg("%s", lengths[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions), cmocka_unit_test(test_snapshot), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
