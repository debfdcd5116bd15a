/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/interface_books.h"

static int64_t positive(int64_t n)
{
	return n > 0 ? n : 0;
}

static int64_t magnitude(int64_t n)
{
	return n < 0 ? -n : n;
}

static int64_t at_most(int64_t n, int64_t most)
{
	return n < most ? n : most;
}

/* What the interface counted less what was booked. */
struct difference {
	int64_t rx, tx;
};

/* Lost and filtered packets may be of either direction, so may those on their way; the driver drops
 * behind us only what is sent. */
static void weigh(const struct interface_books *b, const struct difference *d, struct interface_balance *ret)
{
	int64_t gone = (int64_t)(b->lost_packets + ret->filtered), late = (int64_t)b->in_flight_packets;
	int64_t behind = (int64_t)b->kernel_tx_dropped + (ret->by_direction ? late : 0);
	int64_t not_booked = positive(d->rx) + positive(d->tx);
	int64_t missing = not_booked - gone - late;
	int64_t extra = positive(-d->rx) + positive(-d->tx - behind) +
			positive(gone - positive(d->rx) - positive(d->tx + behind));
	int64_t needed = positive(gone - positive(d->rx) - d->tx);

	ret->unaccounted = missing > 0 && missing >= extra ? missing : extra > 0 ? -extra : 0;
	ret->on_their_way = (uint64_t)at_most(positive(not_booked - gone), late);
	if (needed < -d->tx)
		needed = -d->tx;
	ret->dropped_behind = (uint64_t)at_most(needed, behind);
}

static bool directions_are_known(const struct interface_books *b)
{
	return b->ingress_frames + b->egress_frames == b->booked_frames &&
	       b->ingress_packets + b->egress_packets == b->booked_packets;
}

/* A way in which the interface may count. */
struct basis {
	bool rx_in_packets, tx_in_packets, filtered_in_packets;
};

static uint64_t filtered_on(const struct interface_books *b, const struct basis *k)
{
	return b->filtered_packets - (k->filtered_in_packets ? 0 : b->filtered_more_packets);
}

/* Returns how far apart counters and books are, for the choice. */
static int64_t balance_on(const struct interface_books *b, const struct basis *k, struct interface_balance *ret)
{
	const bool rx_in_packets = k->rx_in_packets, tx_in_packets = k->tx_in_packets;
	uint64_t rx = rx_in_packets ? b->ingress_packets : b->ingress_frames;
	uint64_t tx = tx_in_packets ? b->egress_packets : b->egress_frames;
	struct difference d = { (int64_t)(b->kernel_rx_packets - rx), (int64_t)(b->kernel_tx_packets - tx) };

	*ret = (struct interface_balance){ .by_direction = true, .rx_in_packets = rx_in_packets,
					   .tx_in_packets = tx_in_packets, .booked = rx + tx,
					   .filtered = filtered_on(b, k) };
	weigh(b, &d, ret);
	return magnitude(d.rx) + magnitude(d.tx);
}

static int64_t balance_of_sums(const struct interface_books *b, const struct basis *k, struct interface_balance *ret)
{
	const bool in_packets = k->rx_in_packets;
	uint64_t booked = in_packets ? b->booked_packets : b->booked_frames;
	struct difference d = { 0, (int64_t)(b->kernel_rx_packets + b->kernel_tx_packets - booked) };

	*ret = (struct interface_balance){ .rx_in_packets = in_packets, .tx_in_packets = in_packets, .booked = booked,
					   .filtered = filtered_on(b, k) };
	weigh(b, &d, ret);
	return magnitude(d.tx);
}

/* An interface's counters either count super-packets once (veth, virtio: as the stack handed them
 * over) or as the packets that go over the wire (cards that segment and merge in hardware). What is
 * left on the basis that fits best is what nobody accounts for. */
void interface_balance(const struct interface_books *b, struct interface_balance *ret)
{
	/* What was filtered may be of one direction, that counts otherwise than the other. */
	static const struct basis bases[] = {
		{ false, false, false }, { true, true, true }, { true, false, false }, { true, false, true },
		{ false, true, false }, { false, true, true },
	};
	bool known = directions_are_known(b);
	int64_t best_distance = 0;

	*ret = (struct interface_balance){ 0 };
	for (unsigned i = 0; i < (known ? sizeof bases / sizeof *bases : 2u); i++) {
		struct interface_balance try;
		int64_t distance = known ? balance_on(b, &bases[i], &try) : balance_of_sums(b, &bases[i], &try);
		int64_t left = magnitude(try.unaccounted), best = magnitude(ret->unaccounted);

		if (i == 0 || left < best || (left == best && distance < best_distance)) {
			*ret = try;
			best_distance = distance;
		}
	}
}

int64_t interface_unaccounted(const struct interface_books *b)
{
	struct interface_balance balance;

	interface_balance(b, &balance);
	return balance.unaccounted;
}
