/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet.h -- what one look at a frame found. Host byte order, except addresses (struct addr). */
#ifndef NETTALLY_MODEL_PACKET_H
#define NETTALLY_MODEL_PACKET_H

#include "base/addr.h"

#include <stdint.h>

struct packet {
	struct addr src, dst;      /* outermost IP header; family ADDR_NONE where there is none */
	uint64_t src_mac, dst_mac; /* key form: 0 = unknown, else 1 << 48 | bytes */
	int64_t seen_utc_ns;
	uint64_t l2_bytes;         /* on the wire, tags included, all segments */
	uint64_t l3_bytes;         /* IP datagrams, all segments; not IP: behind the link header */
	uint32_t segments;         /* wire packets this frame stands for, at least 1 */
	uint32_t src_port, dst_port; /* key form: 0 = unknown, else 1 << 16 | port */
	uint32_t ethertype;        /* key form */
	uint32_t interface;
	uint16_t vlan;             /* key form, outermost tag */
	uint16_t proto;            /* key form, final protocol after the extension headers */
	uint8_t direction;         /* enum direction */
	uint8_t malformed;         /* a header that contradicts itself or was cut short: 1 */
};

#endif
