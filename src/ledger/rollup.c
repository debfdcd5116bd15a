/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rollup and retention by `keep`: windows past their age are summed into coarser ones, or
 * deleted and counted.
 *
 * A record is in exactly one level at any time, so the sum over a range stays what it was. One
 * step moves a whole number of windows into one coarser window, at most about MAINTAIN_ROWS
 * records; a larger window goes in parts, in the order of its keys. A window is moved once the
 * whole coarser window is past the age: that one is then written once. */
#include "ledger/account_row.h"
#include "ledger/changes.h"
#include "ledger/internal.h"

#include "base/clock.h"

#include <inttypes.h>

struct rule {
	uint32_t age_s;    /* 0 = for ever */
	uint32_t target_s; /* 0 = delete */
};

/* What becomes of records of `length_s`, also of one that today's `keep` does not know (it has
 * changed). */
static struct rule rule_for(const struct account *a, uint32_t length_s)
{
	size_t level = 0;

	while (level + 1 < a->keep_count && a->keep[level + 1].window_s <= length_s)
		level++;
	struct rule r = { .age_s = a->keep[level].age_s };
	for (size_t i = 0; i < a->keep_count; i++)
		if (a->keep[i].window_s > length_s && a->keep[i].window_s % length_s == 0) {
			r.target_s = a->keep[i].window_s;
			return r;
		}
	r.age_s = a->keep[a->keep_count - 1].age_s; /* nothing to be summed into */
	return r;
}

/* A run of windows of one length, from `window` to before `end`; the rows of the last may go
 * beyond the bound. */
struct span {
	uint32_t length_s;
	int64_t window, end;
	bool in_parts; /* one window with more than MAINTAIN_ROWS rows: only its first ones */
};

/* How many of the windows make a step. */
static int measure_span(struct ledger *l, const struct ledger_table *t, struct span *s, struct err *e)
{
	sqlite3_stmt *q;
	int64_t rows = 0, end = s->window;
	int r = sql_prepare(l->db, &q, e,
			    "SELECT window FROM \"%w\" WHERE length = %u AND window >= %" PRId64 " AND window < %" PRId64
			    " ORDER BY window LIMIT %d", t->records, s->length_s, s->window, s->end, MAINTAIN_ROWS + 1);

	if (r < 0)
		return r;
	while ((r = sql_step(q, e)) == 1) {
		int64_t window = sqlite3_column_int64(q, 0);

		if (++rows <= MAINTAIN_ROWS)
			end = window + s->length_s;
		else if (window < end)
			end = window; /* it does not fit whole */
	}
	sqlite3_finalize(q);
	if (r < 0)
		return r;
	if (rows <= MAINTAIN_ROWS)
		return 0;
	s->in_parts = end <= s->window;
	s->end = s->in_parts ? s->window + s->length_s : end;
	return 0;
}

static void append_where(sqlite3_str *q, const struct account *a, const struct span *s, const char *part_table)
{
	sqlite3_str_appendf(q, " WHERE length = %u AND window >= %lld AND window < %lld", s->length_s,
			    (long long)s->window, (long long)s->end);
	if (!s->in_parts)
		return;
	sqlite3_str_appendall(q, " AND (");
	append_keys(q, a, "\"%w\"");
	sqlite3_str_appendall(q, ") < (SELECT ");
	append_keys(q, a, "\"%w\"");
	sqlite3_str_appendf(q, " FROM temp.\"%w\")", part_table);
}

/* The first key that does not go with this part. */
static int mark_part(struct ledger *l, const struct ledger_table *t, const struct span *s, struct err *e)
{
	sqlite3_str *q;
	int r = sql_exec(l->db, e, "DROP TABLE IF EXISTS temp.part");

	if (r < 0 || !s->in_parts)
		return r;
	q = sqlite3_str_new(l->db);
	sqlite3_str_appendall(q, "CREATE TEMP TABLE part AS SELECT ");
	append_keys(q, t->account, "\"%w\"");
	sqlite3_str_appendf(q, " FROM \"%w\" WHERE length = %u AND window = %lld ORDER BY ", t->records, s->length_s,
			    (long long)s->window);
	append_keys(q, t->account, "\"%w\"");
	sqlite3_str_appendf(q, " LIMIT 1 OFFSET %d", MAINTAIN_ROWS);
	return sql_exec_str(l->db, q, e);
}

static int sum_into(struct ledger *l, const struct ledger_table *t, const struct span *s, uint32_t target_s,
		    struct err *e)
{
	const struct account *a = t->account;
	sqlite3_str *q = sqlite3_str_new(l->db);

	sqlite3_str_appendf(q, "INSERT INTO \"%w\"(length, window, ", t->records);
	append_keys(q, a, "\"%w\"");
	sqlite3_str_appendall(q, ", ");
	append_counters(q, a, "\"%w\"");
	sqlite3_str_appendf(q, ") SELECT %u, %lld, ", target_s, (long long)window_start(s->window, target_s));
	append_keys(q, a, "\"%w\"");
	sqlite3_str_appendall(q, ", ");
	append_counters(q, a, "counter_sum(\"%w\")");
	sqlite3_str_appendf(q, " FROM \"%w\"", t->records);
	append_where(q, a, s, "part");
	sqlite3_str_appendall(q, " GROUP BY ");
	append_keys(q, a, "\"%w\"");
	append_upsert(q, a);
	return sql_exec_str(l->db, q, e);
}

static int count_expired(struct ledger *l, const struct ledger_table *t, const struct span *s, struct err *e)
{
	struct party_tally sum = { 0 };
	sqlite3_stmt *st = NULL;
	sqlite3_str *q = sqlite3_str_new(l->db);

	sqlite3_str_appendall(q, "SELECT count(*), ");
	append_counters(q, t->account, "counter_sum(\"%w\")");
	sqlite3_str_appendf(q, " FROM \"%w\"", t->records);
	append_where(q, t->account, s, "part");
	int r = sql_prepare_str(l->db, &st, q, e);
	if (r < 0)
		return r;
	r = sql_step(st, e);
	uint64_t records = (uint64_t)sqlite3_column_int64(st, 0);
	for (unsigned i = 0; i < counter_count(t->account); i++)
		counter_set(t->account, i, &sum, (uint64_t)sqlite3_column_int64(st, (int)i + 1));
	sqlite3_finalize(st);
	return r < 0 ? r : expired_add(l, t->id, records, &sum, e);
}

static int delete_span(struct ledger *l, const struct ledger_table *t, const struct span *s, int64_t *ret_count,
		       struct err *e)
{
	sqlite3_str *q = sqlite3_str_new(l->db);

	sqlite3_str_appendf(q, "DELETE FROM \"%w\"", t->records);
	append_where(q, t->account, s, "part");
	int r = sql_exec_str(l->db, q, e);
	*ret_count = sqlite3_changes64(l->db);
	return r;
}

static int move(struct ledger *l, const struct ledger_table *t, const struct span *s, uint32_t target_s, struct err *e)
{
	int64_t made = 0, gone = 0;
	struct change_span c = { .length_s = s->length_s, .window = s->window, .end = s->end, .in_parts = s->in_parts };
	int r = mark_part(l, t, s, e);

	if (r == 0)
		r = changes_drop(l, t, &c, e);
	l->updates = 0;
	if (r == 0 && target_s) {
		r = sum_into(l, t, s, target_s, e);
		made = sqlite3_changes64(l->db) - (int64_t)l->updates;
	} else if (r == 0) {
		r = count_expired(l, t, s, e);
	}
	if (r == 0)
		r = delete_span(l, t, s, &gone, e);
	if (r < 0)
		return r;
	return sql_exec(l->db, e, "UPDATE account SET records = records + %lld WHERE id = %lld",
			(long long)(made - gone), (long long)t->id);
}

/* Takes the front of the span, as much as one step may, and sums it into `target_s` or deletes
 * it (0). */
static int span_step(struct ledger *l, const struct ledger_table *t, struct span *s, uint32_t target_s, struct err *e)
{
	int r = ledger_begin(l, e);

	if (r < 0)
		return r;
	r = measure_span(l, t, s, e);
	if (r == 0)
		r = move(l, t, s, target_s, e);
	r = ledger_end(l, r, e);
	return r < 0 ? r : 1;
}

/* The next length after `length_s` that the table has records of; 0 = none. A look-up, no scan. */
static int next_length(struct ledger *l, const struct ledger_table *t, uint32_t length_s, int64_t *ret, struct err *e)
{
	return sql_number(l->db, ret, 0, e, "SELECT min(length) FROM \"%w\" WHERE length > %u", t->records, length_s);
}

static int oldest_window(struct ledger *l, const struct ledger_table *t, uint32_t length_s, int64_t *ret, struct err *e)
{
	return sql_number(l->db, ret, INT64_MAX, e, "SELECT min(window) FROM \"%w\" WHERE length = %u", t->records, length_s);
}

static int level_step(struct ledger *l, struct ledger_table *t, uint32_t length_s, int64_t now_utc_s, struct err *e)
{
	struct rule rule = rule_for(t->account, length_s);
	uint32_t unit_s = rule.target_s ? rule.target_s : length_s;
	struct span s = { .length_s = length_s };

	if (rule.age_s == 0)
		return 0;
	int r = oldest_window(l, t, length_s, &s.window, e);
	if (r < 0 || s.window == INT64_MAX)
		return r;
	s.end = window_start(s.window, unit_s) + unit_s;
	if (s.end > now_utc_s - (int64_t)rule.age_s)
		return 0;
	struct change_span c = { .length_s = length_s, .window = s.window, .end = s.end };
	r = length_s <= t->account->every_s ? changes_is_held(l, t, &c, now_utc_s, e) : 0;
	if (r)
		return r < 0 ? r : 0;
	return span_step(l, t, &s, rule.target_s, e);
}

int rollup_step(struct ledger *l, struct ledger_table *t, int64_t now_utc_s, struct err *e)
{
	int64_t length_s = 0;
	int r;

	while ((r = next_length(l, t, (uint32_t)length_s, &length_s, e)) == 0 && length_s) {
		r = level_step(l, t, (uint32_t)length_s, now_utc_s, e);
		if (r)
			return r;
	}
	return r;
}

/* The oldest window of the finest level that the table has: whether it is raw, and where it
 * starts. */
int oldest_of(struct ledger *l, const struct ledger_table *t, struct oldest *ret, struct err *e)
{
	int64_t length_s;
	int r = next_length(l, t, 0, &length_s, e);

	*ret = (struct oldest){ .length_s = (uint32_t)length_s, .window = INT64_MAX };
	if (r < 0 || length_s == 0)
		return r;
	ret->is_raw = length_s <= t->account->every_s;
	return oldest_window(l, t, (uint32_t)length_s, &ret->window, e);
}

int expire_step(struct ledger *l, const struct ledger_table *t, const struct oldest *o, struct err *e)
{
	struct span s = { .length_s = o->length_s, .window = o->window, .end = o->window + o->length_s };

	return span_step(l, t, &s, 0, e);
}
