/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/rule_counts.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIDES_MAX 3 /* unknown, ingress, egress */

struct side {
	struct rule_set *set;
	struct tally *taken;   /* of the set's tallies, what is in some struct rule_counts already */
	int64_t window_s;      /* of what is not */
	bool open;             /* frames were seen since the last flush */
	uint8_t direction;
	unsigned pending;
	struct frame frames[FRAME_BATCH];
	struct tally weights[FRAME_BATCH];
};

struct rule_counter {
	uint32_t window_s;
	uint32_t *places;      /* of the sets' rules, in a row */
	unsigned side_count;
	struct side sides[SIDES_MAX];
};

struct tally *rule_counts_row(struct rule_counts *c, int64_t window_s, uint8_t direction)
{
	struct rule_counts_row *row;

	for (size_t i = c->row_count; i-- > 0;)
		if (c->rows[i].window_s == window_s && c->rows[i].direction == direction)
			return c->rows[i].tallies;
	if (c->row_count == c->row_room) {
		size_t room = c->row_room ? c->row_room * 2 : 4;
		struct rule_counts_row *grown = realloc(c->rows, room * sizeof *grown);

		if (!grown)
			return NULL;
		c->rows = grown;
		c->row_room = room;
	}
	row = &c->rows[c->row_count];
	*row = (struct rule_counts_row){ window_s, direction, calloc(c->rules + 1, sizeof *row->tallies) };
	if (!row->tallies)
		return NULL;
	c->row_count++;
	return row->tallies;
}

void rule_counts_remove(struct rule_counts *c, size_t row)
{
	free(c->rows[row].tallies);
	memmove(&c->rows[row], &c->rows[row + 1], (--c->row_count - row) * sizeof *c->rows);
}

void rule_counts_clear(struct rule_counts *c)
{
	for (size_t i = 0; i < c->row_count; i++)
		free(c->rows[i].tallies);
	free(c->rows);
	*c = (struct rule_counts){ .rules = c->rules };
}

/* Those that are run: a file whose rules are borrowed. */
static int choose(struct rule_counter *c, struct rule_file *run, const struct rule_counter_config *cf)
{
	*run = (struct rule_file){ .path = cf->file->path, .rules = calloc(cf->file->count + 1, sizeof *run->rules) };
	c->places = calloc(cf->file->count + 1, sizeof *c->places);
	if (!run->rules || !c->places)
		return -ENOMEM;
	for (size_t i = 0; i < cf->file->count; i++) {
		if (cf->only && !cf->only[i])
			continue;
		c->places[run->count] = (uint32_t)i;
		run->rules[run->count++] = cf->file->rules[i];
	}
	return 0;
}

static int open_side(struct side *s, const struct rule_file *run, uint16_t linktype, struct rule_mistakes *mistakes,
		     struct err *e)
{
	int r = rule_set_open(&s->set, run, linktype, mistakes, e);

	if (r < 0)
		return r;
	s->taken = calloc(run->count + 1, sizeof *s->taken);
	return s->taken ? 0 : err_set(e, -ENOMEM, "no memory for rules");
}

int rule_counter_open(struct rule_counter **ret, const struct rule_counter_config *cf, struct rule_mistakes *mistakes,
		      struct err *e)
{
	struct rule_counter *c = calloc(1, sizeof *c);
	struct rule_file run = { 0 };
	int r = c && choose(c, &run, cf) == 0 ? 0 : err_set(e, -ENOMEM, "no memory for rules");

	if (!c)
		return r;
	c->window_s = cf->window_s;
	c->side_count = cf->by_direction ? SIDES_MAX : 1;
	for (unsigned i = 0; i < c->side_count && r == 0; i++) {
		c->sides[i].direction = (uint8_t)i;
		r = open_side(&c->sides[i], &run, cf->linktype, i ? NULL : mistakes, e);
	}
	free(run.rules);
	if (r < 0) {
		rule_counter_close(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void rule_counter_close(struct rule_counter **pc)
{
	struct rule_counter *c = *pc;

	*pc = NULL;
	if (!c)
		return;
	for (unsigned i = 0; i < c->side_count; i++) {
		rule_set_close(&c->sides[i].set);
		free(c->sides[i].taken);
	}
	free(c->places);
	free(c);
}

const struct rule_set *rule_counter_set(const struct rule_counter *c)
{
	return c->sides[0].set;
}

static void run(struct side *s)
{
	if (s->pending)
		rule_set_count(s->set, s->frames, s->weights, s->pending);
	s->pending = 0;
}

static void flush(struct rule_counter *c, struct side *s, struct rule_counts *to)
{
	struct tally *row;

	run(s);
	row = s->open ? rule_counts_row(to, s->window_s, s->direction) : NULL;
	if (!row)
		return;
	for (size_t i = 0; i < rule_set_count_rules(s->set); i++) {
		struct tally now = rule_set_tally(s->set, i), *t = &row[c->places[i]];

		t->packets += now.packets - s->taken[i].packets;
		t->l2_bytes += now.l2_bytes - s->taken[i].l2_bytes;
		t->l3_bytes += now.l3_bytes - s->taken[i].l3_bytes;
		s->taken[i] = now;
	}
	s->open = false;
}

void rule_counter_add(struct rule_counter *c, const struct frame *frames, const struct packet *packets, unsigned n,
		      struct rule_counts *to)
{
	for (unsigned i = 0; i < n; i++) {
		const struct packet *p = &packets[i];
		struct side *s = &c->sides[c->side_count > 1 && p->direction < SIDES_MAX ? p->direction : 0];
		int64_t window_s = c->window_s ? window_start(ns_to_s(frames[i].seen_utc_ns), c->window_s) : 0;

		if (s->open && s->window_s != window_s)
			flush(c, s, to);
		s->window_s = window_s;
		s->open = true;
		s->frames[s->pending] = frames[i];
		s->weights[s->pending] = (struct tally){ p->segments, p->l2_bytes, p->l3_bytes };
		if (++s->pending == FRAME_BATCH)
			run(s);
	}
	for (unsigned i = 0; i < c->side_count; i++)
		run(&c->sides[i]); /* the frames' bytes are borrowed */
}

void rule_counter_flush(struct rule_counter *c, struct rule_counts *to)
{
	for (unsigned i = 0; i < c->side_count; i++)
		flush(c, &c->sides[i], to);
}
