/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/audit_bytes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEADER 14
#define FCS 4
#define VLAN_TAG 4
#define LEAST_PACKET 14    /* a header and nothing behind it */
#define MOST_PACKET 524358 /* a super-packet: GSO_MAX_SIZE with BIG TCP, and its link header */

/* One direction, on the basis on which the interface counts its packets. */
struct side {
	bool is_rx, is_xdp;
	int64_t packets;    /* as the interface counted */
	int64_t not_booked; /* of those; negative: booked and not counted */
	int64_t difference; /* of bytes */
	int64_t mean_bytes; /* of a packet that was booked */
};

static void __attribute__((format(printf, 3, 4)))
explain(struct byte_balance *r, int64_t bytes, const char *fmt, ...)
{
	struct byte_reason *reason = &r->reasons[r->reason_count++];
	va_list ap;

	reason->bytes = bytes;
	r->unexplained -= bytes;
	va_start(ap, fmt);
	vsnprintf(reason->what, sizeof reason->what, fmt, ap);
	va_end(ap);
}

/* Can `bytes` be those of so many packets that only one of both has? */
static bool may_be_packets(int64_t bytes, int64_t packets)
{
	if (packets < 0)
		return may_be_packets(-bytes, -packets);
	return bytes >= packets * LEAST_PACKET && bytes <= packets * MOST_PACKET;
}

static void explain_packets(struct byte_balance *r, const struct side *s, int64_t bytes)
{
	if (s->not_booked > 0)
		explain(r, bytes, "%" PRId64 " packets that were not booked (lost, filtered or on their way)", s->not_booked);
	else if (s->not_booked < 0)
		explain(r, bytes, "%" PRId64 " packets that did not get past the driver", -s->not_booked);
}

/* veth, when its receiving end has XDP, counts the frame behind its Ethernet header, on both ends
 * (drivers/net/veth.c, veth_xdp_rcv and veth_get_stats64). */
static void explain_header(struct byte_balance *r, const struct side *s)
{
	int64_t packets = s->packets;

	if (s->is_rx && s->is_xdp)
		explain(r, -packets * HEADER, "it leaves out the 14-byte header of %" PRId64 " packets under XDP", packets);
	else
		explain(r, -packets * HEADER, "it leaves out the 14-byte header of %" PRId64 " packets, as a veth does under XDP",
			packets);
}

static int64_t magnitude(int64_t n)
{
	return n < 0 ? -n : n;
}

/* What drivers add to every packet or leave out: the one that fits, and where packets are not booked the
 * one that makes those most like the others. */
static bool find_per_packet(const struct side *s, int64_t *ret)
{
	static const int64_t per_packet[] = { 0, -HEADER, FCS };
	int64_t best = INT64_MAX;

	for (size_t i = 0; i < sizeof per_packet / sizeof *per_packet; i++) {
		int64_t rest = s->difference - per_packet[i] * s->packets;
		int64_t unlike = magnitude(rest - s->not_booked * s->mean_bytes);

		if (may_be_packets(rest, s->not_booked) && unlike < best) {
			best = unlike;
			*ret = per_packet[i];
		}
	}
	return best < INT64_MAX;
}

static bool explain_by_packet(struct byte_balance *r, const struct side *s)
{
	int64_t per_packet;

	if (!find_per_packet(s, &per_packet))
		return false;
	if (per_packet == -HEADER)
		explain_header(r, s);
	if (per_packet == FCS)
		explain(r, s->packets * FCS, "it counts the 4-byte checksum of %" PRId64 " packets, too", s->packets);
	explain_packets(r, s, s->difference - per_packet * s->packets);
	return true;
}

/* What was tagged cannot be known any more: no more than that it would fit. */
static void explain_tags(struct byte_balance *r, const struct side *s)
{
	int64_t tags = s->difference / VLAN_TAG, count = magnitude(tags);

	if (s->difference % VLAN_TAG != 0 || count > s->packets || s->not_booked != 0)
		return;
	if (tags > 0)
		explain(r, s->difference, "perhaps VLAN tags that the hardware takes off: 4 bytes of %" PRId64 " packets", count);
	else
		explain(r, s->difference, "perhaps VLAN tags that the hardware puts in: 4 bytes of %" PRId64 " packets", count);
}

static bool bytes_are_known(const struct interface_books *b)
{
	return b->ingress_frame_bytes + b->egress_frame_bytes == b->booked_frame_bytes &&
	       b->ingress_l2_bytes + b->egress_l2_bytes == b->booked_l2_bytes;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

void audit_bytes(const struct interface_books *b, enum byte_side side, struct byte_balance *ret)
{
	bool is_rx = side == BYTES_RX;
	uint64_t frames = is_rx ? b->ingress_frames : b->egress_frames, packets = is_rx ? b->ingress_packets : b->egress_packets;
	uint64_t frame_bytes = is_rx ? b->ingress_frame_bytes : b->egress_frame_bytes;
	uint64_t l2_bytes = is_rx ? b->ingress_l2_bytes : b->egress_l2_bytes;
	uint64_t kernel = is_rx ? b->kernel_rx_bytes : b->kernel_tx_bytes;
	struct side s = { .is_rx = is_rx, .is_xdp = strcmp(b->capture, "xdp") == 0,
			  .packets = (int64_t)(is_rx ? b->kernel_rx_packets : b->kernel_tx_packets) };
	struct interface_balance balance;
	int64_t booked;
	bool on_wire;

	*ret = (struct byte_balance){ 0 };
	interface_balance(b, &balance);
	if (!balance.by_direction || !bytes_are_known(b))
		return;
	on_wire = is_rx ? balance.rx_in_packets : balance.tx_in_packets;
	booked = (int64_t)(on_wire ? packets : frames);
	s.not_booked = s.packets - booked;
	/* Without super-packets the two differ by VLAN tags beside the frame, at the most: whichever is meant. */
	if (frames == packets)
		on_wire = apart(kernel, l2_bytes) < apart(kernel, frame_bytes);
	ret->is_known = true;
	ret->booked = on_wire ? l2_bytes : frame_bytes;
	s.mean_bytes = booked ? (int64_t)ret->booked / booked : 0;
	ret->difference = ret->unexplained = s.difference = (int64_t)(kernel - ret->booked);
	if (!explain_by_packet(ret, &s))
		explain_tags(ret, &s);
}
