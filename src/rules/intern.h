/* SPDX-License-Identifier: GPL-2.0-or-later */
/* intern.h -- lists of 32-bit words, each kept once: equal lists have equal ids, from 0 on.
 *
 * What the decision graphs are made of: expressions, predicates, nodes and states are such lists, so that what
 * two rules share is found by being the same. Append-only. No memory: `failed` is set and stays, and the id
 * given is 0; look at it once at the end. Thread: the owner's. */
#ifndef NETTALLY_RULES_INTERN_H
#define NETTALLY_RULES_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intern {
	uint32_t *words;   /* all lists, one behind the other */
	uint32_t *starts;  /* of list i; the end is the next one's start */
	uint32_t *slots;   /* hash table of id + 1 */
	uint32_t count, used, count_room, words_room, slot_count;
	bool failed;
};

/* A zeroed struct intern is empty. */
void intern_free(struct intern *t);
uint32_t intern_add(struct intern *t, const uint32_t *words, uint32_t len);

static inline const uint32_t *intern_at(const struct intern *t, uint32_t id)
{
	return t->words + t->starts[id];
}

static inline uint32_t intern_len(const struct intern *t, uint32_t id)
{
	return (id + 1 < t->count ? t->starts[id + 1] : t->used) - t->starts[id];
}

size_t intern_bytes(const struct intern *t);

#endif
