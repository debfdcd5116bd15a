/* SPDX-License-Identifier: GPL-2.0-or-later */
/* postgresql_table.h -- one table of the target: made on first use, or found as it is and its columns read from the catalog.
 *
 * A table that this sink made (its comment says so) is partitioned by time, or a hypertable where the server has TimescaleDB;
 * a column that is missing is added. A table of someone else's is never changed: what does not fit is an error that names
 * the column. Thread: the sink's. */
#ifndef NETTALLY_SINKS_POSTGRESQL_TABLE_H
#define NETTALLY_SINKS_POSTGRESQL_TABLE_H

#include "sinks/postgresql_link.h"
#include "sinks/postgresql_schema.h"

struct pg_options {
	const char *sink, *node, *schema; /* schema may be NULL */
	bool timescaledb;                 /* use it where it is */
	uint32_t keep_s;                  /* 0 = for ever; of tables made here */
	uint32_t compress_s;              /* chunks older than this, 0 = never */
};

struct pg_table {
	const struct sink_table *table;
	struct pg_place place;
	struct pg_columns columns;
	const struct pg_column *time;  /* NULL: none, only of devices */
	bool is_ours, is_partitioned;
	bool has_node;                 /* rows say which node they are of */
	int64_t newest_utc_s;          /* no window after this is there */
	int64_t *partitions;           /* starts of those known to be there */
	size_t partition_count;
};

/* In a transaction of its own. */
int pg_table_open(struct pg_table *t, struct pg_link *l, const struct sink_table *table, const struct pg_options *o,
		  struct err *e);
void pg_table_free(struct pg_table *t);

/* Makes the partitions of these windows; expires old ones. Outside of a transaction. */
int pg_table_partitions(struct pg_table *t, struct pg_link *l, const struct sink_batch *b, const struct pg_options *o,
			struct err *e);
/* Appends what removes the batch's windows of this table, where they may be there already. */
void pg_table_delete(const struct pg_table *t, struct sql_buffer *sql, const struct sink_batch *b, const struct pg_options *o);
/* COPY table (columns) FROM STDIN; for devices into a table of this session. */
void pg_table_copy(const struct pg_table *t, struct sql_buffer *sql);
void pg_table_device_stage(const struct pg_table *t, struct sql_buffer *sql);
/* Rows of that table to where they belong: changed, or added. */
void pg_table_upsert(const struct pg_table *t, struct sql_buffer *sql);
/* Appends what notes the newest window. */
void pg_table_note(const struct pg_table *t, struct sql_buffer *sql, int64_t newest_utc_s, const struct pg_options *o);

#endif
