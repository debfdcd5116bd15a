/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows as COPY wants them, against bytes that a server's own COPY ... TO gave; statements as text. */
#include "sinks/postgresql_schema.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct column_map map_of(const char *field)
{
	struct account a = { .by = { FIELD_MAC, FIELD_HOST, FIELD_PREFIX, FIELD_SERVICE, FIELD_DST_PORT, FIELD_TYPE },
			     .by_count = 6, .party = true };
	struct columns c = { 0 };
	struct err e = { 0 };

	if (columns_add(&c, &a, field, &e) < 0)
		fail_msg("%s: %s", field, e.msg);
	return c.at[0];
}

static void hex_of(const struct sql_buffer *b, char *hex, size_t size)
{
	assert_true(b->len * 2 < size);
	for (size_t i = 0; i < b->len; i++)
		snprintf(hex + 2 * i, 3, "%02x", b->bytes[i]);
	hex[b->len * 2] = '\0';
}

static struct sink_cell cell_of(const char *text, uint64_t number)
{
	return (struct sink_cell){ .text = text, .len = text ? strlen(text) : 0, .number = number };
}

/* select '...'::TYPE, COPY (FORMAT binary): length in four bytes, then the value */
static const struct {
	const char *field;
	enum pg_class class;
	bool not_null;
	const char *text;
	uint64_t number;
	const char *want; /* NULL: -EINVAL */
} cells[] = {
	{ "mac", PG_MACADDR, false, "02:00:00:aa:bb:cc", 0, "00000006020000aabbcc" },
	{ "mac", PG_MACADDR8, false, "02:00:00:aa:bb:cc", 0, "00000008020000fffeaabbcc" },
	{ "mac", PG_MACADDR, false, "-", 0, "ffffffff" },
	{ "mac", PG_MACADDR, false, "other", 0, "ffffffff" },
	{ "mac", PG_MACADDR, true, "other", 0, "00000006000000000000" },
	{ "mac", PG_TEXT, true, "other", 0, "000000056f74686572" },
	{ "mac", PG_MACADDR, false, "no mac", 0, NULL },
	{ "host", PG_INET, false, "192.0.2.1", 0, "0000000802200004c0000201" },
	{ "host", PG_CIDR, false, "192.0.2.1", 0, "0000000802200104c0000201" },
	{ "host", PG_INET, false, "2001:db8::1", 0, "000000140380001020010db8000000000000000000000001" },
	{ "host", PG_INET, false, "::ffff:192.0.2.1", 0, "000000140380001000000000000000000000ffffc0000201" },
	{ "host", PG_INET, false, "-", 0, "ffffffff" },
	{ "host", PG_INET, true, "-", 0, "000000080220000400000000" },
	{ "prefix", PG_CIDR, false, "192.0.2.0/24", 0, "0000000802180104c0000200" },
	{ "prefix", PG_CIDR, false, "2001:db8::/32", 0, "000000140320011020010db8000000000000000000000000" },
	{ "prefix", PG_CIDR, false, "192.0.2.0/33", 0, NULL },
	{ "prefix", PG_CIDR, false, "192.0.2.0/", 0, NULL },
	{ "service", PG_TEXT, true, "-", 0, "000000012d" },
	{ "service", PG_TEXT, true, "a\xff" "b\xc3\xa4", 0, "00000005613f62c3a4" },
	{ "dst_port", PG_INT4, false, NULL, 443, "00000004000001bb" },
	{ "dst_port", PG_INT4, false, "-", 0, "ffffffff" },
	{ "dst_port", PG_INT4, true, "other", 0, "0000000400000000" },
	{ "dst_port", PG_INT2, false, NULL, 40000, NULL },
	{ "dst_port", PG_TEXT, false, NULL, 443, "00000003343433" },
	{ "type", PG_INT4, false, "17", 0, "0000000400000011" },
	{ "type", PG_INT4, false, "video", 0, NULL },
	{ "rx_packets", PG_INT8, true, NULL, INT64_MAX, "000000087fffffffffffffff" },
	{ "rx_packets", PG_INT8, true, NULL, (uint64_t)INT64_MAX + 1, NULL },
	{ "rx_packets", PG_NUMERIC, true, NULL, UINT64_MAX, "00000012000500040000000007341a5802e103bb064f" },
	{ "rx_packets", PG_NUMERIC, true, NULL, 0, "000000080000000000000000" },
	{ "rx_packets", PG_NUMERIC, true, NULL, 10000, "0000000c00020001000000000001" "0000" },
	{ "rx_packets", PG_FLOAT8, true, NULL, 3, "000000084008000000000000" },
	{ "rx_packets", PG_FLOAT4, true, NULL, 3, "0000000440400000" },
	{ "window", PG_TIMESTAMPTZ, true, NULL, 1795305600, "00000008000303d0ed554000" },
	{ "window", PG_TIMESTAMP, true, NULL, 946684800, "000000080000000000000000" },
	{ "window", PG_INT8, true, NULL, 1795305600, "00000008000000006b023080" },
	{ "window", PG_TEXT, true, NULL, 0, "00000014313937302d30312d30315430303a30303a30305a" },
};

static void test_binary_cells(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		struct column_map m = map_of(cells[i].field);
		struct pg_columns c = { .count = 1, .is_binary = true };
		struct sink_cell cell = cell_of(cells[i].text, cells[i].number);
		struct sql_buffer b = { 0 };
		struct err e = { 0 };
		char hex[512];

		c.at[0] = (struct pg_column){ .name = "x", .class = cells[i].class, .not_null = cells[i].not_null, .map = &m,
					      .value = pg_value_of(&m) };
		assert_true(pg_fits(c.at[0].value, cells[i].class));
		int r = pg_row(&b, &c, &cell, &e);
		if (!cells[i].want) {
			if (r != -EINVAL || b.len || !strstr(e.msg, "column x"))
				fail_msg("cell %zu (%s): %d, '%s'", i, cells[i].field, r, e.msg);
			sql_buffer_free(&b);
			continue;
		}
		assert_int_equal(r, 0);
		hex_of(&b, hex, sizeof hex);
		assert_memory_equal(hex, "0001", 4);
		if (strcmp(hex + 4, cells[i].want) != 0)
			fail_msg("cell %zu (%s %s): %s, not %s", i, cells[i].field, cells[i].text ? cells[i].text : "", hex + 4,
				 cells[i].want);
		sql_buffer_free(&b);
	}
}

static void test_what_fits(void **state)
{
	static const struct {
		const char *field;
		enum pg_class class;
		bool want;
	} cases[] = {
		{ "mac", PG_INET, false },       { "mac", PG_INT8, false },       { "host", PG_MACADDR, false },
		{ "window", PG_MACADDR, false }, { "window", PG_DATE, false },    { "window", PG_INT2, false },
		{ "rx_bytes", PG_INET, false },  { "rx_bytes", PG_BOOL, false },  { "service", PG_TIMESTAMPTZ, false },
		{ "rx_bytes", PG_OTHER, true },  { "prefix", PG_INET, true },     { "type", PG_INT2, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct column_map m = map_of(cases[i].field);

		if (pg_fits(pg_value_of(&m), cases[i].class) != cases[i].want)
			fail_msg("%s in %s", cases[i].field, pg_class_name(cases[i].class));
	}
}

/* A type that is not known here makes the whole table text. */
static void test_text_rows(void **state)
{
	struct column_map time = map_of("window"), mac = map_of("mac"), service = map_of("service"), bytes = map_of("rx_bytes");
	struct pg_columns c = { .count = 5 };
	struct sink_cell row[] = { cell_of(NULL, 1795305600), cell_of("other", 0), cell_of("a\tb\\c\n", 0), cell_of(NULL, 7) };
	struct sql_buffer b = { 0 };

	(void)state;
	c.at[0] = (struct pg_column){ .name = "t", .class = PG_TIMESTAMPTZ, .map = &time, .value = PG_VALUE_TIME, .cell = 0 };
	c.at[1] = (struct pg_column){ .name = "m", .class = PG_MACADDR, .map = &mac, .value = PG_VALUE_MAC, .cell = 1 };
	c.at[2] = (struct pg_column){ .name = "s", .class = PG_OTHER, .map = &service, .value = PG_VALUE_TEXT, .cell = 2 };
	c.at[3] = (struct pg_column){ .name = "b", .class = PG_INT8, .map = &bytes, .value = PG_VALUE_NUMBER, .cell = 3 };
	c.at[4] = (struct pg_column){ .name = "is_other", .class = PG_BOOL };
	assert_int_equal(pg_row(&b, &c, row, NULL), 0);
	assert_string_equal(sql_text(&b), "2026-11-22T00:00:00Z\t\\N\ta\\tb\\\\c\\n\t7\tt\n");
	sql_buffer_free(&b);
}

/* ---- statements ---- */

static struct sink_table table_of(struct account *a, const char *const *columns)
{
	struct sink_table t = { .account = a };
	struct err e = { 0 };

	snprintf(t.name, sizeof t.name, "hosts");
	snprintf(a->name, sizeof a->name, "hosts");
	a->by[0] = FIELD_HOST;
	a->by[1] = FIELD_SERVICE;
	a->by_count = 2;
	a->party = true;
	a->every_s = 60;
	for (; *columns; columns++)
		if (columns_add(&t.columns, a, *columns, &e) < 0)
			fail_msg("%s", e.msg);
	return t;
}

static const char *const few[] = { "window", "node", "host", "service", "rx_packets", "bytes=rx_l3_bytes+tx_l3_bytes", NULL };

static void test_create(void **state)
{
	struct account a = { 0 };
	struct sink_table t = table_of(&a, few);
	struct pg_place p = { 0 };
	struct sql_buffer b = { 0 };

	(void)state;
	assert_int_equal(pg_place_make(&p, NULL, "hosts", NULL), 0);
	pg_schema_create(&b, &p, &t, true);
	assert_string_equal(sql_text(&b),
			    "CREATE TABLE \"hosts\"(\"time\" timestamptz NOT NULL, \"node\" text NOT NULL, \"host\" inet, "
			    "\"service\" text NOT NULL, \"rx_packets\" bigint NOT NULL, \"bytes\" numeric(20) NOT NULL, "
			    "is_other boolean NOT NULL DEFAULT false) PARTITION BY RANGE (\"time\"); "
			    "COMMENT ON TABLE \"hosts\" IS 'nettally: made by a sink'; "
			    "CREATE INDEX ON \"hosts\" USING brin (\"time\") WITH (pages_per_range = 16, autosummarize = on)");
	sql_buffer_free(&b);
}

static void test_timescaledb(void **state)
{
	struct account a = { 0 };
	struct sink_table t = table_of(&a, few);
	struct pg_place p = { 0 };
	struct sql_buffer b = { 0 };

	(void)state;
	assert_int_equal(pg_place_make(&p, "net", "hosts", NULL), 0);
	pg_schema_hypertable(&b, &p, &t);
	assert_string_equal(sql_text(&b), "SELECT create_hypertable('\"net\".\"hosts\"', 'time', "
					  "chunk_time_interval => INTERVAL '1 day', if_not_exists => true)");
	b.len = 0;
	pg_schema_compression(&b, &p, &t);
	assert_string_equal(sql_text(&b), "ALTER TABLE \"net\".\"hosts\" SET (timescaledb.compress, "
					  "timescaledb.compress_orderby = '\"time\" DESC', "
					  "timescaledb.compress_segmentby = '\"node\"')");
	b.len = 0;
	pg_schema_compression_policy(&b, &p, 604800);
	assert_string_equal(sql_text(&b), "SELECT add_compression_policy('\"net\".\"hosts\"', INTERVAL '604800 seconds', "
					  "if_not_exists => true)");
	b.len = 0;
	pg_schema_retention(&b, &p, 86400);
	assert_string_equal(sql_text(&b), "SELECT remove_retention_policy('\"net\".\"hosts\"', if_exists => true); "
					  "SELECT add_retention_policy('\"net\".\"hosts\"', INTERVAL '86400 seconds')");
	sql_buffer_free(&b);
}

static void test_partitions(void **state)
{
	static const struct {
		int64_t utc_s;
		uint32_t every_s;
		const char *want;
	} cases[] = {
		{ 1795305599, 60, "CREATE TABLE IF NOT EXISTS \"hosts_20261121\" PARTITION OF \"hosts\" FOR VALUES FROM "
				  "('2026-11-21T00:00:00Z') TO ('2026-11-22T00:00:00Z')" },
		{ 1795305600, 1, "CREATE TABLE IF NOT EXISTS \"hosts_20261122\" PARTITION OF \"hosts\" FOR VALUES FROM "
				 "('2026-11-22T00:00:00Z') TO ('2026-11-23T00:00:00Z')" },
		{ 1798761599, 3600, "CREATE TABLE IF NOT EXISTS \"hosts_202612\" PARTITION OF \"hosts\" FOR VALUES FROM "
				    "('2026-12-01T00:00:00Z') TO ('2027-01-01T00:00:00Z')" },
	};
	struct pg_place p = { 0 };
	int64_t end;

	(void)state;
	assert_int_equal(pg_place_make(&p, NULL, "hosts", NULL), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sql_buffer b = { 0 };

		pg_schema_partition(&b, &p, cases[i].utc_s, cases[i].every_s);
		assert_string_equal(sql_text(&b), cases[i].want);
		sql_buffer_free(&b);
	}
	assert_true(pg_partition_end(&p, "hosts_20261231", &end));
	assert_int_equal(end, 1798761600);
	assert_true(pg_partition_end(&p, "hosts_202612", &end));
	assert_int_equal(end, 1798761600);
	assert_false(pg_partition_end(&p, "hosts_2026", &end));
	assert_false(pg_partition_end(&p, "hosts_2026123x", &end));
	assert_false(pg_partition_end(&p, "other_20261231", &end));
}

static void test_names(void **state)
{
	struct pg_place p = { 0 };
	char name[80];

	(void)state;
	assert_int_equal(pg_place_make(&p, "net", "a\"b", NULL), 0);
	assert_string_equal(p.quoted, "\"net\".\"a\"\"b\"");
	assert_int_equal(pg_place_make(&p, "net", "old.speedy", NULL), 0);
	assert_string_equal(p.quoted, "\"old\".\"speedy\"");
	memset(name, 'x', sizeof name);
	name[64] = '\0';
	assert_int_equal(pg_place_make(&p, NULL, name, NULL), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binary_cells), cmocka_unit_test(test_what_fits), cmocka_unit_test(test_text_rows),
		cmocka_unit_test(test_create),       cmocka_unit_test(test_timescaledb), cmocka_unit_test(test_partitions),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
