/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lpm_internal.h -- inside lpm*.c: the form of a table. See lpm_find.c. */
#ifndef NETTALLY_ROUTES_LPM_INTERNAL_H
#define NETTALLY_ROUTES_LPM_INTERNAL_H

#include "routes/lpm.h"

#define DIRECT_BITS 18u
#define STRIDE_BITS 6u
#define SLOTS (1u << STRIDE_BITS)

/* A word of the table: no route (0), a leaf, or where a node lies (in words from the start of `nodes`). */
#define WORD_CHILD (1u << 31)
/* In the first level of IPv6: a page of words for the 12 bits that follow, plain. Where many prefixes share 18 bits, as they do
 * in the blocks of the registries, it spares two steps. */
#define WORD_PAGE (1u << 30)
#define PAGE_BITS 12u
#define PAGE_PREFIXES 256u /* that make a page worth its 16 KiB */
#define LEAF(value, bits) ((uint32_t)(value) << 8 | (bits))

struct lpm_ip4 {
	uint32_t addr;
	uint32_t leaf;
};

struct lpm_ip6 {
	uint64_t high, low;
	uint32_t leaf;
	uint32_t zero;
};

/* The prefixes of a family. */
struct lpm_list {
	void *at; /* struct lpm_ip4 or struct lpm_ip6, by `size` */
	size_t size;
	size_t count, room;
};

struct lpm_side {
	uint32_t *direct; /* 1 << DIRECT_BITS words */
	uint32_t *nodes;
	size_t node_words;
	struct lpm_list list; /* sorted by address and length, each prefix once */
};

struct lpm {
	struct lpm_code code; /* first: lpm.h reads it */
	struct lpm_side ip4, ip6;
};

__extension__ typedef unsigned __int128 lpm_key; /* an address, its first bit on top */

static inline lpm_key key_of_bytes(const uint8_t *b)
{
	uint64_t high, low;

	__builtin_memcpy(&high, b, 8);
	__builtin_memcpy(&low, b + 8, 8);
	return (lpm_key)__builtin_bswap64(high) << 64 | __builtin_bswap64(low);
}

static inline lpm_key lpm_key_at(const struct lpm_list *l, size_t i)
{
	if (l->size == sizeof(struct lpm_ip4))
		return (lpm_key)((const struct lpm_ip4 *)l->at)[i].addr << 96;
	const struct lpm_ip6 *p = (const struct lpm_ip6 *)l->at + i;
	return (lpm_key)p->high << 64 | p->low;
}

static inline uint32_t lpm_leaf_at(const struct lpm_list *l, size_t i)
{
	if (l->size == sizeof(struct lpm_ip4))
		return ((const struct lpm_ip4 *)l->at)[i].leaf;
	return ((const struct lpm_ip6 *)l->at)[i].leaf;
}

/* lpm_list.c */
int lpm_list_add(struct lpm_list *l, const struct prefix *p, uint32_t leaf);
int lpm_list_sort(struct lpm_list *l); /* and takes out all but the last of equal prefixes */

/* lpm_find.c */
struct lpm_code lpm_code(void);

/* lpm_build.c */
int lpm_side_build(struct lpm_side *s);

#endif
