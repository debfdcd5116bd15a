/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a write does with a table: its partitions, and the statements around COPY. */
#include "sinks/postgresql_table.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>

static const char *account_of(const struct pg_table *t)
{
	return t->table->account ? t->table->account->name : "-";
}

/* ---- partitions ---- */

static bool knows_partition(const struct pg_table *t, int64_t from_s)
{
	for (size_t i = t->partition_count; i-- > 0;)
		if (t->partitions[i] == from_s)
			return true;
	return false;
}

static int make_partition(struct pg_table *t, struct pg_link *l, int64_t utc_s, struct err *e)
{
	uint32_t every_s = t->table->account->every_s;
	struct sql_buffer sql = { 0 };
	int64_t from, to, *more;

	pg_partition_range(utc_s, every_s, &from, &to);
	if (knows_partition(t, from))
		return 0;
	more = realloc(t->partitions, (t->partition_count + 1) * sizeof *more);
	if (!more)
		return err_set(e, -ENOMEM, "out of memory");
	t->partitions = more;
	sql_add(&sql, "BEGIN; SELECT pg_advisory_xact_lock(7232600); ");
	pg_schema_partition(&sql, &t->place, utc_s, every_s);
	sql_add(&sql, "; COMMIT");
	int r = pg_run(l, &sql, e);
	if (r < 0) {
		(void)pg_run_text(l, "ROLLBACK", NULL);
		return r;
	}
	t->partitions[t->partition_count++] = from;
	return 1;
}

static int drop_old(struct pg_table *t, struct pg_link *l, int64_t before_s, struct err *e)
{
	const char *parameters[] = { t->place.quoted };
	struct sql_buffer sql = { 0 };
	PGresult *res;
	int64_t end;
	int r = pg_ask(l, &res,
		       "SELECT c.relname, n.nspname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
		       "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.inhparent = to_regclass($1)",
		       1, parameters, e);

	if (r < 0)
		return r;
	for (int i = 0; i < PQntuples(res); i++)
		if (pg_partition_end(&t->place, PQgetvalue(res, i, 0), &end) && end <= before_s) {
			sql_add(&sql, "DROP TABLE IF EXISTS ");
			pg_schema_add_place(&sql, PQgetvalue(res, i, 1), PQgetvalue(res, i, 0));
			sql_add(&sql, "; ");
		}
	PQclear(res);
	return sql.len ? pg_run(l, &sql, e) : 0;
}

int pg_table_partitions(struct pg_table *t, struct pg_link *l, const struct sink_batch *b, const struct pg_options *o,
			struct err *e)
{
	struct clock c = clock_system();
	int64_t before_s = ns_to_s(c.utc_ns(c.arg)) - o->keep_s;
	int r = 0, made = 0;

	if (!t->is_ours || !t->is_partitioned)
		return 0;
	for (size_t i = 0; i < b->window_count && r >= 0; i++)
		if (b->windows[i].table == t->table && (!o->keep_s || b->windows[i].start_utc_s >= before_s)) {
			r = make_partition(t, l, b->windows[i].start_utc_s, e);
			made += r == 1;
		}
	if (r >= 0 && made && o->keep_s)
		r = drop_old(t, l, before_s, e);
	return r < 0 ? r : 0;
}

/* ---- statements of a write ---- */

static void add_time(struct sql_buffer *sql, const struct pg_table *t, int64_t utc_s)
{
	char text[TIME_TEXT_MAX];

	if (t->time->class >= PG_INT2 && t->time->class <= PG_FLOAT8)
		sql_addf(sql, "'%" PRId64 "'", utc_s);
	else
		sql_addf(sql, "'%s'", time_format(utc_s, text, sizeof text));
}

/* What tells our rows in the table from those of others. */
static void add_scope(struct sql_buffer *sql, const struct pg_table *t, const struct pg_options *o, uint32_t length_s)
{
	for (size_t i = 0; i < t->columns.count; i++) {
		const struct pg_column *col = &t->columns.at[i];
		char length[16];
		const char *is = NULL;

		if (!col->map)
			continue;
		snprintf(length, sizeof length, "%u", length_s);
		if (col->map->of == COLUMN_OF_NODE)
			is = o->node;
		else if (col->map->of == COLUMN_OF_ACCOUNT)
			is = account_of(t);
		else if (col->map->of == COLUMN_OF_CONSTANT)
			is = col->map->constant;
		else if (col->map->of == COLUMN_OF_LENGTH)
			is = length;
		if (!is)
			continue;
		sql_add(sql, " AND ");
		sql_add_quoted(sql, '"', col->name);
		sql_add(sql, " = ");
		sql_add_quoted(sql, '\'', is);
	}
}

void pg_table_delete(const struct pg_table *t, struct sql_buffer *sql, const struct sink_batch *b, const struct pg_options *o)
{
	const struct sink_window *open = NULL; /* of the statement that is being written */

	for (size_t i = 0; t->time && i < b->window_count; i++) {
		const struct sink_window *w = &b->windows[i];

		if (w->table != t->table || w->start_utc_s > t->newest_utc_s)
			continue;
		if (open && open->length_s != w->length_s) {
			sql_addf(sql, "]::%s[])", t->time->type);
			add_scope(sql, t, o, open->length_s);
			sql_add(sql, "; ");
			open = NULL;
		}
		if (!open) {
			sql_add(sql, "DELETE FROM ");
			sql_add(sql, t->place.quoted);
			sql_add(sql, " WHERE ");
			sql_add_quoted(sql, '"', t->time->name);
			sql_add(sql, " = ANY(ARRAY[");
			add_time(sql, t, w->start_utc_s);
		} else {
			sql_put_u8(sql, ',');
			add_time(sql, t, w->start_utc_s);
		}
		open = w;
	}
	if (!open)
		return;
	sql_addf(sql, "]::%s[])", t->time->type);
	add_scope(sql, t, o, open->length_s);
	sql_add(sql, "; ");
}

static void add_columns(struct sql_buffer *sql, const struct pg_table *t, const char *prefix)
{
	for (size_t i = 0; i < t->columns.count; i++) {
		sql_add(sql, i ? ", " : "");
		sql_add(sql, prefix);
		sql_add_quoted(sql, '"', t->columns.at[i].name);
	}
}

static void add_stage(struct sql_buffer *sql, const struct pg_table *t)
{
	char name[PG_NAME_MAX];

	snprintf(name, sizeof name, "nettally_%.50s", t->place.name);
	sql_add(sql, "pg_temp.");
	sql_add_quoted(sql, '"', name);
}

void pg_table_copy(const struct pg_table *t, struct sql_buffer *sql)
{
	sql_add(sql, "COPY ");
	if (t->table->account)
		sql_add(sql, t->place.quoted);
	else
		add_stage(sql, t);
	sql_put_u8(sql, '(');
	add_columns(sql, t, "");
	sql_add(sql, t->columns.is_binary ? ") FROM STDIN (FORMAT binary)" : ") FROM STDIN");
}

void pg_table_device_stage(const struct pg_table *t, struct sql_buffer *sql)
{
	sql_add(sql, "CREATE TEMP TABLE IF NOT EXISTS ");
	struct sql_buffer stage = { 0 };
	add_stage(&stage, t);
	const char *text = sql_text(&stage);
	if (!text)
		sql->failed = true;
	else
		sql_add(sql, text + strlen("pg_temp."));
	sql_buffer_free(&stage);
	sql_add(sql, " ON COMMIT DELETE ROWS AS SELECT ");
	add_columns(sql, t, "");
	sql_add(sql, " FROM ");
	sql_add(sql, t->place.quoted);
	sql_add(sql, " WITH NO DATA; ");
}

static bool is_device_key(const struct pg_column *col)
{
	return col->map && column_is_key(col->map);
}

static void add_match(struct sql_buffer *sql, const struct pg_table *t)
{
	const char *between = "";

	for (size_t i = 0; i < t->columns.count; i++)
		if (is_device_key(&t->columns.at[i])) {
			sql_add(sql, between);
			sql_add(sql, "t.");
			sql_add_quoted(sql, '"', t->columns.at[i].name);
			sql_add(sql, " = s.");
			sql_add_quoted(sql, '"', t->columns.at[i].name);
			between = " AND ";
		}
}

void pg_table_upsert(const struct pg_table *t, struct sql_buffer *sql)
{
	const char *between = "";

	sql_add(sql, "UPDATE ");
	sql_add(sql, t->place.quoted);
	sql_add(sql, " t SET ");
	for (size_t i = 0; i < t->columns.count; i++) {
		const struct pg_column *col = &t->columns.at[i];

		if (is_device_key(col))
			continue;
		sql_add(sql, between);
		sql_add_quoted(sql, '"', col->name);
		sql_add(sql, " = s.");
		sql_add_quoted(sql, '"', col->name);
		between = ", ";
	}
	sql_add(sql, " FROM ");
	add_stage(sql, t);
	sql_add(sql, " s WHERE ");
	add_match(sql, t);
	sql_add(sql, "; INSERT INTO ");
	sql_add(sql, t->place.quoted);
	sql_put_u8(sql, '(');
	add_columns(sql, t, "");
	sql_add(sql, ") SELECT ");
	add_columns(sql, t, "s.");
	sql_add(sql, " FROM ");
	add_stage(sql, t);
	sql_add(sql, " s WHERE NOT EXISTS (SELECT 1 FROM ");
	sql_add(sql, t->place.quoted);
	sql_add(sql, " t WHERE ");
	add_match(sql, t);
	sql_add(sql, ") ON CONFLICT DO NOTHING; "); /* another node may have added it in between */
}

void pg_table_note(const struct pg_table *t, struct sql_buffer *sql, int64_t newest_utc_s, const struct pg_options *o)
{
	char text[TIME_TEXT_MAX];

	sql_add(sql, "INSERT INTO ");
	pg_schema_add_place(sql, o->schema, "nettally_table");
	sql_add(sql, " VALUES(");
	const char *const values[] = { t->place.quoted, o->sink, o->node, account_of(t),
				       time_format(newest_utc_s, text, sizeof text) };
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		sql_add(sql, i ? ", " : "");
		sql_add_quoted(sql, '\'', values[i]);
	}
	sql_add(sql, ") ON CONFLICT(name, sink, node, account) DO UPDATE SET newest = excluded.newest; ");
}
