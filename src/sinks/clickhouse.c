/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clickhouse.c -- the sink for ClickHouse, one server or a cluster, over HTTP with RowBinary.
 *
 * ClickHouse has no transactions over several inserts, so nothing here depends on one: a write is the records, then the
 * roll-ups of the hours and days that they touch, and it may be cut off anywhere. It is then sent again under a higher
 * version, which takes the place of what had arrived (clickhouse_schema.h). The cursor stays in the ledger. */
#include "base/clock.h"
#include "base/fault.h"
#include "sinks/clickhouse_server.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#define BODY_BYTES (16 << 20) /* one INSERT, before it is compressed */
#define RUN_MAX 24            /* hours or days that are summed in one statement */

static const struct sink_option options[] = {
	HTTP_SINK_OPTIONS,
	{ "database", SINK_TEXT, "nettally", "database, made where it is missing", false },
	{ "cluster", SINK_TEXT, NULL, "name of a cluster: Replicated tables behind Distributed ones", false },
	{ "rollups", SINK_BOOL, "yes", "sums by hour and day beside the records: NAME_1h, NAME_1d", false },
	{ "keep", SINK_DURATION, NULL, "records of tables made here go after so long (default: never)", false },
	{ 0 },
};

/* ---- the config ---- */

static int check(const struct sink_config *cf, unsigned *ret_line, struct err *e)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	int r = http_sink_check(cf, ret_line, e);

	if (r == 0 && strspn(sink_text(cf, "database"), good) != strlen(sink_text(cf, "database")))
		return err_set(e, -EINVAL, "database = \"%.60s\": letters, digits, '_' and '-'", sink_text(cf, "database"));
	for (size_t i = 0; i < cf->table_count && r == 0; i++) {
		const struct sink_table *t = &cf->tables[i];
		bool has_time = !t->account;

		*ret_line = t->line;
		for (size_t k = 0; k < t->columns.count; k++)
			has_time |= t->columns.at[k].of == COLUMN_OF_TIME;
		if (!has_time)
			return err_set(e, -EINVAL, "columns of table %s lack the window's time; add \"time=window\"", t->name);
		if (strspn(t->name, good) != strlen(t->name))
			return err_set(e, -EINVAL, "table %s: a name has letters, digits, '_' and '-'", t->name);
	}
	return r;
}

/* ---- open ---- */

static void sink_close(void *sink)
{
	struct clickhouse *c = sink;

	if (!c)
		return;
	for (size_t i = 0; c->targets && i < c->cf->table_count; i++)
		sql_buffer_free(&c->targets[i].rows);
	free(c->targets);
	http_sink_close(&c->http);
	free(c);
}

static int sink_open(void **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e)
{
	struct clickhouse *c = calloc(1, sizeof *c);
	int r = -ENOMEM;

	if (c) {
		c->cf = cf;
		c->cx = *cx;
		c->dialect = (struct ch_dialect){ .database = sink_text(cf, "database"), .cluster = sink_text(cf, "cluster"),
						  .keep_s = (uint32_t)sink_number(cf, "keep") };
		c->targets = calloc(cf->table_count + 1, sizeof *c->targets);
		if (c->targets)
			r = ch_open_tables(c, e);
	}
	if (!c || !c->targets)
		(void)err_set(e, -ENOMEM, "clickhouse %s: out of memory", cf->name);
	if (r < 0)
		sink_close(c);
	else
		*ret = c;
	return r;
}

/* ---- the records ---- */

static int64_t now_ms(void)
{
	struct clock c = clock_system();

	return c.utc_ns(c.arg) / 1000000;
}

static int send_rows(struct clickhouse *c, struct ch_target *g, struct err *e)
{
	struct sql_buffer sql = { 0 }, path = { 0 };
	struct http_request rq = { .body = g->rows.bytes, .body_bytes = g->rows.len };
	int r = err_set(e, -ENOMEM, "clickhouse %s: out of memory", c->cf->name);

	if (g->rows.len == 0)
		return 0;
	ch_schema_insert(&sql, &c->dialect, g->table, &g->columns);
	const char *text = sql_text(&sql);
	size_t room = text ? 3 * sql.len + 1 : 0;
	char *escaped = text ? malloc(room) : NULL;
	if (escaped && http_sink_escape(text, escaped, room)) {
		sql_add(&path, ch_settings);
		sql_add(&path, "&query=");
		sql_add(&path, escaped);
		rq.path = sql_text(&path);
		if (rq.path)
			r = ch_send(c, &rq, NULL, e);
	}
	free(escaped);
	sql_buffer_free(&sql);
	sql_buffer_free(&path);
	g->rows.len = 0;
	return r;
}

/* What TTL or a dropped partition has taken away is not sent again: a roll-up would be summed from that rest alone. */
static bool is_expired(const struct clickhouse *c, const struct sink_window *w, int64_t now_s)
{
	return c->dialect.keep_s && w->table->account && w->start_utc_s < now_s - (int64_t)c->dialect.keep_s;
}

static int put_rows(struct clickhouse *c, struct sink_batch *b, int64_t now_s, struct err *e)
{
	struct sink_row row;
	int r;

	while ((r = b->next(b, &row, e)) == 1) {
		struct ch_target *g = &c->targets[row.window->table - c->cf->tables];
		struct ch_row put = { .cells = row.cells, .node = c->cf->node, .version = c->version };

		if (is_expired(c, row.window, now_s))
			continue;
		r = ch_put_row(&g->rows, &g->columns, &put, e);
		if (r < 0)
			return err_prefix(e, r, "clickhouse %s: table %s", c->cf->name, g->table->name);
		g->rows_sent++;
		if (g->rows.len >= BODY_BYTES && (r = send_rows(c, g, e)) < 0)
			return r;
	}
	for (size_t i = 0; i < c->cf->table_count && r == 0; i++)
		r = send_rows(c, &c->targets[i], e);
	return r;
}

/* ---- the roll-ups ---- */

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The starts of the hours or days that the batch touches, sorted; *ret is the caller's to free. */
static int touched(const struct clickhouse *c, const struct ch_target *g, const struct sink_batch *b, uint32_t length_s,
		   int64_t **ret, size_t *ret_count)
{
	int64_t *all = malloc((b->window_count + 1) * sizeof *all), now_s = now_ms() / 1000;
	size_t count = 0, kept = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < b->window_count; i++)
		if (b->windows[i].table == g->table && !is_expired(c, &b->windows[i], now_s))
			all[count++] = window_start(b->windows[i].start_utc_s, length_s);
	qsort(all, count, sizeof *all, compare_times);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || all[kept - 1] != all[i])
			all[kept++] = all[i];
	*ret = all;
	*ret_count = kept;
	return 0;
}

static int roll_up(struct clickhouse *c, const struct ch_target *g, const struct sink_batch *b, enum ch_grade grade,
		   struct err *e)
{
	uint32_t length_s = ch_grade_length(grade);
	int64_t *starts;
	size_t count;
	int r = touched(c, g, b, length_s, &starts, &count);

	if (r < 0)
		return err_set(e, r, "clickhouse %s: out of memory", c->cf->name);
	for (size_t i = 0, run; i < count && r == 0; i += run) {
		struct sql_buffer sql = { 0 };

		for (run = 1; i + run < count && run < RUN_MAX && starts[i + run] == starts[i] + (int64_t)(run * length_s);)
			run++;
		const int64_t range[2] = { starts[i], starts[i] + (int64_t)(run * length_s) };
		ch_schema_rollup(&sql, &c->dialect, g->table, grade, c->cf->node, range);
		r = ch_ask(c, &sql, NULL, e);
	}
	free(starts);
	return r;
}

/* In a cluster the roll-up reads what was just written, from whichever replica answers: one that lags would give a sum that
 * is short. So the rows of this write must be seen first. */
static int wait_until_seen(struct clickhouse *c, const struct ch_target *g, const struct sink_batch *b, struct err *e)
{
	int64_t range[2] = { INT64_MAX, 0 }, until_ms = now_ms() + (int64_t)c->cf->timeout_s * 1000;
	struct http_answer a;

	for (size_t i = 0; i < b->window_count; i++)
		if (b->windows[i].table == g->table) {
			int64_t start = b->windows[i].start_utc_s;

			range[0] = start < range[0] ? start : range[0];
			range[1] = start >= range[1] ? start + 1 : range[1];
		}
	for (;;) {
		struct sql_buffer sql = { 0 };

		ch_schema_count(&sql, &c->dialect, g->table, ch_node(c, g), range, c->version);
		int r = ch_ask(c, &sql, &a, e);
		if (r < 0 || strtoull(a.body, NULL, 10) == g->rows_sent)
			return r;
		if (now_ms() > until_ms || (c->cx.is_stopping && c->cx.is_stopping(c->cx.arg)))
			return err_set(e, -EAGAIN, "clickhouse %s: table %s: %" PRIu64 " rows were written, %llu are seen",
				       c->cf->name, g->table->name, g->rows_sent, strtoull(a.body, NULL, 10));
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
}

static int roll_up_all(struct clickhouse *c, struct sink_batch *b, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < c->cf->table_count && r == 0; i++) {
		struct ch_target *g = &c->targets[i];

		if (g->rows_sent == 0 || !g->table->account)
			continue;
		if (g->is_distributed && g->has_version)
			r = wait_until_seen(c, g, b, e);
		for (enum ch_grade grade = CH_HOURS; grade <= CH_DAYS && r == 0; grade++)
			if (g->has_grade[grade] && g->has_node && g->has_version)
				r = roll_up(c, g, b, grade, e);
	}
	return r;
}

/* ---- expiry in the old dialect, which has no TTL ---- */

static int drop_old(struct clickhouse *c, const struct ch_target *g, int64_t now_s, struct err *e)
{
	time_t before_s = now_s - (int64_t)c->dialect.keep_s;
	struct sql_buffer sql = { 0 };
	struct http_answer a;
	char list[512], *save = NULL;
	struct tm tm;

	if (!g->table->account || !gmtime_r(&before_s, &tm))
		return 0;
	sql_add(&sql, "SELECT DISTINCT partition FROM system.parts WHERE active AND database = ");
	ch_add_literal(&sql, c->dialect.database);
	sql_add(&sql, " AND table = ");
	ch_add_literal(&sql, g->table->name);
	sql_addf(&sql, " AND toUInt32OrZero(partition) BETWEEN 190000 AND %d ORDER BY partition LIMIT 50",
		 (tm.tm_year + 1900) * 100 + tm.tm_mon); /* tm_mon counts from 0: the months before */
	int r = ch_ask(c, &sql, &a, e);
	if (r == 0)
		snprintf(list, sizeof list, "%s", a.body);
	for (char *p = r == 0 ? strtok_r(list, "\n", &save) : NULL; p && r == 0; p = strtok_r(NULL, "\n", &save)) {
		sql_add(&sql, "ALTER TABLE ");
		ch_add_name(&sql, c->dialect.database, g->table->name);
		sql_addf(&sql, " DROP PARTITION %.6s", p);
		r = ch_ask(c, &sql, NULL, e);
	}
	return r;
}

static int drop_all_old(struct clickhouse *c, int64_t now_s, struct err *e)
{
	int r = 0;

	if (!c->dialect.is_old || !c->dialect.keep_s || c->dialect.cluster || c->dropped_day == now_s / 86400)
		return 0;
	for (size_t i = 0; i < c->cf->table_count && r == 0; i++)
		r = drop_old(c, &c->targets[i], now_s, e);
	if (r == 0)
		c->dropped_day = now_s / 86400;
	return r;
}

static int sink_write(void *sink, struct sink_batch *b, struct err *e)
{
	struct clickhouse *c = sink;
	uint64_t version = (uint64_t)now_ms();
	int r;

	c->version = version > c->version ? version : c->version + 1;
	for (size_t i = 0; i < c->cf->table_count; i++) {
		c->targets[i].rows.len = 0;
		c->targets[i].rows_sent = 0;
	}
	r = put_rows(c, b, now_ms() / 1000, e);
	fault_point("sink_rows_sent");
	if (r == 0)
		r = roll_up_all(c, b, e);
	if (r == 0)
		r = drop_all_old(c, now_ms() / 1000, e);
	fault_point("sink_committed");
	return r;
}

const struct sink_ops sink_clickhouse = {
	.name = "clickhouse",
	.help = "ClickHouse over HTTP, one server or a cluster; sums by hour and day beside the records",
	.options = options,
	.batch_records = 100000,
	.check = check,
	.open = sink_open,
	.write = sink_write,
	.close = sink_close,
};
