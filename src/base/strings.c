/* SPDX-License-Identifier: GPL-2.0-or-later */
/* strings.c -- ids in chunks that never move, found again through an open-addressing index. */
#include "base/strings.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BITS 12
#define CHUNK_SIZE (1u << CHUNK_BITS)
#define CHUNKS (STRINGS_MAX / CHUNK_SIZE)

struct strings {
	char **chunks[CHUNKS]; /* readers follow these; a chunk, once there, stays */
	uint32_t count;        /* ids 1..count */
	pthread_mutex_t lock;  /* of all below; for those who add */
	uint32_t *index;       /* ids, 0 = free */
	uint32_t index_mask;
};

static uint32_t text_hash(const char *text)
{
	uint32_t h = 2166136261u; /* FNV-1a: config and interface names, not packets */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

int strings_new(struct strings **ret)
{
	struct strings *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->index_mask = 63;
	s->index = calloc(s->index_mask + 1, sizeof *s->index);
	if (!s->index) {
		free(s);
		return -ENOMEM;
	}
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

const char *strings_at(const struct strings *s, uint32_t id)
{
	if (id == 0 || id > STRINGS_MAX || !s->chunks[(id - 1) >> CHUNK_BITS])
		return "-";
	const char *text = s->chunks[(id - 1) >> CHUNK_BITS][(id - 1) & (CHUNK_SIZE - 1)];
	return text ? text : "-";
}

static void index_put(uint32_t *index, uint32_t mask, uint32_t hash, uint32_t id)
{
	while (index[hash & mask])
		hash++;
	index[hash & mask] = id;
}

static int index_grow(struct strings *s)
{
	uint32_t mask = s->index_mask * 2 + 1;
	uint32_t *index = calloc((size_t)mask + 1, sizeof *index);

	if (!index)
		return -ENOMEM;
	for (uint32_t id = 1; id <= s->count; id++)
		index_put(index, mask, text_hash(strings_at(s, id)), id);
	free(s->index);
	s->index = index;
	s->index_mask = mask;
	return 0;
}

static uint32_t find_or_add(struct strings *s, const char *text)
{
	uint32_t hash = text_hash(text), id;
	char ***chunk;

	for (uint32_t at = hash; (id = s->index[at & s->index_mask]); at++)
		if (strcmp(strings_at(s, id), text) == 0)
			return id;
	if (s->count == STRINGS_MAX || (s->count >= s->index_mask / 2 && index_grow(s) < 0))
		return 0;
	chunk = &s->chunks[s->count >> CHUNK_BITS];
	if (!*chunk && !(*chunk = calloc(CHUNK_SIZE, sizeof **chunk)))
		return 0;
	(*chunk)[s->count & (CHUNK_SIZE - 1)] = strdup(text);
	if (!(*chunk)[s->count & (CHUNK_SIZE - 1)])
		return 0;
	id = ++s->count;
	index_put(s->index, s->index_mask, hash, id);
	return id;
}

uint32_t strings_add(struct strings *s, const char *text)
{
	uint32_t id;

	pthread_mutex_lock(&s->lock);
	id = find_or_add(s, text);
	pthread_mutex_unlock(&s->lock);
	return id;
}

void strings_free(struct strings **ps)
{
	struct strings *s = *ps;

	if (!s)
		return;
	for (uint32_t id = 1; id <= s->count; id++)
		free(s->chunks[(id - 1) >> CHUNK_BITS][(id - 1) & (CHUNK_SIZE - 1)]);
	for (uint32_t i = 0; i < CHUNKS; i++)
		free(s->chunks[i]);
	free(s->index);
	pthread_mutex_destroy(&s->lock);
	free(s);
	*ps = NULL;
}
