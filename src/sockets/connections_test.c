/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connections_test.c -- lives of connections, as the kernel would tell them: whatever is looked at in between, what is told
 * sums to the totals. */
#include "sockets/connections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define PORT 8080
#define BEGAN 1000

static bool accepted_after_we_began(void *arg, const struct sockets_ends *ends)
{
	const uint16_t *least = arg;

	return ends->remote_port >= *least;
}

/* Clients from this port on were accepted after we began. */
static uint16_t accepted_from = 100;

static struct connections *make(uint32_t limit)
{
	struct connections_config cf = { .limit = limit, .was_accepted = accepted_after_we_began, .arg = &accepted_from };
	struct connections *c;

	assert_int_equal(connections_new(&c, &cf, NULL), 0);
	return c;
}

static struct sockets_ends ends_of(uint16_t local_port, unsigned client)
{
	struct sockets_ends ends = { .local_port = local_port, .remote_port = (uint16_t)client };

	memcpy(ends.local, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	memcpy(ends.remote, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16);
	ends.remote[12] = (uint8_t)(client >> 16);
	return ends;
}

static struct sockets_counters counters_of(uint64_t acked, uint64_t sent, uint64_t again, uint32_t segments,
					   uint32_t retransmits)
{
	return (struct sockets_counters){ acked, sent, again, segments, retransmits };
}

static struct connection alive(unsigned client, struct sockets_counters counters)
{
	return (struct connection){ .ends = ends_of(PORT, client), .counters = counters, .cookie = client, .srtt_us = 7 };
}

static struct sockets_closed closed(unsigned client, struct sockets_counters counters, bool cookie)
{
	return (struct sockets_closed){
		.ends = ends_of(PORT, client), .counters = counters, .cookie = cookie ? client : 0, .monotonic_ns = BEGAN + 1,
		.srtt_us = 9, .accepted = client >= accepted_from,
	};
}

static void look(struct connections *c, const struct connection *seen, size_t count, struct socket_delivery *sum)
{
	struct socket_delivery d;

	connections_begin_look(c);
	for (size_t i = 0; i < count; i++) {
		if (!connections_see(c, &seen[i], BEGAN, &d))
			continue;
		assert_true(d.packets > 0);
		sum->bytes += d.bytes;
		sum->packets += d.packets;
		sum->retransmits += d.retransmits;
		sum->requests += d.requests;
	}
	connections_end_look(c, true, BEGAN);
}

static bool end(struct connections *c, struct sockets_closed e, struct socket_delivery *sum)
{
	struct socket_delivery d;

	if (!connections_close(c, &e, &d))
		return false;
	sum->bytes += d.bytes;
	sum->packets += d.packets;
	sum->retransmits += d.retransmits;
	sum->requests += d.requests;
	return true;
}

static void check(const struct socket_delivery *d, uint64_t requests, uint64_t packets, uint64_t bytes, uint64_t retransmits)
{
	assert_int_equal(d->requests, requests);
	assert_int_equal(d->packets, packets);
	assert_int_equal(d->bytes, bytes);
	assert_int_equal(d->retransmits, retransmits);
}

/* Counters as they were at looks; the last ones at the end. */
static const struct {
	const char *why;
	struct sockets_counters at[4];
	unsigned looks;
	bool cookie;
	uint64_t packets, bytes, retransmits;
} lives[] = {
	{ "never seen alive", { { 1001, 1000, 0, 3, 0 } }, 0, false, 3, 1000, 0 },
	{ "aborted: some was in flight", { { 400, 1000, 100, 5, 1 } }, 0, false, 5, 900, 1 },
	{ "no FIN came back", { { 900, 1000, 100, 5, 1 } }, 0, false, 5, 900, 1 },
	{ "nothing sent", { { 1, 0, 0, 0, 0 } }, 0, false, 0, 0, 0 },
	{ "seen once", { { 500, 800, 0, 3, 0 }, { 1001, 1500, 500, 6, 2 } }, 1, true, 6, 1000, 2 },
	{ "seen twice with nothing new", { { 500, 800, 0, 3, 0 }, { 500, 800, 0, 3, 0 }, { 801, 800, 0, 3, 0 } }, 2, true,
	  3, 800, 0 },
	{ "acknowledged between looks", { { 0, 800, 0, 3, 0 }, { 800, 800, 0, 3, 0 }, { 801, 800, 0, 3, 0 } }, 2, true,
	  3, 800, 0 },
	{ "no memory to send again", { { 800, 800, 0, 3, 0 }, { 800, 800, 100, 4, 1 }, { 1001, 1100, 100, 6, 1 } }, 2, true,
	  6, 1000, 1 },
	{ "seen while its end was told", { { 500, 800, 0, 3, 0 }, { 801, 800, 0, 3, 0 } }, 1, false, 3, 800, 0 },
	{ "segments beyond 32 bits", { { 10, 10, 0, UINT32_MAX - 1, UINT32_MAX }, { 21, 20, 0, 3, 1 } }, 1, true,
	  (uint64_t)UINT32_MAX + 4, 20, (uint64_t)UINT32_MAX + 2 },
};

static void test_lives(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lives); i++) {
		struct connections *c = make(100);
		struct socket_delivery sum = { 0 };

		look(c, NULL, 0, &sum);
		for (unsigned k = 0; k < lives[i].looks; k++) {
			struct connection seen = alive(200, lives[i].at[k]);

			look(c, &seen, 1, &sum);
		}
		print_message("%s\n", lives[i].why);
		assert_true(end(c, closed(200, lives[i].at[lives[i].looks], lives[i].cookie), &sum));
		check(&sum, 1, lives[i].packets, lives[i].bytes, lives[i].retransmits);
		connections_free(&c);
	}
}

/* What it moved before we began is not told; that it is ours is told by its port. */
static void test_before_we_began(void **state)
{
	struct connection at_first[] = {
		alive(1, counters_of(500, 500, 0, 5, 0)),
		alive(2, counters_of(700, 700, 0, 7, 0)),
		{ .ends = ends_of(PORT, 0), .listens = true },
	};
	struct connection later = alive(1, counters_of(800, 800, 0, 8, 0));
	struct connections *c = make(100);
	struct socket_delivery sum = { 0 };
	struct sockets_stats stats;

	(void)state;
	at_first[1].ends.local_port = 40000; /* we called */
	look(c, at_first, COUNT(at_first), &sum);
	check(&sum, 0, 0, 0, 0);
	look(c, &later, 1, &sum);
	check(&sum, 0, 3, 300, 0);
	assert_true(end(c, closed(1, counters_of(901, 900, 0, 9, 0), true), &sum));
	check(&sum, 1, 4, 400, 0);
	at_first[1].counters.bytes_acked += 100;
	assert_false(end(c, (struct sockets_closed){ .ends = at_first[1].ends, .cookie = 2, .monotonic_ns = BEGAN + 1 }, &sum));
	connections_stats(c, &stats);
	assert_int_equal(stats.closed, 1);
	assert_int_equal(stats.unknown, 0);
	connections_free(&c);
}

static void add_service(struct connections *c)
{
	struct services s = { 0 };

	assert_int_equal(services_add(&s, "http", SERVICE_TCP, PORT, NULL), 0);
	connections_set_services(c, &s);
	services_free(&s);
}

/* It was there before, and went before we had looked: who knows what it had moved then? */
static void test_closed_as_we_began(void **state)
{
	struct connections *c = make(100);
	struct sockets_closed early = closed(1, counters_of(500, 500, 0, 5, 0), false);
	struct socket_delivery sum = { 0 };
	struct sockets_stats stats;

	(void)state;
	add_service(c);
	assert_false(end(c, early, &sum));
	look(c, NULL, 0, &sum);
	early.monotonic_ns = BEGAN - 1; /* was in the ring still */
	assert_false(end(c, early, &sum));
	assert_true(end(c, closed(3, counters_of(10, 9, 0, 1, 0), false), &sum)); /* a service's: told whole */
	check(&sum, 1, 1, 9, 0);
	connections_stats(c, &stats);
	assert_int_equal(stats.unknown, 2);
	connections_free(&c);
}

static void test_outgoing(void **state)
{
	struct connections *c = make(100);
	struct connection seen = alive(5, counters_of(500, 500, 0, 5, 0));
	struct socket_delivery sum = { 0 };

	(void)state;
	look(c, NULL, 0, &sum);
	look(c, &seen, 1, &sum);
	assert_false(end(c, closed(5, counters_of(900, 900, 0, 9, 0), true), &sum));
	assert_false(end(c, closed(6, counters_of(900, 900, 0, 9, 0), false), &sum));
	check(&sum, 0, 0, 0, 0);
	connections_free(&c);
}

/* The kernel may have missed that they were accepted: by the port. */
static void test_doubts(void **state)
{
	struct connections *c = make(100);
	struct connection seen[] = { { .ends = ends_of(PORT, 0), .listens = true }, alive(5, counters_of(500, 500, 0, 5, 0)) };
	struct socket_delivery sum = { 0 };

	(void)state;
	look(c, seen, 1, &sum);
	assert_false(end(c, closed(6, counters_of(901, 900, 0, 9, 0), false), &sum));
	connections_doubt(c);
	look(c, seen, 2, &sum);
	check(&sum, 0, 5, 500, 0);
	assert_true(end(c, closed(5, counters_of(901, 900, 0, 9, 0), true), &sum));
	assert_true(end(c, closed(6, counters_of(101, 100, 0, 1, 0), false), &sum));
	check(&sum, 2, 10, 1000, 0);
	connections_free(&c);
}

/* Seen alive, closed, then asked for: nobody knew that it was accepted. */
static void test_seen_at_its_end(void **state)
{
	for (int began = 0; began < 2; began++) {
		struct connections *c = make(100);
		struct connection seen = alive(5, counters_of(500, 500, 0, 5, 0));
		struct sockets_closed e = closed(5, counters_of(901, 900, 0, 9, 0), true);
		struct socket_delivery sum = { 0 };

		(void)state;
		if (began)
			look(c, NULL, 0, &sum);
		look(c, &seen, 1, &sum);
		check(&sum, 0, 0, 0, 0);
		e.accepted = 1;
		assert_true(end(c, e, &sum));
		check(&sum, 1, 9, 900, 0);
		connections_free(&c);
	}
}

/* The end of the first got lost: the second with the same ends is told whole. */
static void test_same_ends_again(void **state)
{
	struct connections *c = make(100);
	struct connection first = alive(200, counters_of(500, 500, 0, 5, 0)), second = alive(200, counters_of(10, 10, 0, 1, 0));
	struct sockets_closed e = closed(200, counters_of(21, 20, 0, 2, 0), true);
	struct socket_delivery sum = { 0 };
	struct sockets_stats stats;

	(void)state;
	second.cookie = e.cookie = 777;
	look(c, NULL, 0, &sum);
	look(c, &first, 1, &sum);
	look(c, &second, 1, &sum);
	check(&sum, 0, 6, 510, 0);
	assert_true(end(c, e, &sum));
	check(&sum, 1, 7, 520, 0);
	look(c, &first, 1, &sum);
	assert_true(end(c, closed(200, counters_of(21, 20, 0, 2, 0), false), &sum)); /* nobody had seen that one */
	check(&sum, 2, 14, 1040, 0);
	connections_stats(c, &stats);
	assert_int_equal(stats.lost, 2);
	connections_free(&c);
}

static void test_missed_ends(void **state)
{
	enum { MANY = 3000 };
	struct connection *seen = calloc(MANY, sizeof *seen);
	struct connections *c = make(MANY);
	struct socket_delivery sum = { 0 };
	struct sockets_stats stats;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		seen[i] = alive(200 + i, counters_of(10, 10, 0, 1, 0));
	look(c, NULL, 0, &sum);
	for (unsigned i = 0; i < 10; i++) /* half of them go, and nobody says so */
		look(c, seen, i ? MANY / 2 : MANY, &sum);
	connections_stats(c, &stats);
	assert_int_equal(stats.lost, MANY / 2);
	assert_int_equal(stats.living, MANY / 2);
	check(&sum, 0, MANY, 10 * MANY, 0);
	for (unsigned i = 0; i < MANY / 2; i++)
		assert_true(end(c, closed(200 + i, counters_of(31, 30, 0, 3, 0), true), &sum));
	check(&sum, MANY / 2, 2 * MANY, 20 * MANY, 0);
	connections_free(&c);
	free(seen);
}

/* No room: told whole at the end, but not what was there before. */
static void test_full(void **state)
{
	struct connection before[] = { alive(1, counters_of(5, 5, 0, 5, 0)), alive(2, counters_of(5, 5, 0, 5, 0)),
				       alive(3, counters_of(5, 5, 0, 5, 0)) };
	struct connection after[] = { before[0], before[1], before[2], alive(200, counters_of(70, 70, 0, 7, 0)) };
	struct connections *c = make(2);
	struct socket_delivery sum = { 0 };
	struct sockets_stats stats;

	(void)state;
	add_service(c);
	look(c, before, COUNT(before), &sum);
	look(c, after, COUNT(after), &sum);
	check(&sum, 0, 0, 0, 0);
	assert_true(end(c, closed(200, counters_of(91, 90, 0, 9, 0), true), &sum));
	check(&sum, 1, 9, 90, 0);
	assert_false(end(c, closed(3, counters_of(91, 90, 0, 9, 0), true), &sum));
	assert_true(end(c, closed(1, counters_of(7, 6, 0, 6, 0), true), &sum));
	check(&sum, 2, 10, 91, 0);
	connections_stats(c, &stats);
	assert_int_equal(stats.crowded, 3);
	assert_int_equal(stats.unknown, 1);
	connections_free(&c);
}

/* A look that failed leaves all as it was. */
static void test_failed_look(void **state)
{
	struct connections *c = make(100);
	struct connection seen = alive(200, counters_of(10, 10, 0, 1, 0));
	struct socket_delivery sum = { 0 };
	struct sockets_stats stats;

	(void)state;
	look(c, NULL, 0, &sum);
	look(c, &seen, 1, &sum);
	for (unsigned i = 0; i < 10; i++) {
		connections_begin_look(c);
		connections_end_look(c, false, BEGAN);
	}
	look(c, NULL, 0, &sum);
	assert_true(end(c, closed(200, counters_of(31, 30, 0, 3, 0), true), &sum));
	check(&sum, 1, 3, 30, 0);
	connections_stats(c, &stats);
	assert_int_equal(stats.looks_failed, 10);
	assert_int_equal(stats.lost, 0);
	connections_free(&c);
}

static void test_addresses(void **state)
{
	struct connections *c = make(100);
	struct sockets_closed e = closed(200, counters_of(2, 1, 0, 1, 0), false);
	struct socket_delivery d;
	char text[ADDR_TEXT_MAX];

	(void)state;
	connections_begin_look(c);
	connections_end_look(c, true, BEGAN);
	assert_true(connections_close(c, &e, &d));
	addr_format(&d.client, text);
	assert_string_equal(text, "2001:db8::7");
	addr_format(&d.server, text);
	assert_string_equal(text, "192.0.2.1");
	assert_int_equal(d.port, PORT);
	assert_int_equal(d.srtt_us, 9);
	connections_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives),
		cmocka_unit_test(test_before_we_began),
		cmocka_unit_test(test_closed_as_we_began),
		cmocka_unit_test(test_outgoing),
		cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_seen_at_its_end),
		cmocka_unit_test(test_same_ends_again),
		cmocka_unit_test(test_missed_ends),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_failed_look),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
