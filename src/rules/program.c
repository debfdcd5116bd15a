/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c -- check and run. */
#include "rules/program.h"

#include "rules/compile.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(sizeof(struct sock_filter) == 8, "an instruction is 8 bytes");

int program_compile(struct program *ret, const char *expression, uint16_t linktype, struct err *e)
{
	struct compiled made;
	struct program p;
	int code = compile_expression(&made, expression, linktype, e);

	if (code == -ENOMSG) {
		*ret = (struct program){ 0 };
		return PROGRAM_NEVER;
	}
	if (code < 0)
		return code;
	p = (struct program){ .insns = made.insns, .len = made.len };
	code = program_check(&p, e);
	if (code < 0)
		program_free(&p);
	else
		*ret = p;
	return code;
}

void program_free(struct program *p)
{
	free(p->insns);
	*p = (struct program){ 0 };
}

static const char *wrong_jump(const struct program *p, uint32_t at)
{
	const struct sock_filter *i = &p->insns[at];
	uint32_t room = p->len - at - 1; /* instructions behind this one */

	switch (BPF_OP(i->code)) {
	case BPF_JA: /* signed: libpcap jumps backward for protochain */
		if (i->code != (BPF_JMP | BPF_JA))
			return "an unknown instruction";
		return (int64_t)at + 1 + (int32_t)i->k < 0 || (int64_t)at + 1 + (int32_t)i->k >= p->len ? "a jump out" : NULL;
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET:
		if (i->code & ~(0x07 | 0xf0 | BPF_X))
			return "an unknown instruction";
		return i->jt >= room || i->jf >= room ? "a jump out" : NULL;
	default:
		return "an unknown instruction";
	}
}

static const char *wrong_alu(const struct sock_filter *i)
{
	bool constant = BPF_SRC(i->code) == BPF_K;

	if (i->code & ~(0x07 | 0xf0 | BPF_X) || BPF_OP(i->code) > BPF_XOR)
		return "an unknown instruction";
	switch (BPF_OP(i->code)) {
	case BPF_DIV:
	case BPF_MOD:
		return constant && i->k == 0 ? "a division by 0" : NULL;
	case BPF_LSH:
	case BPF_RSH:
		return constant && i->k > 31 ? "a shift of more than 31" : NULL;
	case BPF_NEG:
		return constant ? NULL : "an unknown instruction";
	default:
		return NULL;
	}
}

static const char *wrong_load(const struct sock_filter *i)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS: case BPF_LD | BPF_H | BPF_ABS: case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND: case BPF_LD | BPF_H | BPF_IND: case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN: case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM: case BPF_LDX | BPF_IMM: case BPF_LDX | BPF_MSH | BPF_B:
		return NULL;
	case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM: case BPF_ST: case BPF_STX:
		return i->k >= PROGRAM_SCRATCH ? "scratch memory beyond its end" : NULL;
	default:
		return "an unknown instruction";
	}
}

static const char *wrong(const struct program *p, uint32_t at)
{
	const struct sock_filter *i = &p->insns[at];

	switch (BPF_CLASS(i->code)) {
	case BPF_JMP:
		return wrong_jump(p, at);
	case BPF_ALU:
		return wrong_alu(i);
	case BPF_RET:
		return i->code == (BPF_RET | BPF_K) || i->code == (BPF_RET | BPF_A) ? NULL : "an unknown instruction";
	case BPF_MISC:
		return i->code == (BPF_MISC | BPF_TAX) || i->code == (BPF_MISC | BPF_TXA) ? NULL : "an unknown instruction";
	default:
		return wrong_load(i);
	}
}

int program_check(const struct program *p, struct err *e)
{
	if (p->len == 0 || BPF_CLASS(p->insns[p->len - 1].code) != BPF_RET)
		return err_set(e, -EINVAL, "a filter program that does not end in a return");
	for (uint32_t i = 0; i < p->len; i++) {
		const char *what = wrong(p, i);

		if (what)
			return err_set(e, -EINVAL, "a filter program with %s (instruction %u)", what, i);
	}
	return 0;
}

bool program_loops(const struct program *p)
{
	for (uint32_t i = 0; i < p->len; i++)
		if (p->insns[i].code == (BPF_JMP | BPF_JA) && (int32_t)p->insns[i].k < 0)
			return true;
	return false;
}

bool program_compare(uint8_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default:
		return (a & b) != 0;
	}
}

bool program_operate(uint8_t op, uint32_t a, uint32_t b, uint32_t *ret)
{
	if ((op == BPF_DIV || op == BPF_MOD) && b == 0)
		return false;
	switch (op) {
	case BPF_ADD: *ret = a + b; break;
	case BPF_SUB: *ret = a - b; break;
	case BPF_MUL: *ret = a * b; break;
	case BPF_DIV: *ret = a / b; break;
	case BPF_MOD: *ret = a % b; break;
	case BPF_OR: *ret = a | b; break;
	case BPF_AND: *ret = a & b; break;
	case BPF_XOR: *ret = a ^ b; break;
	case BPF_LSH: *ret = b < 32 ? a << b : 0; break;
	case BPF_RSH: *ret = b < 32 ? a >> b : 0; break;
	default: *ret = 0u - a; break; /* BPF_NEG */
	}
	return true;
}

struct registers {
	uint32_t a, x, scratch[PROGRAM_SCRATCH];
};

static unsigned size_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* Loads and stores; false: the load is beyond the frame. */
static bool run_memory(const struct sock_filter *i, const struct view *v, struct registers *r)
{
	uint32_t *to = BPF_CLASS(i->code) == BPF_LDX ? &r->x : &r->a;

	if (BPF_CLASS(i->code) == BPF_ST || BPF_CLASS(i->code) == BPF_STX) {
		r->scratch[i->k] = i->code == BPF_ST ? r->a : r->x;
		return true;
	}
	switch (BPF_MODE(i->code)) {
	case BPF_ABS:
		return view_load(v, i->k, size_of(i->code), to);
	case BPF_IND:
		return view_load(v, (uint64_t)r->x + i->k, size_of(i->code), to);
	case BPF_MSH:
		if (!view_load(v, i->k, 1, to))
			return false;
		*to = (*to & 15) << 2;
		return true;
	case BPF_LEN:
		*to = v->wire_len;
		return true;
	case BPF_MEM:
		*to = r->scratch[i->k];
		return true;
	default:
		*to = i->k;
		return true;
	}
}

uint32_t program_run(const struct program *p, const struct view *v)
{
	struct registers r = { 0 };
	const struct sock_filter *i = p->insns;

	for (uint32_t steps = 0; steps < PROGRAM_STEPS_MAX; steps++, i++) {
		uint32_t other = BPF_SRC(i->code) == BPF_X ? r.x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return i->code == (BPF_RET | BPF_A) ? r.a : i->k;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				i += (int32_t)i->k;
			else
				i += program_compare(BPF_OP(i->code), r.a, other) ? i->jt : i->jf;
			break;
		case BPF_ALU:
			if (!program_operate(BPF_OP(i->code), r.a, other, &r.a))
				return 0;
			break;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				r.x = r.a;
			else
				r.a = r.x;
			break;
		default:
			if (!run_memory(i, v, &r))
				return 0;
		}
	}
	return 0;
}
