/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule_set.c -- rules to functions, functions to machines, and back. */
#include "rules/rule_set.h"

#include "rules/graph.h"
#include "rules/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_FUNCTION UINT32_MAX

struct part { /* a machine and its functions, a piece of `order` */
	struct machine *machine;
	uint32_t first, count;
	bool alone;          /* cannot be divided: stays as it is when full */
};

struct rule_set {
	uint16_t linktype;
	size_t rule_count;
	struct program *programs;         /* by rule */
	const struct program **pointers;  /* to them, for the graph */
	char **never;                     /* by rule; NULL: it can match */
	uint32_t *function_of;            /* by rule */
	uint32_t *first_rule, *next_rule; /* by function; by rule: rules of one function as a list, end NO_FUNCTION */
	struct graph graph;
	struct function *functions;
	uint32_t function_count;
	size_t whole;
	uint32_t *order;                  /* functions, those that look at the same fields together */
	uint64_t *fields;                 /* by function, for that order */
	struct part *parts;
	size_t part_count, part_room;
	uint32_t *matched;                /* functions of one frame */
};

/* ---- compiling ---- */

int rule_set_check(const char *expression, struct err *e)
{
	struct program p = { 0 };
	int code = program_compile(&p, expression, LINKTYPE_ETHERNET, e);

	program_free(&p);
	return code < 0 ? code : 0;
}

/* 0; -EINVAL: a mistake, said. */
static int compile_rule(struct rule_set *s, const struct rule_file *file, size_t i, struct rule_mistakes *mistakes)
{
	const struct rule *rule = &file->rules[i];
	struct program elsewhere = { 0 };
	struct err e;
	int code = program_compile(&s->programs[i], rule->expression, s->linktype, &e);

	if (code == PROGRAM_NEVER) {
		s->never[i] = strdup("it can match nothing on this link type");
	} else if (code == -EINVAL && s->linktype != LINKTYPE_ETHERNET) {
		struct err other;

		code = program_compile(&elsewhere, rule->expression, LINKTYPE_ETHERNET, &other);
		program_free(&elsewhere);
		if (code >= 0)
			s->never[i] = strdup(e.msg); /* "no VLAN support for ...": nothing like it occurs here */
	}
	if (code == -EINVAL)
		rule_mistakes_add(mistakes, file, rule, e.msg);
	if (code < 0)
		return code;
	return s->programs[i].len || s->never[i] ? 0 : -ENOMEM;
}

static int compile_all(struct rule_set *s, const struct rule_file *file, struct rule_mistakes *mistakes, struct err *e)
{
	size_t wrong = 0;

	for (size_t i = 0; i < s->rule_count; i++) {
		int code = compile_rule(s, file, i, mistakes);

		if (code == -EINVAL)
			wrong++;
		else if (code < 0)
			return err_set(e, code, "%s: no memory for its rules", file->path);
	}
	if (wrong)
		return err_set(e, -EINVAL, "%s: mistakes: %zu", file->path, wrong);
	return 0;
}

/* ---- functions ---- */

/* Which expressions the nodes below ask, hashed into 64 bits; nodes that were seen are in `seen`. */
static uint64_t fields_below(const struct graph *g, uint32_t id, uint8_t *seen)
{
	struct node n;

	if (id <= NODE_ACCEPT || seen[id])
		return 0;
	seen[id] = 1;
	n = node_at(&g->nodes, id);
	return 1ull << (pred_expr(g, n.pred) * 0x9e3779b1u >> 26) | fields_below(g, n.yes, seen) |
	       fields_below(g, n.no, seen);
}

static int by_fields(const void *a, const void *b, void *arg)
{
	const struct rule_set *s = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (s->fields[x] != s->fields[y])
		return s->fields[x] < s->fields[y] ? -1 : 1;
	return (x > y) - (x < y);
}

static int order_functions(struct rule_set *s)
{
	size_t room = s->function_count + 1;
	uint8_t *seen = malloc(s->graph.nodes.count);

	s->order = malloc(room * sizeof *s->order);
	s->fields = malloc(room * sizeof *s->fields);
	s->matched = malloc(room * sizeof *s->matched);
	if (!seen || !s->order || !s->fields || !s->matched) {
		free(seen);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < s->function_count; i++) {
		memset(seen, 0, s->graph.nodes.count);
		s->order[i] = i;
		s->fields[i] = fields_below(&s->graph, s->functions[i].root, seen);
	}
	qsort_r(s->order, s->function_count, sizeof *s->order, by_fields, s);
	free(seen);
	return 0;
}

/* Rules with one root are one function. */
static int find_functions(struct rule_set *s)
{
	struct intern roots = { 0 };
	bool failed = false;

	for (size_t i = 0; i < s->rule_count && !failed; i++) {
		uint32_t root, function;
		bool whole;

		s->function_of[i] = s->next_rule[i] = NO_FUNCTION;
		if (s->never[i])
			continue;
		root = graph_add(&s->graph, &s->programs[i], (uint32_t)i, &whole);
		if (root == NODE_REJECT && !s->never[i])
			s->never[i] = strdup("it can match nothing");
		failed = graph_failed(&s->graph) || (root == NODE_REJECT && !s->never[i]);
		if (root == NODE_REJECT || failed)
			continue;
		function = intern_add(&roots, &root, 1);
		failed = roots.failed;
		s->function_of[i] = function;
		if (!failed && function == s->function_count) {
			s->functions[s->function_count++] = (struct function){ .root = root };
			s->first_rule[function] = NO_FUNCTION;
			s->whole += whole;
		}
	}
	intern_free(&roots);
	for (size_t i = s->rule_count; !failed && i-- > 0;) { /* so that each list begins with its first rule */
		uint32_t function = s->function_of[i];

		if (function != NO_FUNCTION) {
			s->next_rule[i] = s->first_rule[function];
			s->first_rule[function] = (uint32_t)i;
		}
	}
	return failed ? -ENOMEM : 0;
}

/* ---- machines ---- */

static bool parts_fit(struct rule_set *s)
{
	size_t room = s->part_room ? s->part_room * 2 : 4;
	struct part *bigger;

	if (s->part_count < s->part_room)
		return true;
	bigger = realloc(s->parts, room * sizeof *bigger);
	if (!bigger)
		return false;
	s->parts = bigger;
	s->part_room = room;
	return true;
}

/* Where to divide: near the middle, if it can be where the fields change. */
static uint32_t middle(const struct rule_set *s, uint32_t first, uint32_t count)
{
	const uint32_t *order = s->order + first;
	uint32_t half = count / 2;

	for (uint32_t away = 0; away < count / 4; away++) {
		if (s->fields[order[half + away]] != s->fields[order[half + away - 1]])
			return half + away;
		if (s->fields[order[half - away]] != s->fields[order[half - away - 1]])
			return half - away;
	}
	return half;
}

/* One machine for the functions, or more where it would be too large. */
static int add_parts(struct rule_set *s, uint32_t first, uint32_t count)
{
	struct machine *machine;
	uint32_t half;
	int code = machine_open(&machine, &s->graph, s->functions, s->order + first, count);

	if (code == 0) {
		if (!parts_fit(s)) {
			machine_close(&machine);
			return -ENOMEM;
		}
		s->parts[s->part_count++] = (struct part){ machine, first, count, count < 2 };
		return 0;
	}
	if (code != -E2BIG || count < 2)
		return code;
	half = middle(s, first, count);
	code = add_parts(s, first, half);
	return code < 0 ? code : add_parts(s, first + half, count - half);
}

/* Two machines of one. Without memory it stays as it is. */
static void divide(struct rule_set *s, size_t at)
{
	struct part old = s->parts[at];
	size_t before = s->part_count;
	uint32_t half = middle(s, old.first, old.count);

	if (add_parts(s, old.first, half) < 0 || add_parts(s, old.first + half, old.count - half) < 0) {
		while (s->part_count > before)
			machine_close(&s->parts[--s->part_count].machine);
		s->parts[at].alone = true;
		return;
	}
	machine_credit(old.machine);
	machine_close(&old.machine);
	s->parts[at] = s->parts[--s->part_count];
}

static void divide_full(struct rule_set *s)
{
	for (size_t i = 0; i < s->part_count; i++)
		if (!s->parts[i].alone && machine_full(s->parts[i].machine))
			divide(s, i);
}

/* ---- life ---- */

static int make(struct rule_set *s, const struct rule_file *file, struct rule_mistakes *mistakes, struct err *e)
{
	size_t room = s->rule_count + 1;
	int code;

	s->programs = calloc(room, sizeof *s->programs);
	s->pointers = malloc(room * sizeof *s->pointers);
	s->never = calloc(room, sizeof *s->never);
	s->function_of = malloc(room * sizeof *s->function_of);
	s->first_rule = malloc(room * sizeof *s->first_rule);
	s->next_rule = malloc(room * sizeof *s->next_rule);
	s->functions = calloc(room, sizeof *s->functions);
	if (!s->programs || !s->pointers || !s->never || !s->function_of || !s->first_rule || !s->next_rule || !s->functions)
		return err_set(e, -ENOMEM, "%s: no memory for its rules", file->path);
	for (size_t i = 0; i < s->rule_count; i++)
		s->pointers[i] = &s->programs[i];
	code = compile_all(s, file, mistakes, e);
	if (code < 0)
		return code;
	code = graph_open(&s->graph, s->pointers);
	if (code == 0)
		code = find_functions(s);
	if (code == 0)
		code = order_functions(s);
	if (code == 0 && s->function_count)
		code = add_parts(s, 0, s->function_count);
	return code < 0 ? err_errno(e, code, "%s: cannot make a decision table of its rules", file->path) : 0;
}

int rule_set_open(struct rule_set **ret, const struct rule_file *file, uint16_t linktype, struct rule_mistakes *mistakes,
		  struct err *e)
{
	struct rule_set *s = calloc(1, sizeof *s);
	int code;

	if (!s)
		return err_set(e, -ENOMEM, "%s: no memory for its rules", file->path);
	s->linktype = linktype;
	s->rule_count = file->count;
	code = make(s, file, mistakes, e);
	if (code == 0)
		*ret = s;
	else
		rule_set_close(&s);
	return code;
}

void rule_set_close(struct rule_set **set)
{
	struct rule_set *s = *set;

	if (!s)
		return;
	for (size_t i = 0; i < s->part_count; i++)
		machine_close(&s->parts[i].machine);
	for (size_t i = 0; i < s->rule_count; i++) {
		if (s->programs)
			program_free(&s->programs[i]);
		if (s->never)
			free(s->never[i]);
	}
	graph_close(&s->graph);
	free(s->parts);
	free(s->programs);
	free(s->pointers);
	free(s->never);
	free(s->function_of);
	free(s->first_rule);
	free(s->next_rule);
	free(s->functions);
	free(s->order);
	free(s->fields);
	free(s->matched);
	free(s);
	*set = NULL;
}

/* ---- asking ---- */

size_t rule_set_count_rules(const struct rule_set *s)
{
	return s->rule_count;
}

const char *rule_set_never(const struct rule_set *s, size_t i)
{
	return s->never[i];
}

size_t rule_set_same(const struct rule_set *s, size_t i)
{
	return s->function_of[i] == NO_FUNCTION ? i : s->first_rule[s->function_of[i]];
}

const struct program *rule_set_program(const struct rule_set *s, size_t i)
{
	return &s->programs[i];
}

void rule_set_count(struct rule_set *s, const struct frame *frames, const struct tally *weights, size_t n)
{
	struct view views[FRAME_BATCH];
	struct tally own[FRAME_BATCH];

	while (n) {
		size_t batch = n < FRAME_BATCH ? n : FRAME_BATCH;
		unsigned count = 0;

		for (size_t i = 0; i < batch; i++) {
			if (frames[i].linktype != s->linktype)
				continue;
			if (i + batch < n) /* of the next batch */
				__builtin_prefetch(frames[i + batch].bytes);
			own[count] = weights[i];
			view_of(&views[count++], &frames[i]);
		}
		for (size_t i = 0; i < s->part_count; i++)
			machine_count(s->parts[i].machine, views, own, count);
		divide_full(s);
		frames += batch;
		weights += batch;
		n -= batch;
	}
}

size_t rule_set_match(struct rule_set *s, const struct frame *frame, uint32_t *ret)
{
	struct view view;
	size_t count = 0;

	if (frame->linktype != s->linktype)
		return 0;
	view_of(&view, frame);
	for (size_t i = 0; i < s->part_count; i++) {
		uint32_t matched = machine_match(s->parts[i].machine, &view, s->matched);

		for (uint32_t j = 0; j < matched; j++)
			for (uint32_t r = s->first_rule[s->matched[j]]; r != NO_FUNCTION; r = s->next_rule[r])
				ret[count++] = r;
	}
	divide_full(s);
	return count;
}

struct tally rule_set_tally(struct rule_set *s, size_t i)
{
	if (s->function_of[i] == NO_FUNCTION)
		return (struct tally){ 0 };
	for (size_t j = 0; j < s->part_count; j++)
		machine_credit(s->parts[j].machine);
	return s->functions[s->function_of[i]].tally;
}

struct rule_set_size rule_set_size(const struct rule_set *s)
{
	struct rule_set_size size = { .rules = s->rule_count, .functions = s->function_count, .whole = s->whole,
				      .machines = s->part_count,
				      .bytes = intern_bytes(&s->graph.nodes) + intern_bytes(&s->graph.preds) +
					       intern_bytes(&s->graph.exprs.pool) };

	for (size_t i = 0; i < s->part_count; i++) {
		struct machine_size m = machine_size(s->parts[i].machine);

		size.states += m.states;
		size.edges += m.edges;
		size.lookups += m.lookups;
		size.bytes += m.bytes;
	}
	return size;
}
