/* SPDX-License-Identifier: GPL-2.0-or-later */
/* afpacket.h -- frames from a live interface through a TPACKET_V3 ring (packet(7)).
 *
 * One ring belongs to one thread. Several rings of one interface share a fanout group
 * (PACKET_FANOUT_HASH with ROLLOVER off), so that each frame comes once. Frames carry
 * PACKET_VNET_HDR's gso_size, the VLAN tag that the kernel took off (tp_vlan_tci,
 * TP_STATUS_VLAN_VALID, tp_vlan_tpid) and the direction (sll_pkttype PACKET_OUTGOING = egress).
 * Own transmissions come once: on the loopback device, where the kernel shows each frame going
 * out and coming in, the outgoing one is left out by the kernel and is not in the statistics
 * either. Errors name the missing capability (CAP_NET_RAW) and the interface.
 *
 * An interface that goes down and comes up again goes on in the same ring. One that was removed
 * never comes back in it: close, and open a new ring on its successor (netlink_events_open()
 * tells when there is one). */
#ifndef NETTALLY_CAPTURE_AFPACKET_H
#define NETTALLY_CAPTURE_AFPACKET_H

#include "base/err.h"
#include "model/frame.h"

#include <stdbool.h>
#include <stddef.h>

struct afpacket_config {
	const char *interface;     /* its name */
	uint32_t ifindex;
	uint32_t interface_id;     /* goes into the frames */
	bool promiscuous;
	bool loopback;             /* IFF_LOOPBACK */
	uint32_t ring_bytes;       /* 0 = 32 MiB; rounded up to whole blocks, at least 1 MiB */
	/* What is copied of each frame, at most half a block (32 KiB in the smallest ring); 0 = 1024. */
	uint32_t snap_len;
	uint16_t fanout_group;     /* 0 = none */
};

struct afpacket;

struct afpacket_stats {
	uint64_t seen;     /* frames that came (read by us, or still in the ring) or were dropped */
	uint64_t dropped;  /* of these, dropped because the ring was full */
};

/* Whether packet sockets can be opened at all, by this process in this network namespace: 0,
 * -EPERM (needs CAP_NET_RAW), -EAFNOSUPPORT (the kernel has none). */
int afpacket_usable(void);

/* An interface that is down is no error: the first afpacket_next() says -ENETDOWN.
 * -EPERM: the sentence says what is missing. -ENODEV: no such interface. -ENOMEM: no room for the
 * ring. -ENETDOWN: a fanout group takes no interface that is down (before Linux 6.14). */
int afpacket_open(struct afpacket **ret, const struct afpacket_config *cf, struct err *e);

/* Up to FRAME_BATCH frames, valid until the next call. Waits at most `timeout_ms`; 0 = nothing
 * came.
 * -ENETDOWN: the interface went down; said once each time, go on calling, frames come again when
 * it is up. What the ring holds is given first.
 * -ENODEV: the interface was removed; said on every call from then on, close the ring. Noticed
 * within `timeout_ms`. */
int afpacket_next(struct afpacket *a, struct frame frames[static FRAME_BATCH], int timeout_ms, struct err *e);

/* What came and was dropped since the last call (PACKET_STATISTICS resets). Any thread may call. */
int afpacket_stats(struct afpacket *a, struct afpacket_stats *ret, struct err *e);

/* enum linktype of frames from a device of this ARPHRD_, 0xffff = unknown to us. */
uint16_t afpacket_linktype_of(uint16_t arphrd);
uint16_t afpacket_linktype(const struct afpacket *a); /* enum linktype, from ARPHRD_; 0xffff = unknown to us */
void afpacket_close(struct afpacket **a);

#endif
