/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/cursors.h"

#include "ledger/changes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void free_sinks(struct held_sink *sinks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(sinks[i].accounts);
	free(sinks);
}

void cursors_free(struct ledger *l)
{
	free_sinks(l->sinks, l->sink_count);
	l->sinks = NULL;
	l->sink_count = 0;
}

static int make_one(struct ledger *l, struct held_sink *to, const struct ledger_sink *from, struct err *e)
{
	snprintf(to->name, sizeof to->name, "%s", from->name);
	to->hold_s = from->hold_s;
	to->hold_bytes = from->hold_bytes ? from->hold_bytes : UINT64_MAX;
	to->accounts = malloc((from->account_count + 1) * sizeof *to->accounts);
	if (!to->accounts)
		return err_set(e, -ENOMEM, "the ledger: out of memory");
	for (size_t i = 0; i < from->account_count; i++) {
		struct ledger_table *t;
		int r = ledger_table_of(l, from->accounts[i], &t, e);

		if (r < 0)
			return r;
		to->accounts[to->account_count++] = t->id;
	}
	return sql_exec(l->db, e, "INSERT OR IGNORE INTO sink VALUES(%Q, 0, 0, 0, 0, 0)", to->name);
}

int ledger_set_sinks(struct ledger *l, const struct ledger_sink *sinks, size_t count, struct err *e)
{
	struct held_sink *made = calloc(count + 1, sizeof *made);
	int r = made ? ledger_ready(l, e) : err_set(e, -ENOMEM, "the ledger: out of memory");

	for (size_t i = 0; i < count && r == 0; i++)
		r = make_one(l, &made[i], &sinks[i], e);
	if (r < 0) {
		if (made)
			free_sinks(made, count);
		return r;
	}
	cursors_free(l);
	l->sinks = made;
	l->sink_count = count;
	return 0;
}

/* Each window of the note, by a statement whose first parameters are the sink, the account, the length, the window. */
static int for_windows(const struct ledger_sink_note *n, sqlite3_stmt *s, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n->window_count && r == 0; i++) {
		sqlite3_bind_text(s, 1, n->sink, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 2, n->windows[i].account);
		sqlite3_bind_int64(s, 3, n->windows[i].length_s);
		sqlite3_bind_int64(s, 4, n->windows[i].start_utc_s);
		r = sql_run(s, e);
	}
	return r;
}

static int note_windows(struct ledger *l, const struct ledger_sink_note *n, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int r;

	if (n->window_count == 0)
		return 0;
	if (n->rejected_why) {
		r = sql_prepare(l->db, &s, e, "REPLACE INTO rejected VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0)");
		if (r == 0) {
			sql_bind_counter(s, 5, n->rejected_records);
			sqlite3_bind_text(s, 6, n->rejected_why, -1, SQLITE_STATIC);
		}
	} else {
		int64_t any;

		r = sql_number(l->db, &any, 0, e, "SELECT EXISTS (SELECT 1 FROM rejected WHERE sink = %Q)", n->sink);
		if (r < 0 || !any)
			return r;
		r = sql_prepare(l->db, &s, e,
				"DELETE FROM rejected WHERE sink = ?1 AND account = ?2 AND length = ?3 AND window = ?4");
	}
	if (r == 0)
		r = for_windows(n, s, e);
	sqlite3_finalize(s);
	return r;
}

static int note(struct ledger *l, const struct ledger_sink_note *n, struct err *e)
{
	int r = sql_exec(l->db, e, "UPDATE sink SET records = records + %lld, rejected = rejected + %lld WHERE name = %Q;"
				   "UPDATE sink SET seq = %lld WHERE name = %Q AND again = %lld AND seq < %lld",
			 (long long)n->records, (long long)(n->rejected_why ? n->rejected_records : 0), n->sink,
					(long long)n->seq,
			 n->sink, (long long)n->again, (long long)n->seq);

	return r < 0 ? r : note_windows(l, n, e);
}

int ledger_note_sink(struct ledger *l, const struct ledger_sink_note *n, struct err *e)
{
	int r = ledger_ready(l, e);

	if (r == 0)
		r = ledger_begin(l, e);
	return r < 0 ? r : ledger_end(l, note(l, n, e), e);
}

static int retry(struct ledger *l, const char *sink, bool from_start, uint64_t *ret_windows, struct err *e)
{
	int64_t windows = 0, found;
	int r = sql_number(l->db, &found, 0, e, "SELECT count(*) FROM sink WHERE name = %Q", sink);

	if (r == 0 && !found)
		return err_set(e, -ENOENT, "the ledger knows no sink '%.60s'", sink);
	if (r == 0 && from_start)
		r = sql_exec(l->db, e, "UPDATE sink SET again = again + 1, seq = 0 WHERE name = %Q;"
				       "DELETE FROM rejected WHERE sink = %Q", sink, sink);
	else if (r == 0)
		r = sql_exec(l->db, e, "UPDATE rejected SET retry = 1 WHERE sink = %Q", sink);
	if (r == 0)
		r = sql_number(l->db, &windows, 0, e,
			       from_start ? "SELECT count(*) FROM changed"
					: "SELECT count(*) FROM rejected WHERE sink = %Q", sink);
	*ret_windows = (uint64_t)windows;
	return r;
}

int ledger_retry_sink(struct ledger *l, const char *sink, bool from_start, uint64_t *ret_windows, struct err *e)
{
	int r = ledger_ready(l, e);

	if (r == 0)
		r = ledger_begin(l, e);
	return r < 0 ? r : ledger_end(l, retry(l, sink, from_start, ret_windows, e), e);
}
