/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table_test.c -- the table against a plain array that does the same slowly: growth, limits,
 * clearing. */
#include "count/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define WORDS_MAX 8
#define KEYS 5000u

static uint64_t mix(uint64_t z) /* splitmix64: no two of 0, 1, 2 ... alike */
{
	z = (z + 1) * UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Key n, told apart by one word alone, first or last; key 0 is all zero. */
static void make_key(uint64_t *key, unsigned words, uint64_t n)
{
	memset(key, 0, words * sizeof *key);
	key[n % 2 ? 0 : words - 1] = n ? mix(n) : 0;
}

static struct table opened(unsigned words, unsigned counters, unsigned other_used, uint64_t limit)
{
	struct table_form form = { .key_bytes = words * 8, .counters = counters, .other_used = other_used, .limit = limit };
	struct table t;

	assert_int_equal(table_open(&t, &form, NULL), 0);
	return t;
}

static uint64_t *look(struct table *t, const uint64_t *key)
{
	return table_find(t, key, table_hash_words(t->seed, key, t->key_words));
}

static uint64_t *want(struct table *t, const uint64_t *key)
{
	return table_find_or_add(t, key, table_hash_words(t->seed, key, t->key_words));
}

/* Walks the slots: each key once, with what the array says. */
static void same_as(const struct table *t, const uint64_t (*sums)[2], uint64_t keys, unsigned other_used)
{
	uint64_t found = 0;

	for (uint64_t i = 0; i < table_slots(t); i++) {
		uint8_t *slot = table_slot(t, i);

		if (slot_is_taken(t, slot))
			found++;
	}
	assert_int_equal(found, t->used);
	for (uint64_t n = 0; n < keys; n++) {
		uint64_t key[WORDS_MAX], *counters;

		make_key(key, t->key_words, n);
		counters = table_find(t, key, table_hash_words(t->seed, key, t->key_words));
		if (sums[n][0] == 0 && sums[n][1] == 0) {
			assert_null(counters);
			continue;
		}
		assert_non_null(counters);
		assert_int_equal(counters[0], sums[n][0]);
		if (other_used)
			assert_int_equal(counters[other_used], sums[n][1]);
		found--;
	}
	assert_int_equal(found, 0);
}

static void as_an_array_counts(void **state)
{
	static uint64_t sums[KEYS][2];
	static const struct { unsigned counters, other_used; } forms[] = { { 1, 0 }, { 2, 0 }, { 6, 3 }, { 4, 2 }, { 3, 0 } };

	(void)state;
	for (unsigned words = 1; words <= WORDS_MAX; words++)
		for (size_t form = 0; form < COUNT(forms); form++) {
			unsigned other = forms[form].other_used;
			struct table t = opened(words, forms[form].counters, other, UINT32_MAX);

			memset(sums, 0, sizeof sums);
			for (uint64_t i = 0; i < 4 * KEYS; i++) {
				uint64_t n = mix(i + words * 1000003) % KEYS, key[WORDS_MAX], *counters;
				bool second = other && i % 3 == 0; /* some keys have the second counter alone */

				make_key(key, words, n);
				counters = want(&t, key);
				assert_non_null(counters);
				counters[second ? other : 0] += i + 1;
				sums[n][second] += i + 1;
			}
			same_as(&t, (const uint64_t (*)[2])sums, KEYS, other);
			table_close(&t);
		}
}

static void growth_keeps_all(void **state)
{
	struct table t = opened(3, 2, 0, UINT32_MAX);
	uint64_t key[3], capacity = 0;
	unsigned sizes = 0;

	(void)state;
	for (uint64_t n = 0; n < 300000; n++) {
		make_key(key, 3, n);
		assert_null(look(&t, key));
		want(&t, key)[0] = n + 1;
		sizes += t.capacity != capacity;
		capacity = t.capacity;
		assert_true(t.used <= t.grow_at + 1);
	}
	assert_true(sizes > 8); /* by doubling, and beyond 65536 by less */
	assert_int_equal(t.used, 300000);
	for (uint64_t n = 0; n < 300000; n++) {
		make_key(key, 3, n);
		assert_non_null(look(&t, key));
		assert_int_equal(look(&t, key)[0], n + 1);
	}
	make_key(key, 3, 300001);
	assert_null(look(&t, key));
	table_close(&t);
}

static void the_limit(void **state)
{
	static const uint64_t limits[] = { 0, 1, 2, 357, 358, 1000, 1024 };

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct table t = opened(2, 1, 0, limits[i]);
		uint64_t key[2];

		for (uint64_t n = 0; n < 2000; n++) {
			uint64_t *counters;

			make_key(key, 2, n);
			counters = want(&t, key);
			assert_int_equal(counters != NULL, n < limits[i]);
			if (counters)
				*counters = n + 1;
		}
		assert_int_equal(t.used, limits[i]);
		for (uint64_t n = 0; n < limits[i]; n++) { /* who is in stays, and is found at the limit too */
			make_key(key, 2, n);
			assert_int_equal(*want(&t, key), n + 1);
		}
		table_close(&t);
	}
}

static void a_key_of_zeros(void **state)
{
	(void)state;
	for (unsigned words = 1; words <= WORDS_MAX; words++) {
		struct table t = opened(words, 2, 1, 100);
		uint64_t zero[WORDS_MAX] = { 0 };

		assert_null(look(&t, zero));
		want(&t, zero)[1] = 7; /* marked by the second counter */
		assert_non_null(look(&t, zero));
		assert_int_equal(look(&t, zero)[1], 7);
		want(&t, zero)[0] += 5;
		assert_int_equal(t.used, 1);
		assert_int_equal(look(&t, zero)[0], 5);
		table_clear(&t);
		assert_null(look(&t, zero));
		table_close(&t);
	}
}

static void clearing(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 300, 100000, 3, 0, 400000, 1, 0, 0, 0, 0, 0, 0, 50000 };
	struct table t = opened(3, 3, 0, UINT32_MAX);
	uint64_t key[3], most = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (uint64_t n = 0; n < sizes[i]; n++) {
			make_key(key, 3, n);
			want(&t, key)[0] += n + 1;
		}
		assert_int_equal(t.used, sizes[i]);
		for (uint64_t n = 0; n < sizes[i]; n += 97) {
			make_key(key, 3, n);
			assert_int_equal(look(&t, key)[0], n + 1); /* nothing is left of what was there before */
			assert_int_equal(look(&t, key)[1], 0);
		}
		most = t.capacity > most ? t.capacity : most;
		table_clear(&t);
		assert_int_equal(t.used, 0);
		for (uint64_t s = 0; s < table_slots(&t); s++)
			assert_false(slot_is_taken(&t, table_slot(&t, s)));
	}
	assert_true(t.capacity <= most);
	for (unsigned i = 0; i < 20; i++)
		table_clear(&t);
	assert_true(t.capacity <= 1024); /* given back step by step */
	table_close(&t);
	table_close(&t); /* all zero now */
}

static void compaction(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 300, 20000 };
	static bool seen[20000];

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct table t = opened(3, 6, 3, UINT32_MAX);
		uint64_t key[3], sum = 0;

		for (uint64_t n = 0; n < sizes[i]; n++) {
			make_key(key, 3, n);
			want(&t, key)[n % 2 ? 0 : 3] = n + 1;
		}
		table_compact(&t);
		memset(seen, 0, sizeof seen);
		for (uint64_t s = 0; s < t.used; s++) {
			uint8_t *slot = table_slot(&t, s);
			uint64_t *c = slot_counters(&t, slot), n = c[0] + c[3] - 1;

			assert_true(n < sizes[i] && !seen[n]);
			seen[n] = true;
			make_key(key, 3, n);
			assert_memory_equal(slot, key, sizeof key);
			sum++;
		}
		assert_int_equal(sum, sizes[i]);
		table_close(&t);
	}
}

/* Slots up to 64 bytes are a power of two, so that none lies across a cache line. */
static void strides(void **state)
{
	static const struct { unsigned words, counters, stride; } rows[] = {
		{ 1, 1, 16 }, { 1, 2, 32 }, { 1, 4, 64 }, { 3, 1, 32 }, { 3, 4, 64 }, { 3, 5, 64 }, { 3, 6, 72 }, { 8, 6, 112 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct table t = opened(rows[i].words, rows[i].counters, 0, 10);

		assert_int_equal(t.stride, rows[i].stride);
		table_close(&t);
	}
}

/* Keys that differ little lie apart; two tables do not hash alike. */
static void hashes(void **state)
{
	struct table a = opened(3, 1, 0, 10), b = opened(3, 1, 0, 10);
	static unsigned hits[256];
	unsigned same = 0;

	(void)state;
	for (uint64_t n = 0; n < 65536; n++) {
		uint64_t key[3] = { 0, UINT64_C(0x0000ffff) | n << 32, 4 }, hash = table_hash_words(a.seed, key, 3);

		hits[hash >> 56]++;
		same += hash == table_hash_words(b.seed, key, 3);
	}
	for (unsigned i = 0; i < 256; i++)
		assert_in_range(hits[i], 128, 512); /* 256 each, if all were even */
	assert_int_equal(same, 0);
	table_close(&a);
	table_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_an_array_counts),
		cmocka_unit_test(growth_keeps_all),
		cmocka_unit_test(the_limit),
		cmocka_unit_test(a_key_of_zeros),
		cmocka_unit_test(clearing),
		cmocka_unit_test(compaction),
		cmocka_unit_test(strides),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
