/* SPDX-License-Identifier: GPL-2.0-or-later */
/* look.h -- what one look at a frame finds, and the constants of the headers that are looked at. */
#ifndef NETTALLY_BPF_LOOK_H
#define NETTALLY_BPF_LOOK_H

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tally_shared.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum {
	ETHERTYPE_MIN = 0x05dd,      /* up to 1500 it is the length of an 802.3 frame */
	ETHERTYPE_IP4 = 0x0800,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IP6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_UPSTREAM = 0x8848,
	ETHERTYPE_PPPOE_SESSION = 0x8864,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_QINQ_OLD = 0x9100,
	PPP_IP4 = 0x0021,
	PPP_IP6 = 0x0057,
	PPP_MPLS = 0x0281,
	PPP_MPLS_UPSTREAM = 0x0283,
	PROTO_HOP_BY_HOP = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMP6 = 58,
	PROTO_DST_OPTIONS = 60,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,
};

/* Forms are those of the key (tally_shared.h). Sizes are all in the way the wire has them: all segments. */
struct look {
	__u64 src[2], dst[2];        /* as in a packet, IPv4 v4-mapped; 0 where family is TALLY_NO_IP */
	__u64 src_mac, dst_mac;
	__u64 ports;
	__u64 l2_bytes, l3_bytes;
	__u32 packets;
	__u32 ethertype, vlan, proto;
	__u32 family;                /* enum tally_family */
	__u32 hook;                  /* enum tally_hook */
	__u32 malformed;
	__u32 zero;
};

/* ::ffff:a.b.c.d, the word that holds the address. */
static __always_inline __u64 mapped_ip4(__u32 addr)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u64)addr << 32 | 0xffff0000u;
#else
	return 0xffff00000000ull | addr;
#endif
}

static __always_inline __u32 mapped_ip4_address(__u64 word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word >> 32;
#else
	return word;
#endif
}

static __always_inline __u64 mac_key(const __u8 *b)
{
	return 1ull << 48 | (__u64)bpf_ntohs(*(const __u16 *)b) << 32 | bpf_ntohl(*(const __u32 *)(b + 2));
}

static __always_inline __u64 be16_of(__u64 v)
{
	asm("%0 = be16 %0" : "+r"(v));
	return v;
}

static __always_inline __u32 port_key(__u16 port)
{
	return 0x10000u | bpf_ntohs(port);
}

static __always_inline __u64 ports_key(__u16 src, __u16 dst)
{
	return (__u64)port_key(dst) << 32 | port_key(src);
}

static __always_inline int is_tag(__u16 type) /* network byte order */
{
	return type == bpf_htons(ETHERTYPE_VLAN) || type == bpf_htons(ETHERTYPE_QINQ) ||
	       type == bpf_htons(ETHERTYPE_QINQ_OLD);
}

#endif
