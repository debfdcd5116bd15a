/* SPDX-License-Identifier: GPL-2.0-or-later */
/* expr.c -- made, simplified where that changes nothing, computed. */
#include "rules/expr.h"

#include <errno.h>

struct expr expr_at(const struct exprs *p, uint32_t id)
{
	const uint32_t *w = intern_at(&p->pool, id);

	return (struct expr){ .kind = (uint8_t)w[0], .op = (uint8_t)(w[0] >> 8), .size = (uint8_t)(w[0] >> 16 & 15),
			      .tree = (uint16_t)(w[0] >> 20), .a = w[1], .b = w[2], .k = w[3] };
}

static uint32_t add(struct exprs *p, struct expr e)
{
	uint32_t words[4] = { 0, e.a, e.b, e.k };

	if (e.tree > EXPR_TREE_MAX)
		return EXPR_TOO_LARGE;
	words[0] = e.kind | (uint32_t)e.op << 8 | (uint32_t)e.size << 16 | (uint32_t)e.tree << 20;
	return intern_add(&p->pool, words, 4);
}

int exprs_open(struct exprs *ret, const struct program *const *programs)
{
	*ret = (struct exprs){ .programs = programs };
	expr_const(ret, 0); /* EXPR_ZERO */
	return ret->pool.failed ? -ENOMEM : 0;
}

void exprs_close(struct exprs *p)
{
	intern_free(&p->pool);
}

static bool no_expr(uint32_t id)
{
	return id >= EXPR_TOO_LARGE;
}

static unsigned tree_of(const struct exprs *p, uint32_t id)
{
	return expr_at(p, id).tree;
}

uint32_t expr_const(struct exprs *p, uint32_t k)
{
	return add(p, (struct expr){ .kind = EXPR_CONST, .tree = 1, .k = k });
}

uint32_t expr_len(struct exprs *p)
{
	return add(p, (struct expr){ .kind = EXPR_LEN, .tree = 1 });
}

uint32_t expr_program(struct exprs *p, uint32_t index)
{
	return add(p, (struct expr){ .kind = EXPR_PROGRAM, .tree = 1, .k = index });
}

bool expr_is_const(const struct exprs *p, uint32_t id, uint32_t *ret_k)
{
	struct expr e;

	if (no_expr(id))
		return false;
	e = expr_at(p, id);
	*ret_k = e.k;
	return e.kind == EXPR_CONST;
}

uint32_t expr_load(struct exprs *p, uint32_t base, uint32_t k, unsigned size)
{
	struct expr e = { .kind = EXPR_LOAD, .size = (uint8_t)size, .tree = 1, .a = base, .k = k };
	uint32_t at;

	if (base == EXPR_TOO_LARGE)
		return base;
	if (base == EXPR_NONE)
		return add(p, e);
	if (expr_is_const(p, base, &at)) { /* at + k does not wrap around: libpcap rejects */
		e.a = EXPR_NONE;
		e.k = at + k;
		return e.k < k ? EXPR_NONE : add(p, e);
	}
	e.tree = (uint16_t)(1 + tree_of(p, base));
	return add(p, e);
}

static bool changes_nothing(uint8_t op, uint32_t b)
{
	switch (op) {
	case BPF_ADD: case BPF_SUB: case BPF_OR: case BPF_XOR: case BPF_LSH: case BPF_RSH:
		return b == 0;
	case BPF_AND:
		return b == UINT32_MAX;
	case BPF_MUL: case BPF_DIV:
		return b == 1;
	default:
		return false;
	}
}

static bool commutes(uint8_t op)
{
	return op == BPF_ADD || op == BPF_MUL || op == BPF_AND || op == BPF_OR || op == BPF_XOR;
}

uint32_t expr_alu(struct exprs *p, uint8_t op, uint32_t a, uint32_t b)
{
	uint32_t ka, kb, value;
	bool const_a, const_b;

	if (no_expr(a) || no_expr(b))
		return a == EXPR_NONE || b == EXPR_NONE ? EXPR_NONE : EXPR_TOO_LARGE;
	const_a = expr_is_const(p, a, &ka);
	const_b = expr_is_const(p, b, &kb);
	if (const_a && const_b)
		return program_operate(op, ka, kb, &value) ? expr_const(p, value) : EXPR_NONE;
	if ((op == BPF_DIV || op == BPF_MOD) && const_b && kb == 0)
		return EXPR_NONE;
	if (const_a && commutes(op)) {
		uint32_t swap = a;

		a = b;
		b = swap;
		const_b = true;
		kb = ka;
	}
	if (const_b && op != BPF_NEG && changes_nothing(op, kb))
		return a;
	return add(p, (struct expr){ .kind = EXPR_ALU, .op = op, .a = a, .b = b,
				     .tree = (uint16_t)(1 + tree_of(p, a) + tree_of(p, b)) });
}

uint32_t expr_cmp(struct exprs *p, uint8_t op, uint32_t a, uint32_t b)
{
	uint32_t ka, kb;

	if (no_expr(a) || no_expr(b))
		return a == EXPR_NONE || b == EXPR_NONE ? EXPR_NONE : EXPR_TOO_LARGE;
	if (expr_is_const(p, a, &ka) && expr_is_const(p, b, &kb))
		return expr_const(p, program_compare(op, ka, kb));
	return add(p, (struct expr){ .kind = EXPR_CMP, .op = op, .a = a, .b = b,
				     .tree = (uint16_t)(1 + tree_of(p, a) + tree_of(p, b)) });
}

uint32_t expr_max(const struct exprs *p, uint32_t id)
{
	struct expr e = expr_at(p, id);
	uint32_t k, max;

	switch (e.kind) {
	case EXPR_CONST:
		return e.k;
	case EXPR_LOAD:
		return e.size == 1 ? 0xff : e.size == 2 ? 0xffff : UINT32_MAX;
	case EXPR_CMP:
	case EXPR_PROGRAM:
		return 1;
	case EXPR_ALU:
		max = expr_max(p, e.a);
		if (!expr_is_const(p, e.b, &k))
			return UINT32_MAX;
		if (e.op == BPF_AND)
			return max < k ? max : k;
		if (e.op == BPF_RSH)
			return k > 31 ? 0 : max >> k;
		return UINT32_MAX;
	default:
		return UINT32_MAX;
	}
}

bool expr_contains(const struct exprs *p, uint32_t id, uint32_t part)
{
	struct expr e;

	if (id == part)
		return true;
	if (no_expr(id))
		return false;
	e = expr_at(p, id);
	if (e.kind == EXPR_LOAD)
		return expr_contains(p, e.a, part);
	return (e.kind == EXPR_ALU || e.kind == EXPR_CMP) && (expr_contains(p, e.a, part) || expr_contains(p, e.b, part));
}

bool expr_value(const struct exprs *p, uint32_t id, const struct view *v, uint32_t *ret)
{
	struct expr e = expr_at(p, id);
	uint32_t a = 0, b;

	switch (e.kind) {
	case EXPR_CONST:
		*ret = e.k;
		return true;
	case EXPR_LEN:
		*ret = v->wire_len;
		return true;
	case EXPR_LOAD:
		return (e.a == EXPR_NONE || expr_value(p, e.a, v, &a)) && view_load(v, (uint64_t)a + e.k, e.size, ret);
	case EXPR_PROGRAM:
		*ret = program_run(p->programs[e.k], v) != 0;
		return true;
	default:
		if (!expr_value(p, e.a, v, &a) || !expr_value(p, e.b, v, &b))
			return false;
		if (e.kind == EXPR_ALU)
			return program_operate(e.op, a, b, ret);
		*ret = program_compare(e.op, a, b);
		return true;
	}
}
