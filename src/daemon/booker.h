/* SPDX-License-Identifier: GPL-2.0-or-later */
/* booker.h -- the ledger's thread: takes bookings from the main loop, books them, keeps house in
 * between.
 *
 * A booking that the ledger cannot take (disk full, read-only) waits in order and is tried again
 * each second; what waits is bounded: over BOOKER_PENDING_MAX bytes the waiting bookings are
 * merged (same account and window), and over that folded into `other`, counted (pending.h).
 * Thread: booker_give() and booker_state() from the main loop. */
#ifndef NETTALLY_DAEMON_BOOKER_H
#define NETTALLY_DAEMON_BOOKER_H

#include "ledger/ledger.h"
#include "model/snapshot.h"

#define BOOKER_PENDING_MAX (512u << 20)

struct booker;

/* Takes the ledger; gives it back closed. */
int booker_start(struct booker **ret, struct ledger **l, const char *path, uint64_t max_size_bytes, struct err *e);
void booker_give(struct booker *b, struct booking *booking); /* takes it */
/* New definitions, applied in order with the bookings. */
int booker_define(struct booker *b, struct account *const *accounts, size_t count);
void booker_state(struct booker *b, struct snapshot_ledger *ret);
/* Something else that is to be done with the ledger, on its thread, before the bookings that wait. `done` is called there,
 * once; the
 * job is the caller's again from then on. A job that fails is not repeated. Thread: any; until booker_join(). */
struct booker_job {
	struct booker_job *next;
	int (*run)(struct ledger *l, void *arg, struct err *e);
	void (*done)(void *arg, int r, const struct err *e);
	void *arg;
};
void booker_run(struct booker *b, struct booker_job *job);
/* The epochs of kernel tables that were booked since the last call; free() the array. */
void booker_take_booked(struct booker *b, struct booked_epoch **ret, size_t *ret_count);
/* Books what waits (at most `timeout_s`), then ends the thread; booker_take_booked() may be asked once more. As
 * booker_stop(), which then only frees. */
int booker_join(struct booker *b, unsigned timeout_s, struct err *e);
/* Books what waits (at most `timeout_s`), then ends the thread. -ETIME: something could not be
 * booked (the sentence says how much). */
int booker_stop(struct booker **b, unsigned timeout_s, struct err *e);

#endif
