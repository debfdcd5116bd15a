/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shortest.h -- the shortest way, for most of the packets of most configurations: IPv4 straight behind Ethernet,
 * parties by host and perhaps service. The same as plain.h, with nothing but what these need.
 *
 * All words of the configuration are read between two look-ups, through one register. */
#ifndef NETTALLY_BPF_SHORTEST_H
#define NETTALLY_BPF_SHORTEST_H

#include "plain.h"

enum { BOOK_OTHERWISE = 8 };         /* not this way: ask book_plainly() */

/* All that it takes to book one end. */
struct amount {
	__u64 l2_bytes, l3_bytes;
};

/* Of IPv4 and TCP or UDP without a look at fragments. */
static __always_inline __u32 ip4_service(const __u8 *h, __u32 proto)
{
	const volatile __u16 *of;
	__u32 service;

	if (proto == PROTO_TCP)
		of = service_of_port + TALLY_SERVICE_TCP;
	else if (proto == PROTO_UDP)
		of = service_of_port + TALLY_SERVICE_UDP;
	else
		return 0;
	if (*(const __u16 *)(h + 6) & bpf_htons(0x1fff)) /* a later fragment has no ports */
		return 0;
	service = of[be16_of(*(const __u16 *)(h + 22))];
	if (!service)
		service = of[be16_of(*(const __u16 *)(h + 20))];
	return service;
}

static __noinline int is_further_local4(__u32 addr)
{
	const __u32 count = config.local4_count;

	for (unsigned i = 1; i < TALLY_LOCAL_INLINE; i++)
		if (i < count && (addr & config.local4[i].mask) == config.local4[i].network)
			return 1;
	return 0;
}

/* False: its home bucket is full of others. */
static __always_inline int book_host4(void *table, __u32 *index, __u32 addr, __u32 high, const struct amount *a)
{
	const volatile struct tally_config *cf = config_in_register();
	const __u64 small = (__u64)high << 32, host = mapped_ip4(addr);
	__u64 place = (small * cf->seeds[TALLY_SMALL] + host * cf->seeds[TALLY_HOST_END]) >> (cf->shift[TALLY_PARTY] - 9);
	__u32 at = place & 0x1c0, bucket_index = place >> 9;
	__u8 *bucket = bpf_map_lookup_elem(table, &bucket_index);
	struct tally_narrow_slot *slot;

	if (!bucket)
		return 0;
	for (int i = 0; i < TALLY_BUCKET; i++) {
		slot = (void *)(bucket + at);
		/* a free slot is all zero, and this key is not: it need not be asked first */
		if (likely(slot->key[TALLY_SMALL] == small && slot->key[TALLY_HOST_END] == host)) {
			slot->counters.packets++;
			slot->counters.l2_bytes += a->l2_bytes;
			slot->counters.l3_bytes += a->l3_bytes;
			return 1;
		}
		if (unlikely(!slot->counters.packets)) {
			struct key k = { .word = { [TALLY_SMALL] = small, [TALLY_HOST_END] = host } };
			struct plain p = { .l2_bytes = a->l2_bytes, .l3_bytes = a->l3_bytes };

			key_fill((void *)slot, &k, KIND_HOST, 0, 1, TALLY_NARROW_WORDS, &p);
			count_used(*index, TALLY_PARTY);
			return 1;
		}
		at = (at + 0x40) & 0x1c0;
	}
	return 0;
}

static __always_inline int is_local4(__u32 addr, __u32 network, __u32 mask)
{
	if ((addr & mask) == network)
		return 1;
	return config.local4_count > 1 && is_further_local4(addr);
}

/* The end that is wanted, where it is one. `wanted`: LOCALITY_... */
static __always_inline __u32 book_one_end(void *table, __u32 *index, __u32 src, __u32 dst, __u32 high, __u32 wanted,
					  const struct amount *a)
{
	const volatile struct tally_config *cf = config_in_register();
	__u32 network = cf->local4[0].network, mask = cf->local4[0].mask;

	if (is_local4(dst, network, mask)) {
		if (is_local4(src, network, mask))
			return wanted == LOCALITY_LOCAL ? BOOK_OTHERWISE : 0;
		if (wanted == LOCALITY_LOCAL)
			goto rx;
	} else {
		asm volatile("" : "+r"(src)); /* else clang merges the two sides, which begin alike */
		if (!is_local4(src, network, mask))
			return wanted == LOCALITY_REMOTE ? BOOK_OTHERWISE : 0;
		if (wanted == LOCALITY_REMOTE)
			goto rx;
	}
	if (likely(book_host4(table, index, src, high | TALLY_TX << (TALLY_SIDE_SHIFT - 32), a)))
		return 0;
	return BOOK_TX;
rx:
	if (likely(book_host4(table, index, dst, high, a)))
		return 0;
	return BOOK_RX;
}

static __always_inline __u32 book_ends(void *table, __u32 *index, __u32 src, __u32 dst, __u32 high, const struct amount *a)
{
	__u32 left = 0;

	if (unlikely(!book_host4(table, index, dst, high, a)))
		left = BOOK_RX;
	if (unlikely(!book_host4(table, index, src, high | TALLY_TX << (TALLY_SIDE_SHIFT - 32), a)))
		left |= BOOK_TX;
	return left;
}

/* `b`: the frame. BOOK_OTHERWISE, or what found its home bucket full. */
static __always_inline __u32 book_shortest(const __u8 *b, const __u8 *end, __u64 frame_bytes, __u64 l2_bytes, void *table,
					   __u32 *index)
{
	const volatile struct tally_config *cf = config_in_register();
	struct amount a = { l2_bytes, frame_bytes - 14 };
	const __u8 *h = b + 14;
	__u32 proto, src, dst, high, of;
	__u64 datagram;

	if (b + 38 > end || *(const __u16 *)(b + 12) != bpf_htons(ETHERTYPE_IP4) || h[0] != 0x45)
		return BOOK_OTHERWISE;
	proto = h[9];
	datagram = be16_of(*(const __u16 *)(h + 2));
	if (proto == PROTO_AH || datagram < 20)
		return BOOK_OTHERWISE;
	if (datagram < a.l3_bytes)
		a.l3_bytes = datagram;
	if (cf->fields[TALLY_PARTY] & TALLY_F_SERVICE)
		high = ip4_service(h, proto) << (TALLY_SERVICE_SHIFT - 32);
	else
		CONSTANT(high, 0);
	high |= TALLY_IP4 << (TALLY_FAMILY_SHIFT - 32);
	src = *(const __u32 *)(h + 12);
	dst = *(const __u32 *)(h + 16);
	of = cf->of;
	if (of == OF_BOTH)
		return book_ends(table, index, src, dst, high, &a);
	if (cf->local4_count - 1 >= TALLY_LOCAL_INLINE) {
		CONSTANT(of, BOOK_OTHERWISE);
		return of;
	}
	if (of == OF_REMOTE)
		return book_one_end(table, index, src, dst, high, LOCALITY_REMOTE, &a);
	return book_one_end(table, index, src, dst, high, LOCALITY_LOCAL, &a);
}

/* Is it enough for this configuration? */
static __always_inline int is_shortest(void)
{
	const volatile struct tally_config *cf = config_in_register();

	return cf->grains == 1u << TALLY_PARTY && (cf->fields[TALLY_PARTY] & ~TALLY_F_SERVICE) == TALLY_F_HOST && !cf->raw_ip;
}

#endif
