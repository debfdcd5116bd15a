/* SPDX-License-Identifier: GPL-2.0-or-later */
/* graph.h -- filter programs as decisions about expressions, in one pool, so that what they share is there once.
 *
 * A program is followed symbolically from its entry: registers and scratch memory hold expressions, a comparison
 * becomes a node. A node asks whether an expression's value is in a set of ranges (the predicate); an expression
 * that fails rejects. Loads whose value nobody asks for are checked where the program would accept. A loop
 * is followed once around; what goes on from there, or cannot be followed (too many states), is one node that asks
 * what the whole program says. */
#ifndef NETTALLY_RULES_GRAPH_H
#define NETTALLY_RULES_GRAPH_H

#include "rules/expr.h"
#include "rules/ranges.h"

#define NODE_REJECT 0u
#define NODE_ACCEPT 1u

struct node {
	uint32_t pred, yes, no;
};

struct graph {
	struct exprs exprs;
	struct intern preds; /* expression, then low, high, low, high ... */
	struct intern nodes; /* pred, yes, no */
};

int graph_open(struct graph *ret, const struct program *const *programs); /* 0 or -ENOMEM */
void graph_close(struct graph *g);
bool graph_failed(const struct graph *g); /* no memory, sticky */

/* The root of the program programs[index], which passed program_check(). *ret_whole: it could not be followed. */
uint32_t graph_add(struct graph *g, const struct program *p, uint32_t index, bool *ret_whole);

static inline struct node node_at(const struct intern *nodes, uint32_t id)
{
	const uint32_t *w = intern_at(nodes, id);

	return (struct node){ w[0], w[1], w[2] };
}

/* The node in a pool of nodes, without what decides nothing. */
uint32_t node_make(struct intern *nodes, struct node n);
int nodes_open(struct intern *nodes); /* with NODE_REJECT and NODE_ACCEPT; 0 or -ENOMEM */

static inline uint32_t pred_expr(const struct graph *g, uint32_t pred)
{
	return intern_at(&g->preds, pred)[0];
}

bool pred_holds(const struct graph *g, uint32_t pred, uint32_t value);
/* Walks from a node of `nodes`: the answer without any table. */
bool graph_walk(const struct graph *g, const struct intern *nodes, uint32_t node, const struct view *v);

#endif
