/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookup.h -- one expression, and in which class its value is: values that no predicate of a machine tells apart
 * are one class. Class 0: the expression fails. A field of the frame (a load at a fixed place, or behind an IPv4
 * header) is read without interpreting the expression; the class is found byte by byte, from the highest on. */
#ifndef NETTALLY_RULES_LOOKUP_H
#define NETTALLY_RULES_LOOKUP_H

#include "rules/graph.h"

#define LOOKUP_FAILED 0u
#define LOOKUP_PAGE 0x8000u    /* in an entry: another page follows, not a class */
#define LOOKUP_NO_PAGES UINT32_MAX
#define LOOKUP_STEPS 16        /* where a class begins, compared all at once; more are found in pages */
#define LOOKUP_PREDS_MAX 4096u /* of one expression; then -E2BIG */

enum lookup_kind { LOOKUP_FIELD, LOOKUP_LEN, LOOKUP_EXPR };

typedef int32_t lookup_steps __attribute__((vector_size(16)));

struct lookup {
	uint32_t kind;
	uint32_t msh, msh_mask; /* an IPv4 header's first byte; mask 0: none, the field is at a fixed place */
	uint32_t end;           /* of the 4 bytes that it is read from, before the header's length is added */
	uint32_t left, keep;    /* bits that the value is shifted left, to the top; which are the value's then */
	uint32_t up;            /* the same shift of a value that was computed */
	uint32_t clamp;         /* the largest value that makes a difference; not of fields */
	uint32_t root;          /* page; LOOKUP_NO_PAGES: the steps below do */
	lookup_steps steps[LOOKUP_STEPS / 4];  /* the value before a step, the top bit flipped: to compare signed */
	uint16_t classes[LOOKUP_STEPS + 1];    /* by how many steps are below the value */
	uint32_t expr;
	uint32_t class_count;   /* with LOOKUP_FAILED */
	uint32_t *values;       /* one of each class, from class 1 on at [1] */
};

struct pages {
	uint16_t (*at)[256];
	uint32_t count, room;
};

/* For an expression and all predicates about it. -ENOMEM; -E2BIG: too many predicates or pages. */
int lookup_open(struct lookup *ret, struct pages *pages, const struct graph *g, const uint32_t *preds, uint32_t pred_count);
void lookup_close(struct lookup *l); /* the pages are their owner's */

/* The value, shifted to the top; false where it fails. */
static inline bool lookup_value(const struct lookup *l, const struct graph *g, const struct view *v, uint32_t *ret)
{
	if (__builtin_expect(l->kind == LOOKUP_FIELD && v->cap_len >= 4, 1)) {
		uint32_t end;

		if (l->msh >= v->cap_len)
			return false;
		end = l->end + ((*view_at(v, l->msh) & l->msh_mask) << 2);
		if (end > v->cap_len)
			return false;
		*ret = be32(view_at(v, end - 4)) << l->left & l->keep;
		return true;
	}
	if (l->kind == LOOKUP_LEN)
		*ret = v->wire_len;
	else if (!expr_value(&g->exprs, l->expr, v, ret))
		return false;
	*ret = (*ret > l->clamp ? l->clamp : *ret) << l->up;
	return true;
}

static inline uint32_t lookup_class(const struct lookup *l, const struct pages *pages, const struct graph *g,
				    const struct view *v)
{
	uint32_t value, entry;

	if (!lookup_value(l, g, v, &value))
		return LOOKUP_FAILED;
	if (l->root == LOOKUP_NO_PAGES) {
		int32_t at = (int32_t)(value ^ 0x80000000u);
		lookup_steps all = { at, at, at, at }, below = { 0 };

		for (unsigned i = 0; i < LOOKUP_STEPS / 4; i++) /* four at once, without a jump; true is -1 */
			below -= all > l->steps[i];
		return l->classes[below[0] + below[1] + below[2] + below[3]];
	}
	entry = pages->at[l->root][value >> 24];
	while (entry & LOOKUP_PAGE) {
		value <<= 8;
		entry = pages->at[entry & ~LOOKUP_PAGE][value >> 24];
	}
	return entry;
}

#endif
