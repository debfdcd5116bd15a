/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/clickhouse_schema.h"

#include <inttypes.h>

uint32_t ch_grade_length(enum ch_grade g)
{
	return g == CH_HOURS ? 3600 : g == CH_DAYS ? 86400 : 0;
}

bool ch_has_grade(const struct sink_table *t, enum ch_grade g)
{
	return g == CH_RECORDS || (t->account && t->account->every_s < ch_grade_length(g));
}

static enum ch_grade finer(const struct sink_table *t, enum ch_grade g)
{
	return g == CH_DAYS && ch_has_grade(t, CH_HOURS) ? CH_HOURS : CH_RECORDS;
}

/* ---- names ---- */

void ch_table_name(char ret[static CH_NAME_MAX + 16], const struct sink_table *t, enum ch_grade g)
{
	static const char *const suffixes[CH_GRADES] = { "", "_1h", "_1d" };

	snprintf(ret, CH_NAME_MAX + 16, "%.63s%s", t->name, suffixes[g]);
}

const char *ch_alias(const struct column_map *m)
{
	return m->of == COLUMN_OF_TIME && strcmp(m->alias, "window") == 0 ? "time" : m->alias;
}

void ch_add_name(struct sql_buffer *b, const char *database, const char *name)
{
	sql_add_quoted(b, '`', database);
	sql_put_u8(b, '.');
	sql_add_quoted(b, '`', name);
}

void ch_add_literal(struct sql_buffer *b, const char *text)
{
	sql_put_u8(b, '\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			sql_put_u8(b, '\\');
		sql_put_u8(b, (uint8_t)*text);
	}
	sql_put_u8(b, '\'');
}

static void add_table(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, enum ch_grade g, bool local)
{
	char name[CH_NAME_MAX + 16], full[CH_NAME_MAX + 32];

	ch_table_name(name, t, g);
	snprintf(full, sizeof full, "%s%s", name, local && d->cluster ? "_local" : "");
	ch_add_name(b, d->database, full);
}

static void add_cluster(struct sql_buffer *b, const struct ch_dialect *d)
{
	if (!d->cluster)
		return;
	sql_add(b, " ON CLUSTER ");
	sql_add_quoted(b, '`', d->cluster);
}

/* ---- columns ---- */

/* Few different values, so that a dictionary is smaller than they are. */
static bool is_of_few(const struct column_map *m)
{
	if (m->of != COLUMN_OF_KEY)
		return true;
	switch (m->field) {
	case FIELD_INTERFACE:
	case FIELD_DIRECTION:
	case FIELD_ETHERTYPE:
	case FIELD_SERVICE:
	case FIELD_RULE:
	case FIELD_COUNTRY:
	case FIELD_VENDOR:
	case FIELD_ROUTER:
	case FIELD_TYPE:
		return true;
	default:
		return false;
	}
}

static void add_type(struct sql_buffer *b, const struct ch_dialect *d, const struct column_map *m)
{
	const char *codec = " CODEC(ZSTD(1))";

	if (m->of == COLUMN_OF_TIME) {
		sql_add(b, " DateTime('UTC')");
		codec = " CODEC(DoubleDelta, ZSTD(1))";
	} else if (m->of == COLUMN_OF_LENGTH) {
		sql_add(b, " UInt32");
	} else if (m->of == COLUMN_OF_COUNTER) {
		sql_add(b, " UInt64");
	} else if (m->of == COLUMN_OF_KEY && field_is_number(m->field)) {
		sql_add(b, " Int32");
	} else {
		sql_add(b, is_of_few(m) && !d->is_old ? " LowCardinality(String)" : " String");
	}
	if (!d->is_old)
		sql_add(b, codec);
}

static bool has_node(const struct sink_table *t)
{
	for (size_t i = 0; i < t->columns.count; i++)
		if (t->columns.at[i].of == COLUMN_OF_NODE)
			return true;
	return false;
}

/* A roll-up has no length of a window. */
static bool is_in_grade(const struct column_map *m, enum ch_grade g)
{
	return g == CH_RECORDS || m->of != COLUMN_OF_LENGTH;
}

static const char *node_alias(const struct sink_table *t)
{
	for (size_t i = 0; i < t->columns.count; i++)
		if (t->columns.at[i].of == COLUMN_OF_NODE)
			return t->columns.at[i].alias;
	return "node";
}

static const char *time_alias(const struct sink_table *t)
{
	for (size_t i = 0; i < t->columns.count; i++)
		if (t->columns.at[i].of == COLUMN_OF_TIME)
			return ch_alias(&t->columns.at[i]);
	return "time";
}

/* node, time, keys: all rows of a node and a range of time lie together. Of devices: node, mac. */
static void add_order(struct sql_buffer *b, const struct sink_table *t, enum ch_grade g, bool with_time)
{
	sql_add_quoted(b, '`', node_alias(t));
	if (t->account && with_time) {
		sql_add(b, ", ");
		sql_add_quoted(b, '`', time_alias(t));
	}
	for (size_t i = 0; i < t->columns.count; i++) {
		const struct column_map *m = &t->columns.at[i];

		if (!column_is_key(m) || m->of == COLUMN_OF_NODE || !is_in_grade(m, g))
			continue;
		if (m->of == COLUMN_OF_LENGTH && !with_time)
			continue;
		sql_add(b, ", ");
		sql_add_quoted(b, '`', m->alias);
	}
}

/* ---- tables ---- */

void ch_schema_database(struct sql_buffer *b, const struct ch_dialect *d)
{
	sql_add(b, "CREATE DATABASE IF NOT EXISTS ");
	sql_add_quoted(b, '`', d->database);
	add_cluster(b, d);
}

static void add_engine(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, enum ch_grade g)
{
	char name[CH_NAME_MAX + 16];

	if (!d->cluster) {
		sql_add(b, " ENGINE = ReplacingMergeTree(version)");
		return;
	}
	ch_table_name(name, t, g);
	sql_add(b, " ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/");
	sql_add(b, d->database);
	sql_add(b, "/");
	sql_add(b, name);
	sql_add(b, "', '{replica}', version)");
}

void ch_schema_table(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, enum ch_grade g)
{
	sql_add(b, "CREATE TABLE IF NOT EXISTS ");
	add_table(b, d, t, g, true);
	add_cluster(b, d);
	sql_add(b, " (");
	for (size_t i = 0; i < t->columns.count; i++) {
		if (!is_in_grade(&t->columns.at[i], g))
			continue;
		sql_add_quoted(b, '`', ch_alias(&t->columns.at[i]));
		add_type(b, d, &t->columns.at[i]);
		sql_add(b, ", ");
	}
	if (!has_node(t))
		sql_add(b, d->is_old ? "`node` String, " : "`node` LowCardinality(String), ");
	sql_add(b, d->is_old ? "`version` UInt64)" : "`version` UInt64 CODEC(ZSTD(1)))");
	add_engine(b, d, t, g);
	if (t->account) {
		sql_add(b, g == CH_DAYS ? " PARTITION BY toYear(" : " PARTITION BY toYYYYMM(");
		sql_add_quoted(b, '`', time_alias(t));
		sql_put_u8(b, ')');
	}
	sql_add(b, " ORDER BY (");
	add_order(b, t, g, true);
	sql_put_u8(b, ')');
	if (t->account && g == CH_RECORDS && d->keep_s && !d->is_old) {
		sql_add(b, " TTL ");
		sql_add_quoted(b, '`', time_alias(t));
		sql_addf(b, " + toIntervalSecond(%u)", d->keep_s);
	}
}

void ch_schema_distributed(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, enum ch_grade g)
{
	char name[CH_NAME_MAX + 16], local[CH_NAME_MAX + 32];

	ch_table_name(name, t, g);
	snprintf(local, sizeof local, "%s_local", name);
	sql_add(b, "CREATE TABLE IF NOT EXISTS ");
	add_table(b, d, t, g, false);
	add_cluster(b, d);
	sql_add(b, " AS ");
	add_table(b, d, t, g, true);
	sql_add(b, " ENGINE = Distributed(");
	ch_add_literal(b, d->cluster);
	sql_add(b, ", ");
	ch_add_literal(b, d->database);
	sql_add(b, ", ");
	ch_add_literal(b, local);
	/* by the key alone: a row that comes again comes to the shard that has it, and a roll-up to that of its records */
	sql_add(b, ", cityHash64(");
	add_order(b, t, g, false);
	sql_add(b, "))");
}

/* ---- rows ---- */

void ch_schema_insert(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, const struct ch_columns *c)
{
	sql_add(b, "INSERT INTO ");
	add_table(b, d, t, CH_RECORDS, false);
	sql_add(b, " (");
	for (size_t i = 0; i < c->count; i++) {
		sql_add(b, i ? ", " : "");
		sql_add_quoted(b, '`', c->at[i].name);
	}
	sql_add(b, ") FORMAT RowBinary");
}

static void add_start(struct sql_buffer *b, const struct sink_table *t, enum ch_grade g)
{
	sql_add(b, g == CH_DAYS ? "toStartOfDay(" : "toStartOfHour(");
	sql_add_quoted(b, '`', time_alias(t));
	sql_put_u8(b, ')');
}

/* Columns of a roll-up in order: as names, as what is selected, or as what is grouped by. */
enum part { PART_NAMES, PART_SELECT, PART_GROUP };

static void add_part(struct sql_buffer *b, const struct sink_table *t, enum ch_grade g, enum part part)
{
	for (size_t i = 0; i < t->columns.count; i++) {
		const struct column_map *m = &t->columns.at[i];
		bool is_sum = m->of == COLUMN_OF_COUNTER;

		if (!is_in_grade(m, g) || (part == PART_GROUP && is_sum))
			continue;
		if (m->of == COLUMN_OF_TIME && part != PART_NAMES) {
			add_start(b, t, g);
		} else {
			sql_add(b, is_sum && part == PART_SELECT ? "sum(" : "");
			sql_add_quoted(b, '`', ch_alias(m));
			sql_add(b, is_sum && part == PART_SELECT ? ")" : "");
		}
		sql_add(b, ", ");
	}
	if (!has_node(t))
		sql_add(b, "`node`, ");
	if (part == PART_GROUP)
		b->len -= 2; /* the last comma */
	else
		sql_add(b, part == PART_SELECT ? "max(version)" : "version");
}

static void add_where(struct sql_buffer *b, const struct sink_table *t, const char *node, const int64_t *range_utc_s)
{
	sql_add(b, " WHERE ");
	if (node) {
		sql_add_quoted(b, '`', node_alias(t));
		sql_add(b, " = ");
		ch_add_literal(b, node);
	} else {
		sql_add(b, "1");
	}
	for (int i = 0; range_utc_s && i < 2; i++) {
		sql_add(b, " AND ");
		sql_add_quoted(b, '`', time_alias(t));
		sql_addf(b, " %s toDateTime(%" PRId64 ")", i ? "<" : ">=", range_utc_s[i]);
	}
}

void ch_schema_rollup(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, enum ch_grade g,
		      const char *node, const int64_t range_utc_s[static 2])
{
	sql_add(b, "INSERT INTO ");
	add_table(b, d, t, g, false);
	sql_add(b, " (");
	add_part(b, t, g, PART_NAMES);
	sql_add(b, ") SELECT ");
	add_part(b, t, g, PART_SELECT);
	sql_add(b, " FROM ");
	add_table(b, d, t, finer(t, g), false);
	sql_add(b, " FINAL");
	add_where(b, t, node, range_utc_s);
	sql_add(b, " GROUP BY ");
	add_part(b, t, g, PART_GROUP);
}

void ch_schema_count(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, const char *node,
		     const int64_t range_utc_s[static 2], uint64_t version)
{
	sql_add(b, "SELECT count() FROM ");
	add_table(b, d, t, CH_RECORDS, false);
	add_where(b, t, node, t->account ? range_utc_s : NULL);
	sql_addf(b, " AND version = %" PRIu64, version);
}

void ch_schema_version(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, const char *node)
{
	sql_add(b, "SELECT max(version) FROM ");
	add_table(b, d, t, CH_RECORDS, false);
	add_where(b, t, node, NULL);
}
