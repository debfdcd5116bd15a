/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tables.h"

#include <errno.h>
#include <stdlib.h>

int tables_new(struct tables **ret, struct plan *plan, struct err *e)
{
	struct tables *t = calloc(1, sizeof *t);

	if (!t)
		return err_set(e, -ENOMEM, "no memory for tables");
	t->plan = plan;
	for (unsigned g = 0; g < PLAN_GRAINS; g++) {
		int r = plan->used[g] ? count_open(&t->counts[g], &plan->grains[g], e) : 0;

		if (r < 0) {
			tables_free(&t);
			return r;
		}
	}
	*ret = t;
	return 0;
}

void tables_free(struct tables **t)
{
	if (!*t)
		return;
	for (unsigned g = 0; g < PLAN_GRAINS; g++)
		count_close(&(*t)->counts[g]);
	free(*t);
	*t = NULL;
}

void tables_clear(struct tables *t)
{
	struct tables empty = { .plan = t->plan };

	for (unsigned g = 0; g < PLAN_GRAINS; g++) {
		if (t->plan->used[g])
			count_clear(&t->counts[g]);
		empty.counts[g] = t->counts[g];
	}
	*t = empty;
}

static void book_entry(const struct tables *t, unsigned grain, const struct tables_booking *b, const uint8_t *key,
		       const struct party_tally *tally)
{
	for (size_t i = 0; i < b->book_count; i++)
		if (t->plan->grain_of[i] == grain)
			books_add(b->books[i], &t->counts[grain].grain, b->own, key, tally);
}

static uint64_t book_table(const struct tables *t, unsigned grain, const struct table *from, const struct tables_booking *b)
{
	const struct grain *g = &t->counts[grain].grain;

	for (uint64_t i = 0; i < table_slots(from); i++) {
		uint8_t *slot = table_slot(from, i);
		struct party_tally tally;

		if (!slot_is_taken(from, slot))
			continue;
		count_get(g, slot_counters(from, slot), &tally);
		book_entry(t, grain, b, slot, &tally);
		if (grain == PLAN_PARTY && b->see)
			b->see(b->arg, &g->layout, slot, tally.tx.packets != 0);
	}
	return from->used;
}

uint64_t tables_book(const struct tables *t, const struct tables_booking *b)
{
	uint64_t entries = 0;

	for (unsigned g = 0; g < PLAN_GRAINS; g++) {
		if (!t->plan->used[g])
			continue;
		entries += book_table(t, g, &t->counts[g].table, b);
		entries += book_table(t, g, &t->counts[g].others, b);
	}
	return entries;
}
