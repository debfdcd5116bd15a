/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sql.h -- what the ledger's files share of SQLite: connections, statements, errors as
 * sentences.
 *
 * Names of tables and columns are put into SQL with "%w" (sqlite3_mprintf's identifier quoting);
 * values are always bound. Thread: a connection belongs to one thread. */
#ifndef NETTALLY_LEDGER_SQL_H
#define NETTALLY_LEDGER_SQL_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdint.h>

#define LEDGER_APPLICATION_ID 0x4e74616c /* "Ntal" */
#define LEDGER_VERSION 3                 /* PRAGMA user_version */

/* The error of the last call on `db` as negative errno and sentence; a damaged file with what to
 * do. */
int sql_fail(sqlite3 *db, struct err *e);
/* The sentence for a file that is no sound ledger; returns -EUCLEAN. */
int sql_damaged(const char *path, const char *why, struct err *e);

int sql_exec(sqlite3 *db, struct err *e, const char *fmt, ...);
int sql_prepare(sqlite3 *db, sqlite3_stmt **ret, struct err *e, const char *fmt, ...);
/* The first column of the first row; `fallback` where there is none or it is NULL. */
int sql_number(sqlite3 *db, int64_t *ret, int64_t fallback, struct err *e, const char *fmt, ...);
/* Steps to the end and resets, also after an error. */
int sql_run(sqlite3_stmt *s, struct err *e);
/* 1 = a row, 0 = no more, negative errno; no reset. */
int sql_step(sqlite3_stmt *s, struct err *e);
/* Counters are unsigned 64-bit in C and signed in SQLite: what does not fit stays at 2^63 - 1. */
void sql_bind_counter(sqlite3_stmt *s, int at, uint64_t v);

/* A growing piece of SQL text; sticks at NULL when memory runs out (sqlite3_str does). */
int sql_prepare_str(sqlite3 *db, sqlite3_stmt **ret, sqlite3_str *text, struct err *e);
int sql_exec_str(sqlite3 *db, sqlite3_str *text, struct err *e);

/* Adds the functions that our statements use: counter_sum(X), an exact sum that stays at 2^63 -
 * 1 instead of failing; in_prefix(TEXT, PREFIX), PREFIX bound with sqlite3_bind_pointer(...,
 * "prefix"); note_update(), always 1, which counts its calls in *updates. */
int sql_add_functions(sqlite3 *db, uint64_t *updates, struct err *e);

#endif
