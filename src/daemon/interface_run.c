/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/interface_run.h"

void interface_run_add(struct interface_books *b, const struct tables *t)
{
	b->booked_frames += t->frames;
	b->booked_frame_bytes += t->frame_bytes;
	b->booked_packets += t->packets;
	b->booked_l2_bytes += t->l2_bytes;
	b->ingress_frames += t->ingress_frames;
	b->egress_frames += t->egress_frames;
	b->ingress_packets += t->ingress_packets;
	b->egress_packets += t->egress_packets;
	b->ingress_frame_bytes += t->ingress_frame_bytes;
	b->egress_frame_bytes += t->frame_bytes - t->ingress_frame_bytes;
	b->ingress_l2_bytes += t->ingress_l2_bytes;
	b->egress_l2_bytes += t->l2_bytes - t->ingress_l2_bytes;
	b->lost_packets += t->lost;
	b->filtered_packets += t->filtered;
	b->filtered_more_packets += t->filtered_more;
	b->malformed_packets += t->malformed;
	b->overflowed += t->overflowed;
}

uint64_t interface_run_packets(const struct interface_stats *now, const struct interface_stats *base, bool ingress_only)
{
	return now->rx_packets - base->rx_packets + (ingress_only ? 0 : now->tx_packets - base->tx_packets);
}

void interface_run_set_kernel(struct interface_books *b, const struct interface_stats *now,
			      const struct interface_stats *base, bool ingress_only)
{
	b->kernel_rx_packets = now->rx_packets - base->rx_packets;
	b->kernel_rx_bytes = now->rx_bytes - base->rx_bytes;
	b->kernel_tx_packets = ingress_only ? 0 : now->tx_packets - base->tx_packets;
	b->kernel_tx_bytes = ingress_only ? 0 : now->tx_bytes - base->tx_bytes;
	b->kernel_rx_dropped = now->rx_dropped - base->rx_dropped;
	b->kernel_tx_dropped = ingress_only ? 0 : now->tx_dropped - base->tx_dropped;
}
