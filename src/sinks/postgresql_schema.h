/* SPDX-License-Identifier: GPL-2.0-or-later */
/* postgresql_schema.h -- the text of the statements that make and keep nettally's own tables. Text alone: nothing is sent.
 * Thread: any. */
#ifndef NETTALLY_SINKS_POSTGRESQL_SCHEMA_H
#define NETTALLY_SINKS_POSTGRESQL_SCHEMA_H

#include "sinks/postgresql_row.h"

#define PG_QUOTED_MAX (4 * PG_NAME_MAX + 8)
#define PG_PARTITION_NAME_MAX (PG_NAME_MAX - 10) /* room for "_20261122" */

/* Where a table is. */
struct pg_place {
	char schema[PG_NAME_MAX]; /* "" = as search_path says */
	char name[PG_NAME_MAX];
	char quoted[PG_QUOTED_MAX];
};

/* "name", "schema.name", or `schema` of the config in front. -ENAMETOOLONG. */
int pg_place_make(struct pg_place *ret, const char *schema, const char *table, struct err *e);

/* What holds the cursor, and which windows are there already. */
void pg_schema_state(struct sql_buffer *b, const char *schema);
void pg_schema_add_place(struct sql_buffer *b, const char *schema, const char *name); /* "schema"."name" */

/* The column's name in a table that is made here: `window` is a reserved word of SQL, and is called `time`. */
const char *pg_schema_alias(const struct column_map *m);
void pg_schema_column(struct sql_buffer *b, const struct column_map *m);
bool pg_schema_wants_is_other(const struct columns *c);
void pg_schema_create(struct sql_buffer *b, const struct pg_place *p, const struct sink_table *t, bool is_partitioned);
/* One statement each: the hypertable; its compression; its retention (keep_s 0: none). */
void pg_schema_hypertable(struct sql_buffer *b, const struct pg_place *p, const struct sink_table *t);
void pg_schema_compression(struct sql_buffer *b, const struct pg_place *p, const struct sink_table *t);
void pg_schema_compression_policy(struct sql_buffer *b, const struct pg_place *p, uint32_t after_s);
void pg_schema_retention(struct sql_buffer *b, const struct pg_place *p, uint32_t keep_s);

/* Partitions: of a day, for windows of an hour and more of a month. The first second, and the first behind. */
void pg_partition_range(int64_t utc_s, uint32_t every_s, int64_t *ret_from_s, int64_t *ret_to_s);
void pg_schema_partition(struct sql_buffer *b, const struct pg_place *p, int64_t utc_s, uint32_t every_s);
/* The end of the partition of that name; false: it is none of ours. */
bool pg_partition_end(const struct pg_place *p, const char *name, int64_t *ret_to_s);

#endif
