/* SPDX-License-Identifier: GPL-2.0-or-later */
/* series.h -- the series that one account shows in /metrics: its largest keys, and `other`.
 *
 * Each series only ever grows. A key that gets a series begins at 0, what it had before stays in
 * `other`; a series that is given up goes into `other` whole. So all series of an account always
 * sum up to all that was booked. Rules are another matter: each that the account has keeps its series, and a rule
 * that it has no more, or whose expression changes, is forgotten; there is no `other` (a packet counts for many
 * rules: no sum to keep). At most `limit` series, `other` among them. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_SERIES_H
#define NETTALLY_DAEMON_SERIES_H

#include "count/table.h"
#include "model/booking.h"
#include "model/snapshot.h"

struct series;

int series_new(struct series **ret, struct account *a, struct err *e); /* keeps a reference to `a` */
void series_free(struct series **s);
/* After a reload: `a` has the same form and the same number of series as the account that it was made for. */
void series_set_account(struct series *s, struct account *a);

/* Before series_load(): rules that the account does not have may be another configuration's, and stay. */
void series_keep_strangers(struct series *s);
/* The sum of the expression of the rule that a key is of; 0 = not known, or it is of no rule of the account. */
uint64_t series_expression(const struct series *s, const uint8_t *key);
/* As the ledger left them; totals of 0 are series that were given up. Counts of a rule whose expression is another by now
 * are forgotten: it begins anew. */
int series_load(struct series *s, const struct series_state *states, size_t count);
/* After series_load(): what of the account's total no series has goes to `other`. Series begin at 0 when an account goes and
 * comes back by a reload; the sum is right again at the next start. */
void series_make_whole(struct series *s, const struct party_tally *total);
/* Adds what a tick brought for one key. */
void series_add(struct series *s, const uint8_t *key, const struct party_tally *t);
/* Once per window: gives series to keys that outgrew the smallest. */
void series_settle(struct series *s);

/* Those that changed since the last call, for the ledger; appended to the booking. 0 or -ENOMEM. */
int series_changes(struct series *s, struct booking *b);
/* *ret is the caller's to free(). */
int series_snapshot(const struct series *s, struct snapshot_series **ret, size_t *ret_count);

#endif
