/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "count/table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#define CAPACITY_MIN 512u
#define CAPACITY_MAX UINT32_MAX       /* table_home() multiplies 32 bits */
#define RESERVE_MAX (UINT64_C(16) << 30) /* bytes of address space for one table; only what is used takes memory */
#define RESERVE_MIN (UINT64_C(1) << 20)
#define HUGE_FROM (4u << 20)          /* bytes from which huge pages are asked for */
#define STEPS_FROM (1u << 19)         /* slots */
#define SMALL_SLOT 32u                 /* bytes up to which memory is no reason for long runs */
#define CHUNK 1024u                   /* slots that are taken out at once while it grows */

static uint32_t stride_of(unsigned bytes)
{
	if (bytes > 64)
		return bytes;
	return bytes <= 16 ? 16 : 1u << (32 - __builtin_clz(bytes - 1));
}

static uint64_t bytes_of(const struct table *t, uint64_t capacity)
{
	return (capacity + TABLE_TAIL) * t->stride;
}

static void set_capacity(struct table *t, uint64_t capacity)
{
	t->capacity = capacity;
	t->in_use = bytes_of(t, capacity);
	t->grow_at = t->stride <= SMALL_SLOT ? capacity / 2 : capacity / 10 * 7;
}

/* Address space for as many slots as there may ever be, so that growing moves nothing and no
 * page is cleared twice. Where the system does not promise memory beyond what it has
 * (vm.overcommit_memory = 2), less. */
static int reserve(struct table *t)
{
	uint64_t most = t->limit < RESERVE_MAX / t->stride / 4 ? bytes_of(t, t->limit * 3 + CAPACITY_MIN) : RESERVE_MAX;

	for (; most >= RESERVE_MIN || most >= bytes_of(t, CAPACITY_MIN); most /= 2) {
		void *at = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (at == MAP_FAILED)
			continue;
		if (most > HUGE_FROM)
			madvise((uint8_t *)at + HUGE_FROM, most - HUGE_FROM, MADV_HUGEPAGE);
		t->slots = at;
		t->reserved = most;
		return 0;
	}
	return -ENOMEM;
}

int table_open(struct table *ret, const struct table_form *form, struct err *e)
{
	struct table t = {
		.key_words = (uint16_t)(form->key_bytes / 8),
		.counters = (uint16_t)form->counters,
		.other_used = (uint16_t)form->other_used,
		.limit = form->limit,
		.stride = stride_of(form->key_bytes + form->counters * 8),
	};

	if (getrandom(t.seed, sizeof t.seed, 0) != sizeof t.seed)
		return err_errno(e, -errno, "no random seed for a table");
	if (reserve(&t) < 0)
		return err_set(e, -ENOMEM, "no memory for a table");
	set_capacity(&t, CAPACITY_MIN);
	*ret = t;
	return 0;
}

void table_close(struct table *t)
{
	if (t->slots)
		munmap(t->slots, t->reserved);
	*t = (struct table){ 0 };
}

static uint8_t *probe(const struct table *t, const uint64_t *key, uint64_t hash)
{
	return table_probe(t, key, table_slot(t, table_home(t, hash)), t->key_words);
}

/* Slots that were taken out of the table. */
struct taken_out {
	uint8_t *slots;
	size_t count, room;
};

static bool take_out(struct taken_out *o, const struct table *t, const uint8_t *slot)
{
	if (o->count == o->room) {
		size_t room = o->room ? o->room * 2 : CHUNK;
		uint8_t *grown = realloc(o->slots, room * t->stride);

		if (!grown)
			return false;
		o->slots = grown;
		o->room = room;
	}
	memcpy(o->slots + o->count++ * t->stride, slot, t->stride);
	return true;
}

/* Puts back those whose new home is at `from` or behind, keeps the others. */
static void put_back(struct taken_out *o, struct table *t, uint64_t from)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->count; i++) {
		uint8_t *slot = o->slots + i * t->stride, *to;
		const uint64_t *key = (const uint64_t *)(void *)slot;
		uint64_t hash = table_hash_words(t->seed, key, t->key_words);

		if (table_home(t, hash) < from) {
			memmove(o->slots + kept++ * t->stride, slot, t->stride);
			continue;
		}
		to = probe(t, key, hash);
		if (!to)
			abort(); /* a run of TABLE_TAIL slots in a table half full: 1 in 10^20 */
		memcpy(to, slot, t->stride);
	}
	o->count = kept;
}

/* Twice as many; large slots by half, where memory counts more than time. */
static uint64_t next_capacity(const struct table *t)
{
	bool sparing = t->stride > SMALL_SLOT && t->capacity >= STEPS_FROM;

	return sparing ? t->capacity + t->capacity / 2 : t->capacity * 2;
}

/* In place, from the top down: a slot's new home lies behind its old one, where all has been put
 * back already. The few near the bottom whose home is lower than the chunk they were in wait for
 * the chunks below. */
static bool grow(struct table *t)
{
	uint64_t capacity = next_capacity(t);
	struct taken_out out = { 0 };
	uint64_t end = table_slots(t);

	if (capacity > CAPACITY_MAX || bytes_of(t, capacity) > t->reserved ||
	    !(out.slots = malloc((size_t)(out.room = 4 * CHUNK) * t->stride))) {
		t->grow_at = UINT64_MAX;
		return false;
	}
	set_capacity(t, capacity);
	while (end > 0) {
		uint64_t from = end > CHUNK ? end - CHUNK : 0;

		for (uint64_t i = from; i < end; i++)
			if (slot_is_taken(t, table_slot(t, i)) && !take_out(&out, t, table_slot(t, i)))
				abort(); /* no memory for kilobytes */
		memset(table_slot(t, from), 0, (end - from) * t->stride);
		put_back(&out, t, from);
		end = from;
	}
	free(out.slots);
	return true;
}

uint64_t *table_find_or_add(struct table *t, const uint64_t *key, uint64_t hash)
{
	uint8_t *slot = probe(t, key, hash);

	if (slot && slot_is_taken(t, slot))
		return slot_counters(t, slot);
	if (t->used >= t->limit)
		return NULL;
	if ((!slot || t->used >= t->grow_at) && grow(t))
		slot = probe(t, key, hash);
	return slot ? table_fill(t, slot, key) : NULL;
}

uint64_t *table_find(const struct table *t, const uint64_t *key, uint64_t hash)
{
	uint8_t *slot = probe(t, key, hash);

	return slot && slot_is_taken(t, slot) ? slot_counters(t, slot) : NULL;
}

void table_clear(struct table *t)
{
	uint64_t used = t->used;

	t->used = 0;
	if (t->in_use >= HUGE_FROM)
		madvise(t->slots, t->in_use, MADV_DONTNEED);
	else
		memset(t->slots, 0, t->in_use);
	if (t->capacity > CAPACITY_MIN && used < t->capacity / 16)
		set_capacity(t, t->capacity / 4 > CAPACITY_MIN ? t->capacity / 4 : CAPACITY_MIN);
}

void table_compact(struct table *t)
{
	uint64_t to = 0, slots = table_slots(t);
	uintptr_t end, rest;

	for (uint64_t i = 0; i < slots; i++) {
		if (!slot_is_taken(t, table_slot(t, i)))
			continue;
		if (i != to)
			memcpy(table_slot(t, to), table_slot(t, i), t->stride);
		to++;
	}
	rest = ((uintptr_t)table_slot(t, to) + 4095) & ~(uintptr_t)4095;
	end = (uintptr_t)t->slots + t->in_use;
	if (rest < end)
		madvise((void *)rest, end - rest, MADV_DONTNEED);
}
