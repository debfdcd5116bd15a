/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode.c -- link layers, down to the outermost IP header. The table of link types is at the
 * end. */
#include "decode/decode.h"

#include "base/slice.h"
#include "decode/ip.h"
#include "model/key.h"

#include <string.h>

enum {
	ETHERTYPE_IP4 = 0x0800,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IP6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_UPSTREAM = 0x8848,
	ETHERTYPE_PPPOE_SESSION = 0x8864,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_QINQ_OLD = 0x9100,
	ETHERTYPE_MIN = 0x05dd,      /* up to 1500 it is the length of an 802.3 frame */
	PPP_IP4 = 0x0021,
	PPP_IP6 = 0x0057,
	PPP_MPLS = 0x0281,
	PPP_MPLS_UPSTREAM = 0x0283,
	SLL_802_2 = 0x0004,          /* LINUX_SLL_P_802_2: an LLC header follows */
	SLL_OUTGOING = 4,
};

/* What one link layer leaves to the next. */
struct layer {
	struct cursor c;
	struct packet *p;
	struct ip_found ip;
	const uint8_t *ip_at;        /* where the IP header begins, NULL = none */
	const uint8_t *payload_at;   /* behind the link header and its tags */
};

static void ip_layer(struct layer *l, unsigned version)
{
	const uint8_t *at = l->c.rest.at;

	if (ip_decode(l->c, version, l->p, &l->ip))
		l->ip_at = at;
}

/* RFC 3032: labels up to the one with the bottom-of-stack bit; the payload tells itself by its
 * first nibble, as RFC 4928 says (a pseudowire's control word has 0 there). */
static void mpls_layer(struct layer *l)
{
	const uint8_t *label;
	unsigned nibble;

	do
		label = cursor_take(&l->c, 4);
	while (label && !(label[2] & 1));
	if (!label || l->c.rest.len == 0) {
		l->p->malformed = 1;
		return;
	}
	nibble = l->c.rest.at[0] >> 4;
	if (nibble == 4 || nibble == 6)
		ip_layer(l, nibble);
}

static void ppp_protocol(struct layer *l, unsigned protocol)
{
	switch (protocol) {
	case PPP_IP4: ip_layer(l, 4); break;
	case PPP_IP6: ip_layer(l, 6); break;
	case PPP_MPLS:
	case PPP_MPLS_UPSTREAM: mpls_layer(l); break;
	default: break;
	}
}

/* RFC 1661 6.5: a protocol number may be sent as one (odd) byte. */
static unsigned ppp_take_protocol(struct cursor *c)
{
	unsigned first = cursor_u8(c);

	return first & 1 ? first : first << 8 | cursor_u8(c);
}

static void ppp_layer(struct layer *l)
{
	const struct slice *rest = &l->c.rest;

	/* RFC 1662: address, control. 0xff alone is no protocol number, but those two cut short. */
	if (rest->len && rest->at[0] == 0xff && (rest->len == 1 || rest->at[1] == 0x03))
		cursor_take(&l->c, 2);
	unsigned protocol = ppp_take_protocol(&l->c);
	if (l->c.truncated) {
		l->p->malformed = 1;
		return;
	}
	l->payload_at = l->c.rest.at;
	if (protocol == PPP_IP4)
		l->p->ethertype = 0x10000u | ETHERTYPE_IP4;
	else if (protocol == PPP_IP6)
		l->p->ethertype = 0x10000u | ETHERTYPE_IP6;
	else if (protocol == PPP_MPLS)
		l->p->ethertype = 0x10000u | ETHERTYPE_MPLS;
	ppp_protocol(l, protocol);
}

/* RFC 2516 4: version and type 1, code 0 = session data, session, length; then a PPP protocol. */
static void pppoe_layer(struct layer *l)
{
	const uint8_t *h = cursor_take(&l->c, 6);
	unsigned protocol;

	if (!h) {
		l->p->malformed = 1;
		return;
	}
	if (h[0] != 0x11 || h[1] != 0)
		return;
	protocol = ppp_take_protocol(&l->c);
	if (l->c.truncated)
		l->p->malformed = 1;
	else
		ppp_protocol(l, protocol);
}

static bool is_tag(unsigned type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD;
}

/* 802.2 SNAP with the OUI of encapsulated Ethernet (RFC 1042). Returns its EtherType, 0 =
 * something else. */
static unsigned snap_take_type(struct layer *l)
{
	static const uint8_t snap[6] = { 0xaa, 0xaa, 0x03, 0, 0, 0 };
	const struct slice *rest = &l->c.rest;
	const uint8_t *h;

	if (rest->len < 3 || (rest->len < 8 && memcmp(rest->at, snap, 3) == 0)) /* LLC is 3 bytes, SNAP 5 more */
		l->p->malformed = 1;
	h = cursor_take(&l->c, 8);
	return h && memcmp(h, snap, sizeof snap) == 0 ? be16(h + 6) : 0;
}

static void ethertype_layer(struct layer *l, unsigned type)
{
	while (is_tag(type)) {
		const uint8_t *tag = cursor_take(&l->c, 4);

		l->p->ethertype = 0x10000u | type;
		if (!tag) {
			l->p->malformed = 1;
			return;
		}
		if (!l->p->vlan)
			l->p->vlan = 0x1000u | (be16(tag) & 0xfff);
		type = be16(tag + 2);
	}
	l->payload_at = l->c.rest.at;
	if (type < ETHERTYPE_MIN) {
		l->p->ethertype = 0;
		type = snap_take_type(l);
		if (!type)
			return;
	}
	l->p->ethertype = 0x10000u | type;
	switch (type) {
	case ETHERTYPE_IP4: ip_layer(l, 4); break;
	case ETHERTYPE_IP6: ip_layer(l, 6); break;
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_UPSTREAM: mpls_layer(l); break;
	case ETHERTYPE_PPPOE_SESSION: pppoe_layer(l); break;
	default: break;
	}
}

static uint64_t mac_key(const uint8_t *b)
{
	return UINT64_C(1) << 48 | (uint64_t)be16(b) << 32 | be32(b + 2);
}

static void ethernet_layer(struct layer *l)
{
	const uint8_t *macs = cursor_take(&l->c, 12);
	const uint8_t *type;

	if (!macs) {
		l->p->malformed = 1;
		return;
	}
	l->p->dst_mac = mac_key(macs);
	l->p->src_mac = mac_key(macs + 6);
	type = cursor_take(&l->c, 2);
	if (!type) {
		l->p->malformed = 1;
		return;
	}
	ethertype_layer(l, be16(type));
}

static void cooked_direction(struct packet *p, unsigned packet_type)
{
	if (p->direction == DIRECTION_UNKNOWN)
		p->direction = packet_type == SLL_OUTGOING ? DIRECTION_EGRESS : DIRECTION_INGRESS;
}

static void cooked_protocol(struct layer *l, unsigned protocol)
{
	l->payload_at = l->c.rest.at;
	if (protocol >= ETHERTYPE_MIN || protocol == SLL_802_2)
		ethertype_layer(l, protocol);
}

static void sll_layer(struct layer *l)
{
	const uint8_t *h = cursor_take(&l->c, 16);

	if (!h) {
		l->p->malformed = 1;
		return;
	}
	cooked_direction(l->p, be16(h));
	cooked_protocol(l, be16(h + 14));
}

static void sll2_layer(struct layer *l)
{
	const uint8_t *h = cursor_take(&l->c, 20);

	if (!h) {
		l->p->malformed = 1;
		return;
	}
	cooked_direction(l->p, h[10]);
	cooked_protocol(l, be16(h));
}

static void raw_version(struct layer *l, unsigned version)
{
	unsigned nibble = l->c.rest.len ? l->c.rest.at[0] >> 4 : 0;

	ip_layer(l, version);
	if (l->ip_at)
		l->p->ethertype = 0x10000u | (nibble == 4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
}

static void raw_layer(struct layer *l)
{
	raw_version(l, 0);
}

static void raw4_layer(struct layer *l)
{
	raw_version(l, 4);
}

static void raw6_layer(struct layer *l)
{
	raw_version(l, 6);
}

/* The address family as the capturing system numbers it: AF_INET is 2 everywhere, AF_INET6 is 24
 * (NetBSD, OpenBSD), 28 (FreeBSD), 30 (macOS) or 10 (Linux). */
static void family_layer(struct layer *l, uint32_t family)
{
	l->payload_at = l->c.rest.at;
	switch (family) {
	case 2: raw_version(l, 4); break;
	case 10:
	case 24:
	case 28:
	case 30: raw_version(l, 6); break;
	default: break;
	}
}

static void loop_layer(struct layer *l)
{
	uint32_t family = cursor_be32(&l->c);

	if (l->c.truncated)
		l->p->malformed = 1;
	else
		family_layer(l, family);
}

/* NULL: the capturing machine's byte order, which nothing states; the small number is the right
 * one. */
static void null_layer(struct layer *l)
{
	uint32_t family = cursor_be32(&l->c);

	if (l->c.truncated)
		l->p->malformed = 1;
	else
		family_layer(l, family > 0xffff ? __builtin_bswap32(family) : family);
}

/* Cuts a super-packet's books into the packets that go over the wire: each repeats all headers
 * (KERNEL: a GSO frame's gso_size is its payload per segment). */
static void count_segments(const struct frame *f, struct layer *l, uint64_t link_bytes)
{
	uint64_t headers = link_bytes + l->ip.header_bytes, payload;
	uint32_t more;

	if (l->ip.header_bytes == 0 || f->wire_len <= headers)
		return;
	payload = f->wire_len - headers;
	more = (uint32_t)((payload + f->gso_size - 1) / f->gso_size) - 1;
	l->p->segments += more;
	l->p->l2_bytes += more * headers;
	l->p->l3_bytes += more * l->ip.header_bytes;
}

static void count_bytes(const struct frame *f, struct layer *l)
{
	const uint8_t *behind = l->ip_at ? l->ip_at : l->payload_at;
	uint64_t link_bytes = (uint64_t)(behind - f->bytes);
	uint64_t rest = f->wire_len > link_bytes ? f->wire_len - link_bytes : 0;

	l->p->l2_bytes = f->wire_len;
	/* A datagram's length without its frame's padding; one that says more than the frame
	 * holds, or nothing (BIG TCP, TSO), is as long as the frame's rest. */
	l->p->l3_bytes = l->ip.datagram_bytes && l->ip.datagram_bytes <= rest ? l->ip.datagram_bytes : rest;
	if (f->gso_size && l->ip_at)
		count_segments(f, l, link_bytes);
	if (f->vlan_tpid)
		l->p->l2_bytes += 4ull * l->p->segments;
}

static void link_layer(struct layer *l, uint16_t linktype)
{
	switch (linktype) {
	case LINKTYPE_ETHERNET: ethernet_layer(l); break;
	case LINKTYPE_LINUX_SLL: sll_layer(l); break;
	case LINKTYPE_LINUX_SLL2: sll2_layer(l); break;
	case LINKTYPE_RAW: raw_layer(l); break;
	case LINKTYPE_IPV4: raw4_layer(l); break;
	case LINKTYPE_IPV6: raw6_layer(l); break;
	case LINKTYPE_NULL: null_layer(l); break;
	case LINKTYPE_LOOP: loop_layer(l); break;
	case LINKTYPE_PPP:
	case LINKTYPE_PPP_HDLC: ppp_layer(l); break;
	case LINKTYPE_PPP_ETHER: pppoe_layer(l); break;
	default: break; /* counted, without hosts */
	}
}

/* Nine packets of ten are this: Ethernet, perhaps one tag, IP without options or extension
 * headers. Read in a straight line, with one check of the bounds a header; whatever is unusual
 * is left to the general way, which gives the same answer for these (a test compares them). */
static inline bool decode_plain(const struct frame *f, struct packet *p)
{
	const uint8_t *b = f->bytes, *h, *l4;
	uint32_t link_bytes = 14, ip_bytes;
	uint64_t rest, datagram;
	uint16_t vlan = 0;
	unsigned type, proto;
	bool has_ports;

	if (f->linktype != LINKTYPE_ETHERNET || f->cap_len < 14 + 20 + 4 || f->gso_size || f->vlan_tpid)
		return false;
	type = be16(b + 12);
	if (type == ETHERTYPE_VLAN) {
		vlan = 0x1000u | (be16(b + 14) & 0xfff);
		type = be16(b + 16);
		link_bytes = 18;
	}
	ip_bytes = type == ETHERTYPE_IP4 ? 20 : 40;
	h = b + link_bytes;
	l4 = h + ip_bytes;
	if (f->cap_len < link_bytes + ip_bytes + 4)
		return false;
	if (type == ETHERTYPE_IP4 && h[0] == 0x45 && h[9] != PROTO_AH) {
		proto = h[9];
		ip_set_ip4(&p->src, h + 12);
		ip_set_ip4(&p->dst, h + 16);
		datagram = be16(h + 2);
		if (datagram - 1 < 19)
			return false; /* shorter than its header */
		has_ports = (be16(h + 6) & 0x1fff) == 0;
	} else if (type == ETHERTYPE_IP6 && h[0] >> 4 == 6 && !ip_is_extension(h[6])) {
		proto = h[6];
		ip_set_ip6(&p->src, h + 8);
		ip_set_ip6(&p->dst, h + 24);
		datagram = be16(h + 4) ? be16(h + 4) + 40u : 0;
		has_ports = true;
	} else {
		return false;
	}
	has_ports &= (proto == PROTO_TCP) | (proto == PROTO_UDP);
	rest = f->wire_len > link_bytes ? f->wire_len - link_bytes : 0;
	p->src_mac = mac_key(b + 6);
	p->dst_mac = mac_key(b);
	p->seen_utc_ns = f->seen_utc_ns;
	p->l2_bytes = f->wire_len;
	p->l3_bytes = datagram && datagram <= rest ? datagram : rest;
	p->segments = 1;
	p->src_port = has_ports ? 0x10000u | be16(l4) : 0;
	p->dst_port = has_ports ? 0x10000u | be16(l4 + 2) : 0;
	p->ethertype = 0x10000u | type;
	p->interface = f->interface;
	p->vlan = vlan;
	p->proto = (uint16_t)(0x100u | proto);
	p->direction = f->direction;
	p->malformed = 0;
	return true;
}

void decode_frame_generally(const struct frame *f, struct packet *ret)
{
	struct layer l = {
		.c = cursor_of((struct slice){ f->bytes, f->cap_len }),
		.p = ret,
		.payload_at = f->bytes,
	};

	memset(ret, 0, sizeof *ret);
	ret->seen_utc_ns = f->seen_utc_ns;
	ret->interface = f->interface;
	ret->direction = f->direction;
	ret->segments = 1;
	if (f->vlan_tpid)
		ret->vlan = 0x1000u | (f->vlan_tci & 0xfff);
	link_layer(&l, f->linktype);
	count_bytes(f, &l);
}

void decode_frame(const struct frame *f, struct packet *ret)
{
	if (!decode_plain(f, ret))
		decode_frame_generally(f, ret);
}

void decode_batch(const struct frame *f, unsigned count, struct packet *ret)
{
	for (unsigned i = 0; i < count; i++)
		if (!decode_plain(&f[i], &ret[i]))
			decode_frame_generally(&f[i], &ret[i]);
}
