/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lpm.c -- the life of a table: see lpm_find.c for its form. */
#include "routes/lpm_internal.h"

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

int lpm_build(struct lpm **ret, struct lpm_builder **b, struct err *e)
{
	struct lpm *l = calloc(1, sizeof *l);
	int r = l ? 0 : -ENOMEM;

	if (l) {
		l->ip4.list = (*b)->ip4;
		l->ip6.list = (*b)->ip6;
		(*b)->ip4.at = (*b)->ip6.at = NULL;
		l->code = lpm_code();
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

/* The first `bits` of 64, in network order. */
static uint64_t mask_of(unsigned bits)
{
	return __builtin_bswap64(bits == 0 ? 0 : UINT64_MAX << (64 - bits));
}

struct prefix lpm_prefix(const struct addr *a, uint8_t bits)
{
	struct prefix p = { *a, bits };
	unsigned keep = bits + (a->family == ADDR_IP4 ? 96u : 0u);
	uint64_t high, low;

	memcpy(&high, a->bytes, 8);
	memcpy(&low, a->bytes + 8, 8);
	high &= mask_of(keep < 64 ? keep : 64);
	low &= mask_of(keep > 64 ? keep - 64 : 0);
	memcpy(p.addr.bytes, &high, 8);
	memcpy(p.addr.bytes + 8, &low, 8);
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
