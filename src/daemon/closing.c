/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/closing.h"

#include <string.h>

static uint64_t last_epoch(const struct kernel_generation *g)
{
	struct kernel_epoch epochs[TALLY_EPOCHS];
	uint64_t last = 0;

	kernel_epochs(g, epochs);
	for (unsigned i = 0; i < TALLY_EPOCHS; i++)
		if (epochs[i].number > last)
			last = epochs[i].number;
	return last;
}

void closing_add(struct closing *c, struct kernel_generation *g, uint64_t handed)
{
	c->of[c->count++] = (struct closing_one){ .generation = g, .handed = handed, .last = last_epoch(g) };
}

bool closing_has(const struct closing *c, const char *id)
{
	for (unsigned i = 0; i < c->count; i++)
		if (strcmp(kernel_describe(c->of[i].generation)->id, id) == 0)
			return true;
	return false;
}

static void hand_over_one(struct closing_one *one, struct tables *t, const struct kernel_names *names)
{
	struct kernel_epoch epochs[TALLY_EPOCHS];

	kernel_epochs(one->generation, epochs);
	for (unsigned i = 0; i < TALLY_EPOCHS; i++)
		if (epochs[i].number > one->handed)
			kernel_tables_add(t, one->generation, &epochs[i], names);
	one->handed = one->last;
	kernel_tables_note_epoch(t, one->generation, one->last);
}

bool closing_waits(const struct closing *c)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->of[i].handed < c->of[i].last)
			return true;
	return false;
}

void closing_hand_over(struct closing *c, struct tables *t, const struct kernel_names *names)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->of[i].handed < c->of[i].last)
			hand_over_one(&c->of[i], t, names);
}

void closing_booked(struct closing *c, const struct booked_epoch *epoch)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct closing_one *one = &c->of[i];

		if (strcmp(kernel_describe(one->generation)->id, epoch->generation) != 0 || epoch->number < one->last)
			continue;
		kernel_generation_remove(&one->generation);
		*one = c->of[--c->count];
		return;
	}
}

void closing_move(struct closing *to, struct closing *from)
{
	while (from->count && closing_has_room(to))
		to->of[to->count++] = from->of[--from->count];
	closing_free(from);
}

void closing_free(struct closing *c)
{
	for (unsigned i = 0; i < c->count; i++)
		kernel_generation_close(&c->of[i].generation);
	c->count = 0;
}
