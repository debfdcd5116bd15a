/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.h -- IPv4 and IPv6 headers and what follows them, up to the ports. Inside decode/ only. */
#ifndef NETTALLY_DECODE_IP_H
#define NETTALLY_DECODE_IP_H

#include "base/slice.h"
#include "model/packet.h"

struct ip_found {
	uint64_t header_bytes;  /* IP header, extension headers and TCP or UDP header; 0 = not all was captured */
	uint64_t datagram_bytes; /* by the header's own length field, 0 = says nothing usable */
};

/* `version` is what the layer below announces (4, 6), 0 = either. Fills addresses, proto and ports of
 * `p`; leaves them where no header counts, and sets `malformed`. False: no IP header. */
bool ip_decode(struct cursor c, unsigned version, struct packet *p, struct ip_found *ret);

#endif
