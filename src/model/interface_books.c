/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/interface_books.h"

/* How far `accounted` lies outside of what the interface may have counted. */
static int64_t distance(int64_t accounted, int64_t least, int64_t most)
{
	if (accounted > most)
		return most - accounted;
	return accounted < least ? least - accounted : 0;
}

static int64_t magnitude(int64_t n)
{
	return n < 0 ? -n : n;
}

/* The interface's counters either count super-packets once (veth, virtio: as the stack handed them
 * over) or as the packets that go over the wire (cards that segment and merge in hardware). What is
 * left on the basis that fits better is what nobody accounts for. */
int64_t interface_unaccounted(const struct interface_books *b)
{
	int64_t kernel = (int64_t)(b->kernel_rx_packets + b->kernel_tx_packets);
	int64_t least = kernel - (int64_t)b->in_flight_packets;
	int64_t most = kernel + (int64_t)b->kernel_tx_dropped; /* dropped by the driver, behind us */
	int64_t not_booked = (int64_t)(b->lost_packets + b->filtered_packets);
	int64_t by_frames = distance(not_booked + (int64_t)b->booked_frames, least, most);
	int64_t by_packets = distance(not_booked + (int64_t)b->booked_packets, least, most);

	return magnitude(by_frames) <= magnitude(by_packets) ? by_frames : by_packets;
}
