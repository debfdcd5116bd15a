/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accounts and their tables: made at first sight, kept when the config forgets them, and set
 * aside under another name when the form changes (record_hosts becomes record_hosts_1). A form
 * that comes back gets its old records back. */
#include "ledger/account_row.h"
#include "ledger/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int name_is_taken(sqlite3 *db, const char *name, struct err *e)
{
	int64_t count;
	int r = sql_number(db, &count, 0, e, "SELECT count(*) FROM sqlite_schema WHERE name = %Q COLLATE NOCASE", name);

	return r < 0 ? r : count > 0;
}

/* "record_hosts", or from `first` on "record_hosts_1" and so on, whichever is free. */
static int free_name(sqlite3 *db, char name[static TABLE_NAME_MAX], const char *kind, const char *account, int first,
		     struct err *e)
{
	for (int n = first; n < 10000; n++) {
		if (n == 0)
			snprintf(name, TABLE_NAME_MAX, "%s_%s", kind, account);
		else
			snprintf(name, TABLE_NAME_MAX, "%s_%s_%d", kind, account, n);
		int r = name_is_taken(db, name, e);
		if (r <= 0)
			return r;
	}
	return err_set(e, -EEXIST, "%s: account %s has changed its form too often", sqlite3_db_filename(db, "main"),
		       account);
}

struct account_tables {
	int64_t id;
	bool is_current;
	char records[TABLE_NAME_MAX], series[TABLE_NAME_MAX];
};

/* 1 = found. `form` NULL: the current one of that name. */
static int find_tables(sqlite3 *db, struct account_tables *ret, const struct account *a, bool of_this_form, struct err *e)
{
	sqlite3_stmt *s;
	int r = sql_prepare(db, &s, e, "SELECT id, is_current, table_name, series_table FROM account WHERE name = ?1 AND %s",
			    of_this_form ? "source = ?2 AND keys = ?3" : "is_current");

	if (r < 0)
		return r;
	account_row_bind_form(s, a); /* binding what is not there is no error worth seeing */
	r = sql_step(s, e);
	if (r == 1) {
		ret->id = sqlite3_column_int64(s, 0);
		ret->is_current = sqlite3_column_int(s, 1);
		snprintf(ret->records, sizeof ret->records, "%s", (const char *)sqlite3_column_text(s, 2));
		snprintf(ret->series, sizeof ret->series, "%s", (const char *)sqlite3_column_text(s, 3));
	}
	sqlite3_finalize(s);
	return r;
}

static int rename_tables(sqlite3 *db, const struct account_tables *t, const struct account *a, int first, struct err *e)
{
	char records[TABLE_NAME_MAX], series[TABLE_NAME_MAX];
	int r = free_name(db, records, "record", a->name, first, e);

	if (r == 0)
		r = free_name(db, series, "series", a->name, first, e);
	if (r < 0)
		return r;
	return sql_exec(db, e,
			"ALTER TABLE \"%w\" RENAME TO \"%w\"; ALTER TABLE \"%w\" RENAME TO \"%w\"; "
			"UPDATE account SET table_name = %Q, series_table = %Q, is_current = %d WHERE id = %lld",
			t->records, records, t->series, series, records, series, first == 0, (long long)t->id);
}

/* The current form of that name makes room for another. */
static int set_aside(sqlite3 *db, const struct account *a, struct err *e)
{
	struct account_tables t;
	int r = find_tables(db, &t, a, false, e);

	return r <= 0 ? r : rename_tables(db, &t, a, 1, e);
}

static int insert_account(sqlite3 *db, const struct account *a, bool current, struct err *e)
{
	char records[TABLE_NAME_MAX], series[TABLE_NAME_MAX];
	sqlite3_stmt *s;
	int r = free_name(db, records, "record", a->name, current ? 0 : 1, e);

	if (r == 0)
		r = free_name(db, series, "series", a->name, current ? 0 : 1, e);
	if (r == 0)
		r = table_create(db, a, records, series, e);
	if (r == 0)
		r = sql_prepare(db, &s, e,
				"INSERT INTO account(name, source, keys, parties, self, groups, every_s, bytes, keep, "
				"table_name, series_table, is_current, configured, is_whole) "
				"VALUES(?1, ?2, ?3, '', 0, 0, 0, '', '', %Q, %Q, %d, 0, 1)",
				records, series, current);
	if (r < 0)
		return r;
	account_row_bind_form(s, a);
	r = sql_run(s, e);
	sqlite3_finalize(s);
	return r;
}

/* What may change while the records stay. */
static int update_account(sqlite3 *db, const struct account *a, bool configured, struct err *e)
{
	char keep[ACCOUNT_ROW_TEXT_MAX];
	bool whole = a->party && a->from == FROM_PACKETS && a->of == OF_BOTH && a->self && a->groups;
	sqlite3_stmt *s;
	int r = sql_prepare(db, &s, e,
			    "UPDATE account SET parties = %Q, self = %d, groups = %d, every_s = %lld, bytes = %Q, "
			    "keep = %Q, configured = %d, is_whole = is_whole AND %d "
			    "WHERE name = ?1 AND source = ?2 AND keys = ?3",
			    account_parties_text(a->of), a->self, a->groups, (long long)a->every_s,
			    a->bytes == BYTES_L3 ? "l3" : "l2", account_keep_text(a, keep), configured, whole);

	if (r < 0)
		return r;
	account_row_bind_form(s, a);
	r = sql_run(s, e);
	sqlite3_finalize(s);
	return r;
}

static int define_one(sqlite3 *db, const struct account *a, struct err *e)
{
	struct account_tables t;
	int r = find_tables(db, &t, a, true, e);

	if (r < 0)
		return r;
	bool found = r == 1;
	if (!found || !t.is_current)
		r = set_aside(db, a, e);
	if (r >= 0 && found && !t.is_current)
		r = rename_tables(db, &t, a, 0, e);
	if (r >= 0 && !found)
		r = insert_account(db, a, true, e);
	return r < 0 ? r : update_account(db, a, true, e);
}

/* Runs each line of SQL that `select` gives. */
static int run_generated(sqlite3 *db, const char *select, struct err *e)
{
	sqlite3_str *all = sqlite3_str_new(db);
	sqlite3_stmt *s;
	int r = sql_prepare(db, &s, e, "%s", select);

	if (r < 0) {
		sqlite3_free(sqlite3_str_finish(all));
		return r;
	}
	while ((r = sql_step(s, e)) == 1)
		sqlite3_str_appendf(all, "%s;", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	sqlite3_str_appendall(all, ";");
	int r2 = sql_exec_str(db, all, r < 0 ? NULL : e);
	return r < 0 ? r : r2;
}

static const char drop_views[] =
	"SELECT format('DROP VIEW \"%w\"', s.name) FROM sqlite_schema s JOIN account a ON a.name = s.name "
	"WHERE s.type = 'view' AND a.is_current";
/* No view where a table has the name already (an account may be called `host`). */
static const char make_views[] =
	"SELECT format('CREATE VIEW \"%w\" AS SELECT datetime(window, ''unixepoch'') AS start, * FROM \"%w\"', "
	"a.name, a.table_name) FROM account a "
	"WHERE a.is_current AND a.name NOT IN (SELECT name FROM sqlite_schema) AND a.name NOT LIKE 'sqlite!_%' ESCAPE '!'";

static int define_all(sqlite3 *db, struct account *const *accounts, size_t count, struct err *e)
{
	int r = run_generated(db, drop_views, e);

	if (r == 0)
		r = sql_exec(db, e, "UPDATE account SET configured = 0 WHERE configured");
	for (size_t i = 0; i < count && r == 0; i++)
		r = define_one(db, accounts[i], e);
	return r < 0 ? r : run_generated(db, make_views, e);
}

int ledger_define(struct ledger *l, struct account *const *accounts, size_t count, struct err *e)
{
	int r = ledger_ready(l, e);

	if (r < 0)
		return r;
	r = ledger_begin(l, e);
	if (r == 0)
		r = ledger_end(l, define_all(l->db, accounts, count, e), e);
	return r < 0 ? r : ledger_tables_load(l, e);
}

void ledger_tables_close(struct ledger *l)
{
	for (size_t i = 0; i < l->table_count; i++) {
		sqlite3_finalize(l->tables[i].add);
		sqlite3_finalize(l->tables[i].put_series);
		sqlite3_finalize(l->tables[i].drop_series);
		l->tables[i].add = l->tables[i].put_series = l->tables[i].drop_series = NULL;
	}
}

static void free_tables(struct ledger_table *tables, size_t count)
{
	for (size_t i = 0; i < count; i++)
		account_unref(&tables[i].account);
	free(tables);
}

void ledger_tables_free(struct ledger *l)
{
	ledger_tables_close(l);
	free_tables(l->tables, l->table_count);
	l->tables = NULL;
	l->table_count = 0;
}

static int load_one(struct ledger_table *t, sqlite3_stmt *s, struct err *e)
{
	int r = account_row_read(&t->account, s, 4, e);

	if (r < 0)
		return r;
	t->id = sqlite3_column_int64(s, 0);
	t->is_configured = sqlite3_column_int(s, 1);
	snprintf(t->records, sizeof t->records, "%s", (const char *)sqlite3_column_text(s, 2));
	snprintf(t->series, sizeof t->series, "%s", (const char *)sqlite3_column_text(s, 3));
	return 0;
}

int ledger_tables_load(struct ledger *l, struct err *e)
{
	struct ledger_table *tables = NULL;
	size_t count = 0;
	sqlite3_stmt *s;
	int r = sql_prepare(l->db, &s, e, "SELECT id, configured, table_name, series_table, " ACCOUNT_ROW_COLUMNS
					  " FROM account ORDER BY id");

	if (r < 0)
		return r;
	while ((r = sql_step(s, e)) == 1) {
		struct ledger_table *more = realloc(tables, (count + 1) * sizeof *more);

		if (!more) {
			r = err_set(e, -ENOMEM, "the ledger: out of memory");
			break;
		}
		tables = more;
		tables[count] = (struct ledger_table){ 0 };
		r = load_one(&tables[count], s, e);
		if (r < 0)
			break;
		count++;
	}
	sqlite3_finalize(s);
	if (r < 0) {
		free_tables(tables, count);
		return r;
	}
	ledger_tables_free(l);
	l->tables = tables;
	l->table_count = count;
	return 0;
}

static struct ledger_table *find_table(struct ledger *l, const struct account *a)
{
	for (size_t i = 0; i < l->table_count; i++)
		if (strcmp(l->tables[i].account->name, a->name) == 0 && account_same_form(l->tables[i].account, a))
			return &l->tables[i];
	return NULL;
}

static int add_unknown(sqlite3 *db, const struct account *a, struct err *e)
{
	struct account_tables t;
	int r = find_tables(db, &t, a, false, e);

	if (r >= 0)
		r = insert_account(db, a, r == 0, e);
	return r < 0 ? r : update_account(db, a, false, e);
}

int ledger_table_of(struct ledger *l, const struct account *a, struct ledger_table **ret, struct err *e)
{
	int r = 0;

	*ret = find_table(l, a);
	if (*ret)
		return 0;
	r = ledger_begin(l, e);
	if (r == 0)
		r = ledger_end(l, add_unknown(l->db, a, e), e);
	if (r == 0)
		r = ledger_tables_load(l, e);
	if (r < 0)
		return r;
	*ret = find_table(l, a);
	return *ret ? 0 : err_set(e, -EIO, "the ledger: account %s has no table", a->name);
}

/* The file may be a new one: all that was configured is defined there again. */
int ledger_define_again(struct ledger *l, struct err *e)
{
	struct account **configured = calloc(l->table_count + 1, sizeof *configured);
	size_t count = 0;
	int r;

	if (!configured)
		return err_set(e, -ENOMEM, "the ledger: out of memory");
	for (size_t i = 0; i < l->table_count; i++)
		if (l->tables[i].is_configured)
			configured[count++] = l->tables[i].account;
	r = ledger_begin(l, e);
	if (r == 0)
		r = ledger_end(l, define_all(l->db, configured, count, e), e);
	free(configured);
	return r < 0 ? r : ledger_tables_load(l, e);
}
