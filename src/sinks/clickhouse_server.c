/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/clickhouse_server.h"

#include <errno.h>

/* ---- statements ---- */

/* Also a server that answers 200 and an exception behind it: only a whole answer is waited for. */
const char ch_settings[] = "/?wait_end_of_query=1&insert_distributed_sync=1&load_balancing=in_order";

static int code_of(const char *answer, int usual)
{
	static const struct {
		unsigned code; /* src/Common/ErrorCodes.cpp */
		int is;
	} codes[] = {
		{ 192, -EACCES }, { 193, -EACCES }, { 194, -EACCES }, { 195, -EACCES }, { 291, -EACCES },
		{ 497, -EACCES }, { 516, -EACCES }, { 243, -ENOSPC },
	};
	unsigned code;

	if (sscanf(answer, "Code: %u", &code) != 1)
		return usual;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].code == code)
			return codes[i].is;
	/* the types come from the catalog: what is wrong is not the rows but the table, and open() looks again */
	return usual == -ENOSPC ? usual : -EAGAIN;
}

int ch_send(struct clickhouse *c, const struct http_request *rq, struct http_answer *ret, struct err *e)
{
	struct http_answer a;
	int r = http_sink_send(c->http, rq, &a, e);

	if (r < 0)
		return err_prefix(e, r, "clickhouse %s", c->cf->name);
	r = http_sink_status(c->http, &a, e);
	if (r == 0 && strncmp(a.body, "Code: ", 6) == 0)
		r = err_set(e, -EAGAIN, "%.*s", (int)strcspn(a.body, "\n"), a.body);
	if (r < 0)
		return err_prefix(e, code_of(a.body, r == -EINVAL ? -EAGAIN : r), "clickhouse %s", c->cf->name);
	if (ret)
		*ret = a;
	return 0;
}

int ch_ask(struct clickhouse *c, struct sql_buffer *sql, struct http_answer *ret, struct err *e)
{
	struct http_request rq = { .path = ch_settings, .content_type = "text/plain; charset=utf-8" };
	int r;

	rq.body = sql_text(sql);
	rq.body_bytes = sql->len;
	r = rq.body ? ch_send(c, &rq, ret, e) : err_set(e, -ENOMEM, "clickhouse %s: out of memory", c->cf->name);
	sql_buffer_free(sql);
	return r;
}

/* ---- open ---- */

static int read_version(struct clickhouse *c, struct err *e)
{
	struct sql_buffer sql = { 0 };
	struct http_answer a;
	unsigned major, minor;

	sql_add(&sql, "SELECT version()");
	int r = ch_ask(c, &sql, &a, e);
	if (r < 0)
		return r;
	if (sscanf(a.body, "%u.%u", &major, &minor) != 2)
		return err_set(e, -EAGAIN, "clickhouse %s: what answers there is no ClickHouse", c->cf->name);
	c->dialect.is_old = major < 20 || (major == 20 && minor < 3);
	return 0;
}

static int make_grade(struct clickhouse *c, const struct sink_table *t, enum ch_grade g, struct err *e)
{
	struct sql_buffer sql = { 0 };

	ch_schema_table(&sql, &c->dialect, t, g);
	int r = ch_ask(c, &sql, NULL, e);
	if (r == 0 && c->dialect.cluster) {
		ch_schema_distributed(&sql, &c->dialect, t, g);
		r = ch_ask(c, &sql, NULL, e);
	}
	return r;
}

/* The engine of a table, "" where there is none. */
static int engine_of(struct clickhouse *c, const struct sink_table *t, enum ch_grade g, char ret[static CH_TYPE_MAX],
		     struct err *e)
{
	char name[CH_NAME_MAX + 16];
	struct sql_buffer sql = { 0 };
	struct http_answer a;

	ch_table_name(name, t, g);
	sql_add(&sql, "SELECT engine FROM system.tables WHERE database = ");
	ch_add_literal(&sql, c->dialect.database);
	sql_add(&sql, " AND name = ");
	ch_add_literal(&sql, name);
	int r = ch_ask(c, &sql, &a, e);
	if (r == 0)
		snprintf(ret, CH_TYPE_MAX, "%.*s", (int)strcspn(a.body, "\n"), a.body);
	return r;
}

/* The roll-ups first: where the records' table is, they are, too. */
static int make_table(struct clickhouse *c, const struct sink_table *t, struct err *e)
{
	struct sql_buffer sql = { 0 };
	int r;

	ch_schema_database(&sql, &c->dialect);
	r = ch_ask(c, &sql, NULL, e);
	for (enum ch_grade g = CH_DAYS; g > CH_RECORDS && r == 0; g--)
		if (ch_has_grade(t, g) && sink_number(c->cf, "rollups"))
			r = make_grade(c, t, g, e);
	return r < 0 ? r : make_grade(c, t, CH_RECORDS, e);
}

static int map_column(struct ch_target *g, const char *name, const char *type, struct err *e)
{
	const struct columns *c = &g->table->columns;
	struct ch_column col = { 0 };
	size_t i = 0;

	while (i < c->count && strcmp(c->at[i].alias, name) != 0 && strcmp(ch_alias(&c->at[i]), name) != 0)
		i++;
	int known = ch_type_parse(&col.type, type);
	if (i < c->count) {
		col.map = &c->at[i];
		col.cell = i;
		g->has_node |= col.map->of == COLUMN_OF_NODE;
	} else if (strcmp(name, "node") == 0 && known == 0 && col.type.class == CH_STRING && !col.type.is_nullable) {
		col.fill = CH_FILL_NODE;
		g->has_node = true;
	} else if (strcmp(name, "version") == 0 && strcmp(type, "UInt64") == 0) {
		col.fill = CH_FILL_VERSION;
		g->has_version = true;
	} else {
		return 0; /* its default will do */
	}
	if (col.map && (known < 0 || !ch_fits(col.map, &col.type)))
		return err_set(e, -EINVAL, "table %s: column %s is %s, which cannot hold what columns put there; make it %s",
			       g->table->name, name, type, column_is_text(col.map) ? "String" : "UInt64");
	snprintf(col.name, sizeof col.name, "%.63s", name);
	g->columns.at[g->columns.count++] = col;
	return 0;
}

static int check_all_there(const struct ch_target *g, struct err *e)
{
	for (size_t i = 0; i < g->table->columns.count; i++) {
		bool found = false;

		for (size_t k = 0; k < g->columns.count; k++)
			found |= g->columns.at[k].map == &g->table->columns.at[i];
		if (!found)
			return err_set(e, -EINVAL, "table %s has no column %s; add it, or name another table", g->table->name,
				       ch_alias(&g->table->columns.at[i]));
	}
	return 0;
}

static int read_columns(struct clickhouse *c, struct ch_target *g, struct err *e)
{
	struct sql_buffer sql = { 0 };
	struct http_answer a;
	char *save = NULL;

	sql_add(&sql, "SELECT name, type FROM system.columns WHERE database = ");
	ch_add_literal(&sql, c->dialect.database);
	sql_add(&sql, " AND table = ");
	ch_add_literal(&sql, g->table->name);
	sql_add(&sql, " FORMAT TabSeparatedRaw");
	int r = ch_ask(c, &sql, &a, e);
	if (r < 0)
		return r;
	for (char *line = strtok_r(a.body, "\n", &save); line && r == 0; line = strtok_r(NULL, "\n", &save)) {
		char *tab = strchr(line, '\t');

		if (!tab || g->columns.count == COLUMNS_MAX + 2)
			continue;
		*tab = '\0';
		r = map_column(g, line, tab + 1, e);
	}
	return r < 0 ? r : check_all_there(g, e);
}

static int open_table(struct clickhouse *c, struct ch_target *g, const struct sink_table *t, struct err *e)
{
	char engine[CH_TYPE_MAX], of_grade[CH_TYPE_MAX];

	g->table = t;
	int r = engine_of(c, t, CH_RECORDS, engine, e);
	if (r == 0 && !engine[0]) {
		r = make_table(c, t, e);
		if (r == 0)
			r = engine_of(c, t, CH_RECORDS, engine, e);
	}
	if (r < 0)
		return r;
	g->is_distributed = strcmp(engine, "Distributed") == 0;
	if (!g->is_distributed && !strstr(engine, "Replacing"))
		return err_set(e, -EINVAL,
			       "table %s: what is sent again would be there twice in a table of the engine %s; it must be a "
			       "ReplacingMergeTree(version)", t->name, engine);
	for (enum ch_grade grade = CH_HOURS; grade <= CH_DAYS && r == 0; grade++) {
		of_grade[0] = '\0';
		if (ch_has_grade(t, grade) && sink_number(c->cf, "rollups"))
			r = engine_of(c, t, grade, of_grade, e);
		g->has_grade[grade] = of_grade[0] != '\0';
	}
	return r < 0 ? r : read_columns(c, g, e);
}

/* A version is the time in milliseconds; should the clock have gone back, it goes on behind the last one. */
static int find_version(struct clickhouse *c, const struct ch_target *g, struct err *e)
{
	struct sql_buffer sql = { 0 };
	struct http_answer a;

	if (!g->has_version)
		return 0;
	ch_schema_version(&sql, &c->dialect, g->table, ch_node(c, g));
	int r = ch_ask(c, &sql, &a, e);
	uint64_t last = r == 0 ? strtoull(a.body, NULL, 10) : 0;
	if (last > c->version)
		c->version = last;
	return r;
}

int ch_open_tables(struct clickhouse *c, struct err *e)
{
	int r = http_sink_open(&c->http, c->cf, &c->cx, e);

	if (r == 0)
		r = read_version(c, e);
	for (size_t i = 0; i < c->cf->table_count && r == 0; i++)
		r = open_table(c, &c->targets[i], &c->cf->tables[i], e);
	for (size_t i = 0; i < c->cf->table_count && r == 0; i++)
		r = find_version(c, &c->targets[i], e);
	return r;
}
