/* SPDX-License-Identifier: GPL-2.0-or-later */
/* intern.c -- open addressing over growing arrays. */
#include "rules/intern.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64
#define WORDS_MAX (1u << 30)

static uint64_t hash_of(const uint32_t *words, uint32_t len)
{
	uint64_t h = len + 0x9e3779b97f4a7c15u;

	for (uint32_t i = 0; i < len; i++) {
		h = (h ^ words[i]) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	return h;
}

static bool grow(uint32_t **array, uint32_t *room, uint32_t need)
{
	uint32_t size = *room ? *room : FIRST_SLOTS;
	uint32_t *bigger;

	if (need <= *room)
		return true;
	if (need > WORDS_MAX)
		return false;
	while (size < need)
		size *= 2;
	bigger = realloc(*array, size * sizeof **array);
	if (!bigger)
		return false;
	*array = bigger;
	*room = size;
	return true;
}

/* The slot that holds the list, or the empty one where it belongs. */
static uint32_t *slot_of(const struct intern *t, const uint32_t *words, uint32_t len)
{
	uint32_t at = (uint32_t)hash_of(words, len) & (t->slot_count - 1);

	for (;; at = (at + 1) & (t->slot_count - 1)) {
		uint32_t id = t->slots[at];

		if (id == 0 || (intern_len(t, id - 1) == len &&
				(len == 0 || memcmp(intern_at(t, id - 1), words, len * sizeof *words) == 0)))
			return &t->slots[at];
	}
}

static bool rehash(struct intern *t)
{
	uint32_t size = t->slot_count ? t->slot_count * 2 : FIRST_SLOTS;
	uint32_t *slots = calloc(size, sizeof *slots);

	if (!slots)
		return false;
	free(t->slots);
	t->slots = slots;
	t->slot_count = size;
	for (uint32_t i = 0; i < t->count; i++)
		*slot_of(t, intern_at(t, i), intern_len(t, i)) = i + 1;
	return true;
}

uint32_t intern_add(struct intern *t, const uint32_t *words, uint32_t len)
{
	uint32_t *slot;

	if ((t->count + 1) * 2 > t->slot_count && !rehash(t))
		goto failed;
	slot = slot_of(t, words, len);
	if (*slot)
		return *slot - 1;
	if (!grow(&t->words, &t->words_room, t->used + len + 1) || !grow(&t->starts, &t->count_room, t->count + 1))
		goto failed;
	t->starts[t->count] = t->used;
	if (len)
		memcpy(t->words + t->used, words, len * sizeof *words);
	t->used += len;
	*slot = ++t->count;
	return t->count - 1;
failed:
	t->failed = true;
	return 0;
}

size_t intern_bytes(const struct intern *t)
{
	return sizeof(uint32_t) * ((size_t)t->words_room + t->count_room + t->slot_count);
}

void intern_free(struct intern *t)
{
	free(t->words);
	free(t->starts);
	free(t->slots);
	memset(t, 0, sizeof *t);
}
