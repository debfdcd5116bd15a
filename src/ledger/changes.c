/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which windows changed, in which order, and what is held for sinks.
 *
 * A window has no number while it may still grow. It gets the next one in the booking that comes behind its end, and another
 * one at each later change. Numbers rise in the order of the commits, so a sink that has all up to its cursor misses nothing. */
#include "ledger/changes.h"

#include <errno.h>

int changes_prepare(struct ledger *l, struct err *e)
{
	const struct {
		sqlite3_stmt **ret;
		const char *sql;
	} all[] = {
		{ &l->get_seq, "SELECT value FROM meta WHERE key = 'seq'" },
		{ &l->put_seq, "UPDATE meta SET value = ?1 WHERE key = 'seq'" },
		/* What was rolled up is whole no more, so it is not sent in its part. */
		{ &l->note_change, "INSERT INTO changed SELECT ?1, ?2, ?3, NULL WHERE NOT EXISTS (SELECT 1 FROM account "
				   "WHERE id = ?1 AND rolled_until > ?3) ON CONFLICT DO UPDATE SET seq = NULL" },
		{ &l->next_over, "SELECT account, length, window FROM changed WHERE seq IS NULL AND window + length <= ?1 "
				 "ORDER BY window + length LIMIT 1" },
		{ &l->number_change, "UPDATE changed SET seq = ?4 WHERE account = ?1 AND length = ?2 AND window = ?3" },
		{ &l->is_unsent, "SELECT EXISTS (SELECT 1 FROM changed WHERE account = ?1 AND length = ?2 AND window >= ?3 "
				 "AND window < ?4 AND (seq IS NULL OR seq > (SELECT seq FROM sink WHERE name = ?5))) "
				 "OR EXISTS (SELECT 1 FROM rejected WHERE sink = ?5 AND account = ?1 AND length = ?2 "
				 "AND window >= ?3 AND window < ?4)" },
		{ &l->add_unsent, "UPDATE sink SET expired = expired + ?2 WHERE name = ?1" },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all && r == 0; i++)
		r = sql_prepare(l->db, all[i].ret, e, "%s", all[i].sql);
	return r;
}

void changes_close(struct ledger *l)
{
	sqlite3_stmt **all[] = { &l->get_seq, &l->put_seq, &l->note_change, &l->next_over, &l->number_change,
				 &l->is_unsent, &l->add_unsent };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		sqlite3_finalize(*all[i]);
		*all[i] = NULL;
	}
}

int changes_begin(struct ledger *l, struct err *e)
{
	int r = sql_step(l->get_seq, e);

	if (r == 1)
		l->seq = (uint64_t)sqlite3_column_int64(l->get_seq, 0);
	sqlite3_reset(l->get_seq);
	return r < 0 ? r : 0;
}

uint64_t changes_next(struct ledger *l)
{
	return ++l->seq;
}

static int count_expired_for(struct ledger *l, const struct held_sink *s, uint64_t records, struct err *e)
{
	sqlite3_bind_text(l->add_unsent, 1, s->name, -1, SQLITE_STATIC);
	sql_bind_counter(l->add_unsent, 2, records);
	return sql_run(l->add_unsent, e);
}

static bool has_account(const struct held_sink *s, int64_t account)
{
	for (size_t i = 0; i < s->account_count; i++)
		if (s->accounts[i] == account)
			return true;
	return false;
}

int changes_note(struct ledger *l, const struct ledger_table *t, const struct batch *b, struct err *e)
{
	sqlite3_bind_int64(l->note_change, 1, t->id);
	sqlite3_bind_int64(l->note_change, 2, b->account->every_s);
	sqlite3_bind_int64(l->note_change, 3, b->window_utc_s);
	int r = sql_run(l->note_change, e);
	if (r < 0 || sqlite3_changes(l->db) > 0)
		return r;
	for (size_t i = 0; i < l->sink_count && r == 0; i++)
		if (has_account(&l->sinks[i], t->id))
			r = count_expired_for(l, &l->sinks[i], b->count, e);
	return r;
}

static int number(struct ledger *l, sqlite3_stmt *over, struct err *e)
{
	for (int i = 0; i < 3; i++)
		sqlite3_bind_int64(l->number_change, i + 1, sqlite3_column_int64(over, i));
	sqlite3_bind_int64(l->number_change, 4, (int64_t)changes_next(l));
	sqlite3_reset(over);
	return sql_run(l->number_change, e);
}

int changes_end(struct ledger *l, int64_t taken_utc_s, struct err *e)
{
	int r;

	sqlite3_bind_int64(l->next_over, 1, taken_utc_s - CHANGES_SLACK_S);
	while ((r = sql_step(l->next_over, e)) == 1) {
		r = number(l, l->next_over, e);
		if (r < 0)
			return r;
	}
	sqlite3_reset(l->next_over);
	if (r < 0)
		return r;
	sqlite3_bind_int64(l->put_seq, 1, (int64_t)l->seq);
	return sql_run(l->put_seq, e);
}

/* ---- what is held ---- */

static int is_unsent(struct ledger *l, const struct held_sink *k, const struct ledger_table *t, const struct change_span *s,
		     struct err *e)
{
	sqlite3_bind_int64(l->is_unsent, 1, t->id);
	sqlite3_bind_int64(l->is_unsent, 2, s->length_s);
	sqlite3_bind_int64(l->is_unsent, 3, s->window);
	sqlite3_bind_int64(l->is_unsent, 4, s->end);
	sqlite3_bind_text(l->is_unsent, 5, k->name, -1, SQLITE_STATIC);
	int r = sql_step(l->is_unsent, e);
	if (r == 1)
		r = sqlite3_column_int(l->is_unsent, 0) != 0;
	sqlite3_reset(l->is_unsent);
	return r;
}

int changes_is_held(struct ledger *l, const struct ledger_table *t, const struct change_span *s, int64_t now_utc_s, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->sink_count && r == 0; i++) {
		const struct held_sink *k = &l->sinks[i];

		if (!has_account(k, t->id) || s->end <= now_utc_s - (int64_t)k->hold_s || l->facts.size_bytes > k->hold_bytes)
			continue;
		r = is_unsent(l, k, t, s, e);
	}
	return r;
}

/* What of the span sink `k` has not got: records. */
static int count_unsent(struct ledger *l, const struct held_sink *k, const struct ledger_table *t, const struct change_span *s,
			int64_t *ret, struct err *e)
{
	return sql_number(l->db, ret, 0, e,
			  "SELECT count(*) FROM \"%w\" AS r WHERE length = %u AND window >= %lld AND window < %lld AND ("
			  "EXISTS (SELECT 1 FROM changed AS c WHERE c.account = %lld AND c.length = r.length "
			  "AND c.window = r.window "
			  "AND (seq IS NULL OR seq > (SELECT seq FROM sink WHERE name = %Q))) OR "
			  "EXISTS (SELECT 1 FROM rejected AS x WHERE x.sink = %Q AND x.account = %lld AND x.length = r.length "
			  "AND "
			  "x.window = r.window))",
			  t->records, s->length_s, (long long)s->window, (long long)s->end, (long long)t->id, k->name, k->name,
			  (long long)t->id);
}

int changes_drop(struct ledger *l, const struct ledger_table *t, const struct change_span *s, struct err *e)
{
	int r = 0;

	if (s->length_s > t->account->every_s)
		return 0; /* sums of windows, which are not sent */
	for (size_t i = 0; i < l->sink_count && r == 0; i++) {
		int64_t records = 0;

		if (!has_account(&l->sinks[i], t->id) || (r = is_unsent(l, &l->sinks[i], t, s, e)) <= 0)
			continue;
		r = count_unsent(l, &l->sinks[i], t, s, &records, e);
		if (r == 0)
			r = count_expired_for(l, &l->sinks[i], (uint64_t)records, e);
	}
	if (r == 0)
		r = sql_exec(l->db, e,
				"DELETE FROM changed WHERE account = %lld AND length = %u "
				"AND window >= %lld AND window < %lld;"
				       "DELETE FROM rejected WHERE account = %lld AND length = %u "
				"AND window >= %lld AND window < %lld;"
				       "UPDATE account SET rolled_until = max(ifnull(rolled_until, %lld), %lld) WHERE id = %lld",
			     (long long)t->id, s->length_s, (long long)s->window, (long long)s->end,
			     (long long)t->id, s->length_s, (long long)s->window, (long long)s->end,
			     (long long)s->end, (long long)s->end, (long long)t->id);
	return r;
}
