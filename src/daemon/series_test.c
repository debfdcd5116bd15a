/* SPDX-License-Identifier: GPL-2.0-or-later */
/* series_test.c -- whatever is evicted, loaded or settled: the series sum up to all that was added, here and
 * in a ledger that is told only of changes. */
#include "daemon/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define KEYS 300

struct entry {
	bool there;
	struct party_tally total;
};

/* As the ledger keeps it: a total replaces the one before, a total of nothing takes the row away. */
struct world {
	struct account *account;
	struct series *series;
	struct party_tally added;
	struct entry ledger[KEYS + 1];  /* the last is `other` */
	struct entry shown[KEYS + 1];   /* at the last look */
	uint64_t seed;
};

static uint32_t dice(struct world *w, uint32_t sides) /* splitmix64 */
{
	uint64_t z = w->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 32) % sides;
}

static struct account *account_with(uint32_t series)
{
	struct account *a = account_new();

	assert_non_null(a);
	snprintf(a->name, sizeof a->name, "hosts");
	a->by[a->by_count++] = FIELD_HOST;
	a->series = series;
	assert_int_equal(account_finish(a, NULL), 0);
	return a;
}

static void open_world(struct world *w, uint32_t series)
{
	w->account = account_with(series);
	assert_int_equal(series_new(&w->series, w->account, NULL), 0);
}

static void close_world(struct world *w)
{
	series_free(&w->series);
	account_unref(&w->account);
}

static void make_key(const struct account *a, uint8_t *key, unsigned n)
{
	memset(key, 0, KEY_BYTES_MAX);
	if (n == KEYS) {
		key_set_other(&a->layout, key);
		return;
	}
	key[a->layout.at[FIELD_HOST] + 14] = (uint8_t)(n >> 8);
	key[a->layout.at[FIELD_HOST] + 15] = (uint8_t)n;
	key[a->layout.at[FIELD_HOST_FAMILY]] = n ? ADDR_IP4 : 0; /* key 0 is all zero: unknown */
}

static unsigned number_of(const struct account *a, const uint8_t *key)
{
	uint8_t again[KEY_BYTES_MAX];
	unsigned n = (unsigned)key[a->layout.at[FIELD_HOST] + 14] << 8 | key[a->layout.at[FIELD_HOST] + 15];

	if (key_field_is_other(&a->layout, key, FIELD_HOST))
		n = KEYS;
	assert_true(n <= KEYS);
	make_key(a, again, n);
	assert_memory_equal(key, again, a->layout.size);
	return n;
}

static void add(struct world *w, unsigned n, uint64_t bytes)
{
	struct party_tally t = { { bytes % 7 + 1, bytes, bytes }, { bytes % 3, bytes % 100, bytes % 100 } };
	uint8_t key[KEY_BYTES_MAX];

	make_key(w->account, key, n);
	series_add(w->series, key, &t);
	party_tally_add(&w->added, &t);
}

static bool is_nothing(const struct party_tally *t)
{
	static const struct party_tally nothing;

	return memcmp(t, &nothing, sizeof nothing) == 0;
}

static void same_total(const struct party_tally *a, const struct party_tally *b)
{
	assert_int_equal(a->rx.packets, b->rx.packets);
	assert_int_equal(a->rx.l2_bytes, b->rx.l2_bytes);
	assert_int_equal(a->rx.l3_bytes, b->rx.l3_bytes);
	assert_int_equal(a->tx.packets, b->tx.packets);
	assert_int_equal(a->tx.l2_bytes, b->tx.l2_bytes);
	assert_int_equal(a->tx.l3_bytes, b->tx.l3_bytes);
}

/* What /metrics shows: no more than the limit, sums exact, and no series that shrinks while it is there. */
static void look(struct world *w, bool settled)
{
	struct entry now[KEYS + 1] = { { false, { { 0 }, { 0 } } } };
	struct snapshot_series *shown = NULL;
	struct party_tally sum = { 0 };
	size_t count = 0;

	assert_int_equal(series_snapshot(w->series, &shown, &count), 0);
	assert_true(count >= 1 && count <= (w->account->series ? w->account->series : 1));
	for (size_t i = 0; i < count; i++) {
		unsigned n = number_of(w->account, shown[i].key);

		assert_false(now[n].there);
		now[n] = (struct entry){ true, shown[i].total };
		party_tally_add(&sum, &shown[i].total);
		if (w->shown[n].there && !settled)
			assert_true(shown[i].total.rx.l2_bytes >= w->shown[n].total.rx.l2_bytes);
	}
	assert_true(now[KEYS].there);
	assert_true(now[KEYS].total.rx.l2_bytes >= w->shown[KEYS].total.rx.l2_bytes); /* `other` never shrinks */
	same_total(&sum, &w->added);
	memcpy(w->shown, now, sizeof now);
	free(shown);
}

static void book(struct world *w)
{
	struct booking *b = booking_new();
	struct party_tally sum = { 0 };

	assert_non_null(b);
	assert_int_equal(series_changes(w->series, b), 0);
	for (size_t i = 0; i < b->series_count; i++) {
		unsigned n = number_of(w->account, b->series[i].key);

		w->ledger[n] = (struct entry){ !is_nothing(&b->series[i].total), b->series[i].total };
	}
	for (unsigned n = 0; n <= KEYS; n++)
		if (w->ledger[n].there)
			party_tally_add(&sum, &w->ledger[n].total);
	same_total(&sum, &w->added);
	booking_free(&b);
}

/* A restart: only what the ledger has comes back, perhaps under another limit. */
static void restart(struct world *w, uint32_t series)
{
	struct series_state states[KEYS + 1];
	size_t count = 0;

	close_world(w);
	open_world(w, series);
	for (unsigned n = 0; n <= KEYS; n++) {
		if (!w->ledger[n].there)
			continue;
		states[count] = (struct series_state){ .total = w->ledger[n].total };
		make_key(w->account, states[count++].key, n);
	}
	assert_int_equal(series_load(w->series, states, count), 0);
	memset(w->shown, 0, sizeof w->shown);
	look(w, true);
}

static void all_that_was_added(void **state)
{
	static const uint32_t limits[] = { 0, 1, 2, 5, 50, 1000 };

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct world w = { .seed = i };

		open_world(&w, limits[i]);
		for (unsigned step = 0; step < 4000; step++) {
			unsigned n = dice(&w, dice(&w, 2) ? KEYS : 20);

			add(&w, n, dice(&w, 1000) * (dice(&w, 10) ? 1 : 1000));
			if (!dice(&w, 10)) {
				look(&w, false);
				for (unsigned windows = dice(&w, 4); windows; windows--) { /* a late tick ends several */
					series_settle(w.series);
					add(&w, dice(&w, KEYS), dice(&w, 100000));
				}
				look(&w, true);
			}
			if (!dice(&w, 15))
				book(&w);
			if (!dice(&w, 200)) {
				book(&w);
				restart(&w, limits[dice(&w, COUNT(limits))]);
			}
		}
		book(&w);
		close_world(&w);
	}
}

/* Given up and taken again between two bookings: the ledger must not keep what went into `other`. */
static void gone_and_back_in_one_tick(void **state)
{
	struct world w = { .seed = 1 };

	(void)state;
	open_world(&w, 2); /* `other` and one */
	add(&w, 1, 1000);
	book(&w);
	add(&w, 2, 5000);
	series_settle(w.series); /* 2 instead of 1 */
	look(&w, true);
	assert_true(w.shown[2].there && !w.shown[1].there);
	add(&w, 1, 100000);
	series_settle(w.series); /* and back */
	look(&w, true);
	assert_true(w.shown[1].there && !w.shown[2].there);
	book(&w);
	restart(&w, 2);
	close_world(&w);
}

static void the_largest_are_shown(void **state)
{
	struct world w = { .seed = 2 };

	(void)state;
	open_world(&w, 4);
	for (unsigned window = 0; window < 10; window++) {
		for (unsigned n = 0; n < KEYS; n++)
			add(&w, n, n >= KEYS - 3 ? 100000 : 10);
		series_settle(w.series);
	}
	look(&w, true);
	for (unsigned n = KEYS - 3; n <= KEYS; n++)
		assert_true(w.shown[n].there);
	book(&w);
	close_world(&w);
}

static void loading(void **state)
{
	struct world w = { .seed = 3 };

	(void)state;
	open_world(&w, 5);
	for (unsigned n = 0; n < 4; n++)
		add(&w, n, 100 + n);
	add(&w, KEYS, 77);
	book(&w);
	restart(&w, 5);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(w.shown[n].total.rx.l2_bytes, 100 + n);
	assert_int_equal(w.shown[KEYS].total.rx.l2_bytes, 77);
	for (unsigned again = 0; again < 3; again++) { /* a lower limit, at each start the same sums */
		restart(&w, 2);
		book(&w);
	}
	restart(&w, 1);
	assert_int_equal(w.shown[KEYS].total.rx.l2_bytes, 77 + 100 + 101 + 102 + 103);
	close_world(&w);
}

static void only_changes_are_told(void **state)
{
	struct world w = { .seed = 4 };
	struct booking *b = booking_new();

	(void)state;
	open_world(&w, 10);
	add(&w, 1, 5);
	add(&w, 2, 5);
	book(&w);
	add(&w, 2, 5);
	assert_int_equal(series_changes(w.series, b), 0);
	assert_int_equal(b->series_count, 1);
	assert_int_equal(number_of(w.account, b->series[0].key), 2);
	assert_int_equal(series_changes(w.series, b), 0);
	assert_int_equal(b->series_count, 1);
	booking_free(&b);
	close_world(&w);
}

/* ---- rules ---- */

#define RULES 3

/* Rule i has the id 10 - i. */
static struct account *account_of_rules(const uint64_t sums[RULES])
{
	struct account *a = account_new();

	assert_non_null(a);
	snprintf(a->name, sizeof a->name, "rules");
	a->by[a->by_count++] = FIELD_RULE;
	a->series = 10;
	assert_int_equal(account_finish(a, NULL), 0);
	a->rule_count = RULES;
	a->rules = calloc(RULES, sizeof *a->rules);
	a->rule_sums = calloc(RULES, sizeof *a->rule_sums);
	assert_true(a->rules && a->rule_sums);
	for (uint32_t i = 0; i < RULES; i++) {
		a->rules[i] = 10 - i;
		a->rule_sums[i] = sums[i];
	}
	return a;
}

static void rule_key(const struct account *a, uint8_t *key, uint32_t id)
{
	memset(key, 0, KEY_BYTES_MAX);
	memcpy(key + a->layout.at[FIELD_RULE], &id, sizeof id);
}

static uint64_t shown(const struct series *s, const uint8_t *key)
{
	struct snapshot_series *have;
	uint64_t packets = 0;
	size_t count;

	assert_int_equal(series_snapshot(s, &have, &count), 0);
	for (size_t i = 0; i < count; i++)
		if (memcmp(have[i].key, key, KEY_BYTES_MAX) == 0)
			packets += have[i].total.rx.packets;
	free(have);
	return packets;
}

static const struct { const char *why; uint64_t sum, in_ledger; bool left_over; uint64_t want, told; } expressions[] = {
	{ "the same",                          7, 7, false, 105, 7 },
	{ "another",                           7, 8, false, 5, 7 },
	{ "of an older ledger",                7, 0, false, 105, 7 },
	{ "tables of the same",                7, 7, true, 105, 7 },
	{ "tables that are older than the ledger's", 7, 8, true, 0, 0 },
	{ "tables of an older build",          0, 8, true, 105, 0 },
};

static void another_expression_begins_anew(void **state)
{
	const struct party_tally before = { .rx = { 100, 1000, 900 } }, more = { .rx = { 5, 50, 45 } };

	(void)state;
	for (size_t i = 0; i < COUNT(expressions); i++) {
		struct account *a = account_of_rules((uint64_t[RULES]){ 1, expressions[i].sum, 3 });
		struct series_state loaded = { .total = before, .expression = expressions[i].in_ledger };
		struct booking *b = booking_new();
		struct series *s;

		assert_int_equal(series_new(&s, a, NULL), 0);
		if (expressions[i].left_over)
			series_keep_strangers(s);
		rule_key(a, loaded.key, 9);
		assert_int_equal(series_load(s, &loaded, 1), 0);
		series_add(s, loaded.key, &more);
		if (shown(s, loaded.key) != expressions[i].want)
			fail_msg("%s: %llu", expressions[i].why, (unsigned long long)shown(s, loaded.key));
		assert_int_equal(series_changes(s, b), 0);
		assert_int_equal(b->series_count, expressions[i].want ? 1 : 0);
		if (b->series_count)
			assert_int_equal(b->series[0].expression, expressions[i].told);
		booking_free(&b);
		series_free(&s);
		account_unref(&a);
	}
}

/* The ledger is told at once that there is nothing any more, not only with the next frame. */
static void another_expression_is_told(void **state)
{
	struct account *a = account_of_rules((uint64_t[RULES]){ 1, 2, 3 });
	struct series_state loaded = { .total = { .rx = { 100, 1000, 900 } }, .expression = 9 };
	struct booking *b = booking_new();
	struct series *s;

	(void)state;
	assert_int_equal(series_new(&s, a, NULL), 0);
	rule_key(a, loaded.key, 10);
	assert_int_equal(series_load(s, &loaded, 1), 0);
	assert_int_equal(series_changes(s, b), 0);
	assert_int_equal(b->series_count, 1);
	assert_int_equal(b->series[0].total.rx.packets, 0);
	assert_memory_equal(b->series[0].key, loaded.key, KEY_BYTES_MAX);
	booking_free(&b);
	series_free(&s);
	account_unref(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gone_and_back_in_one_tick),
		cmocka_unit_test(all_that_was_added),
		cmocka_unit_test(the_largest_are_shown),
		cmocka_unit_test(loading),
		cmocka_unit_test(only_changes_are_told),
		cmocka_unit_test(another_expression_begins_anew),
		cmocka_unit_test(another_expression_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
