/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline_show.c -- the snapshot of each tick. */
#include "daemon/pipeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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
}

void pipeline_show(struct pipeline *p)
{
	struct snapshot *s = snapshot_new();

	if (!s)
		return;
	snapshot_facts(p, s);
	if (snapshot_accounts(p, s) < 0 || pipeline_copy_interfaces(p, &s->interfaces, &s->interface_count) < 0) {
		snapshot_unref(&s);
		return;
	}
	snapshot_box_put(p->box, s);
}

