/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookup.c -- classes of values, and the pages that find them. */
#include "rules/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 0x7fffu
#define FIELD_MAX (1u << 30) /* a field beyond is an expression like any other */

/* A predicate begins or ceases to hold at a value. */
struct edge {
	uint32_t value, pred; /* index in the list given */
};

/* Values from `start` on are of the class. */
struct run {
	uint32_t start, class;
};

struct runs {
	struct run *at;
	uint32_t count;
};

static int by_value(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

static struct edge *find_edges(const struct graph *g, const uint32_t *preds, uint32_t pred_count, size_t *ret_count)
{
	uint32_t max = expr_max(&g->exprs, pred_expr(g, preds[0]));
	struct edge *edges;
	size_t count = 0;

	for (uint32_t i = 0; i < pred_count; i++)
		count += intern_len(&g->preds, preds[i]);
	edges = malloc((count + 1) * sizeof *edges);
	if (!edges)
		return NULL;
	count = 0;
	for (uint32_t i = 0; i < pred_count; i++) {
		const uint32_t *w = intern_at(&g->preds, preds[i]);

		for (uint32_t j = 1, len = intern_len(&g->preds, preds[i]); j < len; j += 2) {
			edges[count++] = (struct edge){ w[j], i };
			if (w[j + 1] < max)
				edges[count++] = (struct edge){ w[j + 1] + 1, i };
		}
	}
	qsort(edges, count, sizeof *edges, by_value);
	*ret_count = count;
	return edges;
}

/* Values between two edges: which predicates hold there makes the class. */
static int find_runs(struct runs *ret, struct lookup *l, const struct edge *edges, size_t count, uint32_t pred_count)
{
	uint32_t words = (pred_count + 31) / 32, *holds = calloc(words, sizeof *holds);
	struct run *runs = malloc((count + 1) * sizeof *runs);
	uint32_t *values = malloc((count + 2) * sizeof *values), run_count = 0;
	struct intern classes = { 0 };
	size_t next = 0;
	bool failed = !holds || !runs || !values;

	for (uint32_t start = 0; !failed; start = edges[next].value) {
		uint32_t class;

		for (; next < count && edges[next].value == start; next++)
			holds[edges[next].pred / 32] ^= 1u << edges[next].pred % 32;
		class = intern_add(&classes, holds, words) + 1;
		if (class == classes.count)
			values[class] = start;
		if (run_count == 0 || runs[run_count - 1].class != class)
			runs[run_count++] = (struct run){ start, class };
		failed = classes.failed;
		if (next == count)
			break;
	}
	l->class_count = classes.count + 1;
	intern_free(&classes);
	free(holds);
	if (failed) {
		free(runs);
		free(values);
		return -ENOMEM;
	}
	l->values = values;
	*ret = (struct runs){ runs, run_count };
	return 0;
}

static int page_add(struct pages *p, uint32_t *ret)
{
	if (p->count == PAGES_MAX)
		return -E2BIG;
	if (p->count == p->room) {
		uint32_t room = p->room ? p->room * 2 : 16;
		uint16_t (*bigger)[256] = realloc(p->at, room * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		p->at = bigger;
		p->room = room;
	}
	*ret = p->count++;
	return 0;
}

/* Values base + (0 ... 255 << shift), all shifted to the top; `run` is the one that holds `base`. */
static int page_fill(struct pages *p, const struct runs *runs, uint32_t run, uint32_t base, unsigned shift, uint32_t *ret)
{
	uint32_t page;
	int code = page_add(p, &page);

	for (uint32_t i = 0; code == 0 && i < 256; i++) {
		uint32_t low = base | i << shift, high = low | ((1u << shift) - 1), child;

		while (run + 1 < runs->count && runs->at[run + 1].start <= low)
			run++;
		p->at[page][i] = (uint16_t)runs->at[run].class;
		if (run + 1 == runs->count || runs->at[run + 1].start > high)
			continue;
		code = page_fill(p, runs, run, low, shift - 8, &child); /* not at shift 0: low == high there */
		if (code == 0)
			p->at[page][i] = (uint16_t)(child | LOOKUP_PAGE);
	}
	if (code == 0)
		*ret = page;
	return code;
}

/* (p[m] & 15) << 2: the length of the IPv4 header at m. */
static bool is_header_len(const struct exprs *x, uint32_t id, uint32_t *ret_at)
{
	struct expr shift = expr_at(x, id), mask, byte;
	uint32_t k;

	if (shift.kind != EXPR_ALU || shift.op != BPF_LSH || !expr_is_const(x, shift.b, &k) || k != 2)
		return false;
	mask = expr_at(x, shift.a);
	if (mask.kind != EXPR_ALU || mask.op != BPF_AND || !expr_is_const(x, mask.b, &k) || k != 15)
		return false;
	byte = expr_at(x, mask.a);
	*ret_at = byte.k;
	return byte.kind == EXPR_LOAD && byte.size == 1 && byte.a == EXPR_NONE;
}

/* A load, or some bits of one, where they are. */
static void find_kind(struct lookup *l, const struct exprs *x)
{
	struct expr e = expr_at(x, l->expr);
	uint32_t mask = UINT32_MAX;

	l->kind = e.kind == EXPR_LEN ? LOOKUP_LEN : LOOKUP_EXPR;
	if (e.kind == EXPR_ALU && e.op == BPF_AND && expr_is_const(x, e.b, &mask))
		e = expr_at(x, e.a);
	if (e.kind != EXPR_LOAD || e.k > FIELD_MAX || (e.a != EXPR_NONE && e.k + e.size < 4))
		return;
	if (e.a != EXPR_NONE) {
		if (!is_header_len(x, e.a, &l->msh))
			return;
		l->msh_mask = 15;
	}
	l->kind = LOOKUP_FIELD;
	l->up = 32 - 8u * e.size;
	l->keep = mask << l->up;
	l->end = e.k + e.size < 4 ? 4 : e.k + e.size; /* of a frame of 4 bytes at least */
	l->left = e.k + e.size < 4 ? 8 * e.k : l->up;
}

static void set_steps(struct lookup *l, const struct runs *runs)
{
	l->root = LOOKUP_NO_PAGES;
	for (uint32_t i = 0; i < runs->count; i++)
		l->classes[i] = (uint16_t)runs->at[i].class;
	for (uint32_t i = 0; i < LOOKUP_STEPS; i++) /* nothing is above the largest number */
		l->steps[i / 4][i % 4] = i + 1 < runs->count ? (int32_t)((runs->at[i + 1].start - 1) ^ 0x80000000u) : INT32_MAX;
}

int lookup_open(struct lookup *ret, struct pages *pages, const struct graph *g, const uint32_t *preds, uint32_t pred_count)
{
	struct lookup l = { .expr = pred_expr(g, preds[0]), .clamp = UINT32_MAX };
	struct runs runs = { 0 };
	struct edge *edges;
	size_t count = 0;
	int code;

	if (pred_count > LOOKUP_PREDS_MAX)
		return -E2BIG;
	edges = find_edges(g, preds, pred_count, &count);
	code = edges ? find_runs(&runs, &l, edges, count, pred_count) : -ENOMEM;
	free(edges);
	if (code < 0)
		return code;
	find_kind(&l, &g->exprs);
	if (l.kind != LOOKUP_FIELD) {
		l.clamp = runs.at[runs.count - 1].start;
		l.up = l.clamp < 1u << 8 ? 24 : l.clamp < 1u << 16 ? 16 : 0;
	}
	for (uint32_t i = 0; i < runs.count; i++)
		runs.at[i].start <<= l.up;
	if (runs.count <= LOOKUP_STEPS + 1 && l.up != 24)
		set_steps(&l, &runs);
	else
		code = page_fill(pages, &runs, 0, 0, 24, &l.root);
	free(runs.at);
	if (code == 0)
		*ret = l;
	else
		free(l.values);
	return code;
}

void lookup_close(struct lookup *l)
{
	free(l->values);
	l->values = NULL;
}
