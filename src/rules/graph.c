/* SPDX-License-Identifier: GPL-2.0-or-later */
/* graph.c -- programs followed symbolically. */
#include "rules/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 8
#define INSNS_MAX 4096u   /* of a program that is followed: the recursion's depth */
#define STATES_MAX 16384u /* of one program */
#define ROUNDS_MAX 1u     /* through a loop; frames that go round more often are left to the interpreter */

/* What is known at an instruction: expressions in the registers, and those that must not fail but were not asked
 * for yet. All words, so that it can be interned. */
struct known {
	uint32_t pc, rounds, a, x, scratch[PROGRAM_SCRATCH], pending_count, pending[PENDING_MAX];
};

#define KNOWN_WORDS (sizeof(struct known) / sizeof(uint32_t))

struct follow {
	struct graph *g;
	const struct program *p;
	uint32_t index;
	uint32_t *live;            /* by instruction: registers that are read before they are written */
	struct intern states;      /* struct known */
	uint32_t *results;         /* by state: its node */
	bool gave_up;
};

/* ---- nodes and predicates ---- */

int nodes_open(struct intern *nodes)
{
	const uint32_t reject[3] = { UINT32_MAX, 0, 0 }, accept[3] = { UINT32_MAX, 1, 1 };

	*nodes = (struct intern){ 0 };
	intern_add(nodes, reject, 3);
	intern_add(nodes, accept, 3);
	return nodes->failed ? -ENOMEM : 0;
}

uint32_t node_make(struct intern *nodes, struct node n)
{
	if (n.yes == NODE_REJECT && n.no == NODE_REJECT)
		return NODE_REJECT;
	return intern_add(nodes, (const uint32_t[3]){ n.pred, n.yes, n.no }, 3);
}

int graph_open(struct graph *ret, const struct program *const *programs)
{
	struct graph g = { 0 };

	if (exprs_open(&g.exprs, programs) < 0 || nodes_open(&g.nodes) < 0) {
		graph_close(&g);
		return -ENOMEM;
	}
	*ret = g;
	return 0;
}

void graph_close(struct graph *g)
{
	exprs_close(&g->exprs);
	intern_free(&g->preds);
	intern_free(&g->nodes);
}

bool graph_failed(const struct graph *g)
{
	return g->exprs.pool.failed || g->preds.failed || g->nodes.failed;
}

static uint32_t pred_make(struct graph *g, uint32_t expr, const struct ranges *r)
{
	uint32_t words[1 + 2 * RANGES_MAX];

	words[0] = expr;
	memcpy(words + 1, r->at, r->count * sizeof *r->at);
	return intern_add(&g->preds, words, 1 + 2 * r->count);
}

bool pred_holds(const struct graph *g, uint32_t pred, uint32_t value)
{
	const uint32_t *w = intern_at(&g->preds, pred);

	for (uint32_t i = 1, len = intern_len(&g->preds, pred); i < len; i += 2)
		if (value >= w[i] && value <= w[i + 1])
			return true;
	return false;
}

bool graph_walk(const struct graph *g, const struct intern *nodes, uint32_t node, const struct view *v)
{
	while (node > NODE_ACCEPT) {
		struct node n = node_at(nodes, node);
		uint32_t value;

		if (!expr_value(&g->exprs, pred_expr(g, n.pred), v, &value))
			return false;
		node = pred_holds(g, n.pred, value) ? n.yes : n.no;
	}
	return node == NODE_ACCEPT;
}

/* Rejects where the expression fails; else goes on to `next`. */
static uint32_t node_check(struct graph *g, uint32_t expr, uint32_t next)
{
	struct ranges all = { .count = 1, .at[0] = { 0, expr_max(&g->exprs, expr) } };

	return node_make(&g->nodes, (struct node){ pred_make(g, expr, &all), next, NODE_REJECT });
}

static uint32_t node_whole(struct graph *g, uint32_t index)
{
	struct ranges matches = { .count = 1, .at[0] = { 1, 1 } };
	uint32_t expr = expr_program(&g->exprs, index);

	return node_make(&g->nodes, (struct node){ pred_make(g, expr, &matches), NODE_ACCEPT, NODE_REJECT });
}

/* ---- what is live ---- */

#define LIVE_A 1u
#define LIVE_X 2u
#define LIVE_SCRATCH(k) (4u << (k))

static uint32_t live_before(const struct sock_filter *i, uint32_t live)
{
	bool with_x = BPF_SRC(i->code) == BPF_X;

	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
	case BPF_LDX:
		live &= BPF_CLASS(i->code) == BPF_LD ? ~LIVE_A : ~LIVE_X;
		if (BPF_MODE(i->code) == BPF_IND)
			live |= LIVE_X;
		return BPF_MODE(i->code) == BPF_MEM ? live | LIVE_SCRATCH(i->k) : live;
	case BPF_ST:
		return (live & ~LIVE_SCRATCH(i->k)) | LIVE_A;
	case BPF_STX:
		return (live & ~LIVE_SCRATCH(i->k)) | LIVE_X;
	case BPF_ALU:
		return live | LIVE_A | (with_x && BPF_OP(i->code) != BPF_NEG ? LIVE_X : 0);
	case BPF_JMP:
		return BPF_OP(i->code) == BPF_JA ? live : live | LIVE_A | (with_x ? LIVE_X : 0);
	case BPF_RET:
		return i->code == (BPF_RET | BPF_A) ? LIVE_A : 0;
	default:
		return i->code == (BPF_MISC | BPF_TAX) ? (live & ~LIVE_X) | LIVE_A : (live & ~LIVE_A) | LIVE_X;
	}
}

/* A pass from the end does, but for loops. */
static void find_live(struct follow *f)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t pc = f->p->len; pc-- > 0;) {
			const struct sock_filter *i = &f->p->insns[pc];
			uint32_t after = 0;

			if (BPF_CLASS(i->code) != BPF_JMP)
				after = pc + 1 < f->p->len ? f->live[pc + 1] : 0;
			else if (BPF_OP(i->code) == BPF_JA)
				after = f->live[pc + 1 + i->k];
			else
				after = f->live[pc + 1 + i->jt] | f->live[pc + 1 + i->jf];
			after = live_before(i, after);
			changed |= after != f->live[pc] && program_loops(f->p);
			f->live[pc] = after;
		}
	}
}

/* ---- following ---- */

static uint32_t follow(struct follow *f, struct known s);

static void drop_contained(const struct follow *f, struct known *s, uint32_t expr)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->pending_count; i++)
		if (!expr_contains(&f->g->exprs, expr, s->pending[i]))
			s->pending[kept++] = s->pending[i];
	memset(s->pending + kept, 0, (PENDING_MAX - kept) * sizeof *s->pending);
	s->pending_count = kept;
}

/* The expression was computed here: if it fails, the program rejects. False: EXPR_NONE, or given up. */
static bool computed(struct follow *f, struct known *s, uint32_t expr)
{
	struct expr e;
	uint32_t k;

	if (expr == EXPR_TOO_LARGE)
		f->gave_up = true;
	if (expr >= EXPR_TOO_LARGE)
		return false;
	e = expr_at(&f->g->exprs, expr);
	if (e.kind != EXPR_LOAD && (e.kind != EXPR_ALU || (e.op != BPF_DIV && e.op != BPF_MOD) ||
				    expr_is_const(&f->g->exprs, e.b, &k)))
		return true;
	drop_contained(f, s, expr);
	if (s->pending_count == PENDING_MAX) {
		f->gave_up = true;
		return false;
	}
	s->pending[s->pending_count++] = expr;
	return true;
}

static uint32_t accept(struct follow *f, const struct known *s)
{
	uint32_t node = NODE_ACCEPT;

	for (uint32_t i = 0; i < s->pending_count; i++)
		node = node_check(f->g, s->pending[i], node);
	return node;
}

/* `a op b` decides between two ways on. */
static uint32_t decide(struct follow *f, struct known *s, uint32_t expr, struct ranges *r, uint32_t ways[2])
{
	struct exprs *x = &f->g->exprs;
	uint32_t yes = ways[0], no = ways[1], max, k, nodes[2];

	if (expr >= EXPR_TOO_LARGE) {
		f->gave_up |= expr == EXPR_TOO_LARGE;
		return NODE_REJECT;
	}
	if (!expr_is_const(x, expr, &k))
		ranges_push_down(x, &expr, r);
	max = expr_max(x, expr);
	ranges_clip(r, max);
	if (expr_is_const(x, expr, &k) || r->count == 0 || (r->count == 1 && r->at[0].low == 0 && r->at[0].high == max)) {
		bool holds = false;

		for (uint32_t i = 0; i < r->count; i++)
			holds |= !expr_is_const(x, expr, &k) || (k >= r->at[i].low && k <= r->at[i].high);
		s->pc = holds ? yes : no;
		return follow(f, *s);
	}
	if (r->at[0].low == 0 && ranges_complement(r, max)) { /* one form for a question and its opposite */
		yes = ways[1];
		no = ways[0];
	}
	drop_contained(f, s, expr);
	s->pc = yes;
	nodes[0] = follow(f, *s);
	s->pc = no;
	nodes[1] = yes == no ? nodes[0] : follow(f, *s);
	if (nodes[0] == nodes[1])
		return nodes[0] == NODE_REJECT ? NODE_REJECT : node_check(f->g, expr, nodes[0]);
	return node_make(&f->g->nodes, (struct node){ pred_make(f->g, expr, r), nodes[0], nodes[1] });
}

static uint32_t compare(struct follow *f, struct known *s, const struct sock_filter *i)
{
	struct exprs *x = &f->g->exprs;
	uint32_t ways[2] = { s->pc + 1 + i->jt, s->pc + 1 + i->jf }, k = i->k, expr = s->a;
	struct ranges r;

	if (BPF_SRC(i->code) == BPF_X && !expr_is_const(x, s->x, &k)) {
		ranges_compare(&r, BPF_JEQ, 1);
		return decide(f, s, expr_cmp(x, BPF_OP(i->code), s->a, s->x), &r, ways);
	}
	if (BPF_OP(i->code) == BPF_JSET) {
		expr = expr_alu(x, BPF_AND, s->a, expr_const(x, k));
		ranges_compare(&r, BPF_JGE, 1);
	} else {
		ranges_compare(&r, BPF_OP(i->code), k);
	}
	return decide(f, s, expr, &r, ways);
}

static unsigned size_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

static uint32_t loaded(struct follow *f, const struct known *s, const struct sock_filter *i)
{
	struct exprs *x = &f->g->exprs;
	uint32_t byte;

	switch (BPF_MODE(i->code)) {
	case BPF_ABS:
		return expr_load(x, EXPR_NONE, i->k, size_of(i->code));
	case BPF_IND:
		return expr_load(x, s->x, i->k, size_of(i->code));
	case BPF_MSH:
		byte = expr_load(x, EXPR_NONE, i->k, 1);
		return expr_alu(x, BPF_LSH, expr_alu(x, BPF_AND, byte, expr_const(x, 15)), expr_const(x, 2));
	case BPF_LEN:
		return expr_len(x);
	case BPF_MEM:
		return s->scratch[i->k];
	default:
		return expr_const(x, i->k);
	}
}

/* An instruction that neither jumps nor returns. False: it fails always (or was given up). */
static bool step(struct follow *f, struct known *s, const struct sock_filter *i)
{
	struct exprs *x = &f->g->exprs;
	uint32_t expr, other;

	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
	case BPF_LDX:
		expr = loaded(f, s, i);
		/* what may fail is the load of the byte, behind the header length too */
		if (BPF_MODE(i->code) == BPF_MSH && !computed(f, s, expr_load(x, EXPR_NONE, i->k, 1)))
			return false;
		if (BPF_MODE(i->code) != BPF_MEM && !computed(f, s, expr))
			return false;
		*(BPF_CLASS(i->code) == BPF_LD ? &s->a : &s->x) = expr;
		return true;
	case BPF_ST:
	case BPF_STX:
		s->scratch[i->k] = BPF_CLASS(i->code) == BPF_ST ? s->a : s->x;
		return true;
	case BPF_ALU:
		other = BPF_SRC(i->code) == BPF_X ? s->x : expr_const(x, i->k);
		s->a = expr_alu(x, BPF_OP(i->code), s->a, BPF_OP(i->code) == BPF_NEG ? EXPR_ZERO : other);
		return computed(f, s, s->a);
	default:
		if (i->code == (BPF_MISC | BPF_TAX))
			s->x = s->a;
		else
			s->a = s->x;
		return true;
	}
}

static uint32_t follow_on(struct follow *f, struct known *s)
{
	for (;; s->pc++) {
		const struct sock_filter *i = &f->p->insns[s->pc];
		struct ranges not_zero;
		uint32_t k;

		if (i->code == (BPF_RET | BPF_K))
			return i->k ? accept(f, s) : NODE_REJECT;
		if (i->code == (BPF_RET | BPF_A)) {
			uint32_t expr = s->a;
			struct known end = *s;

			if (expr_is_const(&f->g->exprs, expr, &k))
				return k ? accept(f, s) : NODE_REJECT;
			ranges_compare(&not_zero, BPF_JGE, 1);
			ranges_push_down(&f->g->exprs, &expr, &not_zero);
			ranges_clip(&not_zero, expr_max(&f->g->exprs, expr));
			drop_contained(f, &end, expr);
			return node_make(&f->g->nodes, (struct node){ pred_make(f->g, expr, &not_zero),
								      accept(f, &end), NODE_REJECT });
		}
		if (i->code == (BPF_JMP | BPF_JA)) {
			if ((int32_t)i->k < 0 && s->rounds++ == ROUNDS_MAX)
				return node_whole(f->g, f->index);
			s->pc += i->k;
		} else if (BPF_CLASS(i->code) == BPF_JMP) {
			return compare(f, s, i);
		} else if (!step(f, s, i)) {
			return NODE_REJECT;
		}
	}
}

/* The node for what happens from here on. */
static uint32_t follow(struct follow *f, struct known s)
{
	uint32_t id, before = f->states.count, live = f->live[s.pc], result;

	if (f->gave_up)
		return NODE_REJECT;
	if (!(live & LIVE_A))
		s.a = EXPR_ZERO;
	if (!(live & LIVE_X))
		s.x = EXPR_ZERO;
	for (uint32_t i = 0; i < PROGRAM_SCRATCH; i++)
		if (!(live & LIVE_SCRATCH(i)))
			s.scratch[i] = EXPR_ZERO;
	id = intern_add(&f->states, (const uint32_t *)&s, KNOWN_WORDS);
	if (f->states.failed || f->states.count > STATES_MAX) {
		f->gave_up = true;
		return NODE_REJECT;
	}
	if (id < before)
		return f->results[id];
	result = follow_on(f, &s);
	f->results[id] = result;
	return result;
}

uint32_t graph_add(struct graph *g, const struct program *p, uint32_t index, bool *ret_whole)
{
	struct follow f = { .g = g, .p = p, .index = index };
	uint32_t root = NODE_REJECT;

	f.gave_up = p->len > INSNS_MAX;
	f.live = calloc(p->len, sizeof *f.live);
	f.results = calloc(STATES_MAX + 1, sizeof *f.results);
	if (!f.live || !f.results)
		f.gave_up = true;
	if (!f.gave_up) {
		find_live(&f);
		root = follow(&f, (struct known){ 0 });
	}
	if (f.gave_up)
		root = node_whole(g, index);
	*ret_whole = f.gave_up;
	intern_free(&f.states);
	free(f.live);
	free(f.results);
	return root;
}
