/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paths.h -- strings of words, each kept once: AS paths, and the attributes of routes.
 *
 * Ids start at 1 and stay; what was released by all is forgotten, its id and its memory used again. Owner: one thread.
 * Limits: PATHS_MAX strings. What foreign routers tell is hashed with a secret seed, so that none can make it slow. */
#ifndef NETTALLY_ROUTES_PATHS_H
#define NETTALLY_ROUTES_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATHS_MAX ((1u << 23) - 1) /* LPM_VALUE_MAX */

struct paths;
int paths_new(struct paths **ret); /* 0 or -ENOMEM */
void paths_free(struct paths **p);

/* The id of the string, which is then held once more; 0 = no memory, or too many. */
uint32_t paths_hold(struct paths *p, const uint32_t *words, uint32_t count);
void paths_release(struct paths *p, uint32_t id);
/* Borrowed until the next paths_hold(). */
const uint32_t *paths_at(const struct paths *p, uint32_t id, uint32_t *ret_count);

uint32_t paths_count(const struct paths *p);    /* in use */
uint32_t paths_last(const struct paths *p);     /* the highest id that was ever given */
size_t paths_bytes(const struct paths *p);

/* A number from a secret seed, for tables of foreign keys. */
uint64_t paths_seed(void);
/* Mixes a word into a hash. */
static inline uint64_t paths_mix(uint64_t hash, uint64_t word)
{
	__extension__ unsigned __int128 m = (unsigned __int128)(hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

#endif
