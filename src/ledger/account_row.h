/* SPDX-License-Identifier: GPL-2.0-or-later */
/* account_row.h -- an account's definition to and from its row in table account. Thread: the
 * connection's. */
#ifndef NETTALLY_LEDGER_ACCOUNT_ROW_H
#define NETTALLY_LEDGER_ACCOUNT_ROW_H

#include "model/account.h"

#include <sqlite3.h>

#define ACCOUNT_ROW_TEXT_MAX 512

/* What account_row_read() reads, in this order, from column `first` on. */
#define ACCOUNT_ROW_COLUMNS "name, source, keys, parties, self, groups, every_s, bytes, keep"
#define ACCOUNT_ROW_COUNT 9

const char *account_source_text(enum account_from from);
const char *account_parties_text(enum account_of of);
const char *account_keys_text(const struct account *a, char buf[static ACCOUNT_ROW_TEXT_MAX]);
const char *account_keep_text(const struct account *a, char buf[static ACCOUNT_ROW_TEXT_MAX]);

/* -EUCLEAN where the row makes no account. */
int account_row_read(struct account **ret, sqlite3_stmt *s, int first, struct err *e);

/* Binds name, source, keys to ?1 ?2 ?3; the texts must live until the statement was run: copies
 * are made. */
void account_row_bind_form(sqlite3_stmt *s, const struct account *a);

/* Also for people's lists: NULL-safe look-up of a field by its name; FIELD_COUNT where there is
 * none. */
enum field field_of_name(const char *name, size_t len);

/* The columns of a record's counters: six, three of a plain record, four of a delivery. */
const char *counter_column(const struct account *a, unsigned i); /* "rx_packets"; a plain record's "packets" */
unsigned counter_count(const struct account *a);
uint64_t counter_get(const struct account *a, unsigned i, const struct party_tally *t);
void counter_set(const struct account *a, unsigned i, struct party_tally *t, uint64_t value);

#endif
