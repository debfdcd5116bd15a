/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values on their way into COPY and RowBinary, in columns whose types a server tells: the first byte chooses the field, the
 * second the type in PostgreSQL, then a type of ClickHouse up to the line's end, then the value. */
#include "sinks/clickhouse_row.h"
#include "sinks/postgresql_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const fields[] = { "mac", "host", "prefix", "service", "dst_port", "type", "window", "rx_packets" };

static bool make_map(struct column_map *ret, uint8_t n)
{
	struct account a = { .by = { FIELD_MAC, FIELD_HOST, FIELD_PREFIX, FIELD_SERVICE, FIELD_DST_PORT, FIELD_TYPE },
			     .by_count = 6, .party = true };
	struct columns c = { 0 };

	if (columns_add(&c, &a, fields[n % 8], NULL) < 0)
		return false;
	*ret = c.at[0];
	return true;
}

static void as_postgresql(const struct column_map *m, uint8_t choice, const struct sink_cell *cell)
{
	struct pg_columns c = { .count = 2, .is_binary = choice & 1 };
	struct sql_buffer b = { 0 };

	c.at[0] = (struct pg_column){ .name = "x", .class = (enum pg_class)(choice >> 2 & 15), .not_null = choice & 2, .map = m,
				      .value = pg_value_of(m) };
	c.at[1] = (struct pg_column){ .name = "is_other", .class = PG_BOOL };
	if (c.at[0].class <= PG_BOOL && pg_fits(c.at[0].value, c.at[0].class) && (c.at[0].class != PG_OTHER || !c.is_binary))
		(void)pg_row(&b, &c, cell, NULL);
	sql_buffer_free(&b);
}

static void as_clickhouse(const struct column_map *m, const char *type, const struct sink_cell *cell)
{
	struct ch_columns c = { .count = 1, .at = { { .map = m } } };
	struct ch_row row = { .cells = cell };
	struct sql_buffer b = { 0 };

	if (ch_type_parse(&c.at[0].type, type) == 0 && ch_fits(m, &c.at[0].type))
		(void)ch_put_row(&b, &c, &row, NULL);
	sql_buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512], type[128];
	struct column_map m;

	if (size < 3 || size >= sizeof text || !make_map(&m, data[0]))
		return 0;
	memcpy(text, data + 2, size - 2);
	text[size - 2] = '\0';
	size_t type_len = strcspn(text, "\n");
	if (type_len >= sizeof type || text[type_len] == '\0')
		return 0;
	memcpy(type, text, type_len);
	type[type_len] = '\0';
	const char *value = text + type_len + 1;
	bool is_number = m.of == COLUMN_OF_TIME || m.of == COLUMN_OF_COUNTER;
	struct sink_cell cell = { .text = is_number ? NULL : value, .len = is_number ? 0 : strlen(value),
				  .number = is_number ? strtoull(value, NULL, 10) : 0 };

	as_postgresql(&m, data[1], &cell);
	as_clickhouse(&m, type, &cell);
	return 0;
}
