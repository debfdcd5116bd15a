/* SPDX-License-Identifier: GPL-2.0-or-later */
/* postgresql.c -- the sink for PostgreSQL and TimescaleDB: binary COPY, rows and cursor in one transaction.
 *
 * Exactly once: table nettally_cursor on the server is moved in the transaction that brings the rows, and its word counts
 * after any failure. A window that comes again (late packets, a full retry) takes the place of its rows: they are removed
 * and copied in that same transaction. Windows after the newest that was ever written need no removal (nettally_table). */
#include "base/clock.h"
#include "base/fault.h"
#include "sinks/postgresql_table.h"

#include <errno.h>
#include <inttypes.h>

#define CHUNK_BYTES 65536

static const struct sink_option options[] = {
	{ "url", SINK_TEXT, NULL, "postgresql://USER@HOST:PORT/DATABASE, or host=... dbname=...", true },
	{ "password", SINK_SECRET, NULL, "password, from a file or the environment", false },
	{ "ca_file", SINK_FILE, NULL, "certificates to trust instead of the system's", false },
	{ "schema", SINK_TEXT, NULL, "schema of the tables (default: first of search_path)", false },
	{ "timescaledb", SINK_BOOL, "yes", "no: plain partitions even where TimescaleDB is", false },
	{ "keep", SINK_DURATION, NULL, "rows of tables made here go after so long (default: never)", false },
	{ "compress_after", SINK_DURATION, "7d", "TimescaleDB compresses what is older", false },
	{ 0 },
};

struct postgresql {
	const struct sink_config *cf;
	struct sink_context cx;
	struct pg_options options;
	struct pg_link *link;
	struct pg_table *tables; /* as cf->tables */
	struct sql_buffer rows;
};

/* ---- open ---- */

static int check(const struct sink_config *cf, unsigned *ret_line, struct err *e)
{
	struct pg_place place;
	int r = pg_link_check(cf, e);

	for (size_t i = 0; i < cf->table_count && r == 0; i++) {
		const struct sink_table *t = &cf->tables[i];
		bool has_time = !t->account;

		*ret_line = t->line;
		r = pg_place_make(&place, sink_text(cf, "schema"), t->name, e);
		for (size_t k = 0; k < t->columns.count; k++)
			has_time |= t->columns.at[k].of == COLUMN_OF_TIME;
		if (r == 0 && !has_time)
			r = err_set(e, -EINVAL, "columns of table %s lack the window's time; add \"time=window\"", t->name);
	}
	return r;
}

static void sink_close(void *sink)
{
	struct postgresql *p = sink;

	if (!p)
		return;
	for (size_t i = 0; p->tables && i < p->cf->table_count; i++)
		pg_table_free(&p->tables[i]);
	free(p->tables);
	pg_link_close(&p->link);
	sql_buffer_free(&p->rows);
	free(p);
}

static int make_state(struct postgresql *p, struct err *e)
{
	struct sql_buffer sql = { 0 };

	sql_add(&sql, "BEGIN; SELECT pg_advisory_xact_lock(7232600); ");
	if (p->options.schema) {
		sql_add(&sql, "CREATE SCHEMA IF NOT EXISTS ");
		sql_add_quoted(&sql, '"', p->options.schema);
		sql_add(&sql, "; ");
	}
	pg_schema_state(&sql, p->options.schema);
	sql_add(&sql, "; COMMIT");
	return pg_run(p->link, &sql, e);
}

static int open_all(struct postgresql *p, struct err *e)
{
	int r = pg_link_open(&p->link, p->cf, &p->cx, e);

	if (r == 0)
		r = make_state(p, e);
	for (size_t i = 0; i < p->cf->table_count && r == 0; i++)
		r = pg_table_open(&p->tables[i], p->link, &p->cf->tables[i], &p->options, e);
	return r;
}

static int sink_open(void **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e)
{
	struct postgresql *p = calloc(1, sizeof *p);

	if (!p)
		return err_set(e, -ENOMEM, "postgresql %s: out of memory", cf->name);
	p->cf = cf;
	p->cx = *cx;
	p->options = (struct pg_options){ .sink = cf->name, .node = cf->node, .schema = sink_text(cf, "schema"),
					  .timescaledb = sink_number(cf, "timescaledb"),
					  .keep_s = (uint32_t)sink_number(cf, "keep"),
					  .compress_s = (uint32_t)sink_number(cf, "compress_after") };
	p->tables = calloc(cf->table_count + 1, sizeof *p->tables);
	int r = p->tables ? open_all(p, e) : err_set(e, -ENOMEM, "postgresql %s: out of memory", cf->name);
	if (r < 0)
		sink_close(p);
	else
		*ret = p;
	return r;
}

/* ---- the cursor ---- */

static int sink_cursor(void *sink, struct sink_cursor *ret, struct err *e)
{
	struct postgresql *p = sink;
	const char *parameters[] = { p->cf->name, p->cf->node, p->cx.ledger };
	struct sql_buffer sql = { 0 };
	PGresult *res = NULL;

	sql_add(&sql, "SELECT again, seq FROM ");
	pg_schema_add_place(&sql, p->options.schema, "nettally_cursor");
	sql_add(&sql, " WHERE sink = $1 AND node = $2 AND ledger = $3");
	const char *text = sql_text(&sql);
	int r = text ? pg_ask(p->link, &res, text, 3, parameters, e) : -ENOMEM;
	sql_buffer_free(&sql);
	if (r < 0)
		return r;
	if (PQntuples(res) == 1) {
		ret->again = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
		ret->seq = strtoull(PQgetvalue(res, 0, 1), NULL, 10);
	} else {
		r = -ENOENT;
	}
	PQclear(res);
	return r;
}

static void add_cursor(struct postgresql *p, struct sql_buffer *sql, const struct sink_cursor *c)
{
	const char *const values[] = { p->cf->name, p->cf->node, p->cx.ledger };

	sql_add(sql, "INSERT INTO ");
	pg_schema_add_place(sql, p->options.schema, "nettally_cursor");
	sql_add(sql, "(sink, node, ledger, again, seq) VALUES(");
	for (size_t i = 0; i < 3; i++) {
		sql_add_quoted(sql, '\'', values[i]);
		sql_add(sql, ", ");
	}
	sql_addf(sql, "%" PRIu64 ", %" PRIu64 ") ON CONFLICT(sink, node, ledger) DO UPDATE SET again = excluded.again, "
		      "seq = excluded.seq, moved = now(); ", c->again, c->seq);
}

/* ---- write ---- */

static struct pg_table *table_of(struct postgresql *p, const struct sink_table *t)
{
	return &p->tables[t - p->cf->tables];
}

/* Its partition is gone: there is nowhere to put it, and nothing to keep. */
static bool is_expired(const struct postgresql *p, const struct pg_table *t, const struct sink_window *w, int64_t now_s)
{
	return p->options.keep_s && t->is_ours && w->table->account && w->start_utc_s < now_s - (int64_t)p->options.keep_s;
}

static int copy_start(struct postgresql *p, const struct pg_table *t, struct err *e)
{
	struct sql_buffer sql = { 0 };

	pg_table_copy(t, &sql);
	const char *text = sql_text(&sql);
	int r = text ? pg_copy_begin(p->link, text, e) : -ENOMEM;
	sql_buffer_free(&sql);
	p->rows.len = 0;
	pg_copy_header(&p->rows, t->columns.is_binary);
	return r;
}

static int copy_stop(struct postgresql *p, const struct pg_table *t, struct err *e)
{
	pg_copy_trailer(&p->rows, t->columns.is_binary);
	int r = pg_copy_put(p->link, &p->rows, e);
	if (r < 0)
		return r;
	return pg_copy_end(p->link, e);
}

static int copy_row(struct postgresql *p, const struct pg_table *t, const struct sink_row *row, struct err *e)
{
	int r = pg_row(&p->rows, &t->columns, row->cells, e);

	if (r < 0)
		return err_prefix(e, r, "postgresql %s: table %s", p->cf->name, t->place.name);
	return p->rows.len >= CHUNK_BYTES ? pg_copy_put(p->link, &p->rows, e) : 0;
}

/* All rows: one COPY for each run of rows of one table. */
static int copy_all(struct postgresql *p, struct sink_batch *b, struct err *e)
{
	struct clock clock = clock_system();
	int64_t now_s = ns_to_s(clock.utc_ns(clock.arg));
	const struct pg_table *t = NULL;
	struct sink_row row;
	int r;

	while ((r = b->next(b, &row, e)) == 1) {
		struct pg_table *of_row = table_of(p, row.window->table);

		if (is_expired(p, of_row, row.window, now_s))
			continue;
		if (t && t != of_row) {
			r = copy_stop(p, t, e);
			t = NULL;
			if (r < 0)
				return r;
		}
		if (!t) {
			r = copy_start(p, of_row, e);
			if (r < 0)
				return r;
			t = of_row;
		}
		r = copy_row(p, t, &row, e);
		if (r < 0)
			break;
	}
	if (r < 0) {
		if (t)
			pg_copy_abort(p->link);
		return r;
	}
	return t ? copy_stop(p, t, e) : 0;
}

static int64_t newest_of(const struct pg_table *t, const struct sink_batch *b)
{
	int64_t newest = t->newest_utc_s;

	for (size_t i = 0; i < b->window_count; i++)
		if (b->windows[i].table == t->table && b->windows[i].start_utc_s > newest)
			newest = b->windows[i].start_utc_s;
	return newest;
}

static bool has_devices(const struct pg_table *t, const struct sink_batch *b)
{
	for (size_t i = 0; i < b->window_count; i++)
		if (b->windows[i].table == t->table && !t->table->account)
			return true;
	return false;
}

static int before_rows(struct postgresql *p, const struct sink_batch *b, struct err *e)
{
	struct sql_buffer sql = { 0 };

	sql_add(&sql, "BEGIN; ");
	for (size_t i = 0; i < p->cf->table_count; i++) {
		pg_table_delete(&p->tables[i], &sql, b, &p->options);
		if (has_devices(&p->tables[i], b))
			pg_table_device_stage(&p->tables[i], &sql);
	}
	return pg_run(p->link, &sql, e);
}

static int after_rows(struct postgresql *p, const struct sink_batch *b, struct err *e)
{
	struct sql_buffer sql = { 0 };

	for (size_t i = 0; i < p->cf->table_count; i++) {
		const struct pg_table *t = &p->tables[i];
		int64_t newest = newest_of(t, b);

		if (has_devices(t, b))
			pg_table_upsert(t, &sql);
		else if (newest > t->newest_utc_s)
			pg_table_note(t, &sql, newest, &p->options);
	}
	if (!b->is_repeat)
		add_cursor(p, &sql, &b->cursor);
	return sql.len ? pg_run(p->link, &sql, e) : 0;
}

static int write_in_transaction(struct postgresql *p, struct sink_batch *b, struct err *e)
{
	int r = before_rows(p, b, e);

	if (r == 0)
		r = copy_all(p, b, e);
	fault_point("sink_rows_sent");
	if (r == 0)
		r = after_rows(p, b, e);
	fault_point("sink_before_commit");
	if (r == 0)
		r = pg_run_text(p->link, "COMMIT", e);
	fault_point("sink_committed");
	return r;
}

static int sink_write(void *sink, struct sink_batch *b, struct err *e)
{
	struct postgresql *p = sink;
	int r = 0;

	for (size_t i = 0; i < p->cf->table_count && r == 0; i++)
		r = pg_table_partitions(&p->tables[i], p->link, b, &p->options, e);
	if (r == 0)
		r = write_in_transaction(p, b, e);
	if (r < 0) {
		if (r == -EINVAL) /* the engine goes on with this connection */
			(void)pg_run_text(p->link, "ROLLBACK", NULL);
		return r;
	}
	for (size_t i = 0; i < p->cf->table_count; i++)
		p->tables[i].newest_utc_s = newest_of(&p->tables[i], b);
	return 0;
}

const struct sink_ops sink_postgresql = {
	.name = "postgresql",
	.help = "PostgreSQL and TimescaleDB, by binary COPY; rows and cursor in one transaction",
	.options = options,
	.batch_records = 50000,
	.check = check,
	.open = sink_open,
	.cursor = sink_cursor,
	.write = sink_write,
	.close = sink_close,
};
