/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rib_test.c -- routes that come, change and go, beside a plain list; the order of routes. */
#include "routes/rib.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct bgp_nlri nlri_of(const char *prefix, uint32_t path_id)
{
	struct bgp_nlri n = { .path_id = path_id };

	assert_int_equal(prefix_parse(&n.prefix, prefix, NULL), 0);
	return n;
}

static uint16_t add_peer(struct rib *r, const char *addr, uint32_t as, uint32_t bgp_id)
{
	struct rib_peer p = { .as = as, .bgp_id = bgp_id };
	uint16_t number;

	assert_int_equal(addr_parse(&p.addr, addr), 0);
	assert_int_equal(rib_peer(r, &p, &number), 0);
	return number;
}

/* `words` is the caller's. */
static struct bgp_attributes attributes_of(const char *path, uint32_t words[32])
{
	struct bgp_attributes a = { .has_path = true, .local_pref = 100, .origin = BGP_ORIGIN_IGP };

	a.path.words = words;
	assert_int_equal(as_path_parse(words, 32, &a.path.count, path), 0);
	return a;
}

static void insert(struct rib *r, uint16_t peer, const char *prefix, const char *path)
{
	uint32_t words[32];
	struct bgp_attributes a = attributes_of(path, words);
	struct bgp_nlri n = nlri_of(prefix, 0);

	assert_int_equal(rib_insert(r, peer, &n, &a), 0);
}

static struct route_table *table_of(const struct rib *r)
{
	struct route_builder *b;
	struct route_table *t;

	assert_int_equal(route_builder_new(&b), 0);
	assert_int_equal(rib_collect(r, b), 0);
	assert_int_equal(route_table_build(&t, &b, NULL), 0);
	return t;
}

static void expect_path(const struct rib *r, const char *address, const char *want)
{
	struct route_table *t = table_of(r);
	struct route route;
	struct addr a;
	char text[100] = "none";

	assert_int_equal(addr_parse(&a, address), 0);
	if (route_table_find(t, &a, &route)) {
		struct as_path p = route_table_path(t, route.path);

		as_path_format(&p, text, sizeof text);
	}
	assert_string_equal(text, want);
	route_table_free(&t);
}

static void routes_come_and_go(void **state)
{
	struct bgp_nlri n = nlri_of("192.0.2.0/24", 0);
	struct rib *r;
	uint16_t one, two;

	(void)state;
	assert_int_equal(rib_new(&r, NULL), 0);
	one = add_peer(r, "10.0.0.1", 64500, 1);
	two = add_peer(r, "10.0.0.2", 64501, 2);
	assert_int_equal(add_peer(r, "10.0.0.1", 64500, 0), one);
	assert_int_equal(rib_peer_at(r, one)->bgp_id, 1);
	expect_path(r, "192.0.2.1", "none");
	insert(r, one, "192.0.2.0/24", "64500 1 2");
	insert(r, two, "192.0.2.0/24", "64501 2");
	expect_path(r, "192.0.2.1", "64501 2");
	insert(r, two, "192.0.2.0/24", "64501 1 1 2");
	expect_path(r, "192.0.2.1", "64500 1 2");
	assert_true(rib_withdraw(r, one, &n));
	assert_false(rib_withdraw(r, one, &n));
	expect_path(r, "192.0.2.1", "64501 1 1 2");
	assert_int_equal(rib_peer_drop(r, two), 1);
	assert_int_equal(rib_routes(r) + rib_prefixes(r), 0);
	expect_path(r, "192.0.2.1", "none");
	assert_int_equal(rib_counters(r)->inserted, 2);
	assert_int_equal(rib_counters(r)->replaced, 1);
	assert_int_equal(rib_counters(r)->withdrawn, 1);
	assert_int_equal(rib_counters(r)->withdrawn_unknown, 1);
	rib_free(&r);
	rib_free(&r);
}

static void stale_routes(void **state)
{
	struct rib *r;
	uint16_t peer, other;

	(void)state;
	assert_int_equal(rib_new(&r, NULL), 0);
	peer = add_peer(r, "10.0.0.1", 64500, 1);
	other = add_peer(r, "10.0.0.2", 64501, 2);
	insert(r, peer, "10.1.0.0/16", "64500");
	insert(r, peer, "10.2.0.0/16", "64500");
	insert(r, peer, "2001:db8::/32", "64500");
	insert(r, other, "10.3.0.0/16", "64501");
	rib_peer_stale(r, peer);
	assert_int_equal(rib_peer_at(r, peer)->stale, 3);
	insert(r, peer, "10.1.0.0/16", "64500");
	assert_int_equal(rib_peer_at(r, peer)->stale, 2);
	expect_path(r, "10.2.0.1", "64500");
	rib_peer_stale(r, peer); /* lost again before all was told */
	assert_int_equal(rib_peer_at(r, peer)->stale, 3);
	insert(r, peer, "10.2.0.0/16", "64500 7");
	assert_int_equal(rib_peer_sweep(r, peer, ADDR_IP4), 1);
	expect_path(r, "10.1.0.1", "none");
	expect_path(r, "10.2.0.1", "64500 7");
	expect_path(r, "10.3.0.1", "64501");
	expect_path(r, "2001:db8::1", "64500");
	assert_int_equal(rib_peer_sweep(r, peer, ADDR_IP6), 1);
	assert_int_equal(rib_peer_sweep(r, peer, ADDR_NONE), 0);
	assert_int_equal(rib_peer_at(r, peer)->routes, 1);
	assert_int_equal(rib_peer_at(r, peer)->stale, 0);
	rib_free(&r);
}

static void limits(void **state)
{
	const struct rib_limits two = { .routes = 2, .peers = 1 };
	struct rib_peer other = { 0 };
	struct bgp_nlri n = nlri_of("10.3.0.0/16", 0);
	struct bgp_attributes a;
	uint32_t words[32];
	struct rib *r;
	uint16_t peer;

	(void)state;
	assert_int_equal(rib_new(&r, &two), 0);
	peer = add_peer(r, "10.0.0.1", 64500, 1);
	assert_int_equal(addr_parse(&other.addr, "10.0.0.2"), 0);
	assert_int_equal(rib_peer(r, &other, &peer), -ENOSPC);
	insert(r, peer, "10.1.0.0/16", "64500");
	insert(r, peer, "10.2.0.0/16", "64500");
	a = attributes_of("64500", words);
	assert_int_equal(rib_insert(r, peer, &n, &a), -ENOSPC);
	assert_int_equal(rib_counters(r)->refused, 1);
	insert(r, peer, "10.2.0.0/16", "64500 2"); /* what is there may change */
	expect_path(r, "10.3.0.1", "none");
	rib_free(&r);
}

/* Each line is better than the one below it, for one reason. */
static void the_order(void **state)
{
	static const struct { uint32_t local_pref; const char *path; uint8_t origin; uint32_t med, bgp_id; const char *addr;
			      uint32_t path_id; } lines[] = {
		{ 200, "1 2 3", 2, 9, 9, "10.0.0.9", 9 }, { 100, "{1,2,3}", 2, 9, 9, "10.0.0.9", 9 },
		{ 100, "1 {2,3} (4 5)", 0, 9, 9, "10.0.0.9", 9 }, { 100, "1 2", 1, 5, 9, "10.0.0.9", 9 },
		{ 100, "1 2", 1, 6, 8, "10.0.0.9", 9 }, { 100, "1 2", 1, 6, 9, "10.0.0.8", 9 },
		{ 100, "1 2", 1, 6, 9, "10.0.0.9", 8 }, { 100, "1 2", 1, 6, 9, "10.0.0.9", 9 },
		{ 100, "1 2", 1, 6, 9, "2001:db8::1", 1 }, { 100, "1 2 3", 0, 0, 0, "10.0.0.1", 0 },
		{ 99, "", 0, 0, 0, "10.0.0.1", 0 },
	};
	struct bgp_attributes attributes[COUNT(lines)];
	struct rib_candidate all[COUNT(lines)];
	struct rib_peer peers[COUNT(lines)];
	uint32_t words[COUNT(lines)][32];

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		attributes[i] = attributes_of(lines[i].path, words[i]);
		attributes[i].local_pref = lines[i].local_pref;
		attributes[i].origin = lines[i].origin;
		attributes[i].med = lines[i].med;
		peers[i] = (struct rib_peer){ .bgp_id = lines[i].bgp_id };
		assert_int_equal(addr_parse(&peers[i].addr, lines[i].addr), 0);
		all[i] = (struct rib_candidate){ &attributes[i], as_path_length(&attributes[i].path), &peers[i],
			lines[i].path_id };
	}
	for (size_t i = 0; i < COUNT(lines); i++)
		for (size_t j = 0; j < COUNT(lines); j++) {
			int c = rib_compare(&all[i], &all[j]);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
}

/* --- at random, beside a plain list --- */

#define PREFIXES 300u
#define PEERS 4u
#define PATH_IDS 2u

struct plain {
	bool there, stale;
	uint32_t as; /* the path is one AS */
};

static struct bgp_nlri random_nlri(unsigned number, uint32_t path_id)
{
	struct bgp_nlri n = { .path_id = path_id };

	n.prefix.addr.family = number % 2 ? ADDR_IP4 : ADDR_IP6;
	n.prefix.addr.bytes[number % 2 ? 12 : 0] = (uint8_t)number;
	n.prefix.addr.bytes[number % 2 ? 13 : 1] = (uint8_t)(number >> 8);
	if (number % 2)
		n.prefix.addr.bytes[10] = n.prefix.addr.bytes[11] = 0xff;
	n.prefix.bits = 16;
	return n;
}

static void check_one(void *arg, uint16_t peer, const struct bgp_nlri *n, const struct bgp_attributes *a, bool stale)
{
	struct plain (*plain)[PEERS][PATH_IDS] = arg;
	unsigned at = n->prefix.addr.family == ADDR_IP4 ? 12 : 0;
	unsigned number = n->prefix.addr.bytes[at] | (unsigned)n->prefix.addr.bytes[at + 1] << 8;
	struct plain *p = &plain[number][peer][n->path_id];

	assert_true(p->there);
	assert_int_equal(p->stale, stale);
	assert_int_equal(p->as, as_path_neighbour(&a->path));
}

static uint32_t count_of(struct plain (*plain)[PEERS][PATH_IDS], unsigned peer, bool stale)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < PREFIXES; i++)
		for (unsigned id = 0; id < PATH_IDS; id++)
			count += plain[i][peer][id].there && (!stale || plain[i][peer][id].stale);
	return count;
}

static void change(struct rib *r, struct plain (*plain)[PEERS][PATH_IDS])
{
	unsigned number = (unsigned)rand() % PREFIXES, id = (unsigned)rand() % PATH_IDS;
	uint16_t peer = (uint16_t)(rand() % PEERS);
	struct bgp_nlri n = random_nlri(number, id);
	struct plain *p = &plain[number][peer][id];
	uint32_t words[] = { AS_SEGMENT(AS_SEGMENT_SEQUENCE, 1), 1 + (uint32_t)rand() % 50 };
	struct bgp_attributes a = { .path = { words, 2 }, .has_path = true, .local_pref = 100 };

	if (rand() % 3) {
		assert_int_equal(rib_insert(r, peer, &n, &a), 0);
		*p = (struct plain){ true, false, words[1] };
	} else {
		assert_int_equal(rib_withdraw(r, peer, &n), p->there);
		*p = (struct plain){ 0 };
	}
}

static void sweep(struct rib *r, struct plain (*plain)[PEERS][PATH_IDS])
{
	uint16_t peer = (uint16_t)(rand() % PEERS);
	bool all = rand() % 3 == 0, mark = rand() % 2;

	if (all)
		assert_int_equal(rib_peer_drop(r, peer), count_of(plain, peer, false));
	else if (mark)
		rib_peer_stale(r, peer);
	else
		assert_int_equal(rib_peer_sweep(r, peer, ADDR_NONE), count_of(plain, peer, true));
	for (unsigned i = 0; i < PREFIXES; i++)
		for (unsigned id = 0; id < PATH_IDS; id++) {
			struct plain *p = &plain[i][peer][id];

			if (all || (!mark && p->stale))
				*p = (struct plain){ 0 };
			else if (mark)
				p->stale = p->there;
		}
}

static void as_a_plain_list(void **state)
{
	struct plain (*plain)[PEERS][PATH_IDS] = calloc(PREFIXES, sizeof *plain);
	struct rib *r;

	(void)state;
	assert_non_null(plain);
	assert_int_equal(rib_new(&r, NULL), 0);
	for (unsigned i = 0; i < PEERS; i++)
		(void)add_peer(r, (const char *[]){ "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2" }[i], i + 1, i);
	srand(1);
	for (unsigned step = 0; step < 60000; step++) {
		if (step % 600 == 599)
			sweep(r, plain);
		else
			change(r, plain);
		if (step % 2000)
			continue;
		uint32_t routes = 0;

		for (unsigned i = 0; i < PEERS; i++) {
			assert_int_equal(rib_peer_at(r, (uint16_t)i)->routes, count_of(plain, i, false));
			assert_int_equal(rib_peer_at(r, (uint16_t)i)->stale, count_of(plain, i, true));
			routes += count_of(plain, i, false);
		}
		assert_int_equal(rib_routes(r), routes);
		rib_each(r, check_one, plain);
	}
	rib_free(&r);
	free(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_come_and_go),
		cmocka_unit_test(stale_routes),
		cmocka_unit_test(limits),
		cmocka_unit_test(the_order),
		cmocka_unit_test(as_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
