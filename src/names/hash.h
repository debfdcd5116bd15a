/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.h -- hashes of addresses for tables that strangers fill: with a secret seed, so that nobody can choose addresses that
 * meet in one place. Thread: any. */
#ifndef NETTALLY_NAMES_HASH_H
#define NETTALLY_NAMES_HASH_H

#include "base/addr.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

static inline uint64_t hash_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
		seed = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15;
	return seed | 1;
}

static inline uint64_t hash_number(uint64_t n, uint64_t seed)
{
	__extension__ unsigned __int128 p = (unsigned __int128)(n ^ seed) * (seed * 0x9e3779b97f4a7c15 | 1);
	uint64_t h = (uint64_t)p ^ (uint64_t)(p >> 64);

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93;
	return h ^ h >> 32;
}

static inline uint64_t hash_addr(const struct addr *a, uint64_t seed)
{
	uint64_t high, low;

	memcpy(&high, a->bytes, 8);
	memcpy(&low, a->bytes + 8, 8);
	return hash_number(low ^ hash_number(high ^ a->family, seed), seed);
}

#endif
