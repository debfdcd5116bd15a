/* SPDX-License-Identifier: GPL-2.0-or-later */
/* changes.h -- table `changed` within the ledger's own transactions: which windows sinks have to get, and what is held for
 * them. No other room includes it. */
#ifndef NETTALLY_LEDGER_CHANGES_H
#define NETTALLY_LEDGER_CHANGES_H

#include "ledger/internal.h"

/* A window's end must be so long past, as the last booking tells the time, before it is sent: what was counted in it is booked
 * by then. What comes later all the same is one more change. */
#define CHANGES_SLACK_S 2

struct change_span {
	uint32_t length_s;
	int64_t window, end;
	bool in_parts;      /* only some records of the one window go */
};

int changes_prepare(struct ledger *l, struct err *e);
void changes_close(struct ledger *l);

/* Within ledger_book()'s transaction. */
int changes_begin(struct ledger *l, struct err *e);
/* The batch was added to its window. */
int changes_note(struct ledger *l, const struct ledger_table *t, const struct batch *b, struct err *e);
uint64_t changes_next(struct ledger *l); /* a number for a change of a device */
int changes_end(struct ledger *l, int64_t taken_utc_s, struct err *e); /* numbers for the windows that are over */

/* True (1) where a sink has not got a window of the span yet and it is held for that; 0, negative errno. */
int changes_is_held(struct ledger *l, const struct ledger_table *t, const struct change_span *s, int64_t now_utc_s,
		struct err *e);
/* The span's records are going: not to be sent any more; what a sink has not got is counted. Before they are deleted, in the
 * same transaction. */
int changes_drop(struct ledger *l, const struct ledger_table *t, const struct change_span *s, struct err *e);

#endif
