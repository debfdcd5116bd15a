/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/postgresql_table.h"

#include <errno.h>

static bool is_true(const PGresult *r, int row, int column)
{
	return *PQgetvalue(r, row, column) == 't';
}

/* ---- the catalog ---- */

static const char catalog[] =
	"SELECT a.attname, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, a.attnotnull, "
	"a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '', format_type(a.atttypid, NULL), t.typcategory, "
	"c.relkind = 'p', coalesce(obj_description(c.oid, 'pg_class'), '') = 'nettally: made by a sink' "
	"FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid "
	"WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

enum { C_NAME, C_TYPE, C_NOT_NULL, C_HAS_DEFAULT, C_TYPE_NAME, C_CATEGORY, C_PARTITIONED, C_OURS };

static int read_catalog(struct pg_link *l, PGresult **ret, const struct pg_table *t, struct err *e)
{
	const char *parameters[] = { t->place.quoted };

	return pg_ask(l, ret, catalog, 1, parameters, e);
}

static int find_row(const PGresult *r, const char *name)
{
	for (int i = 0; i < PQntuples(r); i++)
		if (strcmp(PQgetvalue(r, i, C_NAME), name) == 0)
			return i;
	return -1;
}

/* The row of the catalog that a column goes to, -1 = none. */
static int row_of(const PGresult *r, const struct column_map *m)
{
	int row = find_row(r, m->alias);

	return row >= 0 ? row : find_row(r, pg_schema_alias(m));
}

static int column_of(struct pg_column *col, const PGresult *r, int row, const struct pg_table *t, struct err *e)
{
	const struct column_map *m = col->map;

	snprintf(col->name, sizeof col->name, "%s", PQgetvalue(r, row, C_NAME));
	snprintf(col->type, sizeof col->type, "%s", PQgetvalue(r, row, C_TYPE_NAME));
	col->not_null = is_true(r, row, C_NOT_NULL);
	col->class = pg_class_of((uint32_t)strtoul(PQgetvalue(r, row, C_TYPE), NULL, 10));
	if (col->class == PG_OTHER && *PQgetvalue(r, row, C_CATEGORY) == 'S')
		col->class = PG_TEXT;
	if (!m)
		return 0;
	col->value = pg_value_of(m);
	if (!pg_fits(col->value, col->class))
		return err_set(e, -EINVAL, "table %s: column %s is %s, which cannot hold what columns put there (%s)",
			       t->place.quoted, col->name, col->type,
			       m->of == COLUMN_OF_KEY     ? field_name(m->field)
			       : m->of == COLUMN_OF_TIME  ? "the time of a window"
							  : "a number");
	/* a constant for a number or an address: let the server convert */
	if (m->of != COLUMN_OF_KEY && col->value == PG_VALUE_TEXT && col->class != PG_TEXT)
		col->class = PG_OTHER;
	return 0;
}

static int add_is_other(struct pg_table *t, const PGresult *r, struct err *e)
{
	int row = find_row(r, "is_other");

	if (row < 0 || !t->is_ours)
		return 0;
	for (size_t i = 0; i < t->columns.count; i++)
		if (strcmp(t->columns.at[i].name, "is_other") == 0)
			return 0;
	return column_of(&t->columns.at[t->columns.count++], r, row, t, e);
}

/* A column that must have a value, and that nothing gives one. */
static int check_unfilled(const struct pg_table *t, const PGresult *r, struct err *e)
{
	for (int row = 0; row < PQntuples(r); row++) {
		bool filled = is_true(r, row, C_HAS_DEFAULT) || !is_true(r, row, C_NOT_NULL);

		for (size_t i = 0; i < t->columns.count && !filled; i++)
			filled = strcmp(t->columns.at[i].name, PQgetvalue(r, row, C_NAME)) == 0;
		if (!filled)
			return err_set(e, -EINVAL, "table %s: column %s is NOT NULL, has no default, and is not among columns",
				       t->place.quoted, PQgetvalue(r, row, C_NAME));
	}
	return 0;
}

static int map_columns(struct pg_table *t, const PGresult *r, struct err *e)
{
	const struct columns *c = &t->table->columns;

	t->columns = (struct pg_columns){ .is_binary = true };
	for (size_t i = 0; i < c->count; i++) {
		struct pg_column *col = &t->columns.at[t->columns.count++];
		int row = row_of(r, &c->at[i]);

		if (row < 0)
			return err_set(e, -EINVAL, "table %s has no column %s; add it, or name another in columns",
				       t->place.quoted, c->at[i].alias);
		*col = (struct pg_column){ .map = &c->at[i], .cell = i };
		int err = column_of(col, r, row, t, e);
		if (err < 0)
			return err;
		if (c->at[i].of == COLUMN_OF_TIME)
			t->time = col;
		t->has_node |= c->at[i].of == COLUMN_OF_NODE;
	}
	int err = add_is_other(t, r, e);
	for (size_t i = 0; i < t->columns.count; i++)
		t->columns.is_binary &= t->columns.at[i].class != PG_OTHER;
	return err < 0 ? err : check_unfilled(t, r, e);
}

/* ---- tables made here ---- */

static int ask_bool(struct pg_link *l, bool *ret, const char *sql, struct err *e)
{
	PGresult *res;
	int r = pg_ask(l, &res, sql, 0, NULL, e);

	if (r < 0)
		return r;
	*ret = PQntuples(res) > 0;
	PQclear(res);
	return 0;
}

/* One step that may fail: what came before it in the transaction stays. 1 = it is done. */
static int try_step(struct pg_link *l, struct sql_buffer *sql, struct err *e)
{
	int r = pg_run_text(l, "SAVEPOINT nettally_step", e);

	if (r < 0) {
		sql_buffer_free(sql);
		return r;
	}
	if (pg_run(l, sql, NULL) == 0)
		return 1;
	return pg_run_text(l, "ROLLBACK TO nettally_step", e);
}

static int has_timescaledb(struct pg_link *l, struct err *e)
{
	struct sql_buffer make = { 0 };
	bool is_there;
	int r = ask_bool(l, &is_there, "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'", e);

	if (r < 0 || is_there)
		return r < 0 ? r : 1;
	r = ask_bool(l, &is_there, "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'", e);
	if (r < 0 || !is_there)
		return r;
	sql_add(&make, "CREATE EXTENSION timescaledb"); /* may want another user: then plain partitions will do */
	return try_step(l, &make, e);
}

static int make_hypertable(struct pg_table *t, struct pg_link *l, const struct pg_options *o, struct err *e)
{
	struct sql_buffer sql = { 0 };

	pg_schema_hypertable(&sql, &t->place, t->table);
	int r = pg_run(l, &sql, e);
	if (r == 0 && o->compress_s) { /* the edition without it goes on without */
		pg_schema_compression(&sql, &t->place, t->table);
		r = try_step(l, &sql, e);
		if (r == 1) {
			pg_schema_compression_policy(&sql, &t->place, o->compress_s);
			r = try_step(l, &sql, e);
		}
	}
	return r < 0 ? r : 0;
}

static int create(struct pg_table *t, struct pg_link *l, const struct pg_options *o, struct err *e)
{
	struct sql_buffer sql = { 0 };
	bool of_account = t->table->account != NULL;
	int hyper = 0;

	if (strlen(t->place.name) > PG_PARTITION_NAME_MAX)
		return err_set(e, -EINVAL, "table %s: a table that is to be made has a name of up to %d letters", t->place.name,
			       PG_PARTITION_NAME_MAX);
	if (of_account && o->timescaledb)
		hyper = has_timescaledb(l, e);
	if (hyper < 0)
		return hyper;
	pg_schema_create(&sql, &t->place, t->table, of_account && !hyper);
	int r = pg_run(l, &sql, e);
	return r == 0 && hyper ? make_hypertable(t, l, o, e) : r;
}

static int add_missing(struct pg_table *t, struct pg_link *l, const PGresult *r, struct err *e)
{
	const struct columns *c = &t->table->columns;
	struct sql_buffer sql = { 0 };

	for (size_t i = 0; i < c->count; i++) {
		if (row_of(r, &c->at[i]) >= 0)
			continue;
		sql_add(&sql, "ALTER TABLE ");
		sql_add(&sql, t->place.quoted);
		sql_add(&sql, " ADD COLUMN ");
		pg_schema_column(&sql, &c->at[i]);
		/* rows that are there were written before anybody asked */
		sql_add(&sql, pg_value_of(&c->at[i]) == PG_VALUE_TEXT ? " DEFAULT '-'; " : "");
		sql_add(&sql, c->at[i].of == COLUMN_OF_COUNTER || c->at[i].of == COLUMN_OF_LENGTH ? " DEFAULT 0; " : "; ");
	}
	if (sql.len == 0)
		return 0;
	int err = pg_run(l, &sql, e);
	return err < 0 ? err : 1;
}

/* TimescaleDB expires by itself; `keep` may have changed. */
static int set_retention(struct pg_table *t, struct pg_link *l, const struct pg_options *o, struct err *e)
{
	struct sql_buffer sql = { 0 };
	bool is_there;

	if (!t->is_ours || t->is_partitioned || !t->table->account || !o->keep_s)
		return 0;
	int r = ask_bool(l, &is_there, "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'", e);
	if (r < 0 || !is_there)
		return r;
	pg_schema_retention(&sql, &t->place, o->keep_s);
	r = try_step(l, &sql, e);
	return r < 0 ? r : 0;
}

static int find_or_create(struct pg_table *t, struct pg_link *l, const struct pg_options *o, struct err *e)
{
	PGresult *r = NULL;
	int err = read_catalog(l, &r, t, e);

	if (err == 0 && PQntuples(r) == 0) {
		err = create(t, l, o, e);
		PQclear(r);
		r = NULL;
		if (err == 0)
			err = read_catalog(l, &r, t, e);
	}
	if (err == 0 && PQntuples(r) == 0)
		err = err_set(e, -EAGAIN, "table %s is not there", t->place.quoted);
	if (err < 0) {
		PQclear(r);
		return err;
	}
	t->is_partitioned = is_true(r, 0, C_PARTITIONED);
	t->is_ours = is_true(r, 0, C_OURS);
	err = t->is_ours ? add_missing(t, l, r, e) : 0;
	if (err == 1) {
		PQclear(r);
		r = NULL;
		err = read_catalog(l, &r, t, e);
	}
	if (err == 0)
		err = map_columns(t, r, e);
	PQclear(r);
	return err < 0 ? err : set_retention(t, l, o, e);
}

/* ---- what is there already ---- */

static const char *account_of(const struct pg_table *t)
{
	return t->table->account ? t->table->account->name : "-";
}

/* Rows without a node cannot be told from those of another node, which would be removed with ours. */
static int check_alone(const struct pg_table *t, struct pg_link *l, const char *state, const struct pg_options *o,
		       struct err *e)
{
	const char *parameters[] = { t->place.quoted, o->node };
	char sql[PG_QUOTED_MAX + 96];
	PGresult *res;

	if (t->has_node || !t->table->account)
		return 0;
	snprintf(sql, sizeof sql, "SELECT node FROM %s WHERE name = $1 AND node <> $2 LIMIT 1", state);
	int r = pg_ask(l, &res, sql, 2, parameters, e);
	if (r < 0)
		return r;
	if (PQntuples(res) > 0)
		r = err_set(e, -EINVAL,
			    "table %s has rows of node %s, too, and no column that says of which: add \"COLUMN=node\" to columns",
			    t->place.quoted, PQgetvalue(res, 0, 0));
	PQclear(res);
	return r;
}

static int read_newest(struct pg_table *t, struct pg_link *l, const struct pg_options *o, struct err *e)
{
	const char *parameters[] = { t->place.quoted, o->sink, o->node, account_of(t) };
	char sql[PG_QUOTED_MAX + 128];
	struct sql_buffer state = { 0 };
	PGresult *res;

	pg_schema_add_place(&state, o->schema, "nettally_table");
	const char *text = sql_text(&state);
	int r = text ? check_alone(t, l, text, o, e) : -ENOMEM;
	if (r == 0) {
		snprintf(sql, sizeof sql,
			 "SELECT extract(epoch FROM newest)::bigint FROM %s "
			 "WHERE name = $1 AND sink = $2 AND node = $3 AND account = $4",
			 text);
		r = pg_ask(l, &res, sql, 4, parameters, e);
	}
	sql_buffer_free(&state);
	if (r < 0)
		return r;
	t->newest_utc_s = PQntuples(res) ? strtoll(PQgetvalue(res, 0, 0), NULL, 10) : INT64_MIN;
	PQclear(res);
	return 0;
}

int pg_table_open(struct pg_table *t, struct pg_link *l, const struct sink_table *table, const struct pg_options *o,
		  struct err *e)
{
	*t = (struct pg_table){ .table = table };
	int r = pg_place_make(&t->place, o->schema, table->name, e);
	if (r == 0)
		r = pg_run_text(l, "BEGIN; SELECT pg_advisory_xact_lock(7232600)", e); /* two nodes make one table once */
	if (r < 0)
		return r;
	r = find_or_create(t, l, o, e);
	if (r == 0)
		r = read_newest(t, l, o, e);
	int end = pg_run_text(l, r == 0 ? "COMMIT" : "ROLLBACK", r == 0 ? e : NULL);
	return r < 0 ? r : end;
}

void pg_table_free(struct pg_table *t)
{
	free(t->partitions);
	*t = (struct pg_table){ 0 };
}
