/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SQL of one account's tables: what differs from account to account are the columns.
 *
 * Number keys are INTEGER, where SQLite lets the texts "-" and "other" stand beside numbers. The
 * primary key begins with the length and the window: a window's records lie together, in the
 * order in which they are booked, and rollup, retention and a query of a range each read one run
 * of pages. */
#include "ledger/account_row.h"
#include "ledger/internal.h"

void append_keys(sqlite3_str *s, const struct account *a, const char *fmt)
{
	for (size_t i = 0; i < a->stored_count; i++) {
		if (i)
			sqlite3_str_appendall(s, ", ");
		sqlite3_str_appendf(s, fmt, field_name(a->stored[i]));
	}
}

void append_counters(sqlite3_str *s, const struct account *a, const char *fmt)
{
	for (unsigned i = 0; i < counter_count(a); i++) {
		if (i)
			sqlite3_str_appendall(s, ", ");
		sqlite3_str_appendf(s, fmt, counter_column(a, i));
	}
}

/* Where a sum leaves 63 bits SQLite makes a REAL of it, and the cast gives 2^63 - 1. */
void append_upsert(sqlite3_str *s, const struct account *a)
{
	sqlite3_str_appendall(s, " ON CONFLICT DO UPDATE SET ");
	for (unsigned i = 0; i < counter_count(a); i++)
		sqlite3_str_appendf(s, "%s\"%w\" = CAST(\"%w\" + excluded.\"%w\" AS INTEGER)", i ? ", " : "",
				    counter_column(a, i), counter_column(a, i), counter_column(a, i));
	sqlite3_str_appendall(s, " WHERE note_update()");
}

static void append_key_definitions(sqlite3_str *s, const struct account *a)
{
	for (size_t i = 0; i < a->stored_count; i++)
		sqlite3_str_appendf(s, "\t\"%w\"%s NOT NULL,\n", field_name(a->stored[i]),
				    field_is_number(a->stored[i]) ? " INTEGER" : " TEXT");
}

static int create_one(sqlite3 *db, const struct account *a, const char *table, const char *time_columns,
		      const char *time_keys, struct err *e)
{
	sqlite3_str *s = sqlite3_str_new(db);

	sqlite3_str_appendf(s, "CREATE TABLE \"%w\"(\n%s", table, time_columns);
	append_key_definitions(s, a);
	sqlite3_str_appendall(s, "\t");
	append_counters(s, a, "\"%w\" INTEGER NOT NULL");
	sqlite3_str_appendf(s, ",\n\tPRIMARY KEY(%s", time_keys);
	append_keys(s, a, "\"%w\"");
	sqlite3_str_appendall(s, ")\n) WITHOUT ROWID");
	return sql_exec_str(db, s, e);
}

int table_create(sqlite3 *db, const struct account *a, const char *records, const char *series, struct err *e)
{
	int r = create_one(db, a, records, "\twindow INTEGER NOT NULL,\n\tlength INTEGER NOT NULL,\n",
			   "length, window, ", e);

	return r < 0 ? r : create_one(db, a, series, "", "", e);
}

static void append_marks(sqlite3_str *s, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_str_appendall(s, i ? ", ?" : "?");
}

static void append_columns(sqlite3_str *s, const struct account *a)
{
	append_keys(s, a, "\"%w\"");
	sqlite3_str_appendall(s, ", ");
	append_counters(s, a, "\"%w\"");
}

static int prepare_series(struct ledger *l, struct ledger_table *t, struct err *e)
{
	const struct account *a = t->account;
	sqlite3_str *s = sqlite3_str_new(l->db);

	sqlite3_str_appendf(s, "REPLACE INTO \"%w\"(", t->series);
	append_columns(s, a);
	sqlite3_str_appendall(s, ") VALUES(");
	append_marks(s, a->stored_count + counter_count(a));
	sqlite3_str_appendall(s, ")");
	int r = sql_prepare_str(l->db, &t->put_series, s, e);
	if (r < 0)
		return r;
	s = sqlite3_str_new(l->db);
	sqlite3_str_appendf(s, "DELETE FROM \"%w\" WHERE (", t->series);
	append_keys(s, a, "\"%w\"");
	sqlite3_str_appendall(s, ") IS (");
	append_marks(s, a->stored_count);
	sqlite3_str_appendall(s, ")");
	return sql_prepare_str(l->db, &t->drop_series, s, e);
}

int table_prepare(struct ledger *l, struct ledger_table *t, struct err *e)
{
	const struct account *a = t->account;

	if (t->add)
		return 0;
	if (!t->put_series || !t->drop_series) {
		sqlite3_finalize(t->put_series);
		sqlite3_finalize(t->drop_series);
		t->put_series = t->drop_series = NULL;
		int r = prepare_series(l, t, e);
		if (r < 0)
			return r;
	}
	sqlite3_str *s = sqlite3_str_new(l->db);
	sqlite3_str_appendf(s, "INSERT INTO \"%w\"(length, window, ", t->records);
	append_columns(s, a);
	sqlite3_str_appendall(s, ") VALUES(");
	append_marks(s, 2 + a->stored_count + counter_count(a));
	sqlite3_str_appendall(s, ")");
	append_upsert(s, a);
	return sql_prepare_str(l->db, &t->add, s, e);
}
