/* SPDX-License-Identifier: GPL-2.0-or-later */
/* places.h -- the hosts and devices that are remembered: what DNS said of them, who holds whom, what was told to the ledger.
 *
 * At most `limit`; who was not wanted for longest makes room, counted. A queue of those that DNS is to be asked for is part
 * of it, so that it is bounded too. Pointers hold until the next add. Thread: under the lock of who owns it. */
#ifndef NETTALLY_NAMES_PLACES_H
#define NETTALLY_NAMES_PLACES_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACE_MAC 2 /* family of a key that is a device: the number of its MAC in the last bytes */

enum place_dns { PLACE_UNASKED, PLACE_NAMED, PLACE_NAMELESS, PLACE_FAILED };

struct place {
	struct addr key;         /* a host, or a device: place_device() */
	uint64_t mac;            /* of a host: who holds it, 0 = unknown */
	char *dns;               /* its name; kept while a newer answer fails; NULL = none */
	int64_t ask_again_s;     /* monotonic: before that, what is known of DNS counts */
	uint64_t told;           /* fingerprint of the name that the ledger has; 0 = nothing was told, PLACE_TOLD_NONE: none */
	uint64_t told_mac;       /* the holder that the ledger has; 0 = nothing was told */
	uint32_t ip4, ip6;       /* of a device: numbers of its newest hosts + 1, 0 = none */
	uint32_t holds;          /* of a device: how many hosts */
	uint8_t failures;        /* in a row */
	uint8_t state;           /* enum place_dns */
	bool queued, told_vendor, wanted;
	/* the table's own */
	uint32_t next, newer, older, queue_next, queue_prev;
};

#define PLACE_TOLD_NONE 1

struct places;

struct places *places_new(uint32_t limit); /* NULL: no memory */
void places_free(struct places **p);

struct place *places_find(struct places *p, const struct addr *key);
/* The one of now, or a new one; it is now the last to go. NULL: no memory. */
struct place *places_want(struct places *p, const struct addr *key);
struct place *places_at(struct places *p, uint32_t i); /* 0 .. count - 1 */
uint32_t places_number(const struct places *p, const struct place *place);
uint32_t places_count(const struct places *p);
uint64_t places_evicted(const struct places *p);

struct addr place_device(uint64_t mac);
uint64_t place_device_mac(const struct addr *key); /* 0: it is a host */

/* A host is held by another now; 0 = by nobody. True where that is news. */
bool places_hold(struct places *p, struct place *host, uint64_t mac);

/* Behind the others, or before them all; once. */
void places_queue(struct places *p, struct place *place, bool first);
struct place *places_unqueue(struct places *p);            /* the first; NULL: none */
uint32_t places_queued(const struct places *p);

#endif
