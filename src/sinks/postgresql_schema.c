/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/postgresql_schema.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

/* ---- names ---- */

void pg_schema_add_place(struct sql_buffer *b, const char *schema, const char *name)
{
	if (schema && *schema) {
		sql_add_quoted(b, '"', schema);
		sql_put_u8(b, '.');
	}
	sql_add_quoted(b, '"', name);
}

int pg_place_make(struct pg_place *ret, const char *schema, const char *table, struct err *e)
{
	const char *dot = strchr(table, '.'), *name = dot ? dot + 1 : table;
	struct sql_buffer quoted = { 0 };
	struct pg_place p = { 0 };
	bool fits = strlen(name) < sizeof p.name && (!schema || strlen(schema) < sizeof p.schema) &&
		    (!dot || (size_t)(dot - table) < sizeof p.schema);

	if (!fits || !*name)
		return err_set(e, -ENAMETOOLONG, "table %s: a name in PostgreSQL has up to %d letters", table, PG_NAME_MAX - 1);
	if (dot)
		snprintf(p.schema, sizeof p.schema, "%.*s", (int)(dot - table), table);
	else if (schema)
		snprintf(p.schema, sizeof p.schema, "%s", schema);
	snprintf(p.name, sizeof p.name, "%s", name);
	pg_schema_add_place(&quoted, p.schema, p.name);
	fits = sql_text(&quoted) && quoted.len < sizeof p.quoted;
	if (fits)
		memcpy(p.quoted, quoted.bytes, quoted.len + 1);
	sql_buffer_free(&quoted);
	if (!fits)
		return err_set(e, -ENAMETOOLONG, "table %s: the name is too long", table);
	*ret = p;
	return 0;
}

/* ---- the state ---- */

void pg_schema_state(struct sql_buffer *b, const char *schema)
{
	sql_add(b, "CREATE TABLE IF NOT EXISTS ");
	pg_schema_add_place(b, schema, "nettally_cursor");
	sql_add(b, "(sink text NOT NULL, node text NOT NULL, ledger text NOT NULL, again bigint NOT NULL, seq bigint NOT NULL, "
		   "moved timestamptz NOT NULL DEFAULT now(), PRIMARY KEY(sink, node, ledger)); "
		   "CREATE TABLE IF NOT EXISTS ");
	pg_schema_add_place(b, schema, "nettally_table");
	sql_add(b, "(name text NOT NULL, sink text NOT NULL, node text NOT NULL, account text NOT NULL, "
		   "newest timestamptz NOT NULL, PRIMARY KEY(name, sink, node, account))");
}

/* ---- one table ---- */

const char *pg_schema_alias(const struct column_map *m)
{
	return m->of == COLUMN_OF_TIME && strcmp(m->alias, "window") == 0 ? "time" : m->alias;
}

static const char *type_of(const struct column_map *m)
{
	switch (pg_value_of(m)) {
	case PG_VALUE_TIME:
		return "timestamptz NOT NULL";
	case PG_VALUE_MAC:
		return "macaddr";
	case PG_VALUE_HOST:
		return m->of == COLUMN_OF_KEY && m->field == FIELD_PREFIX ? "cidr" : "inet";
	case PG_VALUE_TEXT:
		return "text NOT NULL";
	case PG_VALUE_NUMBER:
		break;
	}
	if (m->of == COLUMN_OF_KEY)
		return "integer";
	if (m->of == COLUMN_OF_LENGTH)
		return "integer NOT NULL";
	/* a counter of the ledger ends at 2^63 - 1; a sum of several may be larger */
	return (m->counters & (m->counters - 1)) == 0 ? "bigint NOT NULL" : "numeric(20) NOT NULL";
}

void pg_schema_column(struct sql_buffer *b, const struct column_map *m)
{
	sql_add_quoted(b, '"', pg_schema_alias(m));
	sql_put_u8(b, ' ');
	sql_add(b, type_of(m));
}

static bool is_typed_key(const struct column_map *m)
{
	return m->of == COLUMN_OF_KEY && pg_value_of(m) != PG_VALUE_TEXT;
}

bool pg_schema_wants_is_other(const struct columns *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (is_typed_key(&c->at[i]))
			return true;
	return false;
}

static const char *time_alias(const struct columns *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->at[i].of == COLUMN_OF_TIME)
			return pg_schema_alias(&c->at[i]);
	return NULL;
}

/* Of devices: one row for each. */
static void add_primary_key(struct sql_buffer *b, const struct columns *c)
{
	const char *between = ", PRIMARY KEY(";

	for (size_t i = 0; i < c->count; i++)
		if (column_is_key(&c->at[i])) {
			sql_add(b, between);
			sql_add_quoted(b, '"', c->at[i].alias);
			between = ", ";
		}
	sql_add(b, ")");
}

void pg_schema_create(struct sql_buffer *b, const struct pg_place *p, const struct sink_table *t, bool is_partitioned)
{
	const struct columns *c = &t->columns;

	if (p->schema[0]) {
		sql_add(b, "CREATE SCHEMA IF NOT EXISTS ");
		sql_add_quoted(b, '"', p->schema);
		sql_add(b, "; ");
	}
	sql_add(b, "CREATE TABLE ");
	sql_add(b, p->quoted);
	sql_put_u8(b, '(');
	for (size_t i = 0; i < c->count; i++) {
		if (i)
			sql_add(b, ", ");
		pg_schema_column(b, &c->at[i]);
	}
	if (!t->account)
		add_primary_key(b, c);
	else if (pg_schema_wants_is_other(c))
		sql_add(b, ", is_other boolean NOT NULL DEFAULT false");
	sql_put_u8(b, ')');
	if (t->account && is_partitioned) {
		sql_add(b, " PARTITION BY RANGE (");
		sql_add_quoted(b, '"', time_alias(c));
		sql_put_u8(b, ')');
	}
	sql_add(b, "; COMMENT ON TABLE ");
	sql_add(b, p->quoted);
	sql_add(b, " IS 'nettally: made by a sink'");
	if (!t->account || !is_partitioned) /* a hypertable has its own index */
		return;
	/* windows come in the order of time: a few bytes a page instead of twenty a row, and COPY is a third faster */
	sql_add(b, "; CREATE INDEX ON ");
	sql_add(b, p->quoted);
	sql_add(b, " USING brin (");
	sql_add_quoted(b, '"', time_alias(c));
	sql_add(b, ") WITH (pages_per_range = 16, autosummarize = on)");
}

/* ---- TimescaleDB ---- */

/* $1 of create_hypertable() and the policies: a regclass. */
static void add_regclass(struct sql_buffer *b, const struct pg_place *p)
{
	sql_add_quoted(b, '\'', p->quoted);
}

void pg_schema_hypertable(struct sql_buffer *b, const struct pg_place *p, const struct sink_table *t)
{
	sql_add(b, "SELECT create_hypertable(");
	add_regclass(b, p);
	sql_add(b, ", ");
	sql_add_quoted(b, '\'', time_alias(&t->columns));
	sql_addf(b, ", chunk_time_interval => INTERVAL '%s', if_not_exists => true)",
		 t->account->every_s < 3600 ? "1 day" : "1 month");
}

void pg_schema_compression(struct sql_buffer *b, const struct pg_place *p, const struct sink_table *t)
{
	struct sql_buffer order = { 0 };

	sql_add(b, "ALTER TABLE ");
	sql_add(b, p->quoted);
	sql_add(b, " SET (timescaledb.compress, timescaledb.compress_orderby = ");
	sql_add_quoted(&order, '"', time_alias(&t->columns));
	sql_add(&order, " DESC");
	const char *text = sql_text(&order);
	sql_add_quoted(b, '\'', text ? text : "");
	sql_buffer_free(&order);
	for (size_t i = 0; i < t->columns.count; i++)
		if (t->columns.at[i].of == COLUMN_OF_NODE) {
			sql_add(b, ", timescaledb.compress_segmentby = ");
			sql_add_quoted(&order, '"', t->columns.at[i].alias);
			text = sql_text(&order);
			sql_add_quoted(b, '\'', text ? text : "");
			sql_buffer_free(&order);
			break;
		}
	sql_put_u8(b, ')');
}

void pg_schema_compression_policy(struct sql_buffer *b, const struct pg_place *p, uint32_t after_s)
{
	sql_add(b, "SELECT add_compression_policy(");
	add_regclass(b, p);
	sql_addf(b, ", INTERVAL '%u seconds', if_not_exists => true)", after_s);
}

void pg_schema_retention(struct sql_buffer *b, const struct pg_place *p, uint32_t keep_s)
{
	sql_add(b, "SELECT remove_retention_policy(");
	add_regclass(b, p);
	sql_add(b, ", if_exists => true)");
	if (keep_s == 0)
		return;
	sql_add(b, "; SELECT add_retention_policy(");
	add_regclass(b, p);
	sql_addf(b, ", INTERVAL '%u seconds')", keep_s);
}

/* ---- partitions ---- */

void pg_partition_range(int64_t utc_s, uint32_t every_s, int64_t *ret_from_s, int64_t *ret_to_s)
{
	struct tm tm;

	*ret_from_s = window_start(utc_s, 86400);
	*ret_to_s = *ret_from_s + 86400;
	if (every_s < 3600 || !gmtime_r(&(time_t){ *ret_from_s }, &tm))
		return;
	tm.tm_mday = 1;
	*ret_from_s = timegm(&tm);
	tm.tm_mon++;
	*ret_to_s = timegm(&tm);
}

void pg_schema_partition(struct sql_buffer *b, const struct pg_place *p, int64_t utc_s, uint32_t every_s)
{
	char from_text[TIME_TEXT_MAX], to_text[TIME_TEXT_MAX], name[PG_NAME_MAX];
	int64_t from, to;

	pg_partition_range(utc_s, every_s, &from, &to);
	time_format(from, from_text, sizeof from_text);
	time_format(to, to_text, sizeof to_text);
	snprintf(name, sizeof name, "%.*s_%.4s%.2s%.2s", PG_PARTITION_NAME_MAX, p->name, from_text, from_text + 5,
		 every_s < 3600 ? from_text + 8 : "");
	sql_add(b, "CREATE TABLE IF NOT EXISTS ");
	pg_schema_add_place(b, p->schema, name);
	sql_add(b, " PARTITION OF ");
	sql_add(b, p->quoted);
	sql_addf(b, " FOR VALUES FROM ('%s') TO ('%s')", from_text, to_text);
}

bool pg_partition_end(const struct pg_place *p, const char *name, int64_t *ret_to_s)
{
	size_t len = strlen(p->name);
	unsigned year, month, day = 1;
	struct tm tm = { 0 };

	if (strncmp(name, p->name, len) != 0 || name[len] != '_')
		return false;
	const char *digits = name + len + 1;
	size_t count = strlen(digits);
	if ((count != 6 && count != 8) || strspn(digits, "0123456789") != count)
		return false;
	if (sscanf(digits, "%4u%2u%2u", &year, &month, &day) < 2)
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - (count == 6 ? 0 : 1);
	tm.tm_mday = (int)day + (count == 8);
	*ret_to_s = timegm(&tm);
	return true;
}
