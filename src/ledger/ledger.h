/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger.h -- the writing side of the ledger: one SQLite file, the truth (nettally-ledger(5)).
 *
 * WAL, one transaction per booking: all of it or nothing. Records of a window are added to what
 * is there (upsert), so a window may be booked over many ticks. The schema is in schema.sql with
 * a version (PRAGMA user_version and table meta) and migrations. Thread: one, the ledger's; it
 * owns the only writing connection of the process. A lock on PATH-lock (flock) keeps a second
 * daemon out. Where the file was moved away, or an error says that the connection is of no more
 * use, the next call opens it anew. Never logs; a failed call changed nothing and may be
 * repeated. */
#ifndef NETTALLY_LEDGER_LEDGER_H
#define NETTALLY_LEDGER_LEDGER_H

#include "base/err.h"
#include "base/prefix.h"
#include "base/strings.h"
#include "model/booking.h"

#include <stdbool.h>

struct ledger;

struct ledger_options {
	uint64_t max_size_bytes;        /* 0 = no limit; at the limit the oldest raw windows go first, counted */
	struct strings *strings;        /* for ids in keys; only ledger_series() adds to it */
	const struct prefix_set *local; /* NULL or addresses that a device may be known by; empty = any */
};

/* Creates the file (mode 0640) and the directory's last part if missing. -EBUSY: another daemon
 * has it (says its pid where known). -EUCLEAN: damaged or no ledger, with what to do; never
 * overwritten. -EPROTO: made by a newer nettally. -EROFS, -EACCES, -ENOSPC. */
int ledger_open(struct ledger **ret, const char *path, const struct ledger_options *o, struct err *e);

/* Makes the accounts' tables, or changes them where the definition changed: an account whose
 * form (from, by) changed keeps its old table under another name (record_NAME_1, ...), listed in
 * table account. Marks the accounts that are no longer configured. */
int ledger_define(struct ledger *l, struct account *const *accounts, size_t count, struct err *e);

/* One transaction, with the booking's epochs. -ENOSPC, -EROFS, -EIO, -EBUSY: nothing was booked, try
 * again later. -EUCLEAN: the file is damaged. -EALREADY: one of its epochs is in the ledger already,
 * as when the same booking comes again after a COMMIT whose outcome was unclear; nothing was changed. */
int ledger_book(struct ledger *l, const struct booking *b, struct err *e);

/* The cumulative series as last booked, for /metrics to go on from; *ret_series is the caller's
 * to free() (each holds no reference). `total` is the sum over all records ever booked for the
 * account. Call it while the caller owns `strings`: before the ledger goes to its thread. */
int ledger_series(struct ledger *l, struct account *a, struct series_state **ret_series, size_t *ret_count,
		  struct party_tally *ret_total, struct err *e);

/* What the ledger knows of kernel tables and interfaces, for a start: call these before the ledger goes
 * to its thread. All epochs of `generation` up to *ret_number are booked; 0 = none. */
int ledger_epoch(struct ledger *l, const char *generation, uint64_t *ret_number, struct err *e);
/* Forgets the epochs of all generations but these, once the tables of the others are gone. */
int ledger_forget_epochs(struct ledger *l, const char *const *keep, size_t keep_count, struct err *e);
/* The books of an interface as last booked, for its run to go on: 1 = found, 0 = none (*ret is left
 * alone). `interface`, the id of its name, stays 0. */
int ledger_interface(struct ledger *l, const char *name, struct interface_books *ret, struct err *e);

/* Rollups and retention by `keep`, then max_size; does at most about `budget_ms` of work in
 * transactions of their own. Returns 1 where more is to do, 0 done, negative errno. */
int ledger_maintain(struct ledger *l, int64_t now_utc_s, unsigned budget_ms, struct err *e);

struct ledger_facts {
	uint64_t size_bytes;       /* pages in use times page size */
	uint64_t booked_records, booked_transactions; /* by this process */
	uint64_t expired_records;  /* ever, from the ledger: gone by retention or max_size without a rollup */
};
void ledger_facts(struct ledger *l, struct ledger_facts *ret);

void ledger_close(struct ledger **l); /* checkpoints the WAL; accepts NULL */

#endif
