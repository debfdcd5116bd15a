/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline_feeds.c -- sources that belong to no interface: deliveries, told by web servers or by the kernel's sockets. A tick
 * asks them as it asks the points' sources. */
#include "daemon/pipeline_internal.h"

#include <errno.h>
#include <stdlib.h>

/* On a source's thread. */
static void wake_loop(void *arg)
{
	loop_wake(arg);
}

int pipeline_add_feed(struct pipeline *p, feed_open *open, void *arg, struct err *e)
{
	struct feed_setting s = { .ready = wake_loop, .ready_arg = p->loop, .clock = p->clock, .config = p->config,
				  .strings = p->strings };
	struct feed *f = &p->feeds[p->feed_count];
	struct tables *first = NULL;
	int r;

	if (p->feed_count == PIPELINE_FEEDS_MAX)
		return err_set(e, -ENOSPC, "more than %d feeds", PIPELINE_FEEDS_MAX);
	*f = (struct feed){ 0 };
	r = tables_new(&first, p->plan, e);
	if (r == 0)
		r = open(&f->slot.source, &s, first, arg, e);
	if (r < 0) {
		tables_free(&first);
		return r;
	}
	p->feed_count++;
	return 0;
}

int pipeline_add_attributor(struct pipeline *p, const struct attributor *a, struct err *e)
{
	if (p->attributor_count == PIPELINE_ATTRIBUTORS_MAX)
		return err_set(e, -ENOSPC, "more than %d attributors", PIPELINE_ATTRIBUTORS_MAX);
	p->attributors[p->attributor_count++] = a;
	return 0;
}

/* All that know something are asked. */
void pipeline_attribute(void *arg, uint64_t fields, uint32_t router, const struct addr *host, uint64_t mac,
			struct attribution *ret)
{
	struct pipeline *p = arg;

	for (unsigned i = 0; i < p->attributor_count; i++)
		p->attributors[i]->find(p->attributors[i]->arg, fields, router, host, mac, ret);
}

int pipeline_start_feeds(struct pipeline *p, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < p->feed_count && r == 0; i++)
		r = source_start(p->feeds[i].slot.source, e);
	return r;
}

int pipeline_prepare_feeds(struct pipeline *p, struct plan *plan, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < p->feed_count && r == 0; i++) {
		struct source_slot *slot = &p->feeds[i].slot;

		if (slot->spare && slot->spare->plan != plan)
			tables_free(&slot->spare);
		r = slot->spare ? 0 : tables_new(&slot->spare, plan, e);
	}
	return r;
}

void pipeline_ask_feeds(struct pipeline *p)
{
	for (unsigned i = 0; i < p->feed_count; i++) {
		struct source_slot *slot = &p->feeds[i].slot;
		struct tables *next = slot->spare;

		slot->spare = NULL;
		slot->waiting = true;
		slot->last = p->finishing;
		source_request(slot->source, next, slot->last ? SOURCE_ENDS : SOURCE_GOES_ON);
	}
}

bool pipeline_take_feeds(struct pipeline *p)
{
	bool all = true;

	for (unsigned i = 0; i < p->feed_count; i++) {
		struct source_slot *slot = &p->feeds[i].slot;

		if (slot->waiting && (slot->spare = source_take(slot->source)))
			slot->waiting = false;
		all = all && !slot->waiting;
	}
	return all;
}

void pipeline_book_feeds(struct pipeline *p)
{
	const struct attributor attributor = { pipeline_attribute, p };
	const struct tables_booking b = { .books = p->books, .book_count = p->config->account_count, .own = &p->own,
					  .attributor = &attributor, .see = pipeline_see, .arg = p };

	for (unsigned i = 0; i < p->feed_count; i++) {
		struct source_slot *slot = &p->feeds[i].slot;

		if (!slot->spare)
			continue;
		p->entries += tables_book(slot->spare, &b);
		for (unsigned g = PLAN_PACKET_GRAINS; g < PLAN_GRAINS; g++)
			if (slot->spare->plan->used[g])
				p->counters.overflowed += slot->spare->counts[g].overflowed;
		if (p->tick_changes_plan || slot->last)
			tables_free(&slot->spare);
		else
			tables_clear(slot->spare);
	}
}

bool pipeline_feeds_advance(struct pipeline *p)
{
	bool all = true;

	for (unsigned i = 0; i < p->feed_count; i++) {
		struct source_slot *slot = &p->feeds[i].slot;
		uint64_t beats = source_beats(slot->source);

		all = all && beats != slot->beats_seen;
		slot->beats_seen = beats;
	}
	return all;
}

void pipeline_close_feeds(struct pipeline *p)
{
	for (unsigned i = 0; i < p->feed_count; i++) {
		source_close(&p->feeds[i].slot.source);
		tables_free(&p->feeds[i].slot.spare);
	}
	p->feed_count = 0;
}
