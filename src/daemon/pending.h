/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pending.h -- what waits for the ledger: bookings in order, and changes of the accounts between
 * them.
 *
 * Adding a booking needs no memory. Bounded: pending_shrink() merges bookings, then folds
 * records into `other`; sums stay exact. Thread: one at a time. */
#ifndef NETTALLY_DAEMON_PENDING_H
#define NETTALLY_DAEMON_PENDING_H

#include "model/booking.h"

/* The accounts as they are from here on, and the bookings that follow. */
struct pending_group {
	struct pending_group *next;
	struct account **accounts; /* references; NULL: nothing to define (any more) */
	size_t account_count;
	bool defines;
	struct booking *first, **end;
};

struct pending {
	struct pending_group *first, *last; /* never empty between pending_init() and pending_free() */
	size_t bytes;
	uint64_t bookings, records;
};

int pending_init(struct pending *p); /* 0 or -ENOMEM */
void pending_free(struct pending *p);

int pending_define(struct pending *p, struct account *const *accounts, size_t count); /* 0 or -ENOMEM */
void pending_add(struct pending *p, struct booking *b);       /* at the end */
void pending_put_back(struct pending *p, struct booking *b);  /* at the front */

/* What is next: first->defines (then pending_defined()), else a booking taken off, else NULL =
 * nothing. */
struct booking *pending_take(struct pending *p);
void pending_defined(struct pending *p);

/* Puts all of `later` behind `p`; `later` is gone then. */
void pending_join(struct pending *p, struct pending *later);

size_t booking_bytes(const struct booking *b);
uint64_t booking_records(const struct booking *b);

/* Down to at most `max_bytes`, as far as folding can: merges first. Returns how many records
 * went into `other`. */
uint64_t pending_shrink(struct pending *p, size_t max_bytes);
/* Sums each batch into one record under `other`; returns how many records that took. */
uint64_t booking_fold(struct booking *b);

#endif
