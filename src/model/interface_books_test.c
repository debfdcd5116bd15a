/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interface_books_test.c -- when do the books of an interface close? */
#include "model/interface_books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void unaccounted(void **state)
{
	static const struct { const char *why; struct interface_books b; int64_t want; } rows[] = {
		{ "nothing yet", { .up = true }, 0 },
		{ "all booked", { .booked_frames = 100, .booked_packets = 100, .kernel_rx_packets = 60,
		  .kernel_tx_packets = 40 }, 0 },
		{ "lost and filtered are accounted for",
		  { .booked_frames = 70, .booked_packets = 70, .lost_packets = 20, .filtered_packets = 10,
		  .kernel_rx_packets = 100 }, 0 },
		{ "malformed is a part of booked",
		  { .booked_frames = 100, .booked_packets = 100, .malformed_packets = 30, .kernel_rx_packets = 100 }, 0 },
		{ "nobody accounts for 5", { .booked_frames = 95, .booked_packets = 95, .kernel_rx_packets = 100 }, 5 },
		{ "5 too many", { .booked_frames = 105, .booked_packets = 105, .kernel_rx_packets = 100 }, -5 },
		{ "still on their way", { .booked_frames = 95, .booked_packets = 95, .kernel_rx_packets = 100,
		  .in_flight_packets = 5 }, 0 },
		{ "more missing than is on its way",
		  { .booked_frames = 90, .booked_packets = 90, .kernel_rx_packets = 100, .in_flight_packets = 4 }, 6 },
		{ "what is on its way does not excuse too many",
		  { .booked_frames = 102, .booked_packets = 102, .kernel_rx_packets = 100, .in_flight_packets = 50 }, -2 },
		{ "dropped by the driver behind us",
		  { .booked_frames = 110, .booked_packets = 110, .kernel_tx_packets = 100, .kernel_tx_dropped = 10 }, 0 },
		{ "more than the driver dropped",
		  { .booked_frames = 115, .booked_packets = 115, .kernel_tx_packets = 100, .kernel_tx_dropped = 10 }, -5 },
		{ "counts super-packets as frames", { .booked_frames = 100, .booked_packets = 4000,
		  .kernel_tx_packets = 100 }, 0 },
		{ "counts segments", { .booked_frames = 100, .booked_packets = 4000, .kernel_tx_packets = 4000 }, 0 },
		{ "super-packets left out, counted as frames", { .booked_frames = 10, .booked_packets = 400, .ingress_frames = 10,
		  .ingress_packets = 400, .filtered_packets = 900, .filtered_more_packets = 870, .kernel_rx_packets = 30,
		  .kernel_tx_packets = 10 }, 0 },
		{ "super-packets left out, counted as segments", { .booked_frames = 10, .booked_packets = 400,
		  .filtered_packets = 900, .filtered_more_packets = 870, .kernel_tx_packets = 1300 }, 0 },
		{ "frames, one missing", { .booked_frames = 100, .booked_packets = 4000, .kernel_tx_packets = 101 }, 1 },
		{ "segments, one too many", { .booked_frames = 100, .booked_packets = 4000, .kernel_tx_packets = 3999 }, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].why);
		assert_int_equal(interface_unaccounted(&rows[i].b), rows[i].want);
	}
}

/* Where ingress and egress are known, each is held against its own counter. */
static void by_direction(void **state)
{
	static const struct {
		const char *why;
		uint64_t rx_frames, rx_packets, tx_frames, tx_packets; /* booked */
		uint64_t kernel_rx, kernel_tx, dropped, in_flight, lost, filtered;
		int64_t want;
	} rows[] = {
		{ "plain", 60, 60, 40, 40, 60, 40, 0, 0, 0, 0, 0 },
		{ "both in frames", 60, 600, 40, 400, 60, 40, 0, 0, 0, 0, 0 },
		{ "both in packets", 60, 600, 40, 400, 600, 400, 0, 0, 0, 0, 0 },
		{ "XDP at this end of a veth: rx in packets, tx in super-packets", 60, 60, 40, 400, 60, 40, 0, 0, 0, 0, 0 },
		{ "and merged by GRO behind the counter", 60, 600, 40, 400, 600, 40, 0, 0, 0, 0, 0 },
		{ "XDP at the other end: tx in packets", 60, 600, 40, 400, 60, 400, 0, 0, 0, 0, 0 },
		{ "mixed, one missing", 60, 600, 40, 400, 601, 40, 0, 0, 0, 0, 1 },
		{ "mixed, one too many", 60, 600, 40, 400, 600, 39, 0, 0, 0, 0, -1 },
		{ "a missing one is no excuse for one too many", 59, 59, 41, 41, 60, 40, 0, 0, 0, 0, 1 },
		{ "the larger of both", 59, 59, 43, 43, 60, 40, 0, 0, 0, 0, -3 },
		{ "lost and filtered in one direction", 50, 50, 40, 40, 60, 40, 0, 0, 7, 3, 0 },
		{ "lost and filtered in both", 55, 55, 35, 35, 60, 40, 0, 0, 7, 3, 0 },
		{ "more lost than there were", 60, 60, 40, 40, 60, 40, 0, 0, 5, 0, -5 },
		{ "less lost than are missing", 50, 50, 40, 40, 60, 40, 0, 0, 4, 0, 6 },
		{ "on their way", 55, 55, 38, 38, 60, 40, 0, 7, 0, 0, 0 },
		{ "more than are on their way", 55, 55, 38, 38, 60, 40, 0, 6, 0, 0, 1 },
		{ "dropped by the driver", 60, 60, 45, 45, 60, 40, 5, 0, 0, 0, 0 },
		{ "more than it dropped", 60, 60, 47, 47, 60, 40, 5, 0, 0, 0, -2 },
		{ "drops of what was sent excuse nothing received", 62, 62, 40, 40, 60, 40, 5, 0, 0, 0, -2 },
		{ "in the device's queue still", 60, 60, 45, 45, 60, 40, 0, 5, 0, 0, 0 },
		{ "received ones do not queue", 65, 65, 40, 40, 60, 40, 0, 5, 0, 0, -5 },
		{ "lost, on their way and dropped at once", 50, 50, 44, 44, 60, 40, 4, 3, 7, 0, 0 },
		{ "the loopback device: ingress alone", 60, 600, 0, 0, 60, 0, 0, 0, 0, 0, 0 },
		{ "a counter that was set back", 60, 60, 40, 40, 10, 40, 0, 0, 0, 0, -50 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct interface_books b = {
			.booked_frames = rows[i].rx_frames + rows[i].tx_frames,
			.booked_packets = rows[i].rx_packets + rows[i].tx_packets, .ingress_frames = rows[i].rx_frames,
			.ingress_packets = rows[i].rx_packets, .egress_frames = rows[i].tx_frames,
			.egress_packets = rows[i].tx_packets, .kernel_rx_packets = rows[i].kernel_rx,
			.kernel_tx_packets = rows[i].kernel_tx, .kernel_tx_dropped = rows[i].dropped,
			.in_flight_packets = rows[i].in_flight, .lost_packets = rows[i].lost,
			.filtered_packets = rows[i].filtered,
		};

		print_message("%s\n", rows[i].why);
		assert_int_equal(interface_unaccounted(&b), rows[i].want);
	}
}

static void balance_says_why(void **state)
{
	struct interface_books b = {
		.booked_frames = 100, .booked_packets = 1000, .ingress_frames = 60, .ingress_packets = 600, .egress_frames = 40,
		.egress_packets = 400, .kernel_rx_packets = 603, .kernel_tx_packets = 38, .in_flight_packets = 10,
		.kernel_tx_dropped = 2,
	};
	struct interface_balance x;

	(void)state;
	interface_balance(&b, &x);
	assert_int_equal(x.unaccounted, 0);
	assert_true(x.by_direction && x.rx_in_packets && !x.tx_in_packets);
	assert_int_equal(x.booked, 640);
	assert_int_equal(x.on_their_way, 3);
	assert_int_equal(x.dropped_behind, 2);
	b.ingress_frames = 0; /* a ledger of before */
	b.kernel_tx_packets = 37;
	b.kernel_rx_packets = 60;
	interface_balance(&b, &x);
	assert_false(x.by_direction);
	assert_int_equal(x.unaccounted, -1);
	assert_int_equal(x.booked, 100);
	assert_int_equal(x.dropped_behind, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unaccounted),
		cmocka_unit_test(by_direction),
		cmocka_unit_test(balance_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
