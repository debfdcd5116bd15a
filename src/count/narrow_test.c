/* SPDX-License-Identifier: GPL-2.0-or-later */
/* narrow_test.c -- a narrow count says of every host what a wide one says: with counters that
 * overflow 32 bits many times, with addresses that look like others, with a table that is full. */
#include "count/count.h"

#include "model/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PACKETS 40000u

static const char *const odd[] = {
	"10.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "::", "0.0.0.0", "255.255.255.255", "::ffff:255.255.255.255",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:0.0.0.0", "::fffe:a00:1", "0:0:0:0:0:fffe::",
};

static void random_addr(struct addr *a, unsigned hosts)
{
	long pick = random();

	*a = (struct addr){ 0 };
	if (pick % 7 == 0)
		return;
	if (pick % 3 == 0) {
		assert_int_equal(addr_parse(a, odd[random() % (long)(sizeof odd / sizeof *odd)]), 0);
		return;
	}
	pick = random() % hosts;
	assert_int_equal(addr_parse(a, pick % 2 ? "10.0.0.0" : "2001:db8::"), 0);
	a->bytes[14] = (uint8_t)(pick >> 8);
	a->bytes[15] = (uint8_t)pick;
}

static void random_packet(struct packet *p, unsigned hosts, bool huge)
{
	*p = (struct packet){ .segments = 1, .l2_bytes = (uint64_t)random() % 1500 + 60 };
	random_addr(&p->src, hosts);
	random_addr(&p->dst, hosts);
	if (huge && random() % 3 == 0)
		p->l2_bytes = UINT32_MAX - (uint64_t)random() % 1000;
	if (huge && random() % 50 == 0)
		p->l2_bytes = UINT64_C(50) << 32;
	if (huge && random() % 4 == 0)
		p->segments = UINT32_MAX - (uint32_t)(random() % 3);
	p->l3_bytes = p->l2_bytes - 14;
}

static struct grain host_grain(bool narrow, uint64_t limit, enum bytes_basis basis)
{
	struct grain g = { .party = true, .limit = limit, .basis = basis };

	assert_int_equal(key_layout_make(&g.layout, FIELD_BIT(FIELD_HOST), NULL), 0);
	assert_true(grain_may_be_narrow(&g));
	g.narrow = narrow;
	return g;
}

static void add_tables(const struct count *c, const struct table *t, struct party_tally *sum)
{
	for (uint64_t i = 0; i < table_slots(t); i++) {
		struct party_tally one;

		if (!slot_is_taken(t, table_slot(t, i)))
			continue;
		count_tally(c, t, table_slot(t, i), &one);
		party_tally_add(sum, &one);
	}
}

static struct party_tally sum_of(const struct count *c)
{
	struct party_tally sum = { 0 };

	add_tables(c, &c->table, &sum);
	add_tables(c, &c->others, &sum);
	return sum;
}

/* Every key of the narrow table has the same books in the wide one, and there are as many. */
static void compare(const struct count *narrow, const struct count *wide)
{
	assert_int_equal(narrow->table.used, wide->table.used);
	for (uint64_t i = 0; i < table_slots(&narrow->table); i++) {
		uint64_t scratch[KEY_WORDS_MAX], words[KEY_WORDS_MAX], *counters;
		uint8_t *slot = table_slot(&narrow->table, i);
		struct party_tally x, y;

		if (!slot_is_taken(&narrow->table, slot))
			continue;
		memcpy(words, count_key(narrow, &narrow->table, slot, scratch), wide->grain.layout.size);
		counters = table_find(&wide->table, words,
				      table_hash_words(wide->table.seed, words, wide->table.key_words));
		assert_non_null(counters);
		count_tally(narrow, &narrow->table, slot, &x);
		count_get(&wide->grain, counters, &y);
		assert_memory_equal(&x, &y, sizeof x);
	}
}

static void run(unsigned hosts, bool huge, uint64_t limit, enum bytes_basis basis)
{
	struct grain narrow_grain = host_grain(true, limit, basis), wide_grain = host_grain(false, limit, basis);
	struct count narrow, wide;
	struct party_tally x, y;

	assert_int_equal(count_open(&narrow, &narrow_grain, NULL), 0);
	assert_int_equal(count_open(&wide, &wide_grain, NULL), 0);
	for (unsigned sent = 0; sent < PACKETS;) {
		unsigned n = (unsigned)random() % FRAME_BATCH + 1;
		struct packet p[FRAME_BATCH];

		for (unsigned i = 0; i < n; i++)
			random_packet(&p[i], hosts, huge);
		count_packets(&narrow, p, n);
		count_packets(&wide, p, n);
		sent += n;
	}
	x = sum_of(&narrow);
	y = sum_of(&wide);
	assert_memory_equal(&x, &y, sizeof x);
	assert_int_equal(x.rx.packets, narrow.packets);
	assert_int_equal(x.tx.packets, narrow.packets);
	assert_int_equal(narrow.overflowed, wide.overflowed);
	compare(&narrow, &wide);
	if (limit > PACKETS)
		assert_int_equal(narrow.narrow.wide.used != 0, huge);
	count_close(&narrow);
	count_close(&wide);
}

static void same_as_wide(void **state)
{
	(void)state;
	srandom(1);
	run(10, false, 1u << 20, BYTES_L2);
	run(60000, false, 1u << 20, BYTES_L3);
	run(10, true, 1u << 20, BYTES_L2);
	run(5000, true, 1u << 20, BYTES_L3);
}

static void full_table(void **state)
{
	(void)state;
	srandom(2);
	run(60000, false, 500, BYTES_L2);
	run(60000, true, 1, BYTES_L2);
}

static void addresses(void **state)
{
	struct grain g = host_grain(true, 100, BYTES_L2);
	struct count c;

	(void)state;
	assert_int_equal(count_open(&c, &g, NULL), 0);
	for (unsigned i = 0; i <= sizeof odd / sizeof *odd; i++) {
		struct addr a = { 0 }, back;
		uint64_t key[NARROW_WORDS];

		if (i < sizeof odd / sizeof *odd)
			assert_int_equal(addr_parse(&a, odd[i]), 0);
		narrow_key(&c.narrow, &a, key);
		narrow_addr(&c.narrow, key, &back);
		assert_true(addr_equal(&a, &back));
	}
	count_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(same_as_wide),
		cmocka_unit_test(full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
