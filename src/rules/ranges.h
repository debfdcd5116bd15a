/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ranges.h -- sets of 32-bit values as sorted ranges, and what a comparison behind masks and shifts says of the
 * value in front of them. So `tcp[13] & 2 != 0`, `net 10.0.0.0/8` and `port 80` are all questions about a plain
 * field, and one look-up of the field answers them all. */
#ifndef NETTALLY_RULES_RANGES_H
#define NETTALLY_RULES_RANGES_H

#include "rules/expr.h"

#define RANGES_MAX 64u

struct ranges {
	uint32_t count;
	struct range { uint32_t low, high; } at[RANGES_MAX]; /* sorted, apart from each other by at least 1 */
};

/* The values that compare so (BPF_JEQ, BPF_JGT, BPF_JGE) with k. */
void ranges_compare(struct ranges *ret, uint8_t op, uint32_t k);
/* Cut to values up to `max`. */
void ranges_clip(struct ranges *r, uint32_t max);
/* All values up to `max` that are not in it; false: more ranges than there is room for (it is unchanged). */
bool ranges_complement(struct ranges *r, uint32_t max);
/* While *expr is made of another expression by what can be undone: the same question of that one. */
void ranges_push_down(const struct exprs *p, uint32_t *expr, struct ranges *r);

#endif
