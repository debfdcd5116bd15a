/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tables.h"

#include "daemon/point_rules.h"

#include <errno.h>
#include <stdlib.h>

static int rules_new(struct tables *t)
{
	size_t count = t->plan->rules_count;

	t->rules = calloc(count + 1, sizeof *t->rules);
	for (size_t i = 0; t->rules && i < count; i++)
		t->rules[i].rules = t->plan->rules[i].rules->file->count;
	return t->rules ? 0 : -ENOMEM;
}

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
	if (rules_new(t) < 0) {
		tables_free(&t);
		return err_set(e, -ENOMEM, "no memory for tables");
	}
	*ret = t;
	return 0;
}

static void close_counters(struct tables *t)
{
	for (size_t i = 0; t->counters && i < t->plan->rules_count; i++)
		rule_counter_close(&t->counters[i]);
	free(t->counters);
	t->counters = NULL;
}

void tables_free(struct tables **t)
{
	if (!*t)
		return;
	for (unsigned g = 0; g < PLAN_GRAINS; g++)
		count_close(&(*t)->counts[g]);
	for (size_t i = 0; (*t)->rules && i < (*t)->plan->rules_count; i++)
		rule_counts_clear(&(*t)->rules[i]);
	close_counters(*t);
	point_rules_free(&(*t)->compiled);
	free((*t)->rules);
	free(*t);
	*t = NULL;
}

void tables_clear(struct tables *t)
{
	struct tables empty = { .plan = t->plan, .rules = t->rules, .counters = t->counters, .compiled = t->compiled };

	for (unsigned g = 0; g < PLAN_GRAINS; g++) {
		if (t->plan->used[g])
			count_clear(&t->counts[g]);
		empty.counts[g] = t->counts[g];
	}
	for (size_t i = 0; i < t->plan->rules_count; i++)
		rule_counts_clear(&t->rules[i]);
	*t = empty;
}

static int open_counter(struct tables *t, size_t i, const struct tables_rules *of, const uint8_t *only, struct err *e)
{
	const struct plan_rules *p = &t->plan->rules[i];
	struct rule_counter_config cf = {
		.linktype = of->linktype, .window_s = p->window_s, .by_direction = p->by_direction, .only = only,
	};
	struct rule_file *file = NULL;
	int r = config_rules_for(p->rules, of->mac, &file, e);

	cf.file = file;
	if (r == 0)
		r = rule_counter_open(&t->counters[i], &cf, NULL, e);
	for (size_t k = 0; r == 0 && of->never && k < file->count; k++) {
		const char *why = rule_set_never(rule_counter_set(t->counters[i]), k);

		if (why)
			of->never(of->arg, file, &file->rules[k], why);
	}
	rule_file_free(&file);
	return r;
}

int tables_open_rules(struct tables *t, const struct tables_rules *of, struct err *e)
{
	size_t first = 0;
	int r = 0;

	if (t->counters || !t->plan->rules_count)
		return 0;
	t->counters = calloc(t->plan->rules_count, sizeof(*t->counters));
	if (!t->counters)
		return err_set(e, -ENOMEM, "no memory for rules");
	for (size_t i = 0; i < t->plan->rules_count && r == 0; i++) {
		r = open_counter(t, i, of, of->only ? of->only + first : NULL, e);
		first += t->rules[i].rules;
	}
	if (r < 0)
		close_counters(t);
	return r;
}

void tables_count_rules(struct tables *t, const struct frame *frames, const struct packet *packets, unsigned n)
{
	for (size_t i = 0; t->counters && i < t->plan->rules_count; i++)
		rule_counter_add(t->counters[i], frames, packets, n, &t->rules[i]);
}

/* Plans of one configuration. */
static bool same_rules(const struct plan *a, const struct plan *b)
{
	return a->rules_count == b->rules_count && (!a->rules_count || a->rules[0].rules == b->rules[0].rules);
}

void tables_pass_rules(struct tables *t, struct tables *next)
{
	for (size_t i = 0; t->counters && i < t->plan->rules_count; i++)
		rule_counter_flush(t->counters[i], &t->rules[i]);
	if (next && !next->counters && same_rules(t->plan, next->plan)) {
		next->counters = t->counters;
		t->counters = NULL;
	}
}

static uint64_t book_row(const struct plan_rules *p, const struct rule_counts *c, const struct rule_counts_row *row,
			 const struct tables_booking *b)
{
	const struct key_layout *l = &p->grain.layout;
	const struct account *a = p->rules->account;
	const struct books_light light = { &p->grain, b->own, b->attributor, b->interface };
	uint64_t words[KEY_WORDS_MAX] = { 0 }, entries = 0;
	uint8_t *key = (uint8_t *)words;

	memcpy(key + l->at[FIELD_WINDOW], &row->window_s, sizeof row->window_s);
	if (key_has(l, FIELD_INTERFACE))
		memcpy(key + l->at[FIELD_INTERFACE], &b->interface, sizeof b->interface);
	if (key_has(l, FIELD_DIRECTION))
		key[l->at[FIELD_DIRECTION]] = row->direction;
	for (size_t i = 0; i < c->rules && i < a->rule_count; i++) {
		struct party_tally t = { .rx = row->tallies[i] };

		if (!t.rx.packets)
			continue;
		memcpy(key + l->at[FIELD_RULE], &a->rules[i], sizeof a->rules[i]);
		books_add(b->books[p->account], &light, key, &t);
		entries++;
	}
	return entries;
}

static uint64_t book_rules(const struct tables *t, const struct tables_booking *b)
{
	uint64_t entries = 0;

	for (size_t i = 0; i < t->plan->rules_count; i++)
		for (size_t k = 0; k < t->rules[i].row_count; k++)
			entries += book_row(&t->plan->rules[i], &t->rules[i], &t->rules[i].rows[k], b);
	return entries;
}

static void book_entry(const struct tables *t, unsigned grain, const struct tables_booking *b, const uint8_t *key,
		       const struct party_tally *tally)
{
	const struct books_light light = { &t->counts[grain].grain, b->own, b->attributor, b->interface };

	for (size_t i = 0; i < b->book_count; i++)
		if (t->plan->grain_of[i] == grain)
			books_add(b->books[i], &light, key, tally);
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
		if (grain != PLAN_PLAIN && b->see) /* clients of deliveries are hosts, too, but not seen to speak */
			b->see(b->arg, &g->layout, slot, grain == PLAN_PARTY && tally.tx.packets != 0);
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
	return entries + book_rules(t, b);
}
