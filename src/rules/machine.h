/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.h -- many decision graphs walked at once.
 *
 * A state is what is left to decide of all functions: of each, the node that it has come to. It asks one look-up,
 * that most of them wait for; each class of values leads to another state, in which that expression is decided
 * everywhere. So a frame costs as many look-ups as there are different fields to look at, however many functions
 * look at them. States are made when a frame comes to them first. What a state on the way accepts is counted at
 * the state, and credited to the functions when somebody asks.
 *
 * Functions that decide about unrelated fields multiply their states. Beyond MACHINE_STATES_MAX (or _EDGES_MAX)
 * the machine says `full`: the owner makes two machines of its functions; it still gives right answers meanwhile.
 * Thread: the owner's. */
#ifndef NETTALLY_RULES_MACHINE_H
#define NETTALLY_RULES_MACHINE_H

#include "model/tally.h"
#include "rules/graph.h"

#define MACHINE_STATES_MAX (1u << 14)
#define MACHINE_EDGES_MAX (1u << 20)

struct function {
	uint32_t root;      /* node of the graph */
	struct tally tally; /* what the machine credited */
};

struct machine;

struct machine_size {
	uint32_t functions, states, edges, lookups;
	size_t bytes;
};

/* `functions` are those of the owner's table `all`, by index; both are borrowed. -ENOMEM; -E2BIG: too many
 * different constants, make two of it. */
int machine_open(struct machine **ret, const struct graph *g, struct function *all, const uint32_t *functions,
		 uint32_t count);
void machine_close(struct machine **m); /* credits nothing; accepts NULL */

/* At most FRAME_BATCH. `weights[i]` is what frame i adds to each function that accepts it. */
void machine_count(struct machine *m, const struct view *views, const struct tally *weights, unsigned n);
/* Functions that accept the frame, in no order; `ret` has room for all. How many. */
uint32_t machine_match(struct machine *m, const struct view *view, uint32_t *ret);
/* Adds to the functions what was counted at states since the last time. */
void machine_credit(struct machine *m);

bool machine_full(const struct machine *m);
struct machine_size machine_size(const struct machine *m);

#endif
