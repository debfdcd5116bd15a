/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clickhouse_schema.h -- the text of the statements for ClickHouse, in two dialects. Text alone: nothing is sent.
 *
 * Records go into a ReplacingMergeTree by (node, time, keys) whose version rises with each write: what comes again takes the
 * place of what is there, however often. A summing materialized view would add it again, so the roll-ups are not views: after
 * each write the hours and days that it touched are summed anew out of the records, into tables of the same kind. Read all of
 * them with FINAL. Old dialect: before 20.3, as Debian's 18.16; without LowCardinality, CODEC and TTL. Thread: any. */
#ifndef NETTALLY_SINKS_CLICKHOUSE_SCHEMA_H
#define NETTALLY_SINKS_CLICKHOUSE_SCHEMA_H

#include "sinks/clickhouse_row.h"

struct ch_dialect {
	bool is_old;
	const char *database, *cluster; /* cluster NULL: one server */
	uint32_t keep_s;                /* of records; roll-ups stay */
};

/* What is held per row of a table. */
enum ch_grade { CH_RECORDS, CH_HOURS, CH_DAYS };
#define CH_GRADES 3

uint32_t ch_grade_length(enum ch_grade g); /* 0, 3600, 86400 */
/* Has this account such a roll-up? One of hours is of windows that are shorter. */
bool ch_has_grade(const struct sink_table *t, enum ch_grade g);
/* hosts, hosts_1h, hosts_1d; with suffix "_local" behind it for what a Distributed table stands before */
void ch_table_name(char ret[static CH_NAME_MAX + 16], const struct sink_table *t, enum ch_grade g);
const char *ch_alias(const struct column_map *m); /* `window` is called time */

void ch_add_name(struct sql_buffer *b, const char *database, const char *name);
void ch_add_literal(struct sql_buffer *b, const char *text);

void ch_schema_database(struct sql_buffer *b, const struct ch_dialect *d);
/* One statement: the table, or with a cluster the replicated one behind it. */
void ch_schema_table(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, enum ch_grade g);
void ch_schema_distributed(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, enum ch_grade g);

/* INSERT INTO table(columns) FORMAT RowBinary */
void ch_schema_insert(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, const struct ch_columns *c);
/* Sums what starts in [from, to) anew, from the next finer grade. */
void ch_schema_rollup(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, enum ch_grade g,
		      const char *node, const int64_t range_utc_s[static 2]);
/* How many rows of that version and range are there; node NULL: the table has no column for it. */
void ch_schema_count(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, const char *node,
		     const int64_t range_utc_s[static 2], uint64_t version);
/* The highest version that the node has written. */
void ch_schema_version(struct sql_buffer *b, const struct ch_dialect *d, const struct sink_table *t, const char *node);

#endif
