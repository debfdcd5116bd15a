/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/kernel_tables.h"

#include "base/clock.h"

#include <stdio.h>

_Static_assert((int)TALLY_PARTY == (int)PLAN_PARTY && (int)TALLY_PLAIN == (int)PLAN_PLAIN, "the grains are the same");

void kernel_tables_form(const struct plan *plan, const struct services *services, uint64_t keys, struct kernel_form *ret)
{
	*ret = (struct kernel_form){
		.of = plan->of,
		.services = services,
		.local = &plan->local,
		.note = plan->note,
		.keys_max = keys,
	};
	for (unsigned g = 0; g < PLAN_PACKET_GRAINS; g++)
		if (plan->used[g])
			ret->fields[g] = plan->grains[g].layout.fields;
}

struct adding {
	struct tables *tables;
	const struct kernel_names *names;
	int64_t opened_utc_s;
};

static void put_number(const struct key_layout *l, uint8_t *key, enum field f, const void *value, size_t size)
{
	if (key_has(l, f))
		memcpy(key + l->at[f], value, size);
}

static void add_entry(void *arg, const struct kernel_entry *e)
{
	struct adding *a = arg;
	struct count *c = &a->tables->counts[e->grain];
	const struct grain *g = &c->grain;
	const struct tally t = { e->counters.packets, e->counters.l2_bytes, e->counters.l3_bytes };
	uint64_t key[KEY_WORDS_MAX] = { 0 };
	int64_t window_s = g->window_s ? window_start(a->opened_utc_s, g->window_s) : 0;

	if (!a->tables->plan->used[e->grain])
		return;
	kernel_key_unpack(e, &g->layout, a->names->service_ids, a->names->service_count, (uint8_t *)key);
	put_number(&g->layout, (uint8_t *)key, FIELD_INTERFACE, &a->names->interface, sizeof a->names->interface);
	put_number(&g->layout, (uint8_t *)key, FIELD_WINDOW, &window_s, sizeof window_s);
	count_tally_in(c, key, g->party && e->side == TALLY_TX, e->other, &t);
}

static uint64_t add_sums(struct tables *t, const struct tally_sums *sums)
{
	const struct tally_hook_sums *in = &sums->hooks[TALLY_INGRESS], *out = &sums->hooks[TALLY_EGRESS];
	uint64_t in_packets = in->frames + in->more_packets, out_packets = out->frames + out->more_packets;

	t->frames += in->frames + out->frames;
	t->frame_bytes += in->l2_bytes - in->more_bytes + out->l2_bytes - out->more_bytes;
	t->packets += in_packets + out_packets;
	t->l2_bytes += in->l2_bytes + out->l2_bytes;
	t->ingress_frames += in->frames;
	t->egress_frames += out->frames;
	t->ingress_packets += in_packets;
	t->egress_packets += out_packets;
	t->ingress_frame_bytes += in->l2_bytes - in->more_bytes;
	t->ingress_l2_bytes += in->l2_bytes;
	t->malformed += in->malformed + out->malformed;
	t->overflowed += sums->overflowed;
	return in_packets + out_packets;
}

uint64_t kernel_tables_add(struct tables *t, const struct kernel_generation *g, const struct kernel_epoch *epoch,
			   const struct kernel_names *names)
{
	struct adding a = { .tables = t, .names = names, .opened_utc_s = ns_to_s(epoch->opened_utc_ns) };
	struct tally_sums sums;

	kernel_read(g, epoch, add_entry, &a);
	kernel_sums(g, epoch, &sums);
	return add_sums(t, &sums);
}

void kernel_tables_note_epoch(struct tables *t, const struct kernel_generation *g, uint64_t number)
{
	const char *id = kernel_describe(g)->id;
	struct booked_epoch *e = t->epochs;

	while (e < t->epochs + t->epoch_count && strcmp(e->generation, id) != 0)
		e++;
	if (e == t->epochs + TABLES_EPOCHS_MAX)
		return; /* the caller takes no more generations than that at once */
	if (e == t->epochs + t->epoch_count) {
		t->epoch_count++;
		snprintf(e->generation, sizeof e->generation, "%s", id);
		e->number = 0;
	}
	if (number > e->number)
		e->number = number;
}
