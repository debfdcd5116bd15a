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
		{ "frames, one missing", { .booked_frames = 100, .booked_packets = 4000, .kernel_tx_packets = 101 }, 1 },
		{ "segments, one too many", { .booked_frames = 100, .booked_packets = 4000, .kernel_tx_packets = 3999 }, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].why);
		assert_int_equal(interface_unaccounted(&rows[i].b), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unaccounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
