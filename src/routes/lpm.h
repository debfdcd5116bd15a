/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lpm.h -- longest-prefix match: of each address the longest prefix that holds it, and that prefix's value.
 *
 * A builder takes prefixes in any order; lpm_build() makes an immutable struct lpm, which any number of threads read
 * without locks. To change it, build another and swap the pointer. The structure is a trie of 64 slots a node below a table
 * of the first 18 bits; equal neighbours of a node are kept once, so that a node and its values lie in about one cache
 * line. Its form: lpm_find.c. Value 0 stands for "no route". */
#ifndef NETTALLY_ROUTES_LPM_H
#define NETTALLY_ROUTES_LPM_H

#include "base/err.h"
#include "base/prefix.h"

#define LPM_VALUE_MAX ((1u << 23) - 1)
#define LPM_PREFIXES_MAX (1u << 24) /* of one family */

struct lpm_builder;
int lpm_builder_new(struct lpm_builder **ret);
void lpm_builder_free(struct lpm_builder **b);
/* 1 <= value <= LPM_VALUE_MAX. Of a prefix that is added twice, the later value stays. 0, -ENOMEM, -ENOSPC, -EINVAL. */
int lpm_add(struct lpm_builder *b, const struct prefix *p, uint32_t value);

struct lpm;
int lpm_build(struct lpm **ret, struct lpm_builder **b, struct err *e); /* takes the builder, also on failure */
void lpm_free(struct lpm **l);

struct lpm_match {
	uint32_t value; /* 0 = no prefix holds the address */
	uint8_t bits;   /* the prefix is the address's first `bits` bits */
};

/* What this processor runs: the head of struct lpm. */
struct lpm_code {
	uint32_t (*find)(const struct lpm *l, const struct addr *a); /* value << 8 | bits */
	void (*find_many)(const struct lpm *l, const struct addr *a, unsigned count, struct lpm_match *ret);
};

static inline struct lpm_match lpm_find(const struct lpm *l, const struct addr *a)
{
	uint32_t word = ((const struct lpm_code *)l)->find(l, a);

	return (struct lpm_match){ word >> 8, (uint8_t)word };
}

/* The same for many addresses, several at a time in flight: fastest where they are of one family. */
static inline void lpm_find_many(const struct lpm *l, const struct addr *a, unsigned count, struct lpm_match *ret)
{
	((const struct lpm_code *)l)->find_many(l, a, count, ret);
}

/* The address without its host bits: lpm_find()'s answer as a prefix. */
struct prefix lpm_prefix(const struct addr *a, uint8_t bits);

/* All prefixes, sorted by address and length. */
size_t lpm_count(const struct lpm *l, enum addr_family family);
uint32_t lpm_at(const struct lpm *l, enum addr_family family, size_t i, struct prefix *ret); /* the value */
size_t lpm_bytes(const struct lpm *l);                                  /* all memory */
size_t lpm_family_bytes(const struct lpm *l, enum addr_family family);  /* that lookups touch */

#endif
