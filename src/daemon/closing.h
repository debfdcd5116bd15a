/* SPDX-License-Identifier: GPL-2.0-or-later */
/* closing.h -- generations of kernel tables that nobody counts into any more: to be handed over, then to be
 * removed once the ledger has them.
 *
 * At most CLOSING_MAX at once: who has no room for another makes none. Thread: the owner's. */
#ifndef NETTALLY_DAEMON_CLOSING_H
#define NETTALLY_DAEMON_CLOSING_H

#include "daemon/kernel_tables.h"

#define CLOSING_MAX 12

struct closing_one {
	struct kernel_generation *generation;
	uint64_t handed;   /* epochs up to this number were handed over */
	uint64_t last;     /* the last one it has */
};

struct closing {
	struct closing_one of[CLOSING_MAX];
	unsigned count;
};

static inline bool closing_has_room(const struct closing *c)
{
	return c->count < CLOSING_MAX;
}

/* Takes it; `handed` as above. Needs room. */
void closing_add(struct closing *c, struct kernel_generation *g, uint64_t handed);
bool closing_has(const struct closing *c, const char *id);
/* Something was not handed over yet. */
bool closing_waits(const struct closing *c);
/* Adds what was not handed over yet. */
void closing_hand_over(struct closing *c, struct tables *t, const struct kernel_names *names);
/* The ledger has this one: a generation that is booked whole is removed, its pins too. */
void closing_booked(struct closing *c, const struct booked_epoch *epoch);
/* Moves what there is room for; the rest is closed, pins stay: the next start finds them. */
void closing_move(struct closing *to, struct closing *from);
void closing_free(struct closing *c); /* closes them; pins stay */

#endif
