/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema, and how an older file becomes one of this version: a table of steps, each one SQL
 * text, all in one transaction. A file of version 0 is a new one (or one whose making was cut
 * off): it gets the whole schema and no step. */
#include "ledger/internal.h"

#include <errno.h>
#include <string.h>

/* Any compiler of this century takes more than the 4095 bytes that C99 demands. */
#pragma GCC diagnostic ignored "-Woverlength-strings"
static const char schema_sql[] =
#include "schema_sql.inc"
	;

/* steps[i] brings version i to i + 1. Append here, change schema.sql to the same, raise
 * LEDGER_VERSION, and add a file of the old version (ledger_1.sql) to migrate_test.c. */
static const char *const steps[] = {
	[0] = schema_sql,
	/* An account may be called `epoch`: its view gives way, its records do not. */
	[1] = "DROP VIEW IF EXISTS epoch;"
	      "CREATE TABLE epoch(generation TEXT PRIMARY KEY NOT NULL, number INTEGER NOT NULL, "
	      "booked INTEGER NOT NULL) WITHOUT ROWID;"
	      "ALTER TABLE interface ADD COLUMN capture_why TEXT;"
	      "ALTER TABLE interface ADD COLUMN ingress_frame_bytes INTEGER NOT NULL DEFAULT 0;"
	      "ALTER TABLE interface ADD COLUMN egress_frame_bytes INTEGER NOT NULL DEFAULT 0;"
	      "ALTER TABLE interface ADD COLUMN ingress_l2_bytes INTEGER NOT NULL DEFAULT 0;"
	      "ALTER TABLE interface ADD COLUMN egress_l2_bytes INTEGER NOT NULL DEFAULT 0;"
	      "ALTER TABLE interface ADD COLUMN overflowed INTEGER NOT NULL DEFAULT 0;",
	/* Accounts may be called so: their views give way. */
	[2] = "DROP VIEW IF EXISTS expression;"
	      "CREATE TABLE expression(account INTEGER NOT NULL REFERENCES account(id), rule TEXT NOT NULL, "
	      "sum INTEGER NOT NULL, PRIMARY KEY(account, rule) ) WITHOUT ROWID;"
	      "ALTER TABLE interface ADD COLUMN filtered_more_packets INTEGER NOT NULL DEFAULT 0;"
	      "DROP VIEW IF EXISTS name;"
	      "DROP VIEW IF EXISTS held;"
	      "DROP VIEW IF EXISTS vendor;"
	      "DROP VIEW IF EXISTS changed;"
	      "DROP VIEW IF EXISTS sink;"
	      "CREATE TABLE name(key TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, name TEXT NOT NULL, "
	      "source TEXT NOT NULL, PRIMARY KEY(key, since) ) WITHOUT ROWID;"
	      "CREATE TABLE vendor(mac TEXT PRIMARY KEY NOT NULL, vendor TEXT NOT NULL) WITHOUT ROWID;"
	      "CREATE TABLE held(host TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, mac TEXT NOT NULL, "
	      "PRIMARY KEY(host, since) ) WITHOUT ROWID;"
	      "DROP VIEW IF EXISTS rejected;"
	      "CREATE TABLE changed(account INTEGER NOT NULL REFERENCES account(id), length INTEGER NOT NULL, "
	      "window INTEGER NOT NULL, seq INTEGER, PRIMARY KEY(account, length, window) ) WITHOUT ROWID;"
	      "CREATE UNIQUE INDEX changed_seq ON changed(seq) WHERE seq IS NOT NULL;"
	      "CREATE INDEX changed_open ON changed(window + length) WHERE seq IS NULL;"
	      "CREATE TABLE sink(name TEXT PRIMARY KEY NOT NULL, again INTEGER NOT NULL, seq INTEGER NOT NULL, "
	      "records INTEGER NOT NULL, rejected INTEGER NOT NULL, expired INTEGER NOT NULL ) WITHOUT ROWID;"
	      "CREATE TABLE rejected(sink TEXT NOT NULL REFERENCES sink(name), account INTEGER NOT NULL "
	      "REFERENCES account(id), length INTEGER NOT NULL, window INTEGER NOT NULL, records INTEGER NOT NULL, "
	      "why TEXT NOT NULL, retry INTEGER NOT NULL, PRIMARY KEY(sink, account, length, window) ) WITHOUT ROWID;"
	      "ALTER TABLE account ADD COLUMN rolled_until INTEGER;"
	      "ALTER TABLE device ADD COLUMN changed INTEGER;"
	      "ALTER TABLE device ADD COLUMN seq INTEGER;"
	      "UPDATE device SET changed = last_seen, seq = 1;",
};
_Static_assert(sizeof steps / sizeof *steps == LEDGER_VERSION, "a step for each version");

/* The windows that an older file has, as if they had just been booked. One look-up a window, no scan of the records. */
static int note_windows(sqlite3 *db, struct err *e)
{
	sqlite3_stmt *s;
	int r = sql_prepare(db, &s, e, "SELECT id, table_name, every_s FROM account"), more;

	if (r < 0)
		return r;
	while ((more = sql_step(s, e)) == 1 && r == 0) {
		const char *table = (const char *)sqlite3_column_text(s, 1);
		long long every_s = sqlite3_column_int64(s, 2);

		r = sql_exec(db, e,
			     "WITH RECURSIVE w(at) AS (SELECT min(window) FROM \"%w\" WHERE length = %lld UNION ALL "
			     "SELECT (SELECT min(window) FROM \"%w\" WHERE length = %lld AND window > w.at) FROM w "
			     "WHERE w.at IS NOT NULL) "
			     "INSERT INTO changed SELECT %lld, %lld, at, NULL FROM w WHERE at IS NOT NULL",
			     table, every_s, table, every_s, (long long)sqlite3_column_int64(s, 0), every_s);
	}
	sqlite3_finalize(s);
	return r < 0 ? r : more;
}

static int run_steps(sqlite3 *db, int64_t from, struct err *e)
{
	int r = 0;

	for (int64_t v = from; v < LEDGER_VERSION && r == 0; v = from ? v + 1 : LEDGER_VERSION)
		if (sqlite3_exec(db, steps[v], NULL, NULL, NULL) != SQLITE_OK)
			r = sql_fail(db, e);
	if (r == 0 && from && from < 3)
		r = note_windows(db, e);
	if (r == 0 && from == 0)
		r = sql_exec(db, e, "INSERT INTO meta VALUES('created', unixepoch()), ('bookings', 0), "
				    "('last_booked', NULL), ('forgotten_hosts', 0)");
	if (r == 0)
		r = sql_exec(db, e, "INSERT OR IGNORE INTO meta VALUES('id', lower(hex(randomblob(16)))), ('seq', 1)");
	if (r == 0)
		r = sql_exec(db, e, "REPLACE INTO meta VALUES('schema_version', %d), ('written_by', 'nettally %q'); "
				    "PRAGMA application_id = %d; PRAGMA user_version = %d",
			     LEDGER_VERSION, NETTALLY_VERSION, LEDGER_APPLICATION_ID, LEDGER_VERSION);
	return r;
}

int migrate(sqlite3 *db, struct err *e)
{
	int64_t version;
	int r = sql_number(db, &version, 0, e, "PRAGMA user_version");

	if (r < 0)
		return r;
	if (version > LEDGER_VERSION || version < 0)
		return err_set(e, -EPROTO, "%s: made by a newer nettally (ledger version %lld; this one knows up to %d)",
			       sqlite3_db_filename(db, "main"), (long long)version, LEDGER_VERSION);
	if (version == LEDGER_VERSION)
		return 0;
	r = sql_exec(db, e, "BEGIN EXCLUSIVE");
	if (r == 0)
		r = run_steps(db, version, e);
	if (r == 0)
		r = sql_exec(db, e, "COMMIT");
	if (r < 0)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}
