/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h -- keys to counters: open addressing, key and counters side by side in one slot.
 *
 * A slot is a key (words of 8 bytes), then counters (uint64_t), of which the first, or the one
 * at `other_used`, is never 0 in a slot that is taken: that is what tells it from a free one. Up
 * to 64 bytes a slot is a power of two, so that it never lies across a cache line. The place is
 * the upper half of the hash times the capacity, then linear probing without wrap into a short
 * tail: so a table grows in place, from the top down, and takes no more memory than it has
 * slots. The hash is seeded per table: a sender cannot choose keys that collide. Slots move when
 * the table grows: nothing may hold a pointer across an add. Thread: one at a time; a table
 * changes hands whole. Limit: `limit` keys. */
#ifndef NETTALLY_COUNT_TABLE_H
#define NETTALLY_COUNT_TABLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TABLE_TAIL 256 /* slots behind the last home; a longer run makes the table grow */

struct table {
	uint8_t *slots;
	uint64_t capacity;     /* homes; slots = capacity + TABLE_TAIL */
	uint64_t used;         /* keys in it */
	uint64_t grow_at;      /* keys at which it grows */
	uint64_t limit;        /* keys at most */
	uint64_t seed[2];
	uint64_t in_use;       /* bytes of all slots */
	uint64_t reserved;     /* bytes of address space */
	uint32_t stride;       /* bytes of a slot */
	uint16_t key_words, counters;
	uint16_t other_used;   /* index of a second counter that marks a slot as taken */
};

struct table_form {
	unsigned key_bytes;    /* multiple of 8 */
	unsigned counters;
	unsigned other_used;   /* 0 = the first counter alone */
	uint64_t limit;
};

int table_open(struct table *ret, const struct table_form *form, struct err *e);
void table_close(struct table *t); /* accepts an all-zero table */

/* The slot's counters for `key`, to add to at once; NULL when the table is at its limit (or
 * there is no memory) and the key is new. */
uint64_t *table_find_or_add(struct table *t, const uint64_t *key, uint64_t hash);
uint64_t *table_find(const struct table *t, const uint64_t *key, uint64_t hash);

/* Takes all keys out, keeps the memory (gives back what is far too large). */
void table_clear(struct table *t);

/* Moves the taken slots to the front, in no order, and gives the rest of the memory back: slot i
 * of `used` is then at table_slot(t, i). Only table_close() may follow besides reading. */
void table_compact(struct table *t);

/* For walking: slots 0..table_slots(t). */
static inline uint64_t table_slots(const struct table *t)
{
	return t->capacity ? t->capacity + TABLE_TAIL : 0;
}

static inline uint8_t *table_slot(const struct table *t, uint64_t i)
{
	return t->slots + i * t->stride;
}

static inline uint64_t *slot_counters(const struct table *t, uint8_t *slot)
{
	return (uint64_t *)(void *)slot + t->key_words;
}

static inline bool slot_is_taken(const struct table *t, uint8_t *slot)
{
	const uint64_t *c = slot_counters(t, slot);

	return (c[0] | c[t->other_used]) != 0;
}

/* From `home` on, the slot of `key` or the free one where it would go; NULL past the tail.
 * `words` is the table's key_words: a constant where the caller knows it. */
static inline __attribute__((always_inline)) uint8_t *table_probe(const struct table *t, const uint64_t *key,
								    uint8_t *home, unsigned words)
{
	const uint8_t *end = t->slots + t->in_use;

	for (uint8_t *slot = home; slot < end; slot += t->stride) {
		const uint64_t *have = (const uint64_t *)(void *)slot;
		uint64_t differs = 0;

		for (unsigned i = 0; i < words; i++)
			differs |= have[i] ^ key[i];
		if (differs == 0 || !slot_is_taken(t, slot))
			return slot; /* a free slot is all zero, and so may a key be */
	}
	return NULL;
}

/* A new key may go into the free slot that table_probe() gave, without growing. */
static inline bool table_has_room(const struct table *t)
{
	return t->used < t->limit && t->used < t->grow_at;
}

static inline uint64_t *table_fill(struct table *t, uint8_t *slot, const uint64_t *key)
{
	memcpy(slot, key, t->key_words * 8u);
	t->used++;
	return slot_counters(t, slot);
}

/* Folds a 64x64 multiplication; the seeds keep either factor from being known to a sender. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t table_hash_words(const uint64_t seed[2], const uint64_t *key, unsigned words)
{
	uint64_t h = seed[1];
	unsigned i;

	for (i = 0; i + 1 < words; i += 2)
		h = hash_fold(key[i] ^ seed[0], key[i + 1] ^ h);
	if (i < words)
		h = hash_fold(key[i] ^ seed[0], h ^ UINT64_C(0x9e3779b97f4a7c15));
	return hash_fold(h, seed[0] | 1);
}

static inline uint64_t table_home(const struct table *t, uint64_t hash)
{
	return ((hash >> 32) * t->capacity) >> 32;
}

#endif
