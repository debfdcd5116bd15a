/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode.h -- bytes of a frame to a struct packet, in one look.
 *
 * The outermost IP header is found behind Ethernet, 802.1Q and QinQ tags (0x8100, 0x88a8,
 * 0x9100, any number), 802.3 SNAP, MPLS, PPPoE, Linux cooked (SLL, SLL2), raw IP, NULL/LOOP,
 * PPP. A header counts where its fixed part was captured and its version agrees with the layer
 * below. Later fragments have no ports. IPv6 extension headers are walked to the final protocol.
 * Every frame gives a packet: what was not found is unknown (0), never an error, so that sums
 * stay whole; a header cut short or at odds with itself sets `malformed`. Never reads past
 * cap_len. Thread: any; no state. */
#ifndef NETTALLY_DECODE_DECODE_H
#define NETTALLY_DECODE_DECODE_H

#include "model/frame.h"
#include "model/packet.h"

void decode_frame(const struct frame *f, struct packet *ret);

/* The same without the short way for what is plain: for the test that compares the two. */
void decode_frame_generally(const struct frame *f, struct packet *ret);

/* A whole batch; `ret` has room for `count`. */
void decode_batch(const struct frame *f, unsigned count, struct packet *ret);

#endif
