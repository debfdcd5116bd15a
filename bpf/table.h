/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h -- the configuration, the tables, and the booking of a look in them, whatever it is.
 *
 * `config` is read-only and known to the verifier: what no account needs is taken out of the program as it is
 * loaded. What is left of a test is the load of the word.
 *
 * plain.h has a shorter way for plain frames; it comes here with those whose home bucket is full. */
#ifndef NETTALLY_BPF_TABLE_H
#define NETTALLY_BPF_TABLE_H

#include "look.h"

const volatile struct tally_config config;
const volatile __u16 service_of_port[131072] SEC(".rodata.services");
struct tally_control control SEC(".data.control");

/* The inner maps are user space's: arrays of buckets, without BPF_F_INNER_MAP, so that the look-up is inlined. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} party SEC(".maps"), plain SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tally_sums);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tally_local_key);
	__type(value, __u32);
} local SEC(".maps");

/* A look in the slow way: too large for the stack of a program and two functions. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct look);
} slow_look SEC(".maps");

/* enum locality and enum account_of of src/model/ */
enum { LOCALITY_UNKNOWN, LOCALITY_LOCAL, LOCALITY_REMOTE };
enum { OF_BOTH, OF_LOCAL, OF_REMOTE };

#define FIELDS_OF_HOSTS (TALLY_F_HOST | TALLY_F_SRC_HOST | TALLY_F_DST_HOST)

/* The bookings of a frame, as bits. */
enum { BOOK_RX = 1 << TALLY_RX, BOOK_TX = 1 << TALLY_TX, BOOK_PLAIN = 1 << TALLY_SIDES, BOOK_ALL = 7 };

/* The verifier takes a branch out where one of its sides is never reached. So a choice that the configuration makes
 * has an instruction of its own on the side that a hot path does not take. */
#define CONSTANT(to, value) asm volatile("%0 = %1" : "=r"(to) : "i"(value))
#define NOTHING()                                                                                                  \
	do {                                                                                                       \
		__u64 nothing;                                                                                     \
		CONSTANT(nothing, 0);                                                                              \
	} while (0)

/* In a register: otherwise each read of a word of it begins with a constant of 64 bits. */
static __always_inline const volatile struct tally_config *config_in_register(void)
{
	const volatile struct tally_config *cf = &config;

	asm volatile("" : "+r"(cf));
	return cf;
}

static __always_inline int grain_has(__u32 grain)
{
	return config.grains & 1u << grain;
}

/* TALLY_INDEX of this CPU. Read once a frame: all of it belongs to one epoch. */
static __always_inline __u32 table_index(void)
{
	__u32 index = bpf_get_smp_processor_id();

	if (*(volatile __u32 *)&control.active)
		index += config.cpus; /* a branch costs less than a product */
	return index;
}

/* ---- whose address is it ---- */

static __noinline int local_look_up(__u32 family, __u64 first, __u64 end)
{
	struct tally_local_key key = { 32 + 128, family, { first, end } };

	return bpf_map_lookup_elem(&local, &key) ? LOCALITY_LOCAL : LOCALITY_REMOTE;
}

static __always_inline int locality_ip4(__u32 addr)
{
	const __u32 count = config.local4_count;

	if (count > TALLY_LOCAL_INLINE)
		return local_look_up(TALLY_IP4, 0, mapped_ip4(addr));
#pragma unroll
	for (unsigned i = 0; i < TALLY_LOCAL_INLINE; i++)
		if (i < count && (addr & config.local4[i].mask) == config.local4[i].network)
			return LOCALITY_LOCAL;
	return LOCALITY_REMOTE;
}

static __always_inline int locality_ip6(__u64 first, __u64 end)
{
	const __u32 count = config.local6_count;

	if (count > TALLY_LOCAL_INLINE)
		return local_look_up(TALLY_IP6, first, end);
#pragma unroll
	for (unsigned i = 0; i < TALLY_LOCAL_INLINE; i++)
		if (i < count && (first & config.local6[i].mask[0]) == config.local6[i].network[0] &&
		    (end & config.local6[i].mask[1]) == config.local6[i].network[1])
			return LOCALITY_LOCAL;
	return LOCALITY_REMOTE;
}

/* What is no IP is remote, as in src/count/. */
static __always_inline int locality_of(const struct look *l, __u32 side)
{
	const __u64 *host = side == TALLY_RX ? l->dst : l->src;

	if (l->family == TALLY_IP4)
		return locality_ip4(mapped_ip4_address(host[1]));
	if (l->family == TALLY_IP6)
		return locality_ip6(host[0], host[1]);
	return LOCALITY_REMOTE;
}

/* ---- the key ---- */

/* The destination's port is asked first. */
static __always_inline __u32 service_of(const struct look *l)
{
	__u32 table, service;

	if (l->proto == (0x100 | PROTO_TCP))
		table = TALLY_SERVICE_TCP;
	else if (l->proto == (0x100 | PROTO_UDP))
		table = TALLY_SERVICE_UDP;
	else
		return 0;
	if (!l->ports)
		return 0;
	service = service_of_port[table + (l->ports >> 32 & 0xffff)];
	if (!service)
		service = service_of_port[table + (l->ports & 0xffff)];
	return service;
}

/* What the small word has of the packet. */
static __always_inline __u64 small_of(const struct look *l, __u32 fields)
{
	__u64 small = 0;

	if (fields & TALLY_F_PROTO)
		small |= (__u64)l->proto << TALLY_PROTO_SHIFT;
	if (fields & TALLY_F_VLAN)
		small |= (__u64)l->vlan << TALLY_VLAN_SHIFT;
	if (fields & TALLY_F_ETHERTYPE)
		small |= (__u64)l->ethertype << TALLY_ETHERTYPE_SHIFT;
	if (fields & TALLY_F_SERVICE)
		small |= (__u64)service_of(l) << TALLY_SERVICE_SHIFT;
	if (fields & TALLY_F_DIRECTION)
		small |= (l->hook + 1ull) << TALLY_DIRECTION_SHIFT;
	if (fields & FIELDS_OF_HOSTS)
		small |= (__u64)l->family << TALLY_FAMILY_SHIFT;
	return small;
}

static __always_inline __u64 word_of(const struct look *l, int word, __u32 side)
{
	switch (word) {
	case TALLY_HOST: return side == TALLY_RX ? l->dst[0] : l->src[0];
	case TALLY_HOST_END: return side == TALLY_RX ? l->dst[1] : l->src[1];
	case TALLY_MAC: return side == TALLY_RX ? l->dst_mac : l->src_mac;
	case TALLY_PORTS: return l->ports;
	case TALLY_SRC_MAC: return l->src_mac;
	case TALLY_DST_MAC: return l->dst_mac;
	case TALLY_SRC_HOST: return l->src[0];
	case TALLY_SRC_HOST_END: return l->src[1];
	case TALLY_DST_HOST: return l->dst[0];
	case TALLY_DST_HOST_END: return l->dst[1];
	default: return 0;
	}
}

static __always_inline int has_word(__u32 fields, int word)
{
	switch (word) {
	case TALLY_SMALL: return 1;
	case TALLY_HOST:
	case TALLY_HOST_END: return !!(fields & TALLY_F_HOST);
	case TALLY_MAC: return !!(fields & TALLY_F_MAC);
	case TALLY_PORTS: return !!(fields & TALLY_F_PORTS);
	case TALLY_SRC_MAC: return !!(fields & TALLY_F_SRC_MAC);
	case TALLY_DST_MAC: return !!(fields & TALLY_F_DST_MAC);
	case TALLY_SRC_HOST:
	case TALLY_SRC_HOST_END: return !!(fields & TALLY_F_SRC_HOST);
	case TALLY_DST_HOST:
	case TALLY_DST_HOST_END: return !!(fields & TALLY_F_DST_HOST);
	default: return 0;
	}
}

/* A word that is 0 in all keys of its kind: IPv4 has nothing in the first word of a host. */
static __always_inline int is_empty(const struct look *l, int word)
{
	return l->family == TALLY_IP4 && (word == TALLY_HOST || word == TALLY_SRC_HOST || word == TALLY_DST_HOST);
}

/* What a word adds to the hash. `ip4`: the half of an address that is the same in all keys of this family adds
 * nothing; and a party's one address, the only such word in its key, stays where it is, so that neighbours come to
 * different buckets. */
static __always_inline __u64 word_hash(__u64 value, int word, int ip4)
{
	if (ip4 && word == TALLY_HOST_END)
		return value * config.seeds[word];
	switch (word) {
	case TALLY_HOST:
	case TALLY_HOST_END:
	case TALLY_SRC_HOST:
	case TALLY_SRC_HOST_END:
	case TALLY_DST_HOST:
	case TALLY_DST_HOST_END:
		if (ip4)
			return (__u64)mapped_ip4_address(value) * config.seeds[word];
		return (value >> 32) * config.seeds[word] + (value & 0xffffffff) * config.low_seeds[word];
	default: return value * config.seeds[word];
	}
}

static __always_inline __u64 hash_of(const struct look *l, __u32 fields, __u64 small, __u32 side, int words)
{
	__u64 h = word_hash(small, TALLY_SMALL, 0);

#pragma unroll
	for (int i = TALLY_HOST; i < words; i++)
		if (has_word(fields, i) && !is_empty(l, i))
			h += word_hash(word_of(l, i, side), i, l->family == TALLY_IP4);
	return h;
}

static __always_inline int slot_is(const __u64 *slot, const struct look *l, __u32 fields, __u64 small, __u32 side, int words)
{
	if (slot[TALLY_SMALL] != small)
		return 0;
#pragma unroll
	for (int i = TALLY_HOST; i < words; i++)
		if (has_word(fields, i) && !is_empty(l, i) && slot[i] != word_of(l, i, side))
			return 0;
	return 1;
}

/* ---- booking ---- */

static __always_inline void counters_add(struct tally_counters *c, const struct look *l)
{
	c->packets += l->packets;
	c->l2_bytes += l->l2_bytes;
	c->l3_bytes += l->l3_bytes;
}

/* `packets` comes last: user space may read along. */
static __always_inline void slot_fill(__u64 *slot, const struct look *l, __u32 fields, __u64 small, __u32 side, int words)
{
	struct tally_counters *c = (void *)(slot + words);

	slot[TALLY_SMALL] = small;
#pragma unroll
	for (int i = TALLY_HOST; i < words; i++)
		slot[i] = has_word(fields, i) ? word_of(l, i, side) : 0;
	c->l2_bytes = l->l2_bytes;
	c->l3_bytes = l->l3_bytes;
	barrier();
	c->packets = l->packets;
}

/* Looks through a bucket from its slot `first` on, around the end. False: it is full of others. */
static __always_inline int bucket_book(void *bucket, __u32 first, const struct look *l, __u32 fields, __u64 small, __u32 side,
				       int words, __u64 *used)
{
	const __u32 slot_bytes = words == TALLY_NARROW_WORDS ? sizeof(struct tally_narrow_slot) : sizeof(struct tally_wide_slot);
	__u32 at = first * slot_bytes;

	for (int i = 0; i < TALLY_BUCKET; i++) {
		__u64 *slot = bucket + at;

		if (unlikely(slot[words] == 0)) {
			slot_fill(slot, l, fields, small, side, words);
			*used += 1;
			return 1;
		}
		if (likely(slot_is(slot, l, fields, small, side, words))) {
			counters_add((void *)(slot + words), l);
			return 1;
		}
		at = (at + slot_bytes) & (TALLY_BUCKET * slot_bytes - 1);
	}
	return 0;
}

static __always_inline int side_wanted(__u32 of, __u32 locality)
{
	return of == OF_BOTH || (locality == LOCALITY_LOCAL) == (of == OF_LOCAL);
}

/* Where neither the key nor `of` asks for it, it is unknown. */
static __always_inline __u32 locality_if_asked(const struct look *l, __u32 fields, __u32 of, __u32 side)
{
	return fields & TALLY_F_LOCALITY || of != OF_BOTH ? locality_of(l, side) : LOCALITY_UNKNOWN;
}

static __always_inline __u64 small_of_side(__u64 small, __u32 fields, __u32 side, __u32 locality)
{
	if (fields & TALLY_F_LOCALITY)
		small |= (__u64)locality << TALLY_LOCALITY_SHIFT;
	return small | (__u64)side << TALLY_SIDE_SHIFT;
}

/* ---- the slow way: home bucket and those behind it; then `other` ---- */

struct far {
	const struct look *look;
	__u64 small, place;
	__u32 side, index, booked;
};

static __always_inline __u64 far_place(const struct far *f, __u32 grain, int words)
{
	return hash_of(f->look, config.fields[grain], f->small, f->side & 1, words) >> (config.shift[grain] - 3);
}

static __always_inline int far_bucket(struct far *f, __u32 i, void *table, __u32 grain, int words)
{
	__u32 at = ((f->place >> 3) + i) & config.bucket_mask[grain], index = f->index;
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);
	void *bucket = bpf_map_lookup_elem(table, &at);

	if (!s || !bucket)
		return 1;
	if (!bucket_book(bucket, i ? 0 : f->place & (TALLY_BUCKET - 1), f->look, config.fields[grain], f->small, f->side & 1,
			 words, &s->used[grain]))
		return 0;
	f->booked = 1;
	return 1;
}

static long far_party_step(__u32 i, struct far *f)
{
	__u32 index = f->index;
	void *table = bpf_map_lookup_elem(&party, &index);

	if (!table)
		return 1;
	if (config.wide & 1u << TALLY_PARTY)
		return far_bucket(f, i, table, TALLY_PARTY, TALLY_WIDE_WORDS);
	return far_bucket(f, i, table, TALLY_PARTY, TALLY_NARROW_WORDS);
}

static long far_plain_step(__u32 i, struct far *f)
{
	__u32 index = f->index;
	void *table = bpf_map_lookup_elem(&plain, &index);

	if (!table)
		return 1;
	if (config.wide & 1u << TALLY_PLAIN)
		return far_bucket(f, i, table, TALLY_PLAIN, TALLY_WIDE_WORDS);
	return far_bucket(f, i, table, TALLY_PLAIN, TALLY_NARROW_WORDS);
}

static __always_inline void book_other(const struct far *f, __u32 grain, __u32 locality)
{
	__u32 index = f->index;
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);

	if (!s)
		return;
	s->overflowed++;
	counters_add(&s->other[grain][f->side & 1][locality < TALLY_LOCALITIES ? locality : 0], f->look);
}

/* Not static: the verifier looks at such a function once, not again for each way that leads to it. */
__noinline int book_side_slowly(const struct look *l, __u32 index, __u32 side)
{
	const __u32 fields = config.fields[TALLY_PARTY], of = config.of;
	struct far f = { .look = l, .index = index, .side = side & 1 };
	__u32 locality;

	if (!l)
		return 0;
	locality = locality_if_asked(l, fields, of, f.side);
	if (!side_wanted(of, locality))
		return 0;
	f.small = small_of_side(small_of(l, fields), fields, f.side, locality);
	if (config.wide & 1u << TALLY_PARTY)
		f.place = far_place(&f, TALLY_PARTY, TALLY_WIDE_WORDS);
	else
		f.place = far_place(&f, TALLY_PARTY, TALLY_NARROW_WORDS);
	bpf_loop(TALLY_BUCKETS_PROBED, far_party_step, &f, 0);
	if (!f.booked)
		book_other(&f, TALLY_PARTY, locality);
	return 0;
}

__noinline int book_plain_slowly(const struct look *l, __u32 index)
{
	struct far f = { .look = l, .index = index };

	if (!l)
		return 0;
	f.small = small_of(l, config.fields[TALLY_PLAIN]);
	if (config.wide & 1u << TALLY_PLAIN)
		f.place = far_place(&f, TALLY_PLAIN, TALLY_WIDE_WORDS);
	else
		f.place = far_place(&f, TALLY_PLAIN, TALLY_NARROW_WORDS);
	bpf_loop(TALLY_BUCKETS_PROBED, far_plain_step, &f, 0);
	if (!f.booked)
		book_other(&f, TALLY_PLAIN, LOCALITY_UNKNOWN);
	return 0;
}

static __always_inline struct look *slow_look_of_cpu(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&slow_look, &zero);
}

/* Books the slow look. */
static __always_inline void book_slowly(__u32 which, __u32 index)
{
	const struct look *l = slow_look_of_cpu();

	if (!l)
		return;
	if (which & BOOK_RX && grain_has(TALLY_PARTY))
		book_side_slowly(l, index, TALLY_RX);
	if (which & BOOK_TX && grain_has(TALLY_PARTY))
		book_side_slowly(l, index, TALLY_TX);
	if (which & BOOK_PLAIN && grain_has(TALLY_PLAIN))
		book_plain_slowly(l, index);
}

#endif
