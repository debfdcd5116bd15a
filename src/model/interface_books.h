/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interface_books.h -- per observation point: what the kernel counted, and what became of it.
 *
 * All counters run since `since_utc_s`, when the daemon took up the interface (again), and start
 * at 0. kernel_* are the interface's own counters (IFLA_STATS64) less what they were at that
 * time. A super-packet (GSO, GRO) is one frame and several packets; some drivers count frames,
 * some wire packets, and some (veth with XDP at one end) the one for rx and the other for tx. So
 * both are kept, and the audit takes for each direction the basis on which the interface counts. */
#ifndef NETTALLY_MODEL_INTERFACE_BOOKS_H
#define NETTALLY_MODEL_INTERFACE_BOOKS_H

#include <stdbool.h>
#include <stdint.h>

#define INTERFACE_NAME_MAX 16 /* IFNAMSIZ */

struct interface_books {
	char name[INTERFACE_NAME_MAX];
	uint32_t interface;        /* id in struct strings */
	uint32_t ifindex;
	int64_t since_utc_s;
	bool up;                   /* present and counted now */
	char capture[16];          /* "socket", "kernel", "xdp" */
	char capture_why[160];     /* for people: the hooks, and why it is this one: "auto: tcx, pinned" */
	uint64_t booked_frames, booked_frame_bytes; /* as handed over by the kernel */
	uint64_t booked_packets, booked_l2_bytes;   /* on the wire: segments */
	uint64_t ingress_packets, egress_packets;   /* of booked_packets */
	uint64_t ingress_frames, egress_frames;     /* of booked_frames */
	uint64_t ingress_frame_bytes, egress_frame_bytes; /* of booked_frame_bytes */
	uint64_t ingress_l2_bytes, egress_l2_bytes; /* of booked_l2_bytes */
	uint64_t overflowed;       /* bookings in the kernel that found no room and are under `other`; a part of booked */
	uint64_t lost_packets;     /* dropped in the ring before we saw them */
	uint64_t filtered_packets; /* left out by a filter */
	uint64_t filtered_more_packets; /* of these, the segments of super-packets beyond the first */
	uint64_t malformed_packets; /* booked under `-` as far as needed; a part of booked_packets */
	uint64_t kernel_rx_packets, kernel_rx_bytes, kernel_tx_packets, kernel_tx_bytes;
	uint64_t kernel_rx_dropped, kernel_tx_dropped;
	uint64_t in_flight_packets; /* what the interface counted since the tick before: may still be on its way */
};

/* What the interface counted against what became of it. */
struct interface_balance {
	/* Kernel's frames (or packets) less all that is accounted for; 0 = the books close. Positive:
	 * packets that nobody accounts for; negative: more booked than the interface counted. Where one
	 * direction misses what the other has too much, the larger of both. */
	int64_t unaccounted;
	bool by_direction;              /* compared rx with ingress and tx with egress; else only the sums are known */
	bool rx_in_packets, tx_in_packets; /* the interface counts wire packets there, not frames */
	uint64_t booked;                /* on that basis, both directions */
	uint64_t filtered;              /* the same; whichever way it went */
	uint64_t on_their_way;          /* not missed yet: see in_flight_packets */
	uint64_t dropped_behind;        /* booked, then dropped by the driver or still in its queue */
};

/* The interface's counters and the books cannot be read at one instant: while traffic flows, what
 * was counted since the tick before is not missed yet, and as much may wait in the device's queue
 * behind the place where egress is counted. */
void interface_balance(const struct interface_books *b, struct interface_balance *ret);
int64_t interface_unaccounted(const struct interface_books *b);

#endif
