/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.c -- the outermost IP header: RFC 791, RFC 8200 4 (extension headers), RFC 4302 (AH). */
#include "decode/ip.h"

#include "model/key.h"

/* Ports count if the first 4 bytes of a TCP or UDP header were captured. Returns the header's
 * length, 0 where it is unknown. */
static unsigned l4_decode(struct cursor *c, uint8_t proto, struct packet *p)
{
	const uint8_t *ports;

	if (proto != PROTO_TCP && proto != PROTO_UDP)
		return 0;
	ports = cursor_take(c, 4);
	if (!ports)
		return 0;
	p->src_port = 0x10000u | be16(ports);
	p->dst_port = 0x10000u | be16(ports + 2);
	if (proto == PROTO_UDP)
		return 8;
	const uint8_t *rest = cursor_take(c, 9); /* to the data offset, RFC 9293 3.1 */
	return rest ? (unsigned)(rest[8] >> 4) * 4 : 0;
}

/* RFC 4302 2.2: the length is in 4-byte words less 2; the next header comes first. */
static unsigned ah_bytes(const uint8_t *start)
{
	return ((unsigned)start[1] + 2) * 4;
}

static bool ip4_decode(struct cursor c, struct packet *p, struct ip_found *ret)
{
	const uint8_t *h = cursor_take(&c, 20);
	unsigned header, fragment, l4;
	uint64_t before_l4;
	uint8_t proto;

	if (!h || (h[0] & 0x0f) < 5) {
		p->malformed = 1;
		return false;
	}
	header = (h[0] & 0x0fu) * 4;
	before_l4 = header;
	proto = h[9];
	fragment = be16(h + 6) & 0x1fff;
	ip_set_ip4(&p->src, h + 12);
	ip_set_ip4(&p->dst, h + 16);
	ret->datagram_bytes = be16(h + 2) >= header ? be16(h + 2) : 0;
	if (be16(h + 2) && be16(h + 2) < header) /* 0 is BIG TCP's and TSO's */
		p->malformed = 1;
	if (header > 20)
		cursor_take(&c, header - 20);
	if (proto == PROTO_AH && fragment == 0) {
		const uint8_t *start = cursor_take(&c, 2);

		if (start) {
			proto = start[0];
			before_l4 += ah_bytes(start);
			cursor_take(&c, ah_bytes(start) - 2);
		}
	}
	p->proto = 0x100u | proto;
	if (c.truncated)
		p->malformed = 1;
	if (fragment)
		return true;
	l4 = l4_decode(&c, proto, p);
	ret->header_bytes = l4 ? before_l4 + l4 : 0;
	return true;
}

/* Bytes of the extension header that begins with `start`; 0 = `proto` is none. */
static unsigned extension_bytes(uint8_t proto, const uint8_t *start)
{
	switch (proto) {
	case PROTO_HOP_BY_HOP:
	case PROTO_ROUTING:
	case PROTO_DST_OPTIONS:
	case PROTO_HIP:
	case PROTO_SHIM6:
		return ((unsigned)start[1] + 1) * 8;
	case PROTO_FRAGMENT:
		return 8;
	case PROTO_AH:
		return ah_bytes(start);
	default:
		return 0;
	}
}

struct ip6_chain {
	uint8_t proto;
	bool later_fragment;
	uint64_t bytes;
};

/* A header that was cut short leaves its own number as the protocol. */
static void ip6_walk(struct cursor *c, struct ip6_chain *chain, struct packet *p)
{
	while (ip_is_extension(chain->proto)) {
		const uint8_t *start = cursor_take(c, 8); /* RFC 8200 4: each is at least 8 bytes */
		unsigned bytes;
		bool fragment;

		if (!start) {
			p->malformed = 1;
			return;
		}
		bytes = extension_bytes(chain->proto, start);
		fragment = chain->proto == PROTO_FRAGMENT;
		if (bytes > 8)
			cursor_take(c, bytes - 8);
		chain->bytes += bytes;
		chain->proto = start[0];
		if (fragment && (be16(start + 2) & 0xfff8)) {
			chain->later_fragment = true;
			return;
		}
	}
}

static bool ip6_decode(struct cursor c, struct packet *p, struct ip_found *ret)
{
	const uint8_t *h = cursor_take(&c, 40);
	struct ip6_chain chain = { .bytes = 40 };
	unsigned l4;

	if (!h) {
		p->malformed = 1;
		return false;
	}
	ip_set_ip6(&p->src, h + 8);
	ip_set_ip6(&p->dst, h + 24);
	/* RFC 2675: a payload length of 0 means a jumbogram, whose length the frame tells. */
	ret->datagram_bytes = be16(h + 4) ? be16(h + 4) + 40u : 0;
	chain.proto = h[6];
	if (ip_is_extension(chain.proto))
		ip6_walk(&c, &chain, p);
	p->proto = 0x100u | chain.proto;
	if (chain.later_fragment)
		return true;
	l4 = l4_decode(&c, chain.proto, p);
	ret->header_bytes = l4 ? chain.bytes + l4 : 0;
	return true;
}

bool ip_decode(struct cursor c, unsigned version, struct packet *p, struct ip_found *ret)
{
	unsigned found = c.rest.len ? c.rest.at[0] >> 4 : 0;

	*ret = (struct ip_found){ 0 };
	if (version && found != version) {
		p->malformed = 1;
		return false;
	}
	if (found == 4)
		return ip4_decode(c, p, ret);
	if (found == 6)
		return ip6_decode(c, p, ret);
	p->malformed = 1;
	return false;
}
