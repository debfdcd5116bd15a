/* SPDX-License-Identifier: GPL-2.0-or-later */
/* general.h -- the general parser: what src/decode/ does, header by header, for frames of any form; the two are
 * held together by tally_test.c. Bytes come through the helpers, so that they may lie anywhere in the frame; loops
 * are bpf_loop()'s. */
#ifndef NETTALLY_BPF_GENERAL_H
#define NETTALLY_BPF_GENERAL_H

#include "look.h"

#define LAYERS_MAX 400 /* tags, labels, extension headers; a frame with more is malformed */

/* The way through a frame. Once a read would leave it, it is truncated for good, as a cursor of base/slice.h. */
struct walk {
	void *ctx;
	__u32 at, end;
	__u32 truncated;
	__u32 ip_at;                 /* ip_found: where the IP header begins */
	__u32 ip_found;
	__u32 payload_at;            /* behind the link header and its tags */
	__u32 header_bytes;          /* IP header, extension headers and TCP or UDP header; 0 = not all is there */
	__u32 datagram_bytes;        /* by the header's own length field, 0 = says nothing usable */
	__u32 type, proto, bytes;    /* of a loop */
	__u32 state;
	struct look *look;
};

enum { STATE_ON, STATE_DONE, STATE_CUT, STATE_LATER_FRAGMENT };

static __always_inline int load(void *ctx, __u32 at, void *to, __u32 bytes, int xdp)
{
	return xdp ? bpf_xdp_load_bytes(ctx, at, to, bytes) : bpf_skb_load_bytes(ctx, at, to, bytes);
}

/* The next bytes, and on. */
static __always_inline int take(struct walk *w, void *to, __u32 bytes, int xdp)
{
	if (w->truncated || bytes > w->end - w->at || load(w->ctx, w->at, to, bytes, xdp) < 0) {
		w->truncated = 1;
		return 0;
	}
	w->at += bytes;
	return 1;
}

static __always_inline void skip(struct walk *w, __u32 bytes)
{
	if (w->truncated || bytes > w->end - w->at)
		w->truncated = 1;
	else
		w->at += bytes;
}

static __always_inline __u32 be16_at(const __u8 *b)
{
	return b[0] << 8 | b[1];
}

/* RFC 4302 2.2: the length is in 4-byte words less 2; the next header comes first. */
static __always_inline __u32 ah_bytes(const __u8 *start)
{
	return (start[1] + 2u) * 4;
}

/* Ports count if the first 4 bytes of a TCP or UDP header are there. Returns the header's length, 0 = unknown. */
static __always_inline __u32 l4_look(struct walk *w, __u32 proto, int xdp)
{
	__u16 ports[2];
	__u8 rest[9]; /* to the data offset, RFC 9293 3.1 */

	if (proto != PROTO_TCP && proto != PROTO_UDP)
		return 0;
	if (!take(w, ports, sizeof ports, xdp))
		return 0;
	w->look->ports = ports_key(ports[0], ports[1]);
	if (proto == PROTO_UDP)
		return 8;
	return take(w, rest, sizeof rest, xdp) ? (rest[8] >> 4) * 4u : 0;
}

static __always_inline void ip4_look(struct walk *w, int xdp)
{
	__u32 header, before_l4, proto, fragment, datagram, l4, addr[2];
	struct look *l = w->look;
	__u8 h[20], start[2];

	if (!take(w, h, sizeof h, xdp) || (h[0] & 0xf) < 5) {
		l->malformed = 1;
		return;
	}
	w->ip_found = 1;
	before_l4 = header = (h[0] & 0xf) * 4u;
	proto = h[9];
	fragment = be16_at(h + 6) & 0x1fff;
	datagram = be16_at(h + 2);
	__builtin_memcpy(addr, h + 12, sizeof addr);
	l->family = TALLY_IP4;
	l->src[1] = mapped_ip4(addr[0]);
	l->dst[1] = mapped_ip4(addr[1]);
	w->datagram_bytes = datagram >= header ? datagram : 0;
	if (datagram && datagram < header) /* 0 is BIG TCP's and TSO's */
		l->malformed = 1;
	if (header > 20)
		skip(w, header - 20);
	if (proto == PROTO_AH && !fragment && take(w, start, sizeof start, xdp)) {
		proto = start[0];
		before_l4 += ah_bytes(start);
		skip(w, ah_bytes(start) - 2);
	}
	l->proto = 0x100 | proto;
	if (w->truncated)
		l->malformed = 1;
	if (fragment)
		return;
	l4 = l4_look(w, proto, xdp);
	w->header_bytes = l4 ? before_l4 + l4 : 0;
}

/* RFC 8200 4; the Host Identity Protocol (RFC 7401) and Shim6 (RFC 5533) have the same form. */
static __always_inline int is_extension(__u32 proto)
{
	return proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT || proto == PROTO_AH ||
	       proto == PROTO_DST_OPTIONS || proto == PROTO_HIP || proto == PROTO_SHIM6;
}

/* One extension header. A header that was cut short leaves its own number as the protocol. */
static __always_inline long extension_step(struct walk *w, int xdp)
{
	__u32 bytes, proto = w->proto;
	__u8 start[8];

	if (!is_extension(proto)) {
		w->state = STATE_DONE;
		return 1;
	}
	if (!take(w, start, sizeof start, xdp)) {
		w->state = STATE_CUT;
		return 1;
	}
	bytes = proto == PROTO_FRAGMENT ? 8 : proto == PROTO_AH ? ah_bytes(start) : (start[1] + 1u) * 8;
	if (bytes > 8)
		skip(w, bytes - 8);
	w->bytes += bytes;
	w->proto = start[0];
	if (proto == PROTO_FRAGMENT && be16_at(start + 2) & 0xfff8) {
		w->state = STATE_LATER_FRAGMENT;
		return 1;
	}
	return 0;
}

static long extension_step_xdp(__u32 i, struct walk *w)
{
	return extension_step(w, 1);
}

static long extension_step_skb(__u32 i, struct walk *w)
{
	return extension_step(w, 0);
}

static __always_inline void ip6_look(struct walk *w, int xdp)
{
	struct look *l = w->look;
	__u32 l4, payload;
	__u64 addr[4];
	__u8 h[8];

	if (w->end - w->at < 40 || !take(w, h, sizeof h, xdp) || !take(w, addr, sizeof addr, xdp)) {
		w->truncated = 1;
		l->malformed = 1;
		return;
	}
	w->ip_found = 1;
	l->family = TALLY_IP6;
	l->src[0] = addr[0];
	l->src[1] = addr[1];
	l->dst[0] = addr[2];
	l->dst[1] = addr[3];
	/* RFC 2675: a payload length of 0 means a jumbogram, whose length the frame tells. */
	payload = be16_at(h + 4);
	w->datagram_bytes = payload ? payload + 40 : 0;
	w->proto = h[6];
	w->bytes = 40;
	if (is_extension(w->proto)) {
		w->state = STATE_ON;
		bpf_loop(LAYERS_MAX, xdp ? (void *)extension_step_xdp : (void *)extension_step_skb, w, 0);
		if (w->state == STATE_CUT || (w->state == STATE_ON && is_extension(w->proto)))
			l->malformed = 1;
	}
	l->proto = 0x100 | (w->proto & 0xff);
	if (w->state == STATE_LATER_FRAGMENT)
		return;
	l4 = l4_look(w, w->proto, xdp);
	w->header_bytes = l4 ? w->bytes + l4 : 0;
}

/* `version` is what the layer below announces, 0 = either. */
static __always_inline void ip_look(struct walk *w, __u32 version, int xdp)
{
	__u8 first = 0;

	if (w->truncated || w->at >= w->end || load(w->ctx, w->at, &first, 1, xdp) < 0)
		first = 0;
	first >>= 4;
	w->ip_at = w->at;
	w->state = STATE_ON;
	if (version && first != version)
		w->look->malformed = 1;
	else if (first == 4)
		ip4_look(w, xdp);
	else if (first == 6)
		ip6_look(w, xdp);
	else
		w->look->malformed = 1;
}

/* RFC 3032: labels up to the one with the bottom-of-stack bit. */
static __always_inline long label_step(struct walk *w, int xdp)
{
	__u8 label[4];

	if (!take(w, label, sizeof label, xdp)) {
		w->state = STATE_CUT;
		return 1;
	}
	if (label[2] & 1) {
		w->state = STATE_DONE;
		return 1;
	}
	return 0;
}

static long label_step_xdp(__u32 i, struct walk *w)
{
	return label_step(w, 1);
}

static long label_step_skb(__u32 i, struct walk *w)
{
	return label_step(w, 0);
}

/* The payload tells itself by its first nibble, as RFC 4928 says (a pseudowire's control word has 0 there).
 * Returns the IP version, 0 = none. */
static __always_inline __u32 mpls_look(struct walk *w, int xdp)
{
	__u8 first = 0;

	w->state = STATE_ON;
	bpf_loop(LAYERS_MAX, xdp ? (void *)label_step_xdp : (void *)label_step_skb, w, 0);
	if (w->state != STATE_DONE || w->at >= w->end || load(w->ctx, w->at, &first, 1, xdp) < 0) {
		w->look->malformed = 1;
		return 0;
	}
	first >>= 4;
	return first == 4 || first == 6 ? first : 0;
}

/* RFC 2516 4: version and type 1, code 0 = session data, session, length; then a PPP protocol number, which
 * RFC 1661 6.5 lets be one (odd) byte. Returns the EtherType of what follows, 0 = unknown. */
static __always_inline __u32 pppoe_look(struct walk *w, int xdp)
{
	__u32 protocol;
	__u8 h[6], p[1];

	if (!take(w, h, sizeof h, xdp)) {
		w->look->malformed = 1;
		return 0;
	}
	if (h[0] != 0x11 || h[1] != 0)
		return 0;
	take(w, p, 1, xdp);
	protocol = p[0];
	if (!w->truncated && !(protocol & 1)) {
		take(w, p, 1, xdp);
		protocol = protocol << 8 | p[0];
	}
	if (w->truncated) {
		w->look->malformed = 1;
		return 0;
	}
	switch (protocol) {
	case PPP_IP4: return ETHERTYPE_IP4;
	case PPP_IP6: return ETHERTYPE_IP6;
	case PPP_MPLS:
	case PPP_MPLS_UPSTREAM: return ETHERTYPE_MPLS;
	default: return 0;
	}
}

/* 802.2 SNAP with the OUI of encapsulated Ethernet (RFC 1042). Returns its EtherType, 0 = something else. */
static __always_inline __u32 snap_look(struct walk *w, int xdp)
{
	__u32 rest = w->end - w->at;
	__u8 h[8] = { 0 };

	if (rest < 3) { /* LLC is 3 bytes, SNAP 5 more */
		w->look->malformed = 1;
		return 0;
	}
	if (rest < 8) {
		if (load(w->ctx, w->at, h, 3, xdp) == 0 && h[0] == 0xaa && h[1] == 0xaa && h[2] == 0x03)
			w->look->malformed = 1;
		return 0;
	}
	if (!take(w, h, sizeof h, xdp) || h[0] != 0xaa || h[1] != 0xaa || h[2] != 0x03 || h[3] || h[4] || h[5])
		return 0;
	return be16_at(h + 6);
}

/* One tag. */
static __always_inline long tag_step(struct walk *w, int xdp)
{
	struct look *l = w->look;
	__u8 tag[4];

	if (!is_tag(bpf_htons(w->type))) {
		w->state = STATE_DONE;
		return 1;
	}
	l->ethertype = 0x10000 | w->type;
	if (!take(w, tag, sizeof tag, xdp)) {
		w->state = STATE_CUT;
		return 1;
	}
	if (!l->vlan)
		l->vlan = 0x1000 | (be16_at(tag) & 0xfff);
	w->type = be16_at(tag + 2);
	return 0;
}

static long tag_step_xdp(__u32 i, struct walk *w)
{
	return tag_step(w, 1);
}

static long tag_step_skb(__u32 i, struct walk *w)
{
	return tag_step(w, 0);
}

static __always_inline void ethertype_look(struct walk *w, int xdp)
{
	struct look *l = w->look;
	__u32 type;

	if (is_tag(bpf_htons(w->type))) {
		w->state = STATE_ON;
		bpf_loop(LAYERS_MAX, xdp ? (void *)tag_step_xdp : (void *)tag_step_skb, w, 0);
		if (w->state == STATE_CUT || (w->state == STATE_ON && is_tag(bpf_htons(w->type)))) {
			l->malformed = 1;
			return;
		}
	}
	type = w->type;
	w->payload_at = w->at;
	if (type < ETHERTYPE_MIN) {
		l->ethertype = 0;
		type = snap_look(w, xdp);
		if (!type)
			return;
	}
	l->ethertype = 0x10000 | type;
	if (type == ETHERTYPE_PPPOE_SESSION)
		type = pppoe_look(w, xdp);
	if (type == ETHERTYPE_MPLS || type == ETHERTYPE_MPLS_UPSTREAM) {
		__u32 version = mpls_look(w, xdp);

		if (version)
			ip_look(w, version, xdp);
	} else if (type == ETHERTYPE_IP4 || type == ETHERTYPE_IP6) {
		ip_look(w, type == ETHERTYPE_IP4 ? 4 : 6, xdp);
	}
}

static __always_inline __u64 mac_key_of(const __u16 *m)
{
	return 1ull << 48 | (__u64)bpf_ntohs(m[0]) << 32 | (__u32)bpf_ntohs(m[1]) << 16 | bpf_ntohs(m[2]);
}

static __always_inline void ethernet_look(struct walk *w, int xdp)
{
	__u16 macs[6], type;

	if (!take(w, macs, sizeof macs, xdp)) {
		w->look->malformed = 1;
		return;
	}
	w->look->dst_mac = mac_key_of(macs);
	w->look->src_mac = mac_key_of(macs + 3);
	if (!take(w, &type, sizeof type, xdp)) {
		w->look->malformed = 1;
		return;
	}
	w->type = bpf_ntohs(type);
	ethertype_look(w, xdp);
}

static __always_inline void raw_look(struct walk *w, int xdp)
{
	ip_look(w, 0, xdp);
	if (w->ip_found)
		w->look->ethertype = 0x10000 | (w->look->family == TALLY_IP4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
}

/* Fills `l`, which has vlan and hook already, as far as one packet goes. */
static __always_inline void general_look(struct walk *w, int raw_ip, int xdp)
{
	__u32 rest;

	if (raw_ip)
		raw_look(w, xdp);
	else
		ethernet_look(w, xdp);
	if (w->ip_found)
		w->payload_at = w->ip_at;
	rest = w->end - w->payload_at;
	/* A datagram's length without its frame's padding; one that says more than the frame holds, or nothing,
	 * is as long as the frame's rest. */
	w->look->l3_bytes = w->ip_found && w->datagram_bytes && w->datagram_bytes <= rest ? w->datagram_bytes : rest;
	w->look->l2_bytes = w->end;
	w->look->packets = 1;
}

#endif
