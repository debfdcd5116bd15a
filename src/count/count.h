/* SPDX-License-Identifier: GPL-2.0-or-later */
/* count.h -- packets into the grain table: one look at a packet, one booking at each end.
 *
 * The grain is the union of the fields that the accounts need. With a key of a party each packet
 * is booked twice, received by its destination and sent by its source; without one, once. A key
 * that finds no room is booked under `other` of its window, and counted: sums stay exact.
 * Thread: one at a time; handed over whole. */
#ifndef NETTALLY_COUNT_COUNT_H
#define NETTALLY_COUNT_COUNT_H

#include "base/prefix.h"
#include "count/narrow.h"
#include "count/table.h"
#include "model/account.h"
#include "model/packet.h"
#include "model/service.h"

struct grain {
	struct key_layout layout;
	bool party;
	bool both_bases;        /* keep l2 and l3; else `basis` alone */
	enum bytes_basis basis;
	enum account_of of;     /* which ends are booked at all (a single account) */
	uint32_t window_s;      /* of FIELD_WINDOW, 0 = none */
	uint64_t limit;         /* keys */
	bool narrow;            /* keep it in a narrow table; where grain_may_be_narrow() */
	const struct services *services; /* borrowed; NULL = none */
	const struct prefix_set *local;  /* borrowed; for of and FIELD_LOCALITY */
};

struct count {
	struct grain grain;
	struct table table;     /* slots hold the grain's key and its counters, or are narrow ones */
	struct narrow narrow;
	struct table others;    /* keys of `other`, one a window: never full */
	uint64_t overflowed;    /* bookings that went to `other` */
	uint64_t packets;       /* wire packets */
	uint64_t l2_bytes;
	uint64_t frames;
	uint64_t malformed;     /* frames */
};

/* By host alone, both ends, one basis, no windows. */
bool grain_may_be_narrow(const struct grain *g);

int count_open(struct count *ret, const struct grain *g, struct err *e);
void count_close(struct count *c);

/* At most FRAME_BATCH packets. */
void count_packets(struct count *c, const struct packet *p, unsigned n);

/* Adds what was counted elsewhere (in the kernel) under a key of the grain's layout, as received (`sent`: as
 * sent) by its owner; `other`: it found no room there, and is booked under `other` here too. Not for narrow
 * grains. Leaves packets, frames and the like alone. */
void count_tally_in(struct count *c, const uint64_t *key, bool sent, bool other, const struct tally *t);

/* Adds a delivery (delivery_tally()) under a key of the grain's layout. Not for narrow grains. */
void count_delivery(struct count *c, const uint64_t *key, const struct party_tally *t);
/* Many, at most COUNT_DELIVERIES_MAX: the table's cache misses overlap. */
#define COUNT_DELIVERIES_MAX 64
void count_deliveries(struct count *c, const uint64_t (*keys)[KEY_WORDS_MAX], const struct party_tally *t, unsigned n);

/* What the counters of a slot that is not narrow say; what the grain does not keep is 0. */
void count_get(const struct grain *g, const uint64_t *counters, struct party_tally *ret);

/* Key, in the grain's layout, and counters of a slot of `t`, which is c->table or c->others. The key
 * is the slot's own or is written to `scratch`. */
const uint8_t *count_key(const struct count *c, const struct table *t, const uint8_t *slot,
			 uint64_t scratch[static KEY_WORDS_MAX]);
void count_tally(const struct count *c, const struct table *t, const uint8_t *slot, struct party_tally *ret);

/* Empties it for the next tick. */
void count_clear(struct count *c);

#endif
