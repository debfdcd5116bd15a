/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ranges.c */
#include "rules/ranges.h"

/* Behind the last; joins what touches. False: no room. */
static bool put(struct ranges *r, uint32_t low, uint32_t high)
{
	if (r->count && (r->at[r->count - 1].high == UINT32_MAX || low <= r->at[r->count - 1].high + 1)) {
		if (high > r->at[r->count - 1].high)
			r->at[r->count - 1].high = high;
		return true;
	}
	if (r->count == RANGES_MAX)
		return false;
	r->at[r->count++] = (struct range){ low, high };
	return true;
}

void ranges_compare(struct ranges *ret, uint8_t op, uint32_t k)
{
	ret->count = 0;
	if (op == BPF_JEQ)
		put(ret, k, k);
	else if (op == BPF_JGE)
		put(ret, k, UINT32_MAX);
	else if (k != UINT32_MAX)
		put(ret, k + 1, UINT32_MAX);
}

void ranges_clip(struct ranges *r, uint32_t max)
{
	while (r->count && r->at[r->count - 1].low > max)
		r->count--;
	if (r->count && r->at[r->count - 1].high > max)
		r->at[r->count - 1].high = max;
}

bool ranges_complement(struct ranges *r, uint32_t max)
{
	struct ranges not = { 0 };
	uint64_t from = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		if (r->at[i].low > from && !put(&not, (uint32_t)from, r->at[i].low - 1))
			return false;
		from = (uint64_t)r->at[i].high + 1;
	}
	if (from <= max && !put(&not, (uint32_t)from, max))
		return false;
	*r = not;
	return true;
}

/* In terms of v, where the set is one of v >> shift. */
static void unshift(struct ranges *r, unsigned shift, uint32_t max)
{
	struct ranges wide = { 0 };

	ranges_clip(r, max >> shift);
	for (uint32_t i = 0; i < r->count; i++)
		put(&wide, r->at[i].low << shift, (r->at[i].high << shift) | ((1u << shift) - 1));
	*r = wide;
}

/* In terms of v, where the set is one of v & mask, and v <= max. The mask's bits are together: v >> t, modulo. */
static bool unmask(struct ranges *r, uint32_t mask, uint32_t max)
{
	unsigned shift = mask ? (unsigned)__builtin_ctz(mask) : 0;
	uint32_t ones = mask >> shift;
	struct ranges low = { 0 }, all = { 0 };

	if (mask == 0 || (ones & (ones + 1)) != 0)
		return false;
	for (uint32_t i = 0; i < r->count; i++) { /* of (v >> shift) & ones */
		uint64_t from = ((uint64_t)r->at[i].low + (1u << shift) - 1) >> shift, to = r->at[i].high >> shift;

		if (to > ones)
			to = ones;
		if (from <= to)
			put(&low, (uint32_t)from, (uint32_t)to);
	}
	if (((uint64_t)(max >> shift) / ((uint64_t)ones + 1) + 1) * low.count > RANGES_MAX)
		return false;
	for (uint64_t base = 0; low.count && base <= max >> shift; base += (uint64_t)ones + 1)
		for (uint32_t i = 0; i < low.count; i++)
			if (base + low.at[i].low <= UINT32_MAX)
				put(&all, (uint32_t)(base + low.at[i].low), (uint32_t)(base + low.at[i].high));
	unshift(&all, shift, max);
	ranges_clip(&all, max);
	*r = all;
	return true;
}

static bool holds(const struct ranges *r, uint32_t value)
{
	for (uint32_t i = 0; i < r->count; i++)
		if (value >= r->at[i].low && value <= r->at[i].high)
			return true;
	return false;
}

/* The load of one byte that is all that the expression is made of, besides constants; else EXPR_NONE. */
static uint32_t only_byte(const struct exprs *p, uint32_t id)
{
	struct expr e = expr_at(p, id);
	uint32_t k;

	if (e.kind == EXPR_LOAD)
		return e.size == 1 ? id : EXPR_NONE;
	if (e.kind != EXPR_ALU)
		return EXPR_NONE;
	if (expr_is_const(p, e.b, &k))
		return only_byte(p, e.a);
	return EXPR_NONE;
}

/* The expression's value where that byte is `value`. */
static uint32_t value_for(const struct exprs *p, uint32_t id, uint32_t value)
{
	struct expr e = expr_at(p, id);
	uint32_t k = 0, ret = 0;

	if (e.kind == EXPR_LOAD)
		return value;
	expr_is_const(p, e.b, &k);
	program_operate(e.op, value_for(p, e.a, value), k, &ret); /* a constant 0 divides nothing: expr_alu() */
	return ret;
}

static bool try_all(const struct exprs *p, uint32_t *id, struct ranges *r)
{
	uint32_t byte = only_byte(p, *id);
	struct ranges all = { 0 };

	if (byte == EXPR_NONE || byte == *id)
		return false;
	for (uint32_t v = 0; v < 256; v++)
		if (holds(r, value_for(p, *id, v)) && !put(&all, v, v))
			return false;
	*id = byte;
	*r = all;
	return true;
}

void ranges_push_down(const struct exprs *p, uint32_t *expr, struct ranges *r)
{
	for (;;) {
		struct expr e = expr_at(p, *expr);
		uint32_t k, max;

		if (try_all(p, expr, r))
			return;
		if (e.kind != EXPR_ALU || !expr_is_const(p, e.b, &k))
			return;
		max = expr_max(p, e.a);
		if (e.op == BPF_RSH && k < 32)
			unshift(r, k, max);
		else if (e.op != BPF_AND || !unmask(r, k, max))
			return;
		*expr = e.a;
	}
}
