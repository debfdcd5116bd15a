/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.h -- IPv4 and IPv6 headers and what follows them, up to the ports. Inside decode/ only. */
#ifndef NETTALLY_DECODE_IP_H
#define NETTALLY_DECODE_IP_H

#include "base/slice.h"
#include "model/packet.h"

#include <string.h>

enum {
	PROTO_HOP_BY_HOP = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_DST_OPTIONS = 60,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,
};

/* The whole address is written, its padding too: a key is made of its words. */
static inline void ip_set_ip4(struct addr *a, const uint8_t *bytes)
{
	*a = (struct addr){ .bytes = { [10] = 0xff, [11] = 0xff }, .family = ADDR_IP4 };
	memcpy(a->bytes + 12, bytes, 4);
}

static inline void ip_set_ip6(struct addr *a, const uint8_t *bytes)
{
	*a = (struct addr){ .family = ADDR_IP6 };
	memcpy(a->bytes, bytes, 16);
}

/* RFC 8200 4; the Host Identity Protocol (RFC 7401) and Shim6 (RFC 5533) have the same form. */
static inline bool ip_is_extension(uint8_t proto)
{
	return proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT || proto == PROTO_AH ||
	       proto == PROTO_DST_OPTIONS || proto == PROTO_HIP || proto == PROTO_SHIM6;
}

struct ip_found {
	uint64_t header_bytes;  /* IP header, extension headers and TCP or UDP header; 0 = not all was captured */
	uint64_t datagram_bytes; /* by the header's own length field, 0 = says nothing usable */
};

/* `version` is what the layer below announces (4, 6), 0 = either. Fills addresses, proto and
 * ports of `p`; leaves them where no header counts, and sets `malformed`. False: no IP header. */
bool ip_decode(struct cursor c, unsigned version, struct packet *p, struct ip_found *ret);

#endif
