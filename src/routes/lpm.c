/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lpm.c -- lookups, and the life of a table.
 *
 * The first 18 bits of an address choose a word of `direct`: a leaf, or a node. A node stands for the next 6 bits, 64 slots:
 * first a word of 64 bits in which a set bit says that here begins a run of equal slots, then one word per run. So the
 * word of a slot is found by counting bits, the node and its words lie side by side (in one cache line, where they fit),
 * and a table of a million IPv4 prefixes has the first level in the L2 cache and one more line to fetch. A leaf says all:
 * the value, and the length of the prefix, whose address is that of the question without its host bits. */
#include "routes/lpm_internal.h"

#include "base/slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lpm_builder {
	struct lpm_list ip4, ip6;
};

int lpm_builder_new(struct lpm_builder **ret)
{
	struct lpm_builder *b = calloc(1, sizeof *b);

	if (!b)
		return -ENOMEM;
	b->ip4.size = sizeof(struct lpm_ip4);
	b->ip6.size = sizeof(struct lpm_ip6);
	*ret = b;
	return 0;
}

void lpm_builder_free(struct lpm_builder **b)
{
	if (*b) {
		free((*b)->ip4.at);
		free((*b)->ip6.at);
	}
	free(*b);
	*b = NULL;
}

int lpm_add(struct lpm_builder *b, const struct prefix *p, uint32_t value)
{
	bool ip4 = p->addr.family == ADDR_IP4;

	if (value == 0 || value > LPM_VALUE_MAX || (!ip4 && p->addr.family != ADDR_IP6) || p->bits > (ip4 ? 32 : 128))
		return -EINVAL;
	return lpm_list_add(ip4 ? &b->ip4 : &b->ip6, p, LEAF(value, p->bits));
}

/* The word for an address, whose first bits stand on top of `key`. */
static inline __attribute__((always_inline)) uint32_t walk(const struct lpm_side *s, uint32_t word, uint64_t key)
{
	while (word & WORD_CHILD) {
		const uint32_t *node = s->nodes + (word & ~WORD_CHILD);
		uint64_t runs;

		memcpy(&runs, node, sizeof runs);
		word = node[1 + __builtin_popcountll(runs & ((UINT64_C(2) << (key >> 58)) - 1))];
		key <<= STRIDE_BITS;
	}
	return word;
}

static inline __attribute__((always_inline)) uint32_t find_ip4(const struct lpm_side *s, uint32_t a)
{
	return walk(s, s->direct[a >> (32 - DIRECT_BITS)], (uint64_t)a << (32 + DIRECT_BITS));
}

static inline __attribute__((always_inline)) uint32_t find_ip6(const struct lpm_side *s, const uint8_t a[16])
{
	lpm_key key = key_of_bytes(a);
	uint32_t word = s->direct[(uint64_t)(key >> (128 - DIRECT_BITS))];

	key <<= DIRECT_BITS;
	while (word & WORD_CHILD) {
		const uint32_t *node = s->nodes + (word & ~WORD_CHILD);
		uint64_t runs;

		memcpy(&runs, node, sizeof runs);
		word = node[1 + __builtin_popcountll(runs & ((UINT64_C(2) << (uint64_t)(key >> 122)) - 1))];
		key <<= STRIDE_BITS;
	}
	return word;
}

static uint32_t find_ip4_plain(const struct lpm_side *s, uint32_t a)
{
	return find_ip4(s, a);
}

static uint32_t find_ip6_plain(const struct lpm_side *s, const uint8_t a[16])
{
	return find_ip6(s, a);
}

#ifdef __x86_64__
/* The instruction that counts bits: every processor since 2008 has it, the baseline does not. */
static __attribute__((target("popcnt"))) uint32_t find_ip4_popcnt(const struct lpm_side *s, uint32_t a)
{
	return find_ip4(s, a);
}

static __attribute__((target("popcnt"))) uint32_t find_ip6_popcnt(const struct lpm_side *s, const uint8_t a[16])
{
	return find_ip6(s, a);
}
#endif

static void choose_code(struct lpm *l)
{
	l->find_ip4 = find_ip4_plain;
	l->find_ip6 = find_ip6_plain;
#ifdef __x86_64__
	if (__builtin_cpu_supports("popcnt")) {
		l->find_ip4 = find_ip4_popcnt;
		l->find_ip6 = find_ip6_popcnt;
	}
#endif
}

int lpm_build(struct lpm **ret, struct lpm_builder **b, struct err *e)
{
	struct lpm *l = calloc(1, sizeof *l);
	int r = l ? 0 : -ENOMEM;

	if (l) {
		l->ip4.list = (*b)->ip4;
		l->ip6.list = (*b)->ip6;
		(*b)->ip4.at = (*b)->ip6.at = NULL;
		choose_code(l);
		r = lpm_list_sort(&l->ip4.list);
		if (r == 0)
			r = lpm_list_sort(&l->ip6.list);
		if (r == 0)
			r = lpm_side_build(&l->ip4);
		if (r == 0)
			r = lpm_side_build(&l->ip6);
	}
	lpm_builder_free(b);
	if (r < 0) {
		lpm_free(&l);
		return err_set(e, r, "no memory for the table of prefixes");
	}
	*ret = l;
	return 0;
}

static void side_free(struct lpm_side *s)
{
	free(s->direct);
	free(s->nodes);
	free(s->list.at);
}

void lpm_free(struct lpm **l)
{
	if (*l) {
		side_free(&(*l)->ip4);
		side_free(&(*l)->ip6);
	}
	free(*l);
	*l = NULL;
}

struct lpm_match lpm_find(const struct lpm *l, const struct addr *a)
{
	uint32_t leaf = 0;

	if (a->family == ADDR_IP4)
		leaf = l->find_ip4(&l->ip4, be32(a->bytes + 12));
	else if (a->family == ADDR_IP6)
		leaf = l->find_ip6(&l->ip6, a->bytes);
	return (struct lpm_match){ leaf >> 8, (uint8_t)leaf };
}

struct prefix lpm_prefix(const struct addr *a, uint8_t bits)
{
	struct prefix p = { *a, bits };
	unsigned keep = bits + (a->family == ADDR_IP4 ? 96u : 0u);

	for (unsigned i = keep / 8; i < 16; i++) {
		p.addr.bytes[i] &= (uint8_t)(i == keep / 8 ? 0xff00 >> keep % 8 : 0);
	}
	return p;
}

static const struct lpm_side *side_of(const struct lpm *l, enum addr_family family)
{
	return family == ADDR_IP4 ? &l->ip4 : &l->ip6;
}

size_t lpm_count(const struct lpm *l, enum addr_family family)
{
	return side_of(l, family)->list.count;
}

uint32_t lpm_at(const struct lpm *l, enum addr_family family, size_t i, struct prefix *ret)
{
	const struct lpm_list *list = &side_of(l, family)->list;
	lpm_key key = lpm_key_at(list, i);
	uint32_t leaf = lpm_leaf_at(list, i);
	struct prefix p = { .addr.family = (uint8_t)family, .bits = (uint8_t)leaf };
	unsigned from = family == ADDR_IP4 ? 12 : 0;

	if (from)
		p.addr.bytes[10] = p.addr.bytes[11] = 0xff;
	for (unsigned b = from; b < 16; b++, key <<= 8)
		p.addr.bytes[b] = (uint8_t)(key >> 120);
	*ret = p;
	return leaf >> 8;
}

size_t lpm_family_bytes(const struct lpm *l, enum addr_family family)
{
	return (((size_t)1 << DIRECT_BITS) + side_of(l, family)->node_words) * sizeof(uint32_t);
}

size_t lpm_bytes(const struct lpm *l)
{
	return sizeof *l + lpm_family_bytes(l, ADDR_IP4) + lpm_family_bytes(l, ADDR_IP6) + l->ip4.list.room * l->ip4.list.size +
	       l->ip6.list.room * l->ip6.list.size;
}
