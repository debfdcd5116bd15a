/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plain.h -- the short way of plain frames: Ethernet with at most two tags, or raw IP; IPv4 without options, IPv6
 * without extension headers. Read in a straight line, straight from the packet, and booked in the home bucket with
 * the key in registers. What else there is, what does not lie in the linear part, and what finds its home bucket
 * full goes the long way (general.h, table.h), which gives the same answer.
 *
 * Written for the number of machine instructions: a value is made where it is used, so that nothing is carried
 * over the look-ups in vain; what a configuration does not need is behind a test that the verifier takes out. */
#ifndef NETTALLY_BPF_PLAIN_H
#define NETTALLY_BPF_PLAIN_H

#include "table.h"

struct plain {
	const __u8 *frame;           /* Ethernet header */
	const __u8 *l4;              /* its first 4 bytes are there */
	__u64 src[2], dst[2];        /* src[0] and dst[0] are 0 for IPv4 */
	__u64 l2_bytes, l3_bytes;
	__u32 proto, vlan;
	__u32 hook;
	__u32 has_ports;
};

struct key {
	__u64 word[TALLY_WIDE_WORDS];
};

/* What a key is made of, known at build time; what a kind has and the account did not ask for is 0. */
enum kind {
	KIND_HOST,                   /* party: small word and host */
	KIND_PARTY,                  /* party: all words of a narrow slot */
	KIND_NARROW,                 /* plain: small word and ports */
	KIND_WIDE,                   /* plain: what `fields` say */
};

#define FIELDS_OF_LOW (TALLY_F_PROTO | TALLY_F_VLAN | TALLY_F_ETHERTYPE)

static __always_inline int kind_has(enum kind kind, __u32 fields, int ip4, int word)
{
	if (word == TALLY_SMALL)
		return 1;
	if (ip4 && (word == TALLY_HOST || word == TALLY_SRC_HOST || word == TALLY_DST_HOST))
		return 0; /* 0 in all keys of this family */
	switch (kind) {
	case KIND_HOST: return word == TALLY_HOST || word == TALLY_HOST_END;
	case KIND_PARTY: return word < TALLY_NARROW_WORDS;
	case KIND_NARROW: return word == TALLY_PORTS;
	default: return word != TALLY_HOST && word != TALLY_HOST_END && word != TALLY_MAC && has_word(fields, word);
	}
}

static __always_inline __u64 key_hash(const struct key *k, enum kind kind, __u32 fields, int ip4, int words)
{
	__u64 h = word_hash(k->word[TALLY_SMALL], TALLY_SMALL, ip4);

#pragma unroll
	for (int i = TALLY_HOST; i < words; i++)
		if (kind_has(kind, fields, ip4, i))
			h += word_hash(k->word[i], i, ip4);
	return h;
}

static __always_inline int key_is(const __u64 *slot, const struct key *k, enum kind kind, __u32 fields, int ip4, int words)
{
#pragma unroll
	for (int i = 0; i < words; i++)
		if (kind_has(kind, fields, ip4, i) && slot[i] != k->word[i])
			return 0;
	return 1;
}

/* A slot was taken. Once a key: not worth a register before. */
__noinline int count_used(__u32 index, __u32 grain)
{
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);

	if (s)
		s->used[grain & 1]++;
	return 0;
}

static __always_inline void key_fill(__u64 *slot, const struct key *k, enum kind kind, __u32 fields, int ip4, int words,
				     const struct plain *p)
{
#pragma unroll
	for (int i = 0; i < words; i++)
		slot[i] = kind_has(kind, fields, ip4, i) ? k->word[i] : 0;
	slot[words + 1] = p->l2_bytes;
	slot[words + 2] = p->l3_bytes;
	barrier(); /* user space may read along: packets come last */
	slot[words] = 1;
}

/* False: the home bucket is full of other keys. */
static __always_inline int book_at_home(void *table, __u32 index, __u32 grain, const struct key *k, enum kind kind,
					__u32 fields, int ip4, const struct plain *p)
{
	const int words = kind == KIND_WIDE ? TALLY_WIDE_WORDS : TALLY_NARROW_WORDS;
	const __u32 slot_bits = kind == KIND_WIDE ? 7 : 6, last = (TALLY_BUCKET - 1) << slot_bits;
	/* home bucket, first slot in it, and `slot_bits` more */
	__u64 place = key_hash(k, kind, fields, ip4, words) >> (config.shift[grain] - 3 - slot_bits);
	__u32 bucket_index = place >> (3 + slot_bits), at = place & last;
	__u8 *bucket = bpf_map_lookup_elem(table, &bucket_index);
	int probes = TALLY_BUCKET;
	__u64 *slot, packets;

	if (!bucket)
		return 0;
	slot = (__u64 *)(bucket + at);
	packets = slot[words];
	while (likely(packets)) {
		if (likely(key_is(slot, k, kind, fields, ip4, words))) {
			slot[words] = packets + 1;
			slot[words + 1] += p->l2_bytes;
			slot[words + 2] += p->l3_bytes;
			return 1;
		}
		if (--probes == 0)
			return 0;
		at = (at + (1u << slot_bits)) & last;
		slot = (__u64 *)(bucket + at);
		packets = slot[words];
	}
	key_fill(slot, k, kind, fields, ip4, words, p);
	count_used(index, grain);
	return 1;
}

/* ---- words of the key ---- */

static __always_inline __u32 plain_service(const struct plain *p)
{
	const volatile __u16 *of = service_of_port;
	__u32 service;

	if (p->proto == PROTO_UDP)
		of += TALLY_SERVICE_UDP;
	else if (p->proto != PROTO_TCP)
		return 0;
	if (!p->has_ports)
		return 0;
	service = of[bpf_ntohs(*(const __u16 *)(p->l4 + 2))];
	if (!service)
		service = of[bpf_ntohs(*(const __u16 *)p->l4)];
	return service;
}

static __always_inline __u64 plain_ports(const struct plain *p)
{
	if (p->has_ports && (p->proto == PROTO_TCP || p->proto == PROTO_UDP))
		return ports_key(*(const __u16 *)p->l4, *(const __u16 *)(p->l4 + 2));
	return 0;
}

/* The upper half of the small word: constants of 32 bits are cheap, those of 64 are not. */
static __always_inline __u32 plain_high(const struct plain *p, __u32 fields, int ip4)
{
	__u32 high = 0;

	if (fields & TALLY_F_SERVICE)
		high = plain_service(p) << (TALLY_SERVICE_SHIFT - 32);
	else
		NOTHING();
	if (fields & TALLY_F_DIRECTION)
		high |= (p->hook + 1) << (TALLY_DIRECTION_SHIFT - 32);
	if (fields & FIELDS_OF_HOSTS)
		high |= (ip4 ? TALLY_IP4 : TALLY_IP6) << (TALLY_FAMILY_SHIFT - 32);
	else
		NOTHING();
	return high;
}

static __always_inline __u64 plain_small(const struct plain *p, __u32 high, __u32 fields, int ip4)
{
	__u64 small = (__u64)high << 32;

	if (fields & FIELDS_OF_LOW) {
		if (fields & TALLY_F_PROTO)
			small |= 0x100 | p->proto;
		else
			NOTHING();
		if (fields & TALLY_F_VLAN)
			small |= (__u64)p->vlan << TALLY_VLAN_SHIFT;
		else
			NOTHING();
		if (fields & TALLY_F_ETHERTYPE)
			small |= (0x10000ull | (ip4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6)) << TALLY_ETHERTYPE_SHIFT;
		else
			NOTHING();
	} else {
		NOTHING();
	}
	return small;
}

/* ---- the grains; what could not be booked stays set in the results ---- */

static __always_inline __u32 book_side(void *table, __u32 index, const struct plain *p, __u32 high, __u32 side, __u32 locality,
				       enum kind kind, __u32 fields, int ip4)
{
	struct key k = { 0 };

	high |= side << (TALLY_SIDE_SHIFT - 32);
	if (fields & TALLY_F_LOCALITY)
		high |= locality << (TALLY_LOCALITY_SHIFT - 32);
	k.word[TALLY_SMALL] = plain_small(p, high, fields, ip4);
	if (fields & TALLY_F_HOST) {
		k.word[TALLY_HOST] = side == TALLY_RX ? p->dst[0] : p->src[0];
		k.word[TALLY_HOST_END] = side == TALLY_RX ? p->dst[1] : p->src[1];
	}
	if (kind == KIND_PARTY && fields & TALLY_F_MAC && !config.raw_ip)
		k.word[TALLY_MAC] = mac_key(p->frame + (side == TALLY_RX ? 0 : 6));
	if (kind == KIND_PARTY && fields & TALLY_F_PORTS)
		k.word[TALLY_PORTS] = plain_ports(p);
	return book_at_home(table, index, TALLY_PARTY, &k, kind, fields, ip4, p) ? 0 : 1u << side;
}

static __always_inline __u32 plain_locality(const struct plain *p, __u32 side, int ip4)
{
	const __u64 *host = side == TALLY_RX ? p->dst : p->src;

	return ip4 ? locality_ip4(mapped_ip4_address(host[1])) : locality_ip6(host[0], host[1]);
}

static __always_inline __u32 book_sides(void *table, __u32 index, const struct plain *p, __u32 fields, enum kind kind, int ip4)
{
	const __u32 of = config.of, high = plain_high(p, fields, ip4);
	__u32 left = 0, locality = LOCALITY_UNKNOWN;

	if (of == OF_BOTH && !(fields & TALLY_F_LOCALITY)) {
		left = book_side(table, index, p, high, TALLY_RX, locality, kind, fields, ip4);
		return left | book_side(table, index, p, high, TALLY_TX, locality, kind, fields, ip4);
	}
	locality = plain_locality(p, TALLY_RX, ip4);
	if (side_wanted(of, locality))
		left = book_side(table, index, p, high, TALLY_RX, locality, kind, fields, ip4);
	locality = plain_locality(p, TALLY_TX, ip4);
	if (side_wanted(of, locality))
		left |= book_side(table, index, p, high, TALLY_TX, locality, kind, fields, ip4);
	return left;
}

static __always_inline __u32 book_party(__u32 index, const struct plain *p, int ip4)
{
	const __u32 fields = config.fields[TALLY_PARTY];
	void *table = bpf_map_lookup_elem(&party, &index);

	if (fields & TALLY_F_WIDE)
		return BOOK_RX | BOOK_TX; /* rare: a host and its peer */
	if (!table)
		return 0;
	if (fields & (TALLY_F_MAC | TALLY_F_PORTS))
		return book_sides(table, index, p, fields, KIND_PARTY, ip4);
	return book_sides(table, index, p, fields, KIND_HOST, ip4);
}

static __always_inline __u32 book_plain(__u32 index, const struct plain *p, int ip4)
{
	const __u32 fields = config.fields[TALLY_PLAIN];
	void *table = bpf_map_lookup_elem(&plain, &index);
	struct key k = { 0 };

	if (!table)
		return 0;
	k.word[TALLY_SMALL] = plain_small(p, plain_high(p, fields, ip4), fields, ip4);
	if (fields & TALLY_F_PORTS)
		k.word[TALLY_PORTS] = plain_ports(p);
	if (!(fields & TALLY_F_WIDE))
		return book_at_home(table, index, TALLY_PLAIN, &k, KIND_NARROW, fields, ip4, p) ? 0 : BOOK_PLAIN;
	if (fields & TALLY_F_SRC_MAC && !config.raw_ip)
		k.word[TALLY_SRC_MAC] = mac_key(p->frame + 6);
	if (fields & TALLY_F_DST_MAC && !config.raw_ip)
		k.word[TALLY_DST_MAC] = mac_key(p->frame);
	k.word[TALLY_SRC_HOST] = p->src[0];
	k.word[TALLY_SRC_HOST_END] = p->src[1];
	k.word[TALLY_DST_HOST] = p->dst[0];
	k.word[TALLY_DST_HOST_END] = p->dst[1];
	return book_at_home(table, index, TALLY_PLAIN, &k, KIND_WIDE, fields, ip4, p) ? 0 : BOOK_PLAIN;
}

static __always_inline __u32 book_grains(__u32 index, const struct plain *p, int ip4)
{
	__u32 left = 0;

	if (grain_has(TALLY_PLAIN))
		left = book_plain(index, p, ip4);
	if (grain_has(TALLY_PARTY))
		left |= book_party(index, p, ip4);
	return left;
}

/* ---- the parser ---- */

/* `h` + 24 is known to be there. `rest` = bytes of the frame from `h` on. */
static __always_inline __u32 ip4_plainly(const __u8 *h, __u32 rest, __u32 index, const struct plain *frame)
{
	struct plain p = { .frame = frame->frame, .l2_bytes = frame->l2_bytes, .vlan = frame->vlan, .hook = frame->hook };
	__u32 datagram = bpf_ntohs(*(const __u16 *)(h + 2));

	p.proto = h[9];
	if (h[0] != 0x45 || p.proto == PROTO_AH || datagram < 20)
		return BOOK_ALL;
	p.l3_bytes = datagram < rest ? datagram : rest;
	p.src[1] = mapped_ip4(*(const __u32 *)(h + 12));
	p.dst[1] = mapped_ip4(*(const __u32 *)(h + 16));
	p.has_ports = !(*(const __u16 *)(h + 6) & bpf_htons(0x1fff));
	p.l4 = h + 20;
	return book_grains(index, &p, 1);
}

/* `h` + 44 is known to be there. */
static __always_inline __u32 ip6_plainly(const __u8 *h, __u32 rest, __u32 index, const struct plain *frame)
{
	struct plain p = { .frame = frame->frame, .l2_bytes = frame->l2_bytes, .vlan = frame->vlan, .hook = frame->hook };
	__u32 datagram = bpf_ntohs(*(const __u16 *)(h + 4));

	p.proto = h[6];
	if (h[0] >> 4 != 6 || (p.proto != PROTO_TCP && p.proto != PROTO_UDP && p.proto != PROTO_ICMP6))
		return BOOK_ALL;
	datagram = datagram ? datagram + 40 : rest;
	p.l3_bytes = datagram < rest ? datagram : rest;
	p.src[0] = *(const __u64 *)(h + 8);
	p.src[1] = *(const __u64 *)(h + 16);
	p.dst[0] = *(const __u64 *)(h + 24);
	p.dst[1] = *(const __u64 *)(h + 32);
	p.has_ports = 1;
	p.l4 = h + 40;
	return book_grains(index, &p, 0);
}

/* Books a frame that is plain. Returns what is left to book the long way: BOOK_ALL where it is not plain. `h` is the
 * frame, given->vlan a tag in metadata. */
static __noinline __u32 book_plainly(const __u8 *h, const __u8 *end, __u32 rest, __u32 index, const struct plain *given)
{
	struct plain p = { .frame = h, .l2_bytes = given->l2_bytes, .vlan = given->vlan, .hook = given->hook };
	__u32 type;

	if (h + 38 > end)
		return BOOK_ALL;
	if (config.raw_ip) {
		type = h[0] >> 4 == 4 ? bpf_htons(ETHERTYPE_IP4) : bpf_htons(ETHERTYPE_IP6);
	} else {
		type = *(const __u16 *)(h + 12);
		h += 14;
		rest -= 14;
	}
	if (is_tag(type)) {
		if (!p.vlan)
			p.vlan = 0x1000 | (bpf_ntohs(*(const __u16 *)h) & 0xfff);
		type = *(const __u16 *)(h + 2);
		h += 4;
		rest -= 4;
		if (is_tag(type)) {
			type = *(const __u16 *)(h + 2);
			h += 4;
			rest -= 4;
		}
		if (h + 24 > end)
			return BOOK_ALL;
	}
	if (type == bpf_htons(ETHERTYPE_IP4))
		return ip4_plainly(h, rest, index, &p);
	if (type == bpf_htons(ETHERTYPE_IP6) && h + 44 <= end)
		return ip6_plainly(h, rest, index, &p);
	return BOOK_ALL;
}

#endif
