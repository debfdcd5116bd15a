/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plain.h -- the short parser: Ethernet with at most two tags, or raw IP; IPv4 without options, IPv6 without
 * extension headers, other protocols. In a straight line, straight from the packet. Whatever else there is,
 * and whatever does not lie in the linear part, is left to general.h, which gives the same answers for these. */
#ifndef NETTALLY_BPF_PLAIN_H
#define NETTALLY_BPF_PLAIN_H

#include "table.h"

#define FIELDS_OF_MACS (TALLY_F_MAC | TALLY_F_SRC_MAC | TALLY_F_DST_MAC)

/* `h` + 24 is known to be there. `rest` = bytes of the frame from `h` on. */
static __always_inline int plain_ip4(const __u8 *h, __u32 rest, struct look *l)
{
	__u32 proto = h[9];
	__u64 datagram = bpf_ntohs(*(const __u16 *)(h + 2));

	if (h[0] != 0x45 || proto == PROTO_AH || datagram - 1 < 19) /* shorter than its header */
		return 0;
	l->family = TALLY_IP4;
	l->src[1] = mapped_ip4(*(const __u32 *)(h + 12));
	l->dst[1] = mapped_ip4(*(const __u32 *)(h + 16));
	l->proto = 0x100 | proto;
	l->l3_bytes = datagram - 1 < rest ? datagram : rest;
	if ((proto == PROTO_TCP || proto == PROTO_UDP) && !(*(const __u16 *)(h + 6) & bpf_htons(0x1fff)))
		l->ports = ports_key(*(const __u16 *)(h + 20), *(const __u16 *)(h + 22));
	return 1;
}

/* `h` + 44 is known to be there. */
static __always_inline int plain_ip6(const __u8 *h, __u32 rest, struct look *l)
{
	__u32 proto = h[6], datagram = bpf_ntohs(*(const __u16 *)(h + 4));

	if (h[0] >> 4 != 6 || (proto != PROTO_TCP && proto != PROTO_UDP && proto != PROTO_ICMP6))
		return 0;
	datagram = datagram ? datagram + 40 : rest;
	l->family = TALLY_IP6;
	l->src[0] = *(const __u64 *)(h + 8);
	l->src[1] = *(const __u64 *)(h + 16);
	l->dst[0] = *(const __u64 *)(h + 24);
	l->dst[1] = *(const __u64 *)(h + 32);
	l->proto = 0x100 | proto;
	l->l3_bytes = datagram < rest ? datagram : rest;
	if (proto != PROTO_ICMP6)
		l->ports = ports_key(*(const __u16 *)(h + 40), *(const __u16 *)(h + 42));
	return 1;
}

#endif
