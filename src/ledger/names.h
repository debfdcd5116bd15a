/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h -- names in the ledger: what a host or a device was called and who held an address, from when to when; and the
 * `name` of a record, joined by its time. */
#ifndef NETTALLY_LEDGER_NAMES_H
#define NETTALLY_LEDGER_NAMES_H

#include "ledger/ledger.h"
#include "ledger/sql.h"
#include "model/booking.h"

/* Every name and holder of now, for a start to go on from; before the ledger goes to its thread. At most LEDGER_NAMES_MAX of
 * each, the newest. */
#define LEDGER_NAMES_MAX 65536
int ledger_names(struct ledger *l, void (*hear)(void *arg, const struct learnt *l), void *arg, struct err *e);

/* Within a booking's transaction: a new name ends the one before and begins; what is known already writes nothing. */
int names_book(struct ledger *l, const struct booking *b, struct err *e);
void names_close_statements(struct ledger *l);

/* The name of a record as an SQL expression over its columns window, length and `key` (host or mac), for any SELECT, where
 * `prefix` ("r.") says whose they are: the one in force last in its window; the first there ever was where the window is
 * older than that; else '-'. Two searches in the primary key of `name`. */
void names_append_expression(sqlite3_str *s, const char *prefix, const char *key);

#endif
