/* SPDX-License-Identifier: GPL-2.0-or-later */
/* postgresql_row.h -- rows as COPY takes them, by the column types of the server's catalog.
 *
 * Binary where every column's type is known here, else text, which the server converts itself. What a typed column cannot
 * hold ("-", nothing known; "other", what found no room) becomes NULL; where the column allows no NULL, the type's zero: no
 * record is left out, so that sums stay exact. Text columns get "-" and "other" as they are.
 * COPY formats: PostgreSQL 15 manual, COPY, "Binary Format"; the values: src/backend/utils/adt, NAME_recv(). Thread: any. */
#ifndef NETTALLY_SINKS_POSTGRESQL_ROW_H
#define NETTALLY_SINKS_POSTGRESQL_ROW_H

#include "sinks/sink.h"
#include "sinks/sql_buffer.h"

enum pg_class {
	PG_OTHER, /* not known here: the server converts text */
	PG_TEXT, PG_INT2, PG_INT4, PG_INT8, PG_NUMERIC, PG_FLOAT4, PG_FLOAT8, PG_TIMESTAMPTZ, PG_TIMESTAMP, PG_DATE,
	PG_MACADDR, PG_MACADDR8, PG_INET, PG_CIDR, PG_BOOL,
};

#define PG_NAME_MAX 64 /* NAMEDATALEN */

/* What a value is before it is converted. */
enum pg_value { PG_VALUE_TIME, PG_VALUE_NUMBER, PG_VALUE_MAC, PG_VALUE_HOST, PG_VALUE_TEXT };

struct pg_column {
	char name[PG_NAME_MAX];
	char type[PG_NAME_MAX];       /* as SQL writes it */
	enum pg_class class;
	bool not_null;
	const struct column_map *map; /* NULL: `is_other`, true in the record of what found no room */
	enum pg_value value;
	size_t cell;                  /* which of sink_row.cells */
};

struct pg_columns {
	struct pg_column at[COLUMNS_MAX + 1];
	size_t count;
	bool is_binary;
};

enum pg_class pg_class_of(uint32_t type_oid);
const char *pg_class_name(enum pg_class c);
enum pg_value pg_value_of(const struct column_map *m);
/* Can such values stand in such a column at all? */
bool pg_fits(enum pg_value v, enum pg_class c);

/* What COPY begins and ends with; nothing in text. */
void pg_copy_header(struct sql_buffer *b, bool is_binary);
void pg_copy_trailer(struct sql_buffer *b, bool is_binary);
/* One row. -EINVAL names the column and the value; then nothing was added. -ENOMEM. */
int pg_row(struct sql_buffer *b, const struct pg_columns *columns, const struct sink_cell *cells, struct err *e);

#endif
