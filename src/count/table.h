/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h -- keys to counters: open addressing, key and counters side by side in one slot.
 *
 * A slot is a key (words of 8 bytes) and its counters (uint64_t). Linear probing on the upper bits of the hash, so that growing
 * walks old and new in the same order and gives pages back as it goes: its peak is the new table alone. The hash is seeded per
 * table: a sender cannot choose colliding keys. At `limit` keys a new key is booked in `other`, and
 * counted: sums stay exact. Slots move when the table grows; nothing may hold a pointer across an add.
 * Thread: one at a time; a table changes hands whole. */
#ifndef NETTALLY_COUNT_TABLE_H
#define NETTALLY_COUNT_TABLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
	uint8_t *slots;
	uint32_t *marks;        /* unused: reserved */
	uint64_t capacity;      /* slots */
	uint64_t used;          /* keys in it */
	uint64_t grow_at;
	uint64_t limit;
	uint64_t overflowed;    /* adds that went to `other` */
	uint64_t seed[2];
	uint32_t stride;        /* bytes of a slot */
	uint16_t key_words, counters;
};

#endif
