/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/kernel_tables.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

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
	t->filtered += in->filtered_packets + out->filtered_packets;
	t->filtered_more += in->filtered_packets - in->filtered_frames + out->filtered_packets - out->filtered_frames;
	t->malformed += in->malformed + out->malformed;
	t->overflowed += sums->overflowed;
	t->rules_missed += sums->rules_missed;
	return in_packets + out_packets;
}

/* ---- rules: those of all accounts in one array, one account's behind the other's (rules_kernel.h) ---- */

static struct tally *rules_row(const struct adding *a, size_t i, enum tally_hook hook)
{
	const struct plan_rules *p = &a->tables->plan->rules[i];
	int64_t window_s = p->window_s ? window_start(a->opened_utc_s, p->window_s) : 0;

	return rule_counts_row(&a->tables->rules[i], window_s, p->by_direction ? (uint8_t)(DIRECTION_INGRESS + hook) : 0);
}

static void add_rule(void *arg, enum tally_hook hook, uint32_t rule, const struct tally_counters *c)
{
	const struct adding *a = arg;
	struct tally *row;
	size_t i = 0;

	for (; i < a->tables->plan->rules_count && rule >= a->tables->rules[i].rules; i++)
		rule -= (uint32_t)a->tables->rules[i].rules;
	row = i < a->tables->plan->rules_count ? rules_row(a, i, hook) : NULL;
	if (!row)
		return;
	row[rule].packets += c->packets;
	row[rule].l2_bytes += c->l2_bytes;
	row[rule].l3_bytes += c->l3_bytes;
}

/* Its rules are those of the plan: the note tells. A plan without one was made of the generation's own. */
static bool has_same_rules(const struct plan *plan, const struct kernel_description *d)
{
	return !plan->note || (d->note && strcmp(plan->note, d->note) == 0);
}

static void add_rules(struct adding *a, const struct kernel_generation *g, const struct kernel_epoch *epoch,
		      const struct tally_sums *sums)
{
	const struct kernel_description *d = kernel_describe(g);

	if (!d->rules)
		return;
	if (!has_same_rules(a->tables->plan, d)) { /* programs that were taken back half-way through a reload */
		for (unsigned hook = 0; hook < TALLY_HOOKS; hook++)
			a->tables->rules_missed += sums->hooks[hook].frames;
		return;
	}
	for (unsigned hook = 0; hook < TALLY_HOOKS; hook++) /* a row also where no rule matched */
		for (size_t i = 0; sums->hooks[hook].frames && i < a->tables->plan->rules_count; i++)
			(void)rules_row(a, i, hook);
	kernel_rules_read(g, epoch, add_rule, a);
}

uint64_t kernel_tables_add(struct tables *t, const struct kernel_generation *g, const struct kernel_epoch *epoch,
			   const struct kernel_names *names)
{
	struct adding a = { .tables = t, .names = names, .opened_utc_s = ns_to_s(epoch->opened_utc_ns) };
	struct tally_sums sums;

	kernel_read(g, epoch, add_entry, &a);
	kernel_sums(g, epoch, &sums);
	add_rules(&a, g, epoch, &sums);
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
