/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clickhouse_row.h -- rows as the format RowBinary has them, by the column types that system.columns tells.
 *
 * What a typed column cannot hold has a value of its own, so that no two records become one: "-" (nothing known) is NULL
 * where the column allows it, else zero, -1 in signed numbers; "other" (what found no room) is all ones, -2 in signed
 * numbers. Text columns get "-" and "other" as they are. Values: ClickHouse manual, Formats, RowBinary. Thread: any. */
#ifndef NETTALLY_SINKS_CLICKHOUSE_ROW_H
#define NETTALLY_SINKS_CLICKHOUSE_ROW_H

#include "sinks/sink.h"
#include "sinks/sql_buffer.h"

#define CH_NAME_MAX 64
#define CH_TYPE_MAX 128

enum ch_class { CH_STRING, CH_FIXED, CH_UINT, CH_INT, CH_FLOAT, CH_DATETIME, CH_DATETIME64, CH_IPV4, CH_IPV6 };

struct ch_type {
	enum ch_class class;
	unsigned width;     /* bytes; of CH_DATETIME64 its decimals */
	bool is_nullable;
};

/* What goes into a column. */
enum ch_fill { CH_FILL_CELL, CH_FILL_NODE, CH_FILL_VERSION };

struct ch_column {
	char name[CH_NAME_MAX];
	struct ch_type type;
	enum ch_fill fill;
	const struct column_map *map; /* of CH_FILL_CELL */
	size_t cell;
};

struct ch_columns {
	struct ch_column at[COLUMNS_MAX + 2];
	size_t count;
};

struct ch_row {
	const struct sink_cell *cells;
	const char *node;
	uint64_t version;
};

/* "LowCardinality(Nullable(String))", "DateTime('UTC')" ...; -ENOTSUP for what is not known here. */
int ch_type_parse(struct ch_type *ret, const char *text);
/* Can the values of such a column of the mapping stand in such a type at all? */
bool ch_fits(const struct column_map *m, const struct ch_type *t);
/* One row. -EINVAL names the column and the value; then nothing was added. -ENOMEM. */
int ch_put_row(struct sql_buffer *b, const struct ch_columns *columns, const struct ch_row *row, struct err *e);

#endif
