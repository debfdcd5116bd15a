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
	const struct services *services; /* borrowed; NULL = none */
	const struct prefix_set *local;  /* borrowed; for of and FIELD_LOCALITY */
};

struct count {
	struct grain grain;
	struct table table;
	struct table others;    /* keys of `other`, one a window: never full */
	uint64_t overflowed;    /* bookings that went to `other` */
	uint64_t packets;       /* wire packets */
	uint64_t l2_bytes;
	uint64_t frames;
	uint64_t malformed;     /* frames */
};

int count_open(struct count *ret, const struct grain *g, struct err *e);
void count_close(struct count *c);

/* At most FRAME_BATCH packets. */
void count_packets(struct count *c, const struct packet *p, unsigned n);

/* What a slot's counters say, whatever the grain keeps; what it does not keep is 0. */
void count_get(const struct grain *g, const uint64_t *counters, struct party_tally *ret);

/* Empties it for the next tick. */
void count_clear(struct count *c);

#endif
