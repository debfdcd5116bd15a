/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline_show.c -- the snapshot of each tick. */
#include "daemon/pipeline_internal.h"

#include "daemon/parts.h"

#include "daemon/interface_run.h"
#include "daemon/point_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void preview_counters(struct counters *c, const struct tables *t)
{
	c->capture_packets += t->packets;
	c->capture_bytes += t->l2_bytes;
	c->capture_frames += t->frames;
	c->malformed += t->malformed;
	c->overflowed += t->overflowed;
}

/* What waits in the kernel because the ledger is behind: it goes into the books for as long as it takes to
 * look at them. */
static void preview(struct pipeline *p, struct snapshot *s)
{
	struct tables_booking b = { .books = p->books, .book_count = p->config->account_count, .own = &p->own };

	for (size_t i = 0; i < p->point_count; i++) {
		for (unsigned k = 0; k < p->points[i]->source_count; k++) {
			const struct tables *t = p->points[i]->slots[k].spare;

			if (!t || !t->preview)
				continue;
			b.interface = p->points[i]->interface_id;
			tables_book(t, &b);
			interface_run_add(&s->interfaces[i], t);
			preview_counters(&s->counters, t);
		}
	}
}

static void end_preview(struct pipeline *p)
{
	for (size_t i = 0; i < p->config->account_count; i++)
		books_drop_tick(p->books[i]);
}

static int snapshot_accounts(const struct pipeline *p, struct snapshot *s)
{
	s->accounts = calloc(p->config->account_count + 1, sizeof *s->accounts);
	if (!s->accounts)
		return -ENOMEM;
	for (size_t i = 0; i < p->config->account_count; i++) {
		int r = books_snapshot(p->books[i], &s->accounts[i]);

		s->account_count = i + 1;
		if (r < 0)
			return r;
	}
	return 0;
}

static void snapshot_facts(const struct pipeline *p, struct snapshot *s)
{
	s->taken_utc_s = utc_s(p);
	s->started_utc_s = p->started_utc_s;
	s->tick_s = TICK_NS / NS_PER_S;
	s->ticks = p->ticks;
	s->version = NETTALLY_VERSION;
	memcpy(s->listen, p->listen, sizeof s->listen);
	memcpy(s->config_path, p->config->path, sizeof s->config_path);
	memcpy(s->reload_problem, p->reload_problem, sizeof s->reload_problem);
	s->reloads = p->reloads;
	s->reloads_refused = p->reloads_refused;
	s->counters = p->counters;
	if (p->add_counters)
		p->add_counters(p->arg, &s->counters);
	s->table_entries = p->entries;
	s->strings = p->strings;
	for (unsigned g = 0; g < PLAN_GRAINS; g++)
		if (p->plan->used[g])
			s->table_limit += p->plan->grains[g].limit;
	if (p->booker)
		booker_state(p->booker, &s->ledger);
	parts_show(p->parts, s);
}

void pipeline_show(struct pipeline *p)
{
	struct snapshot *s = p->ticking ? NULL : snapshot_new(); /* the end of the tick shows it */
	int r;

	if (!s)
		return;
	snapshot_facts(p, s);
	r = pipeline_copy_interfaces(p, &s->interfaces, &s->interface_count);
	if (r == 0) {
		preview(p, s);
		r = snapshot_accounts(p, s);
		end_preview(p);
	}
	for (size_t i = 0; i < p->point_count && r == 0; i++)
		r = point_rules_tell(p->points[i], p->plan, s);
	if (r < 0) {
		snapshot_unref(&s);
		return;
	}
	snapshot_box_put(p->box, s);
}
