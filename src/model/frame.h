/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h -- L2 bytes as a source saw them. */
#ifndef NETTALLY_MODEL_FRAME_H
#define NETTALLY_MODEL_FRAME_H

#include <stdint.h>

/* LINKTYPE_ values (www.tcpdump.org/linktypes.html) that decode/ knows; others count without
 * hosts. */
enum linktype {
	LINKTYPE_NULL = 0,
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_PPP = 9,
	LINKTYPE_PPP_HDLC = 50,
	LINKTYPE_PPP_ETHER = 51,
	LINKTYPE_RAW = 101,
	LINKTYPE_LOOP = 108,
	LINKTYPE_LINUX_SLL = 113,
	LINKTYPE_IPV4 = 228,
	LINKTYPE_IPV6 = 229,
	LINKTYPE_LINUX_SLL2 = 276,
};

#define FRAME_BATCH 32 /* frames a source hands over at once, at most */

struct frame {
	const uint8_t *bytes;    /* borrowed from the source until its next batch */
	uint32_t cap_len;        /* bytes we hold */
	uint32_t wire_len;       /* bytes on the wire (pcap's original length), without tags in metadata */
	int64_t seen_utc_ns;
	uint32_t interface;      /* id in struct strings, 0 = unknown */
	uint16_t linktype;       /* enum linktype */
	uint16_t vlan_tci;       /* a tag that the kernel took off: valid where vlan_tpid is not 0 */
	uint16_t vlan_tpid;      /* 0x8100, 0x88a8; 0 = none taken off */
	uint16_t gso_size;       /* payload bytes per segment of a GSO/GRO super-packet; 0 = one packet */
	uint8_t direction;       /* enum direction */
};

#endif
