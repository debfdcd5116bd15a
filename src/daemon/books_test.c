/* SPDX-License-Identifier: GPL-2.0-or-later */
/* books_test.c -- from the grain's entries to an account's batches: who is left out, what has no room, and that
 * nothing is lost on the way. */
#include "daemon/books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define W 1700000040 /* a whole minute */
#define MAC(n) (UINT64_C(1) << 48 | (n))

static struct grain grain;               /* mac, host, locality, proto, window */
static struct own_addresses own;

static int make_world(void **state)
{
	struct prefix net;

	(void)state;
	grain = (struct grain){ .party = true, .both_bases = true, .window_s = 1 };
	assert_int_equal(key_layout_make(&grain.layout, FIELD_BIT(FIELD_MAC) | FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_LOCALITY) |
					 FIELD_BIT(FIELD_PROTO) | FIELD_BIT(FIELD_WINDOW), NULL), 0);
	own.addrs = calloc(2, sizeof *own.addrs);
	own.macs = calloc(1, sizeof *own.macs);
	assert_int_equal(addr_parse(&own.addrs[0], "192.0.2.1"), 0);
	assert_int_equal(addr_parse(&own.addrs[1], "2001:db8::1"), 0);
	own.addr_count = 2;
	own.macs[0] = MAC(1);
	own.mac_count = 1;
	assert_int_equal(prefix_parse(&net, "192.0.2.0/24", NULL), 0);
	assert_int_equal(prefix_set_add(&own.networks, &net), 0);
	return 0;
}

static int free_world(void **state)
{
	(void)state;
	own_addresses_free(&own);
	return 0;
}

static struct account *account_by(enum field f, uint32_t every_s, uint32_t limit)
{
	struct account *a = account_new();

	assert_non_null(a);
	snprintf(a->name, sizeof a->name, "test");
	a->by[a->by_count++] = f;
	a->every_s = every_s;
	a->limit = limit;
	assert_int_equal(account_finish(a, NULL), 0);
	return a;
}

static struct books *books_for(struct account *a)
{
	struct books *b = NULL;

	assert_int_equal(books_new(&b, a, NULL), 0);
	account_unref(&a); /* the books keep theirs */
	return b;
}

struct entry {
	int64_t window_s;
	uint64_t mac;
	const char *host;     /* NULL: none */
	enum locality where;
	struct party_tally t;
};

static void put(uint8_t *key, enum field f, const void *value, size_t width)
{
	memcpy(key + grain.layout.at[f], value, width);
}

static void add(struct books *b, const struct entry *e)
{
	uint8_t key[KEY_BYTES_MAX] = { 0 };
	struct addr a = { 0 };
	uint16_t proto = 0x106;

	if (e->host)
		assert_int_equal(addr_parse(&a, e->host), 0);
	put(key, FIELD_WINDOW, &e->window_s, 8);
	put(key, FIELD_MAC, &e->mac, 8);
	put(key, FIELD_HOST, a.bytes, 16);
	key[grain.layout.at[FIELD_HOST_FAMILY]] = a.family;
	key[grain.layout.at[FIELD_LOCALITY]] = (uint8_t)e->where;
	put(key, FIELD_PROTO, &proto, 2);
	books_add(b, &(struct books_light){ &grain, &own, NULL, 0 }, key, &e->t);
}

static void add_host(struct books *b, int64_t window_s, unsigned n, uint64_t packets)
{
	char host[32];

	snprintf(host, sizeof host, "10.0.%u.%u", n / 256, n % 256);
	add(b, &(struct entry){ window_s, MAC(100), host, LOCALITY_LOCAL,
				{ { packets, packets * 100, packets * 86 }, { packets / 2, packets * 50, packets * 43 } } });
}

static struct booking *close_tick(struct books *b)
{
	struct booking *booking = booking_new();

	booking->taken_utc_s = W + 86400; /* long after all windows here */
	assert_int_equal(books_close_tick(b, booking, NULL), 0);
	return booking;
}

static void add_batch(const struct batch *b, struct party_tally *sum, bool only_other)
{
	for (size_t i = 0; i < b->count; i++) {
		const uint8_t *record = b->records + i * record_size(b->account);
		struct party_tally t;

		if (only_other && !key_field_is_other(&b->account->layout, record, b->account->by[0]))
			continue;
		memcpy(&t, record + b->account->layout.size, sizeof t);
		party_tally_add(sum, &t);
	}
}

static struct party_tally sum_of(const struct booking *booking)
{
	struct party_tally sum = { { 0 }, { 0 } };

	for (size_t i = 0; i < booking->batch_count; i++)
		add_batch(&booking->batches[i], &sum, false);
	return sum;
}

static const struct batch *batch_of(const struct booking *booking, int64_t window_s)
{
	const struct batch *found = NULL;

	for (size_t i = 0; i < booking->batch_count; i++)
		if (booking->batches[i].window_utc_s == window_s) {
			assert_null(found); /* one batch a window */
			found = &booking->batches[i];
		}
	return found;
}

static void who_is_left_out(void **state)
{
	static const struct { const char *why; enum field by; enum account_of of;
			      bool self, groups; uint64_t mac; const char *host;
			      enum locality where; bool wanted; } rows[] = {
		{ "anybody", FIELD_HOST, OF_BOTH, true, true, MAC(9), "10.0.0.1", LOCALITY_REMOTE, true },
		{ "local of local", FIELD_HOST, OF_LOCAL, true, true, MAC(9), "10.0.0.1", LOCALITY_LOCAL, true },
		{ "remote of local", FIELD_HOST, OF_LOCAL, true, true, MAC(9), "10.0.0.1", LOCALITY_REMOTE, false },
		{ "local of remote", FIELD_HOST, OF_REMOTE, true, true, MAC(9), "10.0.0.1", LOCALITY_LOCAL, false },
		{ "remote of remote", FIELD_HOST, OF_REMOTE, true, true, MAC(9), "10.0.0.1", LOCALITY_REMOTE, true },
		{ "nobody is remote", FIELD_HOST, OF_REMOTE, true, true, MAC(9), NULL, LOCALITY_REMOTE, true },
		{ "own address", FIELD_HOST, OF_BOTH, false, true, MAC(9), "192.0.2.1", LOCALITY_LOCAL, false },
		{ "own IPv6 address", FIELD_HOST, OF_BOTH, false, true, MAC(9), "2001:db8::1", LOCALITY_LOCAL, false },
		{ "own address, wanted", FIELD_HOST, OF_BOTH, true, false, MAC(9), "192.0.2.1", LOCALITY_LOCAL, true },
		{ "by host, own MAC: a router's own", FIELD_HOST, OF_BOTH, false, true, MAC(1), "10.0.0.1", LOCALITY_LOCAL,
		  true },
		{ "own MAC", FIELD_MAC, OF_BOTH, false, true, MAC(1), "10.0.0.1", LOCALITY_LOCAL, false },
		{ "by MAC, own address behind another's", FIELD_MAC, OF_BOTH, false, true, MAC(9), "192.0.2.1",
		  LOCALITY_LOCAL, true },
		{ "no MAC is nobody's own", FIELD_MAC, OF_BOTH, false, false, 0, NULL, LOCALITY_REMOTE, true },
		{ "multicast", FIELD_HOST, OF_BOTH, true, false, MAC(9), "224.0.0.1", LOCALITY_REMOTE, false },
		{ "multicast of IPv6", FIELD_HOST, OF_BOTH, true, false, MAC(9), "ff02::1", LOCALITY_REMOTE, false },
		{ "broadcast", FIELD_HOST, OF_BOTH, true, false, MAC(9), "255.255.255.255", LOCALITY_REMOTE, false },
		{ "broadcast of an own network", FIELD_HOST, OF_BOTH, true, false, MAC(9), "192.0.2.255", LOCALITY_LOCAL, false },
		{ "ends in 255 elsewhere", FIELD_HOST, OF_BOTH, true, false, MAC(9), "198.51.100.255", LOCALITY_REMOTE, true },
		{ "broadcast MAC", FIELD_MAC, OF_BOTH, true, false, MAC(0xffffffffffff), "10.0.0.1", LOCALITY_LOCAL, false },
		{ "multicast MAC", FIELD_MAC, OF_BOTH, true, false, MAC(0x01005e000001), NULL, LOCALITY_REMOTE, false },
		{ "locally administered MAC", FIELD_MAC, OF_BOTH, true, false, MAC(0x020000000001), NULL, LOCALITY_REMOTE, true },
		{ "groups, wanted", FIELD_MAC, OF_BOTH, false, true, MAC(0xffffffffffff), NULL, LOCALITY_REMOTE, true },
		{ "`other` has no room, but is somebody", FIELD_MAC, OF_BOTH, false, false, UINT64_MAX, NULL, LOCALITY_REMOTE,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct account *a = account_by(rows[i].by, 60, 100);
		struct booking *booking;
		struct books *b;

		print_message("%s\n", rows[i].why);
		a->of = rows[i].of;
		a->self = rows[i].self;
		a->groups = rows[i].groups;
		b = books_for(a);
		add(b, &(struct entry){ W, rows[i].mac, rows[i].host, rows[i].where, { { 1, 100, 86 }, { 2, 200, 172 } } });
		booking = close_tick(b);
		assert_int_equal(booking->batch_count, rows[i].wanted);
		assert_int_equal(sum_of(booking).rx.packets, rows[i].wanted ? 1 : 0);
		booking_free(&booking);
		books_free(&b);
	}
}

/* What all parties received is every packet once: a plain account from the party grain. */
static void a_plain_account(void **state)
{
	struct books *b = books_for(account_by(FIELD_PROTO, 60, 100));
	struct booking *booking;
	struct party_tally sum;

	(void)state;
	for (unsigned n = 0; n < 50; n++) {
		add(b, &(struct entry){ W, MAC(1), "192.0.2.1", LOCALITY_LOCAL, { { 1, 100, 86 }, { 0, 0, 0 } } });
		add(b, &(struct entry){ W, MAC(9), "10.0.0.1", LOCALITY_LOCAL, { { 0, 0, 0 }, { 1, 100, 86 } } });
	}
	booking = close_tick(b);
	sum = sum_of(booking);
	assert_int_equal(booking->batch_count, 1);
	assert_int_equal(booking->batches[0].count, 1);
	assert_int_equal(sum.rx.packets, 50);
	assert_int_equal(sum.rx.l2_bytes, 5000);
	assert_int_equal(sum.tx.packets, 0);
	booking_free(&booking);
	books_free(&b);
}

static void nothing_happened(void **state)
{
	struct books *b = books_for(account_by(FIELD_HOST, 60, 100));
	struct booking *booking = close_tick(b);

	(void)state;
	assert_int_equal(booking->batch_count, 0);
	assert_int_equal(booking->series_count, 0);
	booking_free(&booking);
	add(b, &(struct entry){ W, MAC(9), "10.0.0.1", LOCALITY_LOCAL, { { 0 }, { 0 } } });
	booking = close_tick(b);
	assert_int_equal(booking->batch_count, 0);
	booking_free(&booking);
	books_free(&b);
}

/* A clock that steps a day ahead and comes back: the window in time to come is closed, so that the
 * present one is the newest again and has its limit. */
static void a_clock_that_was_ahead(void **state)
{
	struct books *b = books_for(account_by(FIELD_HOST, 60, 2));
	struct booking *booking;
	struct snapshot_account shown;

	(void)state;
	add_host(b, W + 86400, 0, 1);
	booking = booking_new();
	booking->taken_utc_s = W;
	assert_int_equal(books_close_tick(b, booking, NULL), 0);
	assert_int_equal(booking->batches[0].window_utc_s, W + 86400); /* its packets said so */
	booking_free(&booking);
	for (unsigned n = 0; n < 5; n++)
		add_host(b, W, n, 1);
	booking = booking_new();
	booking->taken_utc_s = W + 1;
	assert_int_equal(books_close_tick(b, booking, NULL), 0);
	assert_int_equal(booking->batches[0].count, 3); /* two and `other` */
	assert_int_equal(books_snapshot(b, &shown), 0);
	assert_int_equal(shown.window_utc_s, W);
	account_unref(&shown.account);
	free(shown.series);
	booking_free(&booking);
	books_free(&b);
}

static void the_limit_of_a_window(void **state)
{
	struct books *b = books_for(account_by(FIELD_HOST, 60, 10));
	struct party_tally other = { { 0 }, { 0 } };
	struct snapshot_account shown;
	struct booking *booking;

	(void)state;
	for (unsigned n = 0; n < 30; n++)
		add_host(b, W, n, 10);
	booking = close_tick(b);
	assert_int_equal(booking->batches[0].count, 11);
	assert_int_equal(booking->batches[0].overflowed, 20);
	add_batch(&booking->batches[0], &other, true);
	assert_int_equal(other.rx.packets, 200);
	assert_int_equal(sum_of(booking).rx.packets, 300);
	booking_free(&booking);
	for (unsigned n = 0; n < 30; n++) /* the same window, the next tick: who is in stays in */
		add_host(b, W, n, 1);
	booking = close_tick(b);
	assert_int_equal(booking->batches[0].count, 11);
	booking_free(&booking);
	for (unsigned n = 20; n < 30; n++) /* a new window has room again */
		add_host(b, W + 60, n, 1);
	booking = close_tick(b);
	assert_int_equal(booking->batches[0].count, 10);
	assert_int_equal(booking->batches[0].overflowed, 0);
	booking_free(&booking);
	assert_int_equal(books_snapshot(b, &shown), 0);
	assert_int_equal(shown.overflowed, 40);
	assert_int_equal(shown.keys, 10);
	assert_int_equal(shown.window_utc_s, W + 60);
	assert_int_equal(shown.total.rx.packets, 300 + 30 + 10);
	free(shown.series);
	account_unref(&shown.account);
	books_free(&b);
}

/* Grain windows of a second make windows of a minute; a clock that steps gives no wrong window. */
static void windows(void **state)
{
	struct books *b = books_for(account_by(FIELD_HOST, 60, 100));
	struct booking *booking;

	(void)state;
	for (int64_t s = W; s < W + 60; s++)
		add_host(b, s, 1, 2);
	booking = close_tick(b);
	assert_int_equal(booking->batch_count, 1);
	assert_int_equal(booking->batches[0].count, 1);
	assert_int_equal(booking->batches[0].window_utc_s, W);
	booking_free(&booking);
	add_host(b, W + 86400, 1, 3);   /* forward a day */
	add_host(b, W + 5, 1, 5);       /* back */
	add_host(b, W - 1, 1, 7);       /* and before */
	add_host(b, -1, 1, 11);         /* before 1970 */
	add_host(b, W + 86459, 2, 13);
	booking = close_tick(b);
	assert_int_equal(booking->batch_count, 4);
	assert_int_equal(batch_of(booking, W + 86400)->count, 2);
	assert_int_equal(batch_of(booking, W)->count, 1);
	assert_int_equal(batch_of(booking, W - 60)->count, 1);
	assert_int_equal(batch_of(booking, -60)->count, 1);
	assert_int_equal(sum_of(booking).rx.packets, 3 + 5 + 7 + 11 + 13);
	booking_free(&booking);
	books_free(&b);
}

static uint32_t dice(uint64_t *seed, uint32_t sides) /* splitmix64 */
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 32) % sides;
}

static void same(const struct party_tally *a, const struct party_tally *b)
{
	assert_memory_equal(a, b, sizeof *a); /* six numbers, no padding */
}

/* Whatever the limit, the windows and the order: all that went in comes out, is in the totals and in the series. */
static void conservation(void **state)
{
	static const uint32_t limits[] = { 1, 7, 1000 };

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct books *b = books_for(account_by(FIELD_HOST, 2, limits[i]));
		struct party_tally in = { { 0 }, { 0 } }, out = { { 0 }, { 0 } }, series = { { 0 }, { 0 } };
		struct snapshot_account shown;
		uint64_t seed = i;
		int64_t now = W;

		for (unsigned tick = 0; tick < 200; tick++) {
			struct booking *booking;

			for (unsigned n = dice(&seed, 60); n; n--) {
				uint64_t packets = dice(&seed, 50);
				struct party_tally t = { { packets, packets * 100, packets * 86 },
							 { packets / 2, packets * 50, packets * 43 } };

				if (packets) /* an entry has a packet, or it is none */
					party_tally_add(&in, &t);
				add_host(b, now + dice(&seed, 5), dice(&seed, 200), packets);
			}
			now += dice(&seed, 20) ? dice(&seed, 3) : dice(&seed, 2000) - 1000;
			booking = close_tick(b);
			for (size_t k = 0; k < booking->batch_count; k++)
				assert_ptr_equal(batch_of(booking, booking->batches[k].window_utc_s), &booking->batches[k]);
			struct party_tally sum = sum_of(booking);
			party_tally_add(&out, &sum);
			booking_free(&booking);
		}
		same(&in, &out);
		assert_int_equal(books_snapshot(b, &shown), 0);
		same(&in, &shown.total);
		for (size_t k = 0; k < shown.series_count; k++)
			party_tally_add(&series, &shown.series[k].total);
		same(&in, &series);
		free(shown.series);
		account_unref(&shown.account);
		books_free(&b);
	}
}

static void a_reload(void **state)
{
	static const struct { uint32_t every_s, limit, series; uint64_t keys; } rows[] = {
		{ 60, 10, 1000, 5 },  /* the same: the window goes on with the keys that it has */
		{ 3600, 10, 1000, 0 }, { 60, 20, 1000, 0 }, { 60, 10, 3, 5 }, { 60, 10, 2000, 5 }, { 60, 10, 1, 5 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct books *old = books_for(account_by(FIELD_HOST, 60, 10)), *b;
		struct account *a = account_by(FIELD_HOST, rows[i].every_s, rows[i].limit);
		struct party_tally series = { { 0 }, { 0 } };
		struct snapshot_account shown;
		struct booking *booking;

		for (unsigned n = 0; n < 5; n++)
			add_host(old, W, n, 4);
		booking = close_tick(old);
		booking_free(&booking);
		a->series = rows[i].series;
		b = books_for(a);
		books_inherit(b, old);
		books_free(&old);
		assert_int_equal(books_snapshot(b, &shown), 0);
		assert_int_equal(shown.keys, rows[i].keys);
		assert_int_equal(shown.total.rx.packets, 20);
		assert_true(shown.series_count <= rows[i].series);
		for (size_t k = 0; k < shown.series_count; k++)
			party_tally_add(&series, &shown.series[k].total);
		same(&series, &shown.total);
		free(shown.series);
		account_unref(&shown.account);
		add_host(b, W, 7, 4); /* and it can go on */
		booking = close_tick(b);
		assert_int_equal(sum_of(booking).rx.packets, 4);
		for (size_t k = 0; k < booking->series_count; k++)
			assert_ptr_equal(booking->series[k].account, books_account(b)); /* as it is now, not as it was */
		booking_free(&booking);
		books_free(&b);
	}
}

static void totals_go_on(void **state)
{
	struct books *b = books_for(account_by(FIELD_HOST, 60, 10));
	struct party_tally before = { { 1000, 2000, 3000 }, { 4000, 5000, 6000 } };
	struct snapshot_account shown;
	struct booking *booking;

	(void)state;
	books_set_total(b, &before);
	add_host(b, W, 1, 10);
	booking = close_tick(b);
	booking_free(&booking);
	assert_int_equal(books_snapshot(b, &shown), 0);
	assert_int_equal(shown.total.rx.packets, 1010);
	assert_int_equal(shown.total.tx.l3_bytes, 6430);
	free(shown.series);
	account_unref(&shown.account);
	books_free(&b);
	books_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_left_out),
		cmocka_unit_test(a_plain_account),
		cmocka_unit_test(nothing_happened),
		cmocka_unit_test(a_clock_that_was_ahead),
		cmocka_unit_test(the_limit_of_a_window),
		cmocka_unit_test(windows),
		cmocka_unit_test(conservation),
		cmocka_unit_test(a_reload),
		cmocka_unit_test(totals_go_on),
	};

	return cmocka_run_group_tests(tests, make_world, free_world);
}
