/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.c -- states, made lazily. */
#include "rules/machine.h"

#include "rules/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DECIDED UINT32_MAX /* a state's look-up: nothing is left */
#define NODE_WORDS_MAX (1u << 22)

struct state {
	uint32_t lookup;
	uint32_t edges;   /* of class 0; next state + 1, 0 = not made yet */
	uint32_t accepts; /* how many functions are decided here */
};

struct restricted { /* a node without the expression that was looked up last */
	uint32_t round, node;
};

struct machine {
	const struct graph *g;
	struct function *all;
	uint32_t function_count;
	struct intern nodes;        /* of the graph, as far as needed, and what is left of them */
	uint64_t *fields;           /* by node: look-ups that it or a node below asks (index mod 64) */
	struct restricted *memo;    /* by node */
	uint32_t nodes_room, round;
	struct lookup *lookups;
	uint32_t lookup_count, *lookup_of; /* by expression; DECIDED = none */
	uint32_t *asked;            /* by look-up: functions that wait for it */
	struct pages pages;
	struct intern states;       /* accepted count, accepted functions, then pairs of function and node */
	struct state *state;
	struct tally *tallies;      /* by state */
	uint32_t states_room, *edges, edges_used, edges_room;
	struct tally nobody[FRAME_BATCH]; /* where a frame is added that is accepted by none */
	uint32_t start, *scratch, *left;
	bool full;
};

/* ---- nodes ---- */

static bool nodes_fit(struct machine *m)
{
	uint32_t room = m->nodes.count_room;
	uint64_t *fields;
	struct restricted *memo;

	if (room <= m->nodes_room)
		return true;
	fields = realloc(m->fields, room * sizeof *fields);
	if (fields)
		m->fields = fields;
	memo = realloc(m->memo, room * sizeof *memo);
	if (memo)
		m->memo = memo;
	if (!fields || !memo) {
		m->nodes.failed = true;
		return false;
	}
	memset(m->memo + m->nodes_room, 0, (room - m->nodes_room) * sizeof *memo);
	m->nodes_room = room;
	return true;
}

static uint64_t field_bit(const struct machine *m, uint32_t pred)
{
	return 1ull << (m->lookup_of[pred_expr(m->g, pred)] & 63);
}

static uint32_t make(struct machine *m, struct node n)
{
	uint32_t before = m->nodes.count, id = node_make(&m->nodes, n);

	if (m->nodes.failed || !nodes_fit(m))
		return NODE_REJECT;
	if (id >= before)
		m->fields[id] = field_bit(m, n.pred) | m->fields[n.yes] | m->fields[n.no];
	return id;
}

/* What is left of a node once the expression has the value, or has failed. */
static uint32_t restrict_to(struct machine *m, uint32_t id, uint32_t expr, const uint32_t *value)
{
	struct node n;
	uint32_t left;

	if (id <= NODE_ACCEPT || !(m->fields[id] & 1ull << (m->lookup_of[expr] & 63)))
		return id;
	if (m->memo[id].round == m->round)
		return m->memo[id].node;
	n = node_at(&m->nodes, id);
	if (pred_expr(m->g, n.pred) != expr) {
		n.yes = restrict_to(m, n.yes, expr, value);
		n.no = restrict_to(m, n.no, expr, value);
		left = make(m, n);
	} else if (value) {
		left = restrict_to(m, pred_holds(m->g, n.pred, *value) ? n.yes : n.no, expr, value);
	} else {
		left = NODE_REJECT;
	}
	m->memo[id] = (struct restricted){ m->round, left };
	return left;
}

/* ---- states ---- */

/* The look-up that most functions of the state wait for. */
static uint32_t choose(struct machine *m, const uint32_t *pairs, uint32_t count)
{
	uint32_t best = 0;

	memset(m->asked, 0, m->lookup_count * sizeof *m->asked);
	for (uint32_t i = 0; i < count; i += 2)
		m->asked[m->lookup_of[pred_expr(m->g, node_at(&m->nodes, pairs[i + 1]).pred)]]++;
	for (uint32_t i = 1; i < m->lookup_count; i++)
		if (m->asked[i] > m->asked[best])
			best = i;
	return best;
}

static bool states_fit(struct machine *m)
{
	uint32_t room = m->states.count_room;
	struct state *state;
	struct tally *tallies;

	if (room <= m->states_room)
		return true;
	state = realloc(m->state, room * sizeof *state);
	if (state)
		m->state = state;
	tallies = realloc(m->tallies, room * sizeof *tallies);
	if (tallies)
		m->tallies = tallies;
	if (!state || !tallies)
		return false;
	m->states_room = room;
	return true;
}

static bool edges_fit(struct machine *m, uint32_t count)
{
	uint32_t room = m->edges_room ? m->edges_room : 1024;
	uint32_t *edges;

	while (room < m->edges_used + count)
		room *= 2;
	if (room == m->edges_room)
		return true;
	edges = realloc(m->edges, room * sizeof *edges);
	if (!edges)
		return false;
	memset(edges + m->edges_room, 0, (room - m->edges_room) * sizeof *edges);
	m->edges = edges;
	m->edges_room = room;
	return true;
}

/* The state of `words`, which are not in the pool yet perhaps. False: no memory; then states.failed. */
static bool state_make(struct machine *m, const uint32_t *words, uint32_t len, uint32_t *ret)
{
	uint32_t before = m->states.count, id = intern_add(&m->states, words, len), classes = 0;
	struct state s = { .lookup = DECIDED, .accepts = words[0] };

	if (m->states.failed)
		return false;
	*ret = id;
	if (id < before)
		return true;
	if (len > words[0] + 1) {
		s.lookup = choose(m, words + 1 + words[0], len - 1 - words[0]);
		classes = m->lookups[s.lookup].class_count;
	}
	if (!states_fit(m) || !edges_fit(m, classes)) {
		m->states.failed = true;
		return false;
	}
	s.edges = m->edges_used;
	m->edges_used += classes;
	m->state[id] = s;
	m->tallies[id] = (struct tally){ 0 };
	m->full = m->full || m->states.count > MACHINE_STATES_MAX || m->edges_used > MACHINE_EDGES_MAX ||
		  m->nodes.used > NODE_WORDS_MAX;
	return true;
}

/* Sorts one function into what is accepted and what is left. */
static void sort_in(struct machine *m, uint32_t function, uint32_t node, uint32_t *left)
{
	if (node == NODE_ACCEPT) {
		m->scratch[++m->scratch[0]] = function;
	} else if (node != NODE_REJECT) {
		m->left[(*left)++] = function;
		m->left[(*left)++] = node;
	}
}

static bool state_sorted(struct machine *m, uint32_t left, uint32_t *ret)
{
	memcpy(m->scratch + 1 + m->scratch[0], m->left, left * sizeof *m->left);
	return state_make(m, m->scratch, 1 + m->scratch[0] + left, ret);
}

/* Where a class leads. False: no memory for it. */
static bool edge_make(struct machine *m, uint32_t from, uint32_t class, uint32_t *ret)
{
	const struct lookup *l = &m->lookups[m->state[from].lookup];
	const uint32_t *words = intern_at(&m->states, from);
	uint32_t len = intern_len(&m->states, from), left = 0;

	if (m->nodes.failed || m->states.failed)
		return false;
	m->round++;
	m->scratch[0] = 0;
	for (uint32_t i = 1 + words[0]; i < len; i += 2)
		sort_in(m, words[i], restrict_to(m, words[i + 1], l->expr, class == LOOKUP_FAILED ? NULL : &l->values[class]),
			&left);
	if (m->nodes.failed || !state_sorted(m, left, ret)) {
		m->full = true; /* smaller machines need less */
		return false;
	}
	m->edges[m->state[from].edges + class] = *ret + 1;
	return true;
}

/* ---- frames ---- */

/* False: the edge cannot be made. */
static inline bool step(struct machine *m, const struct view *v, uint32_t *at)
{
	const struct state *s = &m->state[*at];
	uint32_t class = lookup_class(&m->lookups[s->lookup], &m->pages, m->g, v);
	uint32_t next = m->edges[s->edges + class];

	if (__builtin_expect(next == 0, 0))
		return edge_make(m, *at, class, at);
	*at = next - 1;
	return true;
}

/* Without memory for another state: each function that is left, one by one. */
static uint32_t walk_left(const struct machine *m, uint32_t state, const struct view *v, uint32_t *ret)
{
	const uint32_t *words = intern_at(&m->states, state);
	uint32_t len = intern_len(&m->states, state), count = 0;

	for (uint32_t i = 1 + words[0]; i < len; i += 2)
		if (graph_walk(m->g, &m->nodes, words[i + 1], v))
			ret[count++] = words[i];
	return count;
}

static void count_left(struct machine *m, uint32_t state, const struct view *v, const struct tally *weight)
{
	uint32_t count = walk_left(m, state, v, m->left);

	for (uint32_t i = 0; i < count; i++)
		tally_add(&m->all[m->left[i]].tally, weight);
}

struct lane {
	uint32_t at, frame;
};

/* One look-up for each lane; how many are not decided yet. Frames go in step, so that the core can wait for the
 * memory of several at once. Stops early at an edge that is not there: *ret_done lanes were served. */
static unsigned round_of(struct machine *m, const struct view *views, const struct tally *weights, struct lane *lanes,
			 unsigned *from, unsigned active, unsigned still)
{
	const struct state *states = m->state;
	const struct lookup *lookups = m->lookups;
	const uint32_t *edges = m->edges;
	struct tally *tallies = m->tallies;

	for (unsigned i = *from; i < active; i++) {
		uint32_t frame = lanes[i].frame, class, next;
		const struct state *s = &states[lanes[i].at];
		struct tally *t;

		class = lookup_class(&lookups[s->lookup], &m->pages, m->g, &views[frame]);
		next = edges[s->edges + class];
		if (__builtin_expect(next == 0, 0)) {
			*from = i;
			return still;
		}
		s = &states[--next];
		t = s->accepts ? &tallies[next] : &m->nobody[frame];
		tally_add(t, &weights[frame]);
		lanes[still] = (struct lane){ next, frame };
		still += s->lookup != DECIDED;
	}
	*from = active;
	return still;
}

void machine_count(struct machine *m, const struct view *views, const struct tally *weights, unsigned n)
{
	struct lane lanes[FRAME_BATCH];
	unsigned active = n;

	for (unsigned i = 0; i < n; i++) {
		lanes[i] = (struct lane){ m->start, i };
		if (m->state[m->start].accepts)
			tally_add(&m->tallies[m->start], &weights[i]);
	}
	if (m->state[m->start].lookup == DECIDED)
		return;
	while (active) {
		unsigned still = 0, done = 0;

		for (;;) {
			uint32_t at, frame;

			still = round_of(m, views, weights, lanes, &done, active, still);
			if (done == active)
				break;
			at = lanes[done].at;
			frame = lanes[done].frame;
			if (!step(m, &views[frame], &at)) { /* makes the edge */
				count_left(m, at, &views[frame], &weights[frame]);
				done++;
			}
		}
		active = still;
	}
}

static uint32_t give_accepted(const struct machine *m, uint32_t state, uint32_t *ret)
{
	const uint32_t *words = intern_at(&m->states, state);

	if (words[0])
		memcpy(ret, words + 1, words[0] * sizeof *ret);
	return words[0];
}

uint32_t machine_match(struct machine *m, const struct view *view, uint32_t *ret)
{
	uint32_t at = m->start, count = give_accepted(m, at, ret);

	while (m->state[at].lookup != DECIDED) {
		if (!step(m, view, &at))
			return count + walk_left(m, at, view, ret + count);
		count += give_accepted(m, at, ret + count);
	}
	return count;
}

void machine_credit(struct machine *m)
{
	for (uint32_t i = 0; i < m->states.count; i++) {
		const uint32_t *words = intern_at(&m->states, i);

		for (uint32_t j = 1; j <= words[0]; j++)
			tally_add(&m->all[words[j]].tally, &m->tallies[i]);
		m->tallies[i] = (struct tally){ 0 };
	}
}

/* ---- life ---- */

/* What the machine is made of while it is made. */
struct making {
	struct machine *m;
	uint32_t *copies;           /* by node of the graph: node of the machine + 1 */
	uint32_t *preds, pred_count; /* that occur */
	uint8_t *seen;              /* by predicate */
};

/* Predicates of all nodes below. */
static void find_preds(struct making *k, uint32_t id)
{
	struct node n;

	if (id <= NODE_ACCEPT || k->copies[id])
		return;
	n = node_at(&k->m->g->nodes, id);
	k->copies[id] = 1; /* visited; numbered in copy() */
	if (!k->seen[n.pred]) {
		k->seen[n.pred] = 1;
		k->preds[k->pred_count++] = n.pred;
	}
	find_preds(k, n.yes);
	find_preds(k, n.no);
}

static uint32_t copy(struct making *k, uint32_t id)
{
	struct node n;

	if (id <= NODE_ACCEPT)
		return id;
	if (k->copies[id] > 1)
		return k->copies[id] - 1;
	n = node_at(&k->m->g->nodes, id);
	n.yes = copy(k, n.yes);
	n.no = copy(k, n.no);
	k->copies[id] = make(k->m, n) + 1;
	return k->copies[id] - 1;
}

/* Look-ups in the order in which their expressions are met first. */
static int make_lookups(struct making *k)
{
	struct machine *m = k->m;
	uint32_t *of_one = malloc((k->pred_count + 1) * sizeof *of_one);
	int code = of_one ? 0 : -ENOMEM;

	for (uint32_t i = 0; code == 0 && i < k->pred_count; i++) {
		uint32_t expr = pred_expr(m->g, k->preds[i]), count = 0;

		if (m->lookup_of[expr] != DECIDED)
			continue;
		for (uint32_t j = i; j < k->pred_count; j++)
			if (pred_expr(m->g, k->preds[j]) == expr)
				of_one[count++] = k->preds[j];
		code = lookup_open(&m->lookups[m->lookup_count], &m->pages, m->g, of_one, count);
		if (code == 0)
			m->lookup_of[expr] = m->lookup_count++;
	}
	free(of_one);
	return code;
}

static int make_start(struct making *k, const uint32_t *functions, uint32_t count)
{
	struct machine *m = k->m;
	uint32_t left = 0;

	if (!nodes_fit(m))
		return -ENOMEM;
	m->fields[NODE_REJECT] = m->fields[NODE_ACCEPT] = 0;
	m->scratch[0] = 0;
	for (uint32_t i = 0; i < count; i++)
		sort_in(m, functions[i], copy(k, m->all[functions[i]].root), &left);
	return !m->nodes.failed && state_sorted(m, left, &m->start) ? 0 : -ENOMEM;
}

static int make_machine(struct making *k, const uint32_t *functions, uint32_t count)
{
	struct machine *m = k->m;
	uint32_t exprs = m->g->exprs.pool.count, preds = m->g->preds.count;
	int code;

	k->copies = calloc(m->g->nodes.count, sizeof *k->copies);
	k->preds = malloc((preds + 1) * sizeof *k->preds);
	k->seen = calloc(preds + 1, sizeof *k->seen);
	m->lookup_of = malloc(exprs * sizeof *m->lookup_of);
	m->lookups = calloc(exprs, sizeof *m->lookups);
	m->asked = malloc(exprs * sizeof *m->asked);
	m->scratch = malloc((3 * (size_t)count + 1) * sizeof *m->scratch);
	m->left = malloc((2 * (size_t)count + 1) * sizeof *m->left);
	if (!k->copies || !k->preds || !k->seen || !m->lookup_of || !m->lookups || !m->asked || !m->scratch || !m->left ||
	    nodes_open(&m->nodes) < 0)
		return -ENOMEM;
	memset(m->lookup_of, 0xff, exprs * sizeof *m->lookup_of);
	for (uint32_t i = 0; i < count; i++)
		find_preds(k, m->all[functions[i]].root);
	code = make_lookups(k);
	return code < 0 ? code : make_start(k, functions, count);
}

int machine_open(struct machine **ret, const struct graph *g, struct function *all, const uint32_t *functions,
		 uint32_t count)
{
	struct machine *m = calloc(1, sizeof *m);
	struct making k = { .m = m };
	int code;

	if (!m)
		return -ENOMEM;
	m->g = g;
	m->all = all;
	m->function_count = count;
	code = make_machine(&k, functions, count);
	free(k.copies);
	free(k.preds);
	free(k.seen);
	if (code == 0)
		*ret = m;
	else
		machine_close(&m);
	return code;
}

void machine_close(struct machine **m)
{
	if (!*m)
		return;
	for (uint32_t i = 0; i < (*m)->lookup_count; i++)
		lookup_close(&(*m)->lookups[i]);
	intern_free(&(*m)->nodes);
	intern_free(&(*m)->states);
	free((*m)->fields);
	free((*m)->memo);
	free((*m)->lookups);
	free((*m)->lookup_of);
	free((*m)->asked);
	free((*m)->pages.at);
	free((*m)->state);
	free((*m)->tallies);
	free((*m)->edges);
	free((*m)->scratch);
	free((*m)->left);
	free(*m);
	*m = NULL;
}

bool machine_full(const struct machine *m)
{
	return m->full;
}

struct machine_size machine_size(const struct machine *m)
{
	return (struct machine_size){
		.functions = m->function_count, .states = m->states.count, .edges = m->edges_used, .lookups = m->lookup_count,
		.bytes = intern_bytes(&m->nodes) + intern_bytes(&m->states) + m->pages.room * sizeof *m->pages.at +
			 m->nodes_room * (sizeof *m->fields + sizeof *m->memo) + m->edges_room * sizeof *m->edges +
			 m->states_room * (sizeof *m->state + sizeof *m->tallies),
	};
}
