/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paths.c -- the words of all strings one behind the other, an entry per id, and an index by hash. Words that were released
 * are holes until there are as many of them as words in use: then what is in use moves together. */
#include "routes/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct entry {
	uint32_t holders; /* 0 = free; then `at` is the next free id */
	uint32_t hash;
	uint32_t at, count; /* in `words` */
};

struct slot {
	uint32_t hash, id; /* id 0 = free */
};

struct paths {
	uint64_t seed;
	uint32_t *words;
	uint32_t word_count, word_room, hole_count;
	struct entry *entries; /* by id; [0] is not used */
	uint32_t last, room, in_use, free_id;
	struct slot *index;
	uint32_t mask;
};

uint64_t paths_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
		seed = (uint64_t)time(NULL) * UINT64_C(0x9e3779b97f4a7c15) ^ (uintptr_t)&seed; /* early in the boot */
	return seed | 1;
}

int paths_new(struct paths **ret)
{
	struct paths *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->seed = paths_seed();
	p->mask = 255;
	p->index = calloc(p->mask + 1, sizeof *p->index);
	p->word_room = 1024;
	p->words = malloc(p->word_room * sizeof *p->words);
	if (!p->index || !p->words) {
		paths_free(&p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void paths_free(struct paths **p)
{
	if (*p) {
		free((*p)->words);
		free((*p)->entries);
		free((*p)->index);
	}
	free(*p);
	*p = NULL;
}

static uint32_t hash_of(const struct paths *p, const uint32_t *words, uint32_t count)
{
	uint64_t h = p->seed ^ count;
	uint32_t i = 0;

	for (; i + 1 < count; i += 2)
		h = paths_mix(h, (uint64_t)words[i] << 32 | words[i + 1]);
	if (i < count)
		h = paths_mix(h, words[i]);
	return (uint32_t)paths_mix(h, p->seed);
}

static bool equal(const struct paths *p, uint32_t id, const uint32_t *words, uint32_t count)
{
	const struct entry *e = &p->entries[id];

	return e->count == count && (count == 0 || memcmp(p->words + e->at, words, count * sizeof *words) == 0);
}

static void index_put(struct slot *index, uint32_t mask, struct slot s)
{
	uint32_t at = s.hash & mask;

	while (index[at].id)
		at = (at + 1) & mask;
	index[at] = s;
}

static int grow_index(struct paths *p)
{
	uint32_t mask = p->mask * 2 + 1;
	struct slot *index = calloc((size_t)mask + 1, sizeof *index);

	if (!index)
		return -ENOMEM;
	for (uint32_t i = 0; i <= p->mask; i++)
		if (p->index[i].id)
			index_put(index, mask, p->index[i]);
	free(p->index);
	p->index = index;
	p->mask = mask;
	return 0;
}

static int grow_entries(struct paths *p)
{
	uint32_t room = p->room ? p->room + p->room / 2 : 256;
	struct entry *entries;

	if (p->last >= PATHS_MAX)
		return -ENOSPC;
	entries = realloc(p->entries, ((size_t)room + 1) * sizeof *entries);
	if (!entries)
		return -ENOMEM;
	p->entries = entries;
	p->room = room;
	return 0;
}

/* An id that is free, without taking it: what follows may fail. */
static uint32_t next_id(struct paths *p)
{
	if (p->free_id)
		return p->free_id;
	if (p->last == p->room && grow_entries(p) < 0)
		return 0;
	return p->last < PATHS_MAX ? p->last + 1 : 0;
}

static int grow_words(struct paths *p, uint32_t more)
{
	uint64_t room = ((uint64_t)p->word_count + more) * 3 / 2 + 1024;
	uint32_t *words = room < UINT32_MAX ? realloc(p->words, room * sizeof *words) : NULL;

	if (!words)
		return -ENOMEM;
	p->words = words;
	p->word_room = (uint32_t)room;
	return 0;
}

/* Moves the words in use together, into new memory. Without memory the holes stay. */
static void close_holes(struct paths *p)
{
	uint32_t in_use = p->word_count - p->hole_count, room = in_use + in_use / 2 + 1024, to = 0;
	uint32_t *words = malloc((size_t)room * sizeof *words);

	if (!words)
		return;
	for (uint32_t id = 1; id <= p->last; id++) {
		struct entry *e = &p->entries[id];

		if (!e->holders || !e->count)
			continue;
		memcpy(words + to, p->words + e->at, e->count * sizeof *words);
		e->at = to;
		to += e->count;
	}
	free(p->words);
	p->words = words;
	p->word_count = to;
	p->word_room = room;
	p->hole_count = 0;
}

static uint32_t add(struct paths *p, const uint32_t *words, uint32_t count, uint32_t hash)
{
	uint32_t id;

	if (p->in_use >= (p->mask + 1) / 4 * 3 && grow_index(p) < 0)
		return 0;
	if (count > p->word_room - p->word_count && grow_words(p, count) < 0)
		return 0;
	id = next_id(p);
	if (!id)
		return 0;
	if (id == p->free_id)
		p->free_id = p->entries[id].at;
	else
		p->last = id;
	p->entries[id] = (struct entry){ .holders = 1, .hash = hash, .at = count ? p->word_count : 0, .count = count };
	if (count)
		memcpy(p->words + p->word_count, words, count * sizeof *words);
	p->word_count += count;
	p->in_use++;
	index_put(p->index, p->mask, (struct slot){ hash, id });
	return id;
}

uint32_t paths_hold(struct paths *p, const uint32_t *words, uint32_t count)
{
	uint32_t hash = hash_of(p, words, count);

	for (uint32_t at = hash & p->mask; p->index[at].id; at = (at + 1) & p->mask) {
		if (p->index[at].hash != hash || !equal(p, p->index[at].id, words, count))
			continue;
		p->entries[p->index[at].id].holders++;
		return p->index[at].id;
	}
	return add(p, words, count, hash);
}

/* Takes a slot out and moves up those behind it that it kept from their place. */
static void index_take(struct slot *index, uint32_t mask, uint32_t at)
{
	for (uint32_t next = (at + 1) & mask; index[next].id; next = (next + 1) & mask) {
		if (((next - index[next].hash) & mask) >= ((next - at) & mask)) {
			index[at] = index[next];
			at = next;
		}
	}
	index[at].id = 0;
}

void paths_release(struct paths *p, uint32_t id)
{
	struct entry *e = &p->entries[id];
	uint32_t at = e->hash & p->mask;

	if (--e->holders)
		return;
	while (p->index[at].id != id)
		at = (at + 1) & p->mask;
	index_take(p->index, p->mask, at);
	p->hole_count += e->count;
	p->in_use--;
	e->at = p->free_id;
	p->free_id = id;
	if (p->hole_count > 65536 && p->hole_count > p->word_count / 2)
		close_holes(p);
}

const uint32_t *paths_at(const struct paths *p, uint32_t id, uint32_t *ret_count)
{
	*ret_count = p->entries[id].count;
	return p->words + p->entries[id].at;
}

uint32_t paths_count(const struct paths *p)
{
	return p->in_use;
}

uint32_t paths_last(const struct paths *p)
{
	return p->last;
}

size_t paths_bytes(const struct paths *p)
{
	return sizeof *p + (size_t)p->word_room * sizeof *p->words + ((size_t)p->room + 1) * sizeof *p->entries +
	       ((size_t)p->mask + 1) * sizeof *p->index;
}
