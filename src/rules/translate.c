/* SPDX-License-Identifier: GPL-2.0-or-later */
/* translate.c -- classic BPF to eBPF. */
#include "rules/translate.h"

#include <bpf/rules_shared.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A and X; two registers for addresses. A call takes all of these, so the slow form keeps A and X on the stack. */
#define A BPF_REG_0
#define X BPF_REG_1
#define T BPF_REG_2
#define U BPF_REG_3
#define V BPF_REG_4
#define CTX BPF_REG_6
#define DATA BPF_REG_7
#define END BPF_REG_8
#define COUNTERS BPF_REG_9
#define FP BPF_REG_10

#define AT_KEY -4
#define AT_SCRATCH -16
#define AT_A -24
#define AT_X -32
#define AT_LOADED -40
#define AT_MEMORY(k) ((int16_t)(-44 - 4 * (int)(k)))

#define MAC_PAIR 12
#define TAGGED_FROM 16     /* bytes of the virtual frame from here on are 4 earlier in the real one */
#define NEAR 0x7fff        /* offsets that the verifier lets one add to a packet's address */
#define FAR 0x7fffffff     /* beyond any frame */
#define HEADERS 34         /* bytes that a rule asks for once, at its begin: Ethernet and IPv4, where nearly all of them look */
#define INSNS_MAX 200000u  /* of one program: the verifier looks at a million, along all paths */

/* Where jumps lead, besides the filter's own instructions; per rule, but for the last three. */
/* LABEL_HEAD: in the slow form, whether or not there is more than the linear part. */
enum label { LABEL_BEYOND, LABEL_HEAD, LABEL_MATCH, LABEL_REJECT, LABEL_CHAIN, LABEL_END, LABEL_NOTHING, LABELS };

struct jump {
	size_t at;
	uint32_t label; /* enum label, or LABELS + form * len + instruction, or LATER + 2 * slow form (+ 1: its LABEL_HEAD) */
};

#define LATER (1u << 30)

/* The slow forms stand behind the program, out of the way of the fast ones. */
struct slow_form {
	const struct program *p;
	size_t match, reject;      /* where it leads */
	bool beyond;               /* LABEL_BEYOND is used */
	size_t at[2];              /* LABEL_BEYOND, LABEL_HEAD */
};

struct maker {
	const struct translate *t;
	struct translated out;
	struct jump *jumps;
	size_t jump_count, jump_room;
	size_t labels[LABELS];
	bool used[LABELS];         /* a jump leads there: code that is not reached is refused by the kernel */
	const struct program *p;   /* the rule's */
	size_t *places;            /* by form and instruction */
	bool *reached;             /* by instruction */
	struct slow_form *later;   /* [number of rules] */
	size_t later_count;
	bool slow;
	bool failed, too_far;
};

#define ANY_PLACE UINT32_MAX

/* ---- instructions ---- */

static void emit(struct maker *m, struct bpf_insn i)
{
	if (m->out.count == m->out.room) {
		size_t room = m->out.room ? m->out.room * 2 : 1024;
		struct bpf_insn *bigger = realloc(m->out.insns, room * sizeof *bigger);

		if (!bigger) {
			m->failed = true;
			return;
		}
		m->out.insns = bigger;
		m->out.room = room;
	}
	m->out.insns[m->out.count++] = i;
}

static void op(struct maker *m, unsigned code, unsigned dst, unsigned src, int32_t imm)
{
	emit(m, (struct bpf_insn){ .code = (uint8_t)code, .dst_reg = dst & 15, .src_reg = src & 15, .imm = imm });
}

static void move(struct maker *m, unsigned dst, unsigned src)
{
	op(m, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0);
}

static void move_const(struct maker *m, unsigned dst, uint32_t k)
{
	op(m, BPF_ALU | BPF_MOV | BPF_K, dst, 0, (int32_t)k);
}

static void add_const(struct maker *m, unsigned dst, int32_t k)
{
	if (k)
		op(m, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, k);
}

static void load(struct maker *m, unsigned size, unsigned dst, unsigned src, int16_t off)
{
	emit(m, (struct bpf_insn){ .code = (uint8_t)(BPF_LDX | BPF_MEM | size), .dst_reg = dst & 15,
				   .src_reg = src & 15, .off = off });
}

static void store(struct maker *m, unsigned size, unsigned dst, int16_t off, unsigned src)
{
	emit(m, (struct bpf_insn){ .code = (uint8_t)(BPF_STX | BPF_MEM | size), .dst_reg = dst & 15,
				   .src_reg = src & 15, .off = off });
}

static void store_const(struct maker *m, unsigned size, int16_t off, int32_t k)
{
	emit(m, (struct bpf_insn){ .code = (uint8_t)(BPF_ST | BPF_MEM | size), .dst_reg = FP, .off = off, .imm = k });
}

static void call(struct maker *m, int32_t function)
{
	op(m, BPF_JMP | BPF_CALL, 0, 0, function);
}

static void load_map(struct maker *m, unsigned dst, int fd)
{
	op(m, BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, fd);
	op(m, 0, 0, 0, 0);
}

static void jump_to(struct maker *m, struct bpf_insn i, uint32_t label)
{
	if (m->jump_count == m->jump_room) {
		size_t room = m->jump_room ? m->jump_room * 2 : 256;
		struct jump *bigger = realloc(m->jumps, room * sizeof *bigger);

		if (!bigger) {
			m->failed = true;
			return;
		}
		m->jumps = bigger;
		m->jump_room = room;
	}
	if (label < LABELS)
		m->used[label] = true;
	if (label == LABEL_BEYOND || label == LABEL_HEAD)
		label = LATER + 2 * (uint32_t)m->later_count + (label == LABEL_HEAD);
	m->jumps[m->jump_count++] = (struct jump){ m->out.count, label };
	emit(m, i);
}

static void jump(struct maker *m, uint32_t label)
{
	jump_to(m, (struct bpf_insn){ .code = BPF_JMP | BPF_JA }, label);
}

static void jump_if(struct maker *m, unsigned code, unsigned dst, int32_t imm, uint32_t label)
{
	jump_to(m, (struct bpf_insn){ .code = (uint8_t)code, .dst_reg = dst & 15, .imm = imm }, label);
}

static void jump_if_reg(struct maker *m, unsigned code, unsigned dst, unsigned src, uint32_t label)
{
	jump_to(m, (struct bpf_insn){ .code = (uint8_t)(code | BPF_X), .dst_reg = dst & 15, .src_reg = src & 15 }, label);
}

static uint32_t place_of(const struct maker *m, uint32_t pc)
{
	return LABELS + (m->slow ? m->p->len : 0) + pc;
}

static size_t target_of(const struct maker *m, uint32_t label)
{
	if (label >= LATER)
		return m->later[(label - LATER) / 2].at[(label - LATER) % 2];
	return label < LABELS ? m->labels[label] : m->places[label - LABELS];
}

/* Jumps that were made so far and lead to the rule's own labels, or (last) to those of the program and to slow forms. */
static void resolve(struct maker *m, bool last)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->jump_count && !m->failed; i++) {
		struct jump j = m->jumps[i];
		long off;

		if ((j.label >= LATER || (j.label >= LABEL_CHAIN && j.label < LABELS)) && !last) {
			m->jumps[kept++] = j;
			continue;
		}
		off = (long)target_of(m, j.label) - (long)j.at - 1;
		if (off < INT16_MIN || off > INT16_MAX)
			m->too_far = true;
		m->out.insns[j.at].off = (int16_t)off;
	}
	m->jump_count = kept;
}

/* ---- loads ---- */

static unsigned size_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

static void to_host(struct maker *m, unsigned reg, unsigned size)
{
	if (size > 1)
		op(m, BPF_ALU | BPF_END | BPF_TO_BE, reg, 0, size == 4 ? 32 : 16);
}

static unsigned code_of(unsigned size)
{
	return size == 4 ? BPF_W : size == 2 ? BPF_H : BPF_B;
}

/* A constant place of the virtual frame that is neither all before nor all behind the tag's end. */
static bool in_head(const struct maker *m, uint32_t at, unsigned size)
{
	return m->t->tagged && at < TAGGED_FROM && at + size > MAC_PAIR;
}

static uint32_t real_of(const struct maker *m, uint32_t at)
{
	return m->t->tagged && at >= TAGGED_FROM ? at - 4 : at;
}

/* From the scratch entry's copy of the head: at T (less than TAGGED_FROM) if `at` is ANY_PLACE, else at `at`. */
static void load_head(struct maker *m, unsigned to, uint32_t at, unsigned size)
{
	load(m, BPF_DW, U, FP, AT_SCRATCH);
	load(m, BPF_W, V, U, offsetof(struct rules_scratch, wire_len));
	if (at == ANY_PLACE) {
		op(m, BPF_ALU64 | BPF_ADD | BPF_X, U, T, 0);
		add_const(m, T, (int32_t)size);
		jump_if_reg(m, BPF_JMP | BPF_JGT, T, V, LABEL_REJECT);
		at = 0;
	} else {
		jump_if(m, BPF_JMP | BPF_JLT, V, (int32_t)(at + size), LABEL_REJECT);
	}
	load(m, code_of(size), to, U, (int16_t)(offsetof(struct rules_scratch, head) + at));
	to_host(m, to, size);
}

/* The real offset is in T. */
static void call_load(struct maker *m, unsigned to, unsigned size)
{
	store(m, BPF_DW, FP, AT_A, A);
	store(m, BPF_DW, FP, AT_X, X);
	move(m, BPF_REG_1, CTX);
	move(m, BPF_REG_3, FP);
	add_const(m, BPF_REG_3, AT_LOADED);
	move_const(m, BPF_REG_4, size);
	call(m, m->t->hook == TRANSLATE_TC ? BPF_FUNC_skb_load_bytes : BPF_FUNC_xdp_load_bytes);
	jump_if(m, BPF_JMP | BPF_JNE, A, 0, LABEL_REJECT);
	load(m, BPF_DW, A, FP, AT_A);
	load(m, BPF_DW, X, FP, AT_X);
	load(m, code_of(size), to, FP, AT_LOADED);
	to_host(m, to, size);
}

/* False: it is beyond all frames, the jump that was made is always taken. */
static bool load_slow(struct maker *m, const struct sock_filter *i, unsigned to, unsigned size)
{
	if (i->k > FAR) {
		jump(m, LABEL_REJECT);
		return false;
	}
	if (BPF_MODE(i->code) != BPF_IND) {
		if (in_head(m, i->k, size)) {
			load_head(m, to, i->k, size);
			return true;
		}
		move_const(m, T, real_of(m, i->k));
		call_load(m, to, size);
		return true;
	}
	op(m, BPF_ALU | BPF_MOV | BPF_X, T, X, 0);
	add_const(m, T, (int32_t)i->k);
	jump_if(m, BPF_JMP | BPF_JGT, T, FAR, LABEL_REJECT);
	if (m->t->tagged) {
		size_t behind, before, done;

		behind = m->out.count;
		op(m, BPF_JMP | BPF_JGE | BPF_K, T, 0, TAGGED_FROM);
		before = m->out.count;
		op(m, BPF_JMP | BPF_JLE | BPF_K, T, 0, (int32_t)(MAC_PAIR - size));
		load_head(m, to, ANY_PLACE, size);
		done = m->out.count;
		op(m, BPF_JMP | BPF_JA, 0, 0, 0);
		if (m->failed)
			return true;
		m->out.insns[behind].off = (int16_t)(m->out.count - behind - 1);
		op(m, BPF_ALU64 | BPF_SUB | BPF_K, T, 0, 4);
		if (m->failed)
			return true;
		m->out.insns[before].off = (int16_t)(m->out.count - before - 1);
		call_load(m, to, size);
		if (!m->failed)
			m->out.insns[done].off = (int16_t)(m->out.count - done - 1);
		return true;
	}
	call_load(m, to, size);
	return true;
}

/* Behind the headers. What the verifier learns there of an address it learns of all that it takes for the same one, and
 * would verify the rules behind again for each length that it may have found: so this one is another to it, by a number
 * that it does not know and that is 0. */
static void load_behind(struct maker *m, unsigned to, uint32_t at, unsigned size)
{
	load(m, BPF_DW, T, FP, AT_SCRATCH);
	load(m, BPF_DW, T, T, offsetof(struct rules_scratch, packets));
	op(m, BPF_ALU64 | BPF_RSH | BPF_K, T, 0, 63);
	op(m, BPF_ALU64 | BPF_ADD | BPF_X, T, DATA, 0);
	move(m, U, T);
	add_const(m, U, (int32_t)(at + size));
	jump_if_reg(m, BPF_JMP | BPF_JGT, U, END, LABEL_BEYOND);
	load(m, code_of(size), to, T, (int16_t)at);
	to_host(m, to, size);
}

static bool load_fast(struct maker *m, const struct sock_filter *i, unsigned to, unsigned size)
{
	uint32_t at = real_of(m, i->k);

	if (i->k > NEAR - 4) {
		jump(m, LABEL_BEYOND);
		return false;
	}
	if (BPF_MODE(i->code) != BPF_IND) {
		if (in_head(m, i->k, size)) {
			load_head(m, to, i->k, size);
			return true;
		}
		if (at + size > HEADERS) {
			load_behind(m, to, at, size);
			return true;
		}
		load(m, code_of(size), to, DATA, (int16_t)at);
		to_host(m, to, size);
		return true;
	}
	op(m, BPF_ALU | BPF_MOV | BPF_X, T, X, 0);
	jump_if(m, BPF_JMP | BPF_JGT, T, NEAR, LABEL_BEYOND);
	if (m->t->tagged && i->k < TAGGED_FROM) {
		/* in the head, perhaps: the slow form knows; rare. A constant below 0 must be added to the number */
		jump_if(m, BPF_JMP | BPF_JLT, T, (int32_t)(TAGGED_FROM - i->k), LABEL_HEAD);
		add_const(m, T, (int32_t)i->k - 4);
		at = 0;
	}
	op(m, BPF_ALU64 | BPF_ADD | BPF_X, T, DATA, 0);
	move(m, U, T);
	add_const(m, U, (int32_t)(at + size));
	jump_if_reg(m, BPF_JMP | BPF_JGT, U, END, LABEL_BEYOND);
	load(m, code_of(size), to, T, (int16_t)at);
	to_host(m, to, size);
	return true;
}

/* ---- the filter's instructions; false: what follows is not reached from here ---- */

static bool make_load(struct maker *m, const struct sock_filter *i)
{
	unsigned to = BPF_CLASS(i->code) == BPF_LDX ? X : A, size = size_of(i->code);

	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		move_const(m, to, i->k);
		return true;
	case BPF_MEM:
		load(m, BPF_W, to, FP, AT_MEMORY(i->k));
		return true;
	case BPF_LEN:
		load(m, BPF_DW, T, FP, AT_SCRATCH);
		load(m, BPF_W, to, T, offsetof(struct rules_scratch, wire_len));
		return true;
	default:
		break;
	}
	if (!(m->slow ? load_slow(m, i, to, size) : load_fast(m, i, to, size)))
		return false;
	if (BPF_MODE(i->code) == BPF_MSH) {
		op(m, BPF_ALU | BPF_AND | BPF_K, X, 0, 15);
		op(m, BPF_ALU | BPF_LSH | BPF_K, X, 0, 2);
	}
	return true;
}

static void make_alu(struct maker *m, const struct sock_filter *i)
{
	bool with_x = BPF_SRC(i->code) == BPF_X;
	unsigned what = BPF_OP(i->code);

	if (what == BPF_NEG) {
		op(m, BPF_ALU | BPF_NEG, A, 0, 0);
		return;
	}
	if (with_x && (what == BPF_DIV || what == BPF_MOD))
		jump_if(m, BPF_JMP32 | BPF_JEQ, X, 0, LABEL_REJECT);
	if (with_x && (what == BPF_LSH || what == BPF_RSH)) { /* by more than 31: 0 */
		emit(m, (struct bpf_insn){ .code = BPF_JMP32 | BPF_JLE, .dst_reg = X, .off = 2, .imm = 31 });
		move_const(m, A, 0);
		emit(m, (struct bpf_insn){ .code = BPF_JMP | BPF_JA, .off = 1 });
	}
	op(m, i->code, A, with_x ? X : 0, with_x ? 0 : (int32_t)i->k); /* 32 bit, the same numbers in eBPF */
}

static void make_compare(struct maker *m, const struct sock_filter *i, uint32_t pc)
{
	static const uint8_t opposite[16] = { [BPF_JEQ >> 4] = BPF_JNE, [BPF_JGT >> 4] = BPF_JLE, [BPF_JGE >> 4] = BPF_JLT };
	unsigned what = BPF_OP(i->code), yes = i->jt, no = i->jf;

	if (yes == no) {
		if (yes)
			jump(m, place_of(m, pc + 1 + yes));
		return;
	}
	if (yes == 0 && opposite[what >> 4]) {
		what = opposite[what >> 4];
		yes = no;
		no = 0;
	}
	if (BPF_SRC(i->code) == BPF_X)
		jump_if_reg(m, BPF_JMP32 | what, A, X, place_of(m, pc + 1 + yes));
	else
		jump_if(m, BPF_JMP32 | what, A, (int32_t)i->k, place_of(m, pc + 1 + yes));
	if (no)
		jump(m, place_of(m, pc + 1 + no));
}

static bool make_insn(struct maker *m, uint32_t pc)
{
	const struct sock_filter *i = &m->p->insns[pc];
	bool to_x;

	switch (BPF_CLASS(i->code)) {
	case BPF_RET:
		if (i->code == (BPF_RET | BPF_A))
			jump_if(m, BPF_JMP32 | BPF_JEQ, A, 0, LABEL_REJECT);
		jump(m, i->code == (BPF_RET | BPF_A) || i->k ? LABEL_MATCH : LABEL_REJECT);
		return false;
	case BPF_JMP:
		if (BPF_OP(i->code) == BPF_JA)
			jump(m, place_of(m, pc + 1 + i->k));
		else
			make_compare(m, i, pc);
		return true; /* follow_jumps() knows where */
	case BPF_ALU:
		make_alu(m, i);
		return true;
	case BPF_ST:
	case BPF_STX:
		store(m, BPF_W, FP, AT_MEMORY(i->k), BPF_CLASS(i->code) == BPF_ST ? A : X);
		return true;
	case BPF_MISC:
		to_x = i->code == (BPF_MISC | BPF_TAX);
		op(m, BPF_ALU | BPF_MOV | BPF_X, to_x ? X : A, to_x ? A : X, 0);
		return true;
	default:
		return make_load(m, i);
	}
}

static void follow_jumps(struct maker *m, uint32_t pc)
{
	const struct sock_filter *i = &m->p->insns[pc];

	if (BPF_CLASS(i->code) != BPF_JMP) {
		m->reached[pc + 1] = true;
	} else if (BPF_OP(i->code) == BPF_JA) {
		m->reached[pc + 1 + i->k] = true;
	} else {
		m->reached[pc + 1 + i->jt] = true;
		m->reached[pc + 1 + i->jf] = true;
	}
}

/* ---- rules ---- */

/* Whether it reads from the linear part at all, and so asks for the headers. */
static bool reads(const struct program *p)
{
	for (uint32_t pc = 0; pc < p->len; pc++) {
		const unsigned class = BPF_CLASS(p->insns[pc].code), mode = BPF_MODE(p->insns[pc].code);

		if ((class == BPF_LD || class == BPF_LDX) && (mode == BPF_ABS || mode == BPF_MSH))
			return true;
	}
	return false;
}

static void make_form(struct maker *m, bool slow)
{
	uint32_t memory = 0;

	m->slow = slow;
	for (uint32_t pc = 0; pc < m->p->len; pc++) {
		m->reached[pc] = false;
		if (m->p->insns[pc].code == (BPF_LD | BPF_MEM) || m->p->insns[pc].code == (BPF_LDX | BPF_MEM))
			memory |= 1u << m->p->insns[pc].k;
	}
	move_const(m, A, 0);
	move_const(m, X, 0);
	for (unsigned k = 0; k < PROGRAM_SCRATCH; k++)
		if (memory & 1u << k)
			store_const(m, BPF_W, AT_MEMORY(k), 0);
	if (!slow && reads(m->p)) {
		move(m, T, DATA);
		add_const(m, T, HEADERS);
		jump_if_reg(m, BPF_JMP | BPF_JGT, T, END, LABEL_HEAD);
	}
	m->reached[0] = true;
	for (uint32_t pc = 0; pc < m->p->len; pc++) {
		m->places[(slow ? m->p->len : 0) + pc] = m->out.count;
		if (m->reached[pc] && make_insn(m, pc))
			follow_jumps(m, pc);
	}
}

static void add_counters(struct maker *m, uint32_t index)
{
	int16_t off = (int16_t)(index * sizeof(struct rules_counters));

	load(m, BPF_DW, T, FP, AT_SCRATCH);
	for (unsigned i = 0; i < 3; i++) { /* packets, l2_bytes, l3_bytes, in both */
		load(m, BPF_DW, U, T, (int16_t)(8 * i));
		load(m, BPF_DW, V, COUNTERS, (int16_t)(off + 8 * (int)i));
		op(m, BPF_ALU64 | BPF_ADD | BPF_X, V, U, 0);
		store(m, BPF_DW, COUNTERS, (int16_t)(off + 8 * (int)i), V);
	}
}

static bool begin_rule(struct maker *m, const struct program *p)
{
	m->p = p;
	m->places = malloc(2 * (size_t)p->len * sizeof *m->places);
	m->reached = malloc(p->len * sizeof *m->reached);
	if (!m->places || !m->reached)
		m->failed = true;
	return !m->failed;
}

static void end_rule(struct maker *m)
{
	if (!m->failed)
		resolve(m, false);
	free(m->places);
	free(m->reached);
}

/* Which labels the slow form will use: code that nothing leads to must not be there. */
static void try_slow_form(struct maker *m)
{
	const size_t count = m->out.count, jump_count = m->jump_count;

	make_form(m, true);
	m->out.count = count;
	m->jump_count = jump_count;
}

static void make_rule(struct maker *m, const struct program *p, uint32_t index)
{
	memset(m->used, 0, LABEL_CHAIN * sizeof *m->used);
	if (begin_rule(m, p)) {
		struct slow_form *slow = &m->later[m->later_count];

		make_form(m, false);
		if (m->used[LABEL_BEYOND] || m->used[LABEL_HEAD])
			try_slow_form(m);
		m->labels[LABEL_MATCH] = m->out.count;
		if (m->used[LABEL_MATCH] && m->t->gate)
			jump(m, LABEL_CHAIN);
		else if (m->used[LABEL_MATCH])
			add_counters(m, index);
		m->labels[LABEL_REJECT] = m->out.count;
		if (m->t->gate && m->used[LABEL_REJECT])
			add_counters(m, index);
		if (m->t->gate && m->used[LABEL_REJECT])
			jump(m, LABEL_END);
		*slow = (struct slow_form){ .p = p, .match = m->labels[LABEL_MATCH], .reject = m->labels[LABEL_REJECT],
					    .beyond = m->used[LABEL_BEYOND] };
		if (m->used[LABEL_BEYOND] || m->used[LABEL_HEAD])
			m->later_count++;
	}
	end_rule(m);
}

static void make_slow_form(struct maker *m, struct slow_form *slow)
{
	if (begin_rule(m, slow->p)) {
		m->labels[LABEL_MATCH] = slow->match;
		m->labels[LABEL_REJECT] = slow->reject;
		slow->at[0] = m->out.count;
		if (slow->beyond) {
			load(m, BPF_DW, T, FP, AT_SCRATCH);
			load(m, BPF_W, T, T, offsetof(struct rules_scratch, beyond));
			jump_if(m, BPF_JMP | BPF_JEQ, T, 0, LABEL_REJECT);
		}
		slow->at[1] = m->out.count;
		make_form(m, true);
	}
	end_rule(m);
}

/* ---- the program around them ---- */

static void look_up(struct maker *m, int fd)
{
	load_map(m, BPF_REG_1, fd);
	move(m, BPF_REG_2, FP);
	add_const(m, BPF_REG_2, AT_KEY);
	call(m, BPF_FUNC_map_lookup_elem);
	jump_if(m, BPF_JMP | BPF_JEQ, BPF_REG_0, 0, LABEL_NOTHING);
}

static void make_entry(struct maker *m)
{
	bool tc = m->t->hook == TRANSLATE_TC;

	move(m, CTX, BPF_REG_1);
	store_const(m, BPF_W, AT_KEY, 0);
	look_up(m, m->t->scratch_fd);
	store(m, BPF_DW, FP, AT_SCRATCH, BPF_REG_0);
	load(m, BPF_W, BPF_REG_0, BPF_REG_0, offsetof(struct rules_scratch, index));
	store(m, BPF_W, FP, AT_KEY, BPF_REG_0);
	look_up(m, m->t->counters_fd);
	move(m, COUNTERS, BPF_REG_0);
	add_const(m, COUNTERS, (int32_t)m->t->at);
	load(m, BPF_W, DATA, CTX, tc ? offsetof(struct __sk_buff, data) : offsetof(struct xdp_md, data));
	load(m, BPF_W, END, CTX, tc ? offsetof(struct __sk_buff, data_end) : offsetof(struct xdp_md, data_end));
}

static void make_exit(struct maker *m)
{
	bool falls = !m->t->gate || m->used[LABEL_CHAIN];

	m->labels[LABEL_CHAIN] = m->out.count;
	if (falls && m->t->next_fd >= 0) {
		move(m, BPF_REG_1, CTX);
		load_map(m, BPF_REG_2, m->t->next_fd);
		move_const(m, BPF_REG_3, m->t->next);
		call(m, BPF_FUNC_tail_call); /* comes back if there is no such program */
	}
	m->labels[LABEL_END] = m->out.count;
	load(m, BPF_DW, T, FP, AT_SCRATCH);
	load(m, BPF_W, BPF_REG_0, T, offsetof(struct rules_scratch, verdict));
	op(m, BPF_JMP | BPF_EXIT, 0, 0, 0);
	m->labels[LABEL_NOTHING] = m->out.count; /* no map entry, which cannot be: let the frame pass */
	move_const(m, BPF_REG_0, m->t->hook == TRANSLATE_TC ? UINT32_MAX : XDP_PASS);
	op(m, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

static int check(const struct translate *t, const struct program *const *programs, size_t count, struct err *e)
{
	if (t->gate && (count != 1 || programs[0]->len == 0))
		return err_set(e, -EINVAL, "a pre-filter is one expression that can match");
	if (count * sizeof(struct rules_counters) > INT16_MAX || t->at > INT32_MAX / 2)
		return err_set(e, -E2BIG, "%zu rules in one kernel program, at most %zu", count,
			       INT16_MAX / sizeof(struct rules_counters));
	for (size_t i = 0; i < count; i++)
		if (program_loops(programs[i]))
			return err_set(e, -ENOTSUP, "a filter with a loop (protochain) cannot run in the kernel");
	return 0;
}

int translate(struct translated *ret, const struct translate *t, const struct program *const *programs, size_t count,
	      struct err *e)
{
	struct maker m = { .t = t };
	int code = check(t, programs, count, e);

	if (code < 0)
		return code;
	m.later = calloc(count + 1, sizeof *m.later);
	m.failed = !m.later;
	make_entry(&m);
	for (size_t i = 0; i < count && !m.failed; i++)
		if (programs[i]->len)
			make_rule(&m, programs[i], (uint32_t)i);
	make_exit(&m);
	for (size_t i = 0; i < m.later_count && !m.failed; i++)
		make_slow_form(&m, &m.later[i]);
	if (!m.failed)
		resolve(&m, true);
	free(m.later);
	free(m.jumps);
	if (m.failed)
		code = err_set(e, -ENOMEM, "no memory for a kernel program");
	else if (m.too_far || m.out.count > INSNS_MAX)
		code = err_set(e, -E2BIG, "%zu rules are too long for one kernel program (%zu instructions)", count, m.out.count);
	if (code == 0)
		*ret = m.out;
	else
		free(m.out.insns);
	return code;
}
