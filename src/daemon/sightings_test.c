/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sightings_test.c -- who is told to the ledger, how often, and who is no device. */
#include "daemon/sightings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define MAC(n) (UINT64_C(1) << 48 | (n))
#define W 1700000000

static struct key_layout layout_of(uint64_t fields)
{
	struct key_layout l;

	assert_int_equal(key_layout_make(&l, fields, NULL), 0);
	return l;
}

static void see(struct sightings *s, uint64_t mac, const char *host, bool sent, int64_t now)
{
	struct key_layout l = layout_of(FIELD_BIT(FIELD_MAC) | FIELD_BIT(FIELD_HOST));
	uint8_t key[KEY_BYTES_MAX] = { 0 };
	struct addr a = { 0 };

	if (host)
		assert_int_equal(addr_parse(&a, host), 0);
	memcpy(key + l.at[FIELD_MAC], &mac, 8);
	memcpy(key + l.at[FIELD_HOST], a.bytes, 16);
	key[l.at[FIELD_HOST_FAMILY]] = a.family;
	sightings_see(s, &l, key, sent, now);
}

static size_t told(struct sightings *s, struct sighting *ret, size_t room)
{
	struct booking *b = booking_new();
	size_t count;

	sightings_tell(s, b);
	count = b->sighting_count;
	memcpy(ret, b->sightings ? b->sightings : ret, (count < room ? count : room) * sizeof *ret);
	booking_free(&b);
	return count;
}

static void who_is_told(void **state)
{
	static const struct { const char *why; uint64_t mac; const char *host; bool sent; size_t count;
			      struct { uint64_t mac; const char *host; } want[2]; } rows[] = {
		{ "a sender has its address", MAC(5), "10.0.0.1", true, 1, { { MAC(5), "10.0.0.1" } } },
		{ "a receiver may be behind a router", MAC(5), "10.0.0.1", false, 2, { { MAC(5), NULL }, { 0, "10.0.0.1" } } },
		{ "a device without IP", MAC(5), NULL, true, 1, { { MAC(5), NULL } } },
		{ "a host without a MAC", 0, "2001:db8::1", true, 1, { { 0, "2001:db8::1" } } },
		{ "has no address yet (DHCP)", MAC(5), "0.0.0.0", true, 1, { { MAC(5), NULL } } },
		{ "has no address yet (RFC 4862 5.4)", MAC(5), "::", true, 1, { { MAC(5), NULL } } },
		{ "nobody", 0, NULL, true, 0, { { 0, NULL } } }, { "nobody received", 0, NULL, false, 0, { { 0, NULL } } },
		{ "broadcast", MAC(0xffffffffffff), "255.255.255.255", false, 0, { { 0, NULL } } },
		{ "multicast", MAC(0x01005e0000fb), "224.0.0.251", false, 0, { { 0, NULL } } },
		{ "multicast of IPv6", MAC(0x333300000001), "ff02::1", false, 0, { { 0, NULL } } },
		{ "`other`", UINT64_MAX, NULL, true, 0, { { 0, NULL } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sightings *s = NULL;
		struct sighting got[4];

		print_message("%s\n", rows[i].why);
		assert_int_equal(sightings_new(&s, NULL), 0);
		see(s, rows[i].mac, rows[i].host, rows[i].sent, W);
		assert_int_equal(told(s, got, COUNT(got)), rows[i].count);
		for (size_t k = 0; k < rows[i].count; k++) {
			struct addr want = { 0 };

			if (rows[i].want[k].host)
				assert_int_equal(addr_parse(&want, rows[i].want[k].host), 0);
			assert_int_equal(got[k].mac, rows[i].want[k].mac);
			assert_true(addr_equal(&got[k].addr, &want));
		}
		sightings_free(&s);
	}
}

static void once_a_minute(void **state)
{
	static const struct { const char *why; int64_t now; size_t count; } rows[] = {
		{ "new", W, 1 }, { "at once again", W, 0 }, { "a second later", W + 1, 0 }, { "nearly a minute", W + 59, 0 },
		{ "a minute", W + 60, 1 }, { "counted from then", W + 119, 0 }, { "again", W + 120, 1 },
		{ "the clock went back", W - 86400, 1 }, { "and goes on from there", W - 86399, 0 },
		{ "before 1970", -5, 1 },
	};
	struct sightings *s = NULL;
	struct sighting got[4];

	(void)state;
	assert_int_equal(sightings_new(&s, NULL), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].why);
		see(s, MAC(1), "10.0.0.1", true, rows[i].now);
		assert_int_equal(told(s, got, COUNT(got)), rows[i].count);
	}
	see(s, MAC(1), "10.0.0.2", true, W); /* another address of it is news */
	assert_int_equal(told(s, got, COUNT(got)), 1);
	sightings_free(&s);
	sightings_free(&s);
}

static void other_of_the_grain(void **state)
{
	struct key_layout l = layout_of(FIELD_BIT(FIELD_MAC) | FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_WINDOW));
	uint8_t key[KEY_BYTES_MAX] = { 0 };
	struct sightings *s = NULL;
	struct sighting got[4];

	(void)state;
	assert_int_equal(sightings_new(&s, NULL), 0);
	key_set_other(&l, key);
	sightings_see(s, &l, key, true, W);
	sightings_see(s, &l, key, false, W);
	assert_int_equal(told(s, got, COUNT(got)), 0);
	sightings_free(&s);
}

/* Who is left out of a full tick comes with its next traffic. */
static void a_full_tick(void **state)
{
	struct sightings *s = NULL;
	struct sighting got[1];
	size_t all = 0;

	(void)state;
	assert_int_equal(sightings_new(&s, NULL), 0);
	for (unsigned tick = 0; tick < 3; tick++) {
		size_t count;

		for (uint64_t n = 0; n < SIGHTINGS_PER_TICK * 2 + 10; n++)
			see(s, MAC(n), NULL, true, W + tick);
		count = told(s, got, COUNT(got));
		assert_int_equal(count, tick < 2 ? SIGHTINGS_PER_TICK : 10);
		all += count;
	}
	assert_int_equal(all, SIGHTINGS_PER_TICK * 2 + 10);
	sightings_free(&s);
}

/* Beyond the limit all is forgotten, and told again as it comes. */
static void more_than_are_remembered(void **state)
{
	struct sightings *s = NULL;
	struct sighting got[1];
	size_t count = 0;

	(void)state;
	assert_int_equal(sightings_new(&s, NULL), 0);
	for (uint64_t n = 0; n < SIGHTINGS_KEYS + 100000; n++) {
		see(s, MAC(n << 1 & 0xfeffffffff) | (n >> 20) << 42, NULL, true, W);
		if (n % 40000 == 0)
			count += told(s, got, COUNT(got));
	}
	count += told(s, got, COUNT(got));
	assert_in_range(count, SIGHTINGS_KEYS, SIGHTINGS_KEYS + 100000);
	see(s, MAC(2), NULL, true, W);
	assert_int_equal(told(s, got, COUNT(got)), 1);
	sightings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_told),
		cmocka_unit_test(once_a_minute),
		cmocka_unit_test(other_of_the_grain),
		cmocka_unit_test(a_full_tick),
		cmocka_unit_test(more_than_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
