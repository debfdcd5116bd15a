/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_read.c -- what is in a generation's tables: epochs, entries, sums; and emptying them. */
#include "base/fault.h"
#include "capture/kernel_generation.h"

#include <string.h>

/* What a slot is called here, whether narrow or wide: its words, then the counters. */
static struct tally_counters *counters_of(uint64_t *slot, bool wide)
{
	return (struct tally_counters *)(slot + (wide ? TALLY_WIDE_WORDS : TALLY_NARROW_WORDS));
}

static size_t slot_words(const struct kernel_generation *g, unsigned grain)
{
	return kernel_slot_bytes(&g->about, grain) / sizeof(uint64_t);
}

static uint64_t *first_slot(const struct kernel_generation *g, unsigned grain, uint32_t index)
{
	return (uint64_t *)(void *)g->tables[grain][index];
}

const struct kernel_description *kernel_describe(const struct kernel_generation *g)
{
	return &g->about.d;
}

unsigned kernel_generation_active(const struct kernel_generation *g)
{
	return __atomic_load_n(&g->control->active, __ATOMIC_RELAXED) & 1;
}

void kernel_generation_switch(struct kernel_generation *g, int64_t now_utc_ns)
{
	struct tally_control *c = g->control;
	const unsigned now = kernel_generation_active(g), next = !now;

	c->opened_utc_ns[next] = now_utc_ns;
	__atomic_store_n(&c->epoch[next], c->epoch[now] + 1, __ATOMIC_RELEASE);
	fault_point("swap_numbered");
	__atomic_store_n(&c->active, next, __ATOMIC_SEQ_CST);
	fault_point("swap_active");
}

void kernel_epochs(const struct kernel_generation *g, struct kernel_epoch ret[static TALLY_EPOCHS])
{
	const struct tally_control *c = g->control;
	const unsigned older = c->epoch[1] < c->epoch[0];

	for (unsigned i = 0; i < TALLY_EPOCHS; i++) {
		const unsigned slot = i == 0 ? older : !older;

		ret[i] = (struct kernel_epoch){ .number = c->epoch[slot], .slot = slot, .opened_utc_ns = c->opened_utc_ns[slot] };
	}
}

static void read_table(const struct kernel_generation *g, unsigned grain, uint32_t index,
		       void (*entry)(void *arg, const struct kernel_entry *e), void *arg)
{
	const bool wide = g->about.wide[grain];
	const size_t words = slot_words(g, grain);
	uint64_t narrow_key[TALLY_WIDE_WORDS] = { 0 };
	struct kernel_entry e = { .grain = grain };
	uint64_t *slot = first_slot(g, grain, index);

	for (uint32_t i = 0; i < g->about.slots[grain]; i++, slot += words) {
		const struct tally_counters *counters = counters_of(slot, wide);

		if (__builtin_expect(counters->packets == 0, 1))
			continue;
		e.key = slot;
		if (!wide) {
			memcpy(narrow_key, slot, TALLY_NARROW_WORDS * sizeof *slot);
			e.key = narrow_key;
		}
		e.counters = *counters;
		e.side = (enum tally_side)(slot[TALLY_SMALL] >> TALLY_SIDE_SHIFT & 1);
		entry(arg, &e);
	}
}

static void add(struct tally_counters *to, const struct tally_counters *more)
{
	to->packets += more->packets;
	to->l2_bytes += more->l2_bytes;
	to->l3_bytes += more->l3_bytes;
}

static void read_others(const struct kernel_generation *g, const struct tally_sums *sums, unsigned grain,
			void (*entry)(void *arg, const struct kernel_entry *e), void *arg)
{
	for (unsigned side = 0; side < TALLY_SIDES; side++) {
		for (unsigned locality = 0; locality < TALLY_LOCALITIES; locality++) {
			const uint64_t key[TALLY_WIDE_WORDS] = {
				[TALLY_SMALL] = (uint64_t)locality << TALLY_LOCALITY_SHIFT | (uint64_t)side << TALLY_SIDE_SHIFT,
			};
			const struct kernel_entry e = {
				.grain = grain, .side = side, .other = true, .key = key,
				.counters = sums->other[grain][side][locality],
			};

			if (e.counters.packets && g->about.slots[grain])
				entry(arg, &e);
		}
	}
}

void kernel_read(const struct kernel_generation *g, const struct kernel_epoch *epoch,
		 void (*entry)(void *arg, const struct kernel_entry *e), void *arg)
{
	struct tally_sums all;

	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		for (uint32_t cpu = 0; g->tables[grain] && cpu < g->about.cpus; cpu++) {
			const uint32_t index = TALLY_INDEX(epoch->slot, cpu, g->about.cpus);

			/* A CPU that saw no frame costs no look at its table. */
			if (g->sums[index].used[grain])
				read_table(g, grain, index, entry, arg);
		}
	}
	kernel_sums(g, epoch, &all);
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		read_others(g, &all, grain, entry, arg);
}

static struct rules_counters *rules_of(const struct kernel_generation *g, unsigned hook, unsigned slot, uint32_t cpu)
{
	return g->rules + (size_t)RULES_INDEX(hook, slot, cpu, g->about.cpus) * g->about.d.rules;
}

void kernel_rules_read(const struct kernel_generation *g, const struct kernel_epoch *epoch,
		       void (*entry)(void *arg, enum tally_hook hook, uint32_t rule, const struct tally_counters *c), void *arg)
{
	const uint32_t count = g->rules ? g->about.d.rules : 0;

	for (uint32_t i = 0; i < TALLY_HOOKS * count; i++) {
		struct tally_counters all = { 0 };

		for (uint32_t cpu = 0; cpu < g->about.cpus; cpu++) {
			const struct rules_counters *c = &rules_of(g, i / count, epoch->slot, cpu)[i % count];

			add(&all, &(struct tally_counters){ c->packets, c->l2_bytes, c->l3_bytes });
		}
		if (all.packets)
			entry(arg, (enum tally_hook)(i / count), i % count, &all);
	}
}

bool kernel_rule_is_counted(const struct kernel_generation *g, uint32_t rule)
{
	return rule < g->about.d.rules && !(g->loaded.left_out && g->loaded.left_out[rule]);
}

static void add_sums(struct tally_sums *to, const struct tally_sums *more)
{
	for (unsigned h = 0; h < TALLY_HOOKS; h++) {
		to->hooks[h].frames += more->hooks[h].frames;
		to->hooks[h].l2_bytes += more->hooks[h].l2_bytes;
		to->hooks[h].more_packets += more->hooks[h].more_packets;
		to->hooks[h].more_bytes += more->hooks[h].more_bytes;
		to->hooks[h].malformed += more->hooks[h].malformed;
		to->hooks[h].filtered_packets += more->hooks[h].filtered_packets;
		to->hooks[h].filtered_l2_bytes += more->hooks[h].filtered_l2_bytes;
		to->hooks[h].filtered_frames += more->hooks[h].filtered_frames;
	}
	to->overflowed += more->overflowed;
	to->rules_missed += more->rules_missed;
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		to->used[grain] += more->used[grain];
		for (unsigned side = 0; side < TALLY_SIDES; side++)
			for (unsigned l = 0; l < TALLY_LOCALITIES; l++)
				add(&to->other[grain][side][l], &more->other[grain][side][l]);
	}
}

void kernel_sums(const struct kernel_generation *g, const struct kernel_epoch *epoch, struct tally_sums *ret)
{
	const uint32_t cpus = g->about.cpus;

	*ret = (struct tally_sums){ 0 };
	for (uint32_t cpu = 0; cpu < cpus; cpu++)
		add_sums(ret, &g->sums[TALLY_INDEX(epoch->slot, cpu, cpus)]);
}

static void clean_table(struct kernel_generation *g, unsigned grain, uint32_t index)
{
	const bool wide = g->about.wide[grain];
	const size_t words = slot_words(g, grain);
	uint64_t *slot = first_slot(g, grain, index);

	for (uint32_t i = 0; i < g->about.slots[grain]; i++, slot += words)
		if (counters_of(slot, wide)->packets)
			memset(slot, 0, words * sizeof *slot);
}

void kernel_generation_clean(struct kernel_generation *g, unsigned slot)
{
	const uint32_t cpus = g->about.cpus;

	fault_point("clean_begun");
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		for (uint32_t cpu = 0; g->tables[grain] && cpu < cpus; cpu++)
			if (g->sums[TALLY_INDEX(slot, cpu, cpus)].used[grain])
				clean_table(g, grain, TALLY_INDEX(slot, cpu, cpus));
	for (unsigned hook = 0; g->rules && hook < TALLY_HOOKS; hook++)
		memset(rules_of(g, hook, slot, 0), 0, (size_t)cpus * g->about.d.rules * sizeof *g->rules);
	fault_point("clean_half");
	memset(&g->sums[TALLY_INDEX(slot, 0, cpus)], 0, cpus * sizeof *g->sums);
	__atomic_store_n(&g->control->epoch[slot], 0, __ATOMIC_RELEASE);
	fault_point("clean_done");
}

uint64_t kernel_generation_used(const struct kernel_generation *g, unsigned grain)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < TALLY_EPOCHS * g->about.cpus; i++)
		if (g->sums[i].used[grain] > most)
			most = g->sums[i].used[grain];
	return most;
}

bool kernel_generation_overflowed(const struct kernel_generation *g, unsigned grain)
{
	for (uint32_t i = 0; i < TALLY_EPOCHS * g->about.cpus; i++)
		for (unsigned side = 0; side < TALLY_SIDES; side++)
			for (unsigned l = 0; l < TALLY_LOCALITIES; l++)
				if (g->sums[i].other[grain][side][l].packets)
					return true;
	return false;
}

uint64_t kernel_generation_frames(const struct kernel_generation *g)
{
	uint64_t frames = 0;

	for (uint32_t i = 0; i < TALLY_EPOCHS * g->about.cpus; i++)
		for (unsigned h = 0; h < TALLY_HOOKS; h++)
			frames += g->sums[i].hooks[h].frames + g->sums[i].hooks[h].filtered_frames;
	return frames;
}
