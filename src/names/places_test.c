/* SPDX-License-Identifier: GPL-2.0-or-later */
/* places_test.c -- who is remembered, who goes, who waits, who holds whom. */
#include "names/testing.h"

#include "names/places.h"

#include <stdlib.h>

static struct addr host(unsigned n)
{
	struct addr a = addr_of("10.0.0.0");

	a.bytes[13] = (uint8_t)(n >> 16);
	a.bytes[14] = (uint8_t)(n >> 8);
	a.bytes[15] = (uint8_t)n;
	return a;
}

static struct place *want(struct places *p, unsigned n)
{
	struct addr a = host(n);
	struct place *place = places_want(p, &a);

	assert_non_null(place);
	return place;
}

static struct place *find(struct places *p, unsigned n)
{
	struct addr a = host(n);

	return places_find(p, &a);
}

/* Who was not wanted for longest goes, and with him his place in the queue. */
static void the_limit_holds(void **state)
{
	struct places *p = places_new(1000);

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		places_queue(p, want(p, i), false);
	assert_int_equal(places_count(p), 1000);
	assert_int_equal(places_evicted(p), 4000);
	assert_int_equal(places_queued(p), 1000);
	assert_null(find(p, 3999));
	assert_non_null(find(p, 4000));
	want(p, 4000); /* wanted again: now 4001 is the next to go */
	want(p, 5000);
	assert_non_null(find(p, 4000));
	assert_null(find(p, 4001));
	places_free(&p);
	assert_null(p);
	places_free(&p);
}

static void the_queue_is_in_order(void **state)
{
	struct places *p = places_new(4);
	struct addr a;

	(void)state;
	for (unsigned i = 1; i <= 4; i++) {
		places_queue(p, want(p, i), false);
		places_queue(p, want(p, i), false);
	}
	want(p, 5); /* 1 goes */
	for (unsigned i = 2; i <= 4; i++) {
		struct place *first = places_unqueue(p);

		a = host(i);
		assert_true(addr_equal(&first->key, &a));
		assert_false(first->queued);
	}
	assert_null(places_unqueue(p));
	places_queue(p, find(p, 3), false);
	places_queue(p, find(p, 4), true); /* before the others */
	assert_int_equal(places_queued(p), 2);
	a = host(4);
	assert_true(addr_equal(&places_unqueue(p)->key, &a));
	a = host(3);
	assert_true(addr_equal(&places_unqueue(p)->key, &a));
	places_free(&p);
}

static void who_holds_whom(void **state)
{
	struct places *p = places_new(100);
	struct addr one = place_device(UINT64_C(1) << 48 | 1), two = place_device(UINT64_C(1) << 48 | 2);
	uint64_t mac_one = place_device_mac(&one), mac_two = place_device_mac(&two);

	(void)state;
	assert_int_equal(mac_one, UINT64_C(1) << 48 | 1);
	places_want(p, &one);
	places_want(p, &two);
	want(p, 1);
	assert_true(places_hold(p, find(p, 1), mac_one));
	assert_false(places_hold(p, find(p, 1), mac_one));
	assert_int_equal(places_find(p, &one)->holds, 1);
	assert_int_equal(places_find(p, &one)->ip4, places_number(p, find(p, 1)) + 1);
	assert_true(places_hold(p, find(p, 1), mac_two));
	assert_int_equal(places_find(p, &one)->holds, 0);
	assert_int_equal(places_find(p, &one)->ip4, 0);
	assert_int_equal(places_find(p, &two)->holds, 1);
	for (unsigned i = 2; i < 200; i++) { /* 1 goes, and its device knows */
		places_want(p, &two);
		want(p, i);
	}
	assert_null(find(p, 1));
	assert_int_equal(places_find(p, &two)->holds, 0);
	assert_int_equal(places_find(p, &two)->ip4, 0);
	places_free(&p);
}

/* Anything, in any order: the lists stay whole, the limit holds. */
static void at_random(void **state)
{
	struct places *p = places_new(64);
	unsigned seed = 1;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		unsigned n = (unsigned)rand_r(&seed) % 200, what = (unsigned)rand_r(&seed) % 5;
		struct addr device = place_device(UINT64_C(1) << 48 | (n % 9 + 1));

		switch (what) {
		case 0: places_want(p, &device); break;
		case 1: want(p, n); break;
		case 2: places_queue(p, want(p, n), n & 1); break;
		case 3: places_unqueue(p); break;
		default: places_hold(p, want(p, n), place_device_mac(&device)); break;
		}
		assert_true(places_count(p) <= 64);
		assert_true(places_queued(p) <= 64);
	}
	while (places_unqueue(p))
		;
	assert_int_equal(places_queued(p), 0);
	places_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limit_holds), cmocka_unit_test(the_queue_is_in_order), cmocka_unit_test(who_holds_whom),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
