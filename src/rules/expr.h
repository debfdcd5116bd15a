/* SPDX-License-Identifier: GPL-2.0-or-later */
/* expr.h -- what a filter program computes from a frame before it compares: expressions, each kept once.
 *
 * An expression has a value, or fails: it loads beyond the frame's end, or divides by 0. A program that computes
 * one that fails rejects. Values are 32 bits, arithmetic as in program_operate(). */
#ifndef NETTALLY_RULES_EXPR_H
#define NETTALLY_RULES_EXPR_H

#include "rules/intern.h"
#include "rules/program.h"

#define EXPR_ZERO 0u             /* the constant 0 is in every pool */
#define EXPR_NONE UINT32_MAX     /* fails always; as a load's base: none */
#define EXPR_TREE_MAX 64u        /* parts; a larger one is not made (EXPR_TOO_LARGE) */
#define EXPR_TOO_LARGE (UINT32_MAX - 1)

enum expr_kind {
	EXPR_CONST,   /* k */
	EXPR_LEN,     /* the frame's wire length */
	EXPR_LOAD,    /* `size` bytes at a + k; a EXPR_NONE: at k */
	EXPR_ALU,     /* a op b */
	EXPR_CMP,     /* a op b: 0 or 1 */
	EXPR_PROGRAM, /* whether program k matches: 0 or 1 */
};

struct expr {
	uint8_t kind, op, size;
	uint16_t tree; /* parts */
	uint32_t a, b, k;
};

struct exprs {
	struct intern pool;
	const struct program *const *programs; /* borrowed, for EXPR_PROGRAM */
};

int exprs_open(struct exprs *ret, const struct program *const *programs); /* 0 or -ENOMEM */
void exprs_close(struct exprs *p);
struct expr expr_at(const struct exprs *p, uint32_t id);

uint32_t expr_const(struct exprs *p, uint32_t k);
uint32_t expr_len(struct exprs *p);
uint32_t expr_load(struct exprs *p, uint32_t base, uint32_t k, unsigned size);
uint32_t expr_alu(struct exprs *p, uint8_t op, uint32_t a, uint32_t b);
uint32_t expr_cmp(struct exprs *p, uint8_t op, uint32_t a, uint32_t b);
uint32_t expr_program(struct exprs *p, uint32_t index);

bool expr_is_const(const struct exprs *p, uint32_t id, uint32_t *ret_k);
/* No value is larger. */
uint32_t expr_max(const struct exprs *p, uint32_t id);
/* `part` is in it: where that fails, it fails. */
bool expr_contains(const struct exprs *p, uint32_t id, uint32_t part);
/* Its value; false where it fails. `v` may be NULL for what holds no load, length or program. */
bool expr_value(const struct exprs *p, uint32_t id, const struct view *v, uint32_t *ret);

#endif
