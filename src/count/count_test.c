/* SPDX-License-Identifier: GPL-2.0-or-later */
/* count_test.c -- the books of the grain table close: every packet is received once and sent
 * once. */
#include "count/count.h"

#include "base/clock.h"
#include "model/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define PACKETS 20000u
#define W 1700000000 /* 20 s into a minute */

static uint64_t mix(uint64_t z) /* splitmix64 */
{
	z = (z + 1) * UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void make_addr(struct addr *a, uint64_t n)
{
	*a = (struct addr){ 0 };
	if (n % 16 == 0)
		return; /* no IP */
	if (n % 4 == 0) {
		*a = (struct addr){ .bytes = { 0x20, 1, 0xd, 0xb8, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n },
					.family = ADDR_IP6 };
		return;
	}
	*a = (struct addr){ .bytes = { [10] = 0xff, [11] = 0xff, (uint8_t)(n % 3 ? 10 : 11), 0, (uint8_t)(n >> 8), (uint8_t)n },
			    .family = ADDR_IP4 };
}

static struct packet *make_packets(unsigned hosts)
{
	struct packet *all = calloc(PACKETS, sizeof *all);

	assert_non_null(all);
	for (unsigned i = 0; i < PACKETS; i++) {
		uint64_t r = mix(i);
		struct packet *p = &all[i];

		make_addr(&p->src, r % hosts);
		make_addr(&p->dst, (r >> 20) % hosts);
		p->src_mac = UINT64_C(1) << 48 | r % 50;
		p->dst_mac = r % 7 ? UINT64_C(1) << 48 | (r >> 20) % 50 : 0;
		p->seen_utc_ns = W * NS_PER_S + (int64_t)i * 10000000; /* 200 s in all */
		p->segments = r % 11 ? 1 : (uint32_t)(r >> 40) % 40 + 1;
		p->l2_bytes = 60 + (r >> 32) % 1440;
		p->l3_bytes = p->l2_bytes - 14;
		p->src_port = r % 5 ? 0x10000u | (r >> 10) % 100 : 0;
		p->dst_port = r % 5 ? 0x10000u | (r >> 12) % 100 : 0;
		p->ethertype = 0x10800;
		p->vlan = r % 3 ? 0 : 0x1064;
		p->proto = r % 2 ? 0x106 : 0x111;
		p->direction = (uint8_t)(r % 3);
		p->malformed = r % 13 == 0;
	}
	return all;
}

static struct grain grain_of(uint64_t fields, uint64_t limit)
{
	struct grain g = { .both_bases = true, .party = (fields & FIELDS_OF_PARTY) != 0, .limit = limit };

	assert_int_equal(key_layout_make(&g.layout, fields, NULL), 0);
	return g;
}

static struct count counted(const struct grain *g, const struct packet *p)
{
	struct count c;

	assert_int_equal(count_open(&c, g, NULL), 0);
	for (unsigned i = 0, n; i < PACKETS; i += n) {
		n = 1 + (unsigned)(mix(i) % FRAME_BATCH);
		n = i + n > PACKETS ? PACKETS - i : n;
		count_packets(&c, p + i, n);
	}
	return c;
}

static void add_table(const struct grain *g, const struct table *t, struct party_tally *sum)
{
	for (uint64_t i = 0; i < table_slots(t); i++) {
		uint8_t *slot = table_slot(t, i);
		struct party_tally one;

		if (!slot_is_taken(t, slot))
			continue;
		count_get(g, slot_counters(t, slot), &one);
		party_tally_add(sum, &one);
	}
}

static struct party_tally sum_of(const struct count *c)
{
	struct party_tally sum = { 0 };

	add_table(&c->grain, &c->table, &sum);
	add_table(&c->grain, &c->others, &sum);
	return sum;
}

static struct tally sum_of_packets(const struct packet *p)
{
	struct tally sum = { 0 };

	for (unsigned i = 0; i < PACKETS; i++)
		tally_add(&sum, &(struct tally){ p[i].segments, p[i].l2_bytes, p[i].l3_bytes });
	return sum;
}

static void same_tally(const struct tally *a, const struct tally *b)
{
	assert_int_equal(a->packets, b->packets);
	assert_int_equal(a->l2_bytes, b->l2_bytes);
	assert_int_equal(a->l3_bytes, b->l3_bytes);
}

#define BIT FIELD_BIT

/* Received = sent = seen, for every set of fields, with room and without. */
static void double_entry(void **state)
{
	static const uint64_t sets[] = {
		BIT(FIELD_HOST), BIT(FIELD_MAC), BIT(FIELD_HOST) | BIT(FIELD_MAC), BIT(FIELD_HOST) | BIT(FIELD_PROTO),
		BIT(FIELD_HOST) | BIT(FIELD_LOCALITY), BIT(FIELD_PROTO), BIT(FIELD_SRC_HOST) | BIT(FIELD_DST_HOST),
		BIT(FIELD_SRC_PORT) | BIT(FIELD_DST_PORT), BIT(FIELD_VLAN), BIT(FIELD_DIRECTION), BIT(FIELD_ETHERTYPE),
		BIT(FIELD_SERVICE), BIT(FIELD_INTERFACE), BIT(FIELD_ROUTER) - 1,
	};
	static const uint64_t limits[] = { 0, 1, 7, 400, UINT32_MAX };
	struct packet *p = make_packets(1000);
	struct tally seen = sum_of_packets(p), nothing = { 0 };

	(void)state;
	for (size_t s = 0; s < COUNT(sets); s++)
		for (size_t l = 0; l < COUNT(limits); l++)
			for (unsigned windows = 0; windows < 2; windows++) {
				struct grain g = grain_of(sets[s] | (windows ? BIT(FIELD_WINDOW) : 0), limits[l]);
				struct party_tally sum;
				struct count c;

				g.window_s = windows ? 60 : 0;
				c = counted(&g, p);
				sum = sum_of(&c);
				same_tally(&sum.rx, &seen);
				same_tally(&sum.tx, g.party ? &seen : &nothing);
				assert_int_equal(c.packets, seen.packets);
				assert_int_equal(c.l2_bytes, seen.l2_bytes);
				assert_int_equal(c.frames, PACKETS);
				assert_true(c.table.used <= limits[l]);
				assert_int_equal(c.overflowed == 0, c.others.used == 0);
				if (limits[l] == UINT32_MAX)
					assert_int_equal(c.overflowed, 0);
				if (limits[l] == 0)
					assert_int_equal(c.overflowed, g.party ? 2 * PACKETS : PACKETS);
				count_close(&c);
			}
	free(p);
}

static void others_is_one_key_a_window(void **state)
{
	struct packet *p = make_packets(1000);
	struct grain g = grain_of(BIT(FIELD_HOST) | BIT(FIELD_PROTO) | BIT(FIELD_WINDOW), 100);
	struct count c;
	unsigned found = 0;

	(void)state;
	g.window_s = 60;
	c = counted(&g, p);
	for (uint64_t i = 0; i < table_slots(&c.others); i++) {
		uint8_t *slot = table_slot(&c.others, i);
		int64_t window_s;

		if (!slot_is_taken(&c.others, slot))
			continue;
		memcpy(&window_s, slot + g.layout.at[FIELD_WINDOW], sizeof window_s);
		assert_int_equal(window_s % 60, 0);
		assert_true(window_s >= W - 60 && window_s <= W + 200);
		assert_true(key_field_is_other(&g.layout, slot, FIELD_HOST));
		assert_true(key_field_is_other(&g.layout, slot, FIELD_PROTO));
		found++;
	}
	assert_int_equal(found, c.others.used);
	assert_int_equal(found, 4);
	assert_int_equal(c.table.used, 100);
	count_close(&c);
	free(p);
}

/* What the accounts ask of an `other` of the grain: it still lies inside or outside `local`. */
static void others_keep_their_locality(void **state)
{
	struct packet *p = make_packets(1000);
	struct grain roomy = grain_of(BIT(FIELD_HOST) | BIT(FIELD_LOCALITY), UINT32_MAX), tight = roomy;
	struct prefix_set local = { 0 };
	struct prefix ten;

	(void)state;
	assert_int_equal(prefix_parse(&ten, "10.0.0.0/8", NULL), 0);
	assert_int_equal(prefix_set_add(&local, &ten), 0);
	tight.limit = 10;
	roomy.local = tight.local = &local;
	struct count all = counted(&roomy, p), few = counted(&tight, p);
	for (enum locality where = LOCALITY_LOCAL; where <= LOCALITY_REMOTE; where++) {
		struct party_tally sums[2] = { { { 0 }, { 0 } }, { { 0 }, { 0 } } };
		const struct table *tables[] = { &all.table, &few.table, &few.others };

		for (size_t t = 0; t < COUNT(tables); t++)
			for (uint64_t i = 0; i < table_slots(tables[t]); i++) {
				uint8_t *slot = table_slot(tables[t], i);
				struct party_tally one;

				if (!slot_is_taken(tables[t], slot) || slot[roomy.layout.at[FIELD_LOCALITY]] != where)
					continue;
				count_get(&roomy, slot_counters(tables[t], slot), &one);
				party_tally_add(&sums[t > 0], &one);
			}
		same_tally(&sums[0].rx, &sums[1].rx);
		same_tally(&sums[0].tx, &sums[1].tx);
	}
	count_close(&all);
	count_close(&few);
	prefix_set_free(&local);
	free(p);
}

/* Each key of `a`, with the bytes that `b` keeps, is in `b`. `b` may have fields that are always
 * unknown. */
static void same_keys(const struct count *a, const struct count *b, bool l2, bool l3)
{
	assert_int_equal(a->table.used, b->table.used);
	for (uint64_t i = 0; i < table_slots(&a->table); i++) {
		uint8_t *slot = table_slot(&a->table, i);
		uint64_t key[KEY_WORDS_MAX], *counters;
		struct party_tally x, y;

		if (!slot_is_taken(&a->table, slot))
			continue;
		key_project(&b->grain.layout, (uint8_t *)key, &a->grain.layout, slot);
		counters = table_find(&b->table, key, table_hash_words(b->table.seed, key, b->table.key_words));
		assert_non_null(counters);
		count_get(&a->grain, slot_counters(&a->table, slot), &x);
		count_get(&b->grain, counters, &y);
		assert_int_equal(x.rx.packets, y.rx.packets);
		assert_int_equal(x.tx.packets, y.tx.packets);
		assert_int_equal(l2 ? x.rx.l2_bytes : 0, y.rx.l2_bytes);
		assert_int_equal(l2 ? x.tx.l2_bytes : 0, y.tx.l2_bytes);
		assert_int_equal(l3 ? x.rx.l3_bytes : 0, y.rx.l3_bytes);
		assert_int_equal(l3 ? x.tx.l3_bytes : 0, y.tx.l3_bytes);
	}
}

static void one_basis_or_both(void **state)
{
	static const uint64_t sets[] = { BIT(FIELD_HOST), BIT(FIELD_MAC), BIT(FIELD_PROTO),
				BIT(FIELD_HOST) | BIT(FIELD_SRC_PORT) };
	struct packet *p = make_packets(1000);

	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++) {
		struct grain both = grain_of(sets[i], UINT32_MAX), l2 = both, l3 = both;

		l2.both_bases = l3.both_bases = false;
		l2.basis = BYTES_L2;
		l3.basis = BYTES_L3;
		struct count a = counted(&both, p), b = counted(&l2, p), c = counted(&l3, p);
		same_keys(&a, &b, true, false);
		same_keys(&a, &c, false, true);
		count_close(&a);
		count_close(&b);
		count_close(&c);
	}
	free(p);
}

/* By host alone goes a way of its own; the interface of these packets is always unknown. */
static void the_short_way_of_hosts(void **state)
{
	struct packet *p = make_packets(3000);
	struct grain host = grain_of(BIT(FIELD_HOST), UINT32_MAX);
	struct grain general = grain_of(BIT(FIELD_HOST) | BIT(FIELD_INTERFACE), UINT32_MAX);

	(void)state;
	for (unsigned both = 0; both < 2; both++) {
		host.both_bases = general.both_bases = both;
		struct count a = counted(&host, p), b = counted(&general, p);
		same_keys(&a, &b, true, both);
		count_close(&a);
		count_close(&b);
	}
	free(p);
}

static void local_and_remote_are_both(void **state)
{
	struct packet *p = make_packets(500);
	struct prefix_set local = { 0 };
	struct prefix ten;
	struct grain g = grain_of(BIT(FIELD_HOST), UINT32_MAX);
	uint64_t used[3];
	struct party_tally sums[3];

	(void)state;
	assert_int_equal(prefix_parse(&ten, "10.0.0.0/8", NULL), 0);
	assert_int_equal(prefix_set_add(&local, &ten), 0);
	for (unsigned none = 0; none < 2; none++) {
		g.local = none ? NULL : &local;
		for (enum account_of of = OF_BOTH; of <= OF_REMOTE; of++) {
			g.of = of;
			struct count c = counted(&g, p);
			sums[of] = sum_of(&c);
			used[of] = c.table.used;
			for (uint64_t i = 0; i < table_slots(&c.table) && of != OF_BOTH; i++) {
				uint8_t *slot = table_slot(&c.table, i);
				struct addr a = { 0 };

				if (!slot_is_taken(&c.table, slot))
					continue;
				key_get_addr(&g.layout, slot, FIELD_HOST, &a);
				assert_int_equal(!none && prefix_set_contains(&local, &a), of == OF_LOCAL);
			}
			count_close(&c);
		}
		assert_int_equal(used[OF_LOCAL] > 0, !none);
		assert_int_equal(used[OF_LOCAL] + used[OF_REMOTE], used[OF_BOTH]);
		party_tally_add(&sums[OF_LOCAL], &sums[OF_REMOTE]);
		same_tally(&sums[OF_LOCAL].rx, &sums[OF_BOTH].rx);
		same_tally(&sums[OF_LOCAL].tx, &sums[OF_BOTH].tx);
	}
	prefix_set_free(&local);
	free(p);
}

static void windows_by_the_packets_own_clock(void **state)
{
	static const struct { int64_t seen_ns; uint32_t window_s; int64_t start; } rows[] = {
		{ 0, 60, 0 }, { 59999999999, 60, 0 }, { 60000000000, 60, 60 }, { 119999999999, 60, 60 },
		{ -1, 60, -60 }, { -60000000000, 60, -60 }, { -60000000001, 60, -120 }, { 1700000000123456789, 3600, 1699999200 },
		{ 1700000000123456789, 1, 1700000000 }, { 1700000000123456789, 86400, 1699920000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct grain g = grain_of(BIT(FIELD_PROTO) | BIT(FIELD_WINDOW), 10);
		struct packet p = { .seen_utc_ns = rows[i].seen_ns, .segments = 1, .proto = 0x106 };
		uint64_t key[KEY_WORDS_MAX] = { 0 };
		struct count c;

		g.window_s = rows[i].window_s;
		assert_int_equal(count_open(&c, &g, NULL), 0);
		count_packets(&c, &p, 1);
		memcpy((uint8_t *)key + g.layout.at[FIELD_WINDOW], &rows[i].start, 8);
		memcpy((uint8_t *)key + g.layout.at[FIELD_PROTO], &p.proto, 2);
		assert_non_null(table_find(&c.table, key, table_hash_words(c.table.seed, key, c.table.key_words)));
		count_close(&c);
	}
}

static void every_field_of_a_packet(void **state)
{
	static const struct { enum field f; const char *as_src, *as_dst; } rows[] = {
		{ FIELD_MAC, "00:00:00:00:00:0a", "00:00:00:00:00:0b" }, { FIELD_HOST, "10.0.0.1", "2001:db8::1" },
		{ FIELD_SRC_MAC, "00:00:00:00:00:0a", NULL }, { FIELD_DST_MAC, "00:00:00:00:00:0b", NULL },
		{ FIELD_SRC_HOST, "10.0.0.1", NULL }, { FIELD_DST_HOST, "2001:db8::1", NULL }, { FIELD_SRC_PORT, "5000", NULL },
		{ FIELD_DST_PORT, "443", NULL }, { FIELD_INTERFACE, "eth0", NULL }, { FIELD_DIRECTION, "egress", NULL },
		{ FIELD_VLAN, "100", NULL }, { FIELD_ETHERTYPE, "0x86dd", NULL }, { FIELD_PROTO, "17", NULL },
		{ FIELD_SERVICE, "quic", NULL },
	};
	struct strings *strings = NULL;
	struct services services = { 0 };
	struct packet p = { .src_mac = UINT64_C(1) << 48 | 10, .dst_mac = UINT64_C(1) << 48 | 11, .segments = 1,
			    .src_port = 0x10000 | 5000, .dst_port = 0x10000 | 443, .vlan = 0x1064, .ethertype = 0x186dd,
			    .proto = 0x111, .direction = DIRECTION_EGRESS };

	(void)state;
	assert_int_equal(strings_new(&strings), 0);
	assert_int_equal(addr_parse(&p.src, "10.0.0.1"), 0);
	assert_int_equal(addr_parse(&p.dst, "2001:db8::1"), 0);
	p.interface = strings_add(strings, "eth0");
	assert_int_equal(services_parse(&services, "quic=udp:443", NULL), 0);
	assert_int_equal(services_intern(&services, strings, NULL), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct grain g = grain_of(BIT(rows[i].f), 10);
		unsigned found = 0;
		struct count c;

		print_message("%s\n", field_name(rows[i].f));
		g.services = &services;
		assert_int_equal(count_open(&c, &g, NULL), 0);
		count_packets(&c, &p, 1);
		for (uint64_t s = 0; s < table_slots(&c.table); s++) {
			uint8_t *slot = table_slot(&c.table, s);
			struct party_tally t;
			char text[KEY_TEXT_MAX];

			if (!slot_is_taken(&c.table, slot))
				continue;
			found++;
			count_get(&g, slot_counters(&c.table, slot), &t);
			key_format(&g.layout, slot, rows[i].f, strings, text);
			assert_string_equal(text, t.tx.packets || !g.party ? rows[i].as_src : rows[i].as_dst);
			assert_int_equal(t.rx.packets + t.tx.packets, 1);
		}
		assert_int_equal(found, g.party ? 2 : 1);
		count_close(&c);
	}
	services_free(&services);
	strings_free(&strings);
}

static void deliveries_by_one_or_many(void **state)
{
	static uint64_t keys[COUNT_DELIVERIES_MAX][KEY_WORDS_MAX];
	struct party_tally t[COUNT_DELIVERIES_MAX], a_sum, b_sum;
	struct grain g = grain_of(BIT(FIELD_HOST) | BIT(FIELD_TYPE) | BIT(FIELD_WINDOW), 700); /* too few for all */
	struct count a, b;

	(void)state;
	assert_int_equal(count_open(&a, &g, NULL), 0);
	assert_int_equal(count_open(&b, &g, NULL), 0);
	for (uint64_t i = 0; i < 3000;) {
		unsigned n = 0;

		for (; n < 1 + i % COUNT_DELIVERIES_MAX; n++, i++) {
			keys[n][1] = i * i % 1000; /* of the host */
			t[n] = delivery_tally(i % 3, 1 + i % 7, i * 1000, i % 2);
			count_delivery(&a, keys[n], &t[n]);
		}
		count_deliveries(&b, (const uint64_t (*)[KEY_WORDS_MAX])keys, t, n);
	}
	assert_int_equal(a.table.used, b.table.used);
	assert_int_equal(a.overflowed, b.overflowed);
	a_sum = sum_of(&a);
	b_sum = sum_of(&b);
	same_tally(&a_sum.rx, &b_sum.rx);
	same_tally(&a_sum.tx, &b_sum.tx);
	count_close(&a);
	count_close(&b);
}

static void clearing_starts_anew(void **state)
{
	struct packet *p = make_packets(1000);
	struct grain g = grain_of(BIT(FIELD_HOST), 50);
	struct count c = counted(&g, p);
	struct party_tally sum;

	(void)state;
	count_clear(&c);
	sum = sum_of(&c);
	assert_int_equal(sum.rx.packets + sum.tx.packets + c.overflowed + c.packets + c.l2_bytes + c.frames + c.malformed, 0);
	assert_int_equal(c.table.used + c.others.used, 0);
	count_packets(&c, p, 3);
	sum = sum_of(&c);
	assert_int_equal(sum.rx.packets, c.packets);
	assert_int_equal(c.frames, 3);
	count_close(&c);
	count_close(&c);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(double_entry),
		cmocka_unit_test(others_is_one_key_a_window),
		cmocka_unit_test(others_keep_their_locality),
		cmocka_unit_test(one_basis_or_both),
		cmocka_unit_test(the_short_way_of_hosts),
		cmocka_unit_test(local_and_remote_are_both),
		cmocka_unit_test(windows_by_the_packets_own_clock),
		cmocka_unit_test(every_field_of_a_packet),
		cmocka_unit_test(deliveries_by_one_or_many),
		cmocka_unit_test(clearing_starts_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
