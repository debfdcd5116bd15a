/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lpm_find.c -- lookups.
 *
 * The first 18 bits of an address choose a word of `direct`: a leaf, or a node. A node stands for the next 6 bits, 64 slots:
 * first a word of 64 bits in which a set bit says that here ends a run of equal slots (slot 0 is the highest bit), then
 * one word per run, the last run's first. So the word of a slot is found by counting the ends from it on; the node and its
 * words lie side by side, in one cache line where they fit, and a table of a million IPv4 prefixes has one line to fetch
 * behind the first level. A leaf says all: the value, and the length of the prefix, whose address is that of the
 * question without its host bits.
 *
 * What a lookup costs is waiting for that line. A processor overlaps the waits of as many lookups as its window of
 * instructions holds: so there are few of them, and lpm_find_many() asks for the lines of a whole batch first. For IPv6, where
 * prefixes are dense, the first level is followed by a plain page. */
#include "routes/lpm_internal.h"

#include <string.h>

#define BATCH 64u
#define DEEP_BITS 48u /* most IPv6 prefixes have no more */

#define INLINE static inline __attribute__((always_inline))

/* The word of a slot: the lowest 6 bits of `slot`. */
INLINE uint32_t step(const uint32_t *nodes, uint32_t node, uint64_t slot)
{
	uint64_t ends;

	memcpy(&ends, nodes + node, sizeof ends);
	return (nodes + 1 + node)[__builtin_popcountll(ends << (slot & (SLOTS - 1)))];
}

/* The same, or the word itself where it is a leaf, without a branch: what lies at 0 is read in vain. */
INLINE uint32_t step_if_child(const uint32_t *nodes, uint32_t word, uint64_t slot)
{
	uint32_t child = 0u - (word >> 31);

	return (step(nodes, word & child & ~WORD_CHILD, slot) & child) | (word & ~child);
}

INLINE uint32_t ip4_of(const struct addr *a)
{
	uint32_t net;

	memcpy(&net, a->bytes + 12, sizeof net);
	return __builtin_bswap32(net);
}

INLINE uint64_t half_of(const uint8_t *at)
{
	uint64_t net;

	memcpy(&net, at, sizeof net);
	return __builtin_bswap64(net);
}

INLINE uint32_t walk_ip4(const struct lpm_side *s, uint32_t word, uint32_t a)
{
	if (!(word & WORD_CHILD))
		return word;
	word = step(s->nodes, word & ~WORD_CHILD, a >> 8); /* bits 18 to 23 */
	if (__builtin_expect(!(word & WORD_CHILD), 1))
		return word;
	word = step(s->nodes, word & ~WORD_CHILD, a >> 2);
	if (!(word & WORD_CHILD))
		return word;
	return step(s->nodes, word & ~WORD_CHILD, (uint64_t)a << 4);
}

INLINE uint32_t find_ip4(const struct lpm_side *s, uint32_t a)
{
	return walk_ip4(s, s->direct[a >> (32 - DIRECT_BITS)], a);
}

/* Behind bit 48: few prefixes. */
INLINE uint32_t walk_deep(const struct lpm_side *s, uint32_t word, uint64_t high, uint64_t low)
{
	lpm_key key = ((lpm_key)high << 64 | low) << DEEP_BITS;

	for (; word & WORD_CHILD; key <<= STRIDE_BITS)
		word = step(s->nodes, word & ~WORD_CHILD, (uint64_t)(key >> (128 - STRIDE_BITS)));
	return word;
}

/* The word for the first 30 bits: by a page, or by two nodes. */
INLINE uint32_t first_30(const struct lpm_side *s, uint64_t high)
{
	uint32_t word = s->direct[high >> (64 - DIRECT_BITS)];

	if (word & WORD_PAGE && word & WORD_CHILD) {
		uint64_t at = high >> (64 - DIRECT_BITS - PAGE_BITS) & ((1u << PAGE_BITS) - 1);

		return s->nodes[(word & ~(WORD_CHILD | WORD_PAGE)) + at];
	}
	if (word & WORD_CHILD)
		word = step(s->nodes, word & ~WORD_CHILD, high >> (64 - DIRECT_BITS - STRIDE_BITS));
	if (word & WORD_CHILD)
		word = step(s->nodes, word & ~WORD_CHILD, high >> (64 - DIRECT_BITS - 2 * STRIDE_BITS));
	return word;
}

INLINE uint32_t find_ip6(const struct lpm_side *s, const uint8_t *a)
{
	uint64_t high = half_of(a);
	uint32_t word = first_30(s, high);

	for (unsigned bits = DIRECT_BITS + PAGE_BITS; bits < DEEP_BITS; bits += STRIDE_BITS) {
		if (!(word & WORD_CHILD))
			return word;
		word = step(s->nodes, word & ~WORD_CHILD, high >> (64 - STRIDE_BITS - bits));
	}
	if (__builtin_expect(!(word & WORD_CHILD), 1))
		return word;
	return walk_deep(s, word, high, half_of(a + 8));
}

INLINE uint32_t find(const struct lpm *l, const struct addr *a)
{
	if (__builtin_expect(a->family == ADDR_IP4, 1))
		return find_ip4(&l->ip4, ip4_of(a));
	return a->family == ADDR_IP6 ? find_ip6(&l->ip6, a->bytes) : 0;
}

INLINE struct lpm_match match_of(uint32_t word)
{
	return (struct lpm_match){ word >> 8, (uint8_t)word };
}

INLINE void prefetch_node(const struct lpm_side *s, uint32_t word)
{
	__builtin_prefetch(s->nodes + (word & ~WORD_CHILD & (0u - (word >> 31))));
}

/* All first words, then all lines of nodes, then the answers: the waits of a batch are one. */
INLINE void find_ip4_batch(const struct lpm_side *s, const struct addr *a, unsigned count, struct lpm_match *ret)
{
	uint32_t words[BATCH];

	for (unsigned i = 0; i < count; i++)
		words[i] = s->direct[ip4_of(&a[i]) >> (32 - DIRECT_BITS)];
	for (unsigned i = 0; i < count; i++)
		prefetch_node(s, words[i]);
	for (unsigned i = 0; i < count; i++)
		ret[i] = match_of(walk_ip4(s, words[i], ip4_of(&a[i])));
}

/* Level by level. */
INLINE void find_ip6_batch(const struct lpm_side *s, const struct addr *a, unsigned count, struct lpm_match *ret)
{
	uint32_t words[BATCH];
	uint64_t highs[BATCH];

	for (unsigned i = 0; i < count; i++) {
		highs[i] = half_of(a[i].bytes);
		words[i] = first_30(s, highs[i]);
		prefetch_node(s, words[i]);
	}
	for (unsigned bits = DIRECT_BITS + PAGE_BITS; bits < DEEP_BITS; bits += STRIDE_BITS)
		for (unsigned i = 0; i < count; i++) {
			words[i] = step_if_child(s->nodes, words[i], highs[i] >> (64 - STRIDE_BITS - bits));
			prefetch_node(s, words[i]);
		}
	for (unsigned i = 0; i < count; i++)
		ret[i] = match_of(walk_deep(s, words[i], highs[i], half_of(a[i].bytes + 8)));
}

/* How many addresses from the first on have its family, BATCH at most. */
INLINE unsigned alike(const struct addr *a, unsigned count)
{
	unsigned n = 1;

	while (n < count && n < BATCH && a[n].family == a->family)
		n++;
	return n;
}

INLINE void find_many(const struct lpm *l, const struct addr *a, unsigned count, struct lpm_match *ret)
{
	for (unsigned n; count; a += n, ret += n, count -= n) {
		n = alike(a, count);
		if (a->family == ADDR_IP4)
			find_ip4_batch(&l->ip4, a, n, ret);
		else if (a->family == ADDR_IP6)
			find_ip6_batch(&l->ip6, a, n, ret);
		else
			memset(ret, 0, n * sizeof *ret);
	}
}

static uint32_t find_plain(const struct lpm *l, const struct addr *a)
{
	return find(l, a);
}

static void find_many_plain(const struct lpm *l, const struct addr *a, unsigned count, struct lpm_match *ret)
{
	find_many(l, a, count, ret);
}

#ifdef __x86_64__
/* Every processor since 2013 counts bits in one instruction and shifts without detour; the baseline of the compiler does
 * not know. */
static __attribute__((target("popcnt,bmi,bmi2"))) uint32_t find_bmi2(const struct lpm *l, const struct addr *a)
{
	return find(l, a);
}

static __attribute__((target("popcnt,bmi,bmi2"))) void find_many_bmi2(const struct lpm *l, const struct addr *a, unsigned count,
								      struct lpm_match *ret)
{
	find_many(l, a, count, ret);
}
#endif

struct lpm_code lpm_code(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi2"))
		return (struct lpm_code){ find_bmi2, find_many_bmi2 };
#endif
	return (struct lpm_code){ find_plain, find_many_plain };
}
