/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "count/table.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

#define CAPACITY_MIN 512u
#define CAPACITY_MAX UINT32_MAX       /* table_home() multiplies 32 bits */
#define HUGE_FROM (4u << 20)          /* bytes from which huge pages are asked for */
#define STEPS_FROM (1u << 19)         /* slots from which it grows by half: memory counts more than time */
#define GIVE_BACK (2u << 20)          /* step in which a growing table gives the old one back */

static uint32_t stride_of(unsigned bytes)
{
	if (bytes > 64)
		return bytes;
	return bytes <= 16 ? 16 : 1u << (32 - __builtin_clz(bytes - 1));
}

static int map_slots(struct table *t, uint64_t capacity)
{
	size_t bytes = (capacity + TABLE_TAIL) * t->stride; /* exactly: table_probe() ends there */
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return -ENOMEM;
	if (bytes >= HUGE_FROM)
		madvise(at, bytes, MADV_HUGEPAGE);
	t->slots = at;
	t->mapped = bytes;
	t->capacity = capacity;
	t->grow_at = capacity / 10 * 7;
	return 0;
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
	if (map_slots(&t, CAPACITY_MIN) < 0)
		return err_set(e, -ENOMEM, "no memory for a table");
	*ret = t;
	return 0;
}

void table_close(struct table *t)
{
	if (t->slots)
		munmap(t->slots, t->mapped);
	*t = (struct table){ 0 };
}

static uint8_t *probe(const struct table *t, const uint64_t *key, uint64_t hash)
{
	return table_probe(t, key, table_slot(t, table_home(t, hash)), t->key_words);
}

/* Moves all slots of `old` into `t`, in the order of their homes, giving pages of the old back. False:
 * a run went past the tail. */
static bool move_slots(struct table *t, const struct table *old)
{
	size_t given = 0;

	for (uint64_t i = 0; i < table_slots(old); i++) {
		uint8_t *from = table_slot(old, i), *to;
		const uint64_t *key = (const uint64_t *)(void *)from;
		size_t behind = (size_t)(from - old->slots);

		if (behind - given >= GIVE_BACK) {
			madvise(old->slots + given, GIVE_BACK, MADV_DONTNEED);
			given += GIVE_BACK;
		}
		if (!slot_is_taken(old, from))
			continue;
		to = probe(t, key, table_hash_words(t->seed, key, t->key_words));
		if (!to)
			return false;
		memcpy(to, from, old->stride);
	}
	return true;
}

/* Linear probing keeps slots near their homes, so a tail of 256 is passed only by a table that is full far
 * beyond grow_at; a larger one always has room. */
static bool grow(struct table *t)
{
	struct table old = *t;
	uint64_t capacity = t->capacity < STEPS_FROM ? t->capacity * 2 : t->capacity + t->capacity / 2;

	if (capacity > CAPACITY_MAX || map_slots(t, capacity) < 0) {
		*t = old;
		t->grow_at = UINT64_MAX;
		return false;
	}
	if (!move_slots(t, &old)) {
		munmap(t->slots, t->mapped);
		*t = old;
		return false;
	}
	munmap(old.slots, old.mapped);
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
	if (t->capacity > CAPACITY_MIN && used < t->capacity / 16) {
		struct table smaller = *t;

		if (map_slots(&smaller, t->capacity / 4 > CAPACITY_MIN ? t->capacity / 4 : CAPACITY_MIN) == 0) {
			munmap(t->slots, t->mapped);
			*t = smaller;
			return;
		}
	}
	if (t->mapped >= HUGE_FROM)
		madvise(t->slots, t->mapped, MADV_DONTNEED);
	else
		memset(t->slots, 0, t->mapped);
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
	end = (uintptr_t)t->slots + t->mapped;
	if (rest < end)
		madvise((void *)rest, end - rest, MADV_DONTNEED);
}
