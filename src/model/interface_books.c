/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/interface_books.h"

/* The interface's counters either count super-packets once (veth, virtio: as the stack handed them over) or as
 * the packets that go over the wire (cards that segment and merge in hardware). What was left on the
 * basis that fits better is what nobody accounts for. */
int64_t interface_unaccounted(const struct interface_books *b)
{
	int64_t kernel = (int64_t)(b->kernel_rx_packets + b->kernel_tx_packets);
	int64_t not_booked = (int64_t)(b->lost_packets + b->filtered_packets);
	int64_t by_frames = kernel - not_booked - (int64_t)b->booked_frames;
	int64_t by_packets = kernel - not_booked - (int64_t)b->booked_packets;

	return (by_frames < 0 ? -by_frames : by_frames) <= (by_packets < 0 ? -by_packets : by_packets) ?
		       by_frames : by_packets;
}
