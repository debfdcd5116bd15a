/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cursors.h -- the writing side of what sinks need: which sinks there are, how far each has got, what they refused.
 *
 * Windows change by ledger_book() alone (table `changed`); sinks read them by windows.h. What a configured sink has not got is
 * held: rollup, retention and max_size pass it over for `hold_s` behind the window's end, and while the ledger is no larger
 * than `hold_bytes`. What goes all the same is counted as expired. Thread: the ledger's. As in ledger.h a failed call changed
 * nothing and may be repeated. */
#ifndef NETTALLY_LEDGER_CURSORS_H
#define NETTALLY_LEDGER_CURSORS_H

#include "ledger/ledger.h"

#define LEDGER_SINK_NAME_MAX 48

struct ledger_sink {
	char name[LEDGER_SINK_NAME_MAX];
	struct account *const *accounts; /* borrowed for the call */
	size_t account_count;
	uint32_t hold_s;
	uint64_t hold_bytes;
};

/* The configured sinks, all of them. A new one begins with everything that the ledger has. One that is gone keeps its row, and
 * goes on there should it come back, but nothing is held for it. After ledger_define(). */
int ledger_set_sinks(struct ledger *l, const struct ledger_sink *sinks, size_t count, struct err *e);

struct ledger_window {
	int64_t account; /* id */
	uint32_t length_s;
	int64_t start_utc_s;
};

/* What one batch of a sink came to. */
struct ledger_sink_note {
	const char *sink;
	uint64_t again, seq;                  /* its cursor now */
	uint64_t records;                     /* written with this batch */
	const struct ledger_window *windows;  /* of the batch: what of them was set aside before is there now */
	size_t window_count;
	const char *rejected_why;             /* not NULL: the windows were refused, and are set aside */
	uint64_t rejected_records;
};
/* A cursor never goes back: what is older than the ledger's own is only counted. */
int ledger_note_sink(struct ledger *l, const struct ledger_sink_note *n, struct err *e);

/* Everything again from the start, or (not `from_start`) the windows that were set aside. *ret_windows: so many will be
 * tried. -ENOENT: no
 * such sink. */
int ledger_retry_sink(struct ledger *l, const char *sink, bool from_start, uint64_t *ret_windows, struct err *e);

#endif
