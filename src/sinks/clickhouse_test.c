/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows as RowBinary wants them; statements in both dialects. */
#include "sinks/clickhouse_schema.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct {
	const char *text;
	int want;
	struct ch_type type;
} types[] = {
	{ "String", 0, { CH_STRING, 0, false } },
	{ "LowCardinality(String)", 0, { CH_STRING, 0, false } },
	{ "LowCardinality(Nullable(String))", 0, { CH_STRING, 0, true } },
	{ "Nullable(UInt16)", 0, { CH_UINT, 2, true } },
	{ "FixedString(16)", 0, { CH_FIXED, 16, false } },
	{ "DateTime", 0, { CH_DATETIME, 4, false } },
	{ "DateTime('UTC')", 0, { CH_DATETIME, 4, false } },
	{ "DateTime64(3, 'UTC')", 0, { CH_DATETIME64, 3, false } },
	{ "IPv6", 0, { CH_IPV6, 16, false } },
	{ "Array(String)", -ENOTSUP, { 0 } },
	{ "Decimal(10, 2)", -ENOTSUP, { 0 } },
	{ "", -ENOTSUP, { 0 } },
	{ "Nullable(", -ENOTSUP, { 0 } },
};

static void test_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct ch_type t = { 0 };

		assert_int_equal(ch_type_parse(&t, types[i].text), types[i].want);
		if (types[i].want == 0 && (t.class != types[i].type.class || t.width != types[i].type.width ||
					   t.is_nullable != types[i].type.is_nullable))
			fail_msg("%s", types[i].text);
	}
}

static struct column_map map_of(const char *field)
{
	struct account a = { .by = { FIELD_MAC, FIELD_HOST, FIELD_SERVICE, FIELD_DST_PORT, FIELD_TYPE },
			     .by_count = 5, .party = true };
	struct columns c = { 0 };
	struct err e = { 0 };

	if (columns_add(&c, &a, field, &e) < 0)
		fail_msg("%s: %s", field, e.msg);
	return c.at[0];
}

static const struct {
	const char *field, *type, *text;
	uint64_t number;
	const char *want; /* NULL: -EINVAL */
} cells[] = {
	{ "service", "String", "https", 0, "056874747073" },
	{ "service", "String", "-", 0, "012d" },
	{ "service", "FixedString(7)", "https", 0, "68747470730000" },
	{ "service", "FixedString(3)", "https", 0, NULL },
	{ "service", "Nullable(String)", "-", 0, "00012d" },
	{ "mac", "String", "02:00:00:00:00:01", 0, "1130323a30303a30303a30303a30303a3031" },
	{ "mac", "UInt64", "02:00:00:00:00:01", 0, "0100000000020000" },
	{ "mac", "UInt64", "-", 0, "0000000000000000" },
	{ "mac", "UInt64", "other", 0, "ffffffffffffffff" },
	{ "mac", "FixedString(6)", "02:00:00:00:00:01", 0, "020000000001" },
	{ "host", "IPv4", "192.0.2.1", 0, "010200c0" },
	{ "host", "IPv4", "2001:db8::1", 0, NULL },
	{ "host", "IPv6", "192.0.2.1", 0, "00000000000000000000ffffc0000201" },
	{ "host", "FixedString(16)", "2001:db8::1", 0, "20010db8000000000000000000000001" },
	{ "host", "IPv6", "other", 0, "ffffffffffffffffffffffffffffffff" },
	{ "host", "Nullable(IPv6)", "-", 0, "01" },
	{ "host", "Nullable(IPv4)", "192.0.2.1", 0, "00010200c0" },
	{ "dst_port", "Int32", NULL, 443, "bb010000" },
	{ "dst_port", "Int32", "-", 0, "ffffffff" },
	{ "dst_port", "Int32", "other", 0, "feffffff" },
	{ "dst_port", "UInt16", NULL, 65535, "ffff" },
	{ "dst_port", "Int16", NULL, 40000, NULL },
	{ "type", "UInt8", "17", 0, "11" },
	{ "type", "UInt8", "video", 0, NULL },
	{ "rx_packets", "UInt64", NULL, UINT64_MAX, "ffffffffffffffff" },
	{ "rx_packets", "Int64", NULL, UINT64_MAX, NULL },
	{ "rx_packets", "Float64", NULL, 3, "0000000000000840" },
	{ "rx_packets", "Nullable(UInt64)", NULL, 3, "000300000000000000" },
	{ "window", "DateTime('UTC')", NULL, 1795305600, "8030026b" },
	{ "window", "DateTime64(3)", NULL, 1, "e803000000000000" },
	{ "window", "UInt32", NULL, UINT64_C(1) << 33, NULL },
};

static void test_cells(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		struct column_map m = map_of(cells[i].field);
		struct ch_columns c = { .count = 1 };
		struct sink_cell cell = { .text = cells[i].text, .len = cells[i].text ? strlen(cells[i].text) : 0,
					  .number = cells[i].number };
		struct ch_row row = { .cells = &cell };
		struct sql_buffer b = { 0 };
		struct err e = { 0 };
		char hex[256] = "";

		c.at[0] = (struct ch_column){ .name = "x", .map = &m };
		assert_int_equal(ch_type_parse(&c.at[0].type, cells[i].type), 0);
		assert_true(ch_fits(&m, &c.at[0].type));
		int r = ch_put_row(&b, &c, &row, &e);
		for (size_t k = 0; k < b.len; k++)
			snprintf(hex + 2 * k, 3, "%02x", b.bytes[k]);
		if (r != (cells[i].want ? 0 : -EINVAL) || strcmp(hex, cells[i].want ? cells[i].want : "") != 0)
			fail_msg("cell %zu (%s in %s): %d %s %s", i, cells[i].field, cells[i].type, r, hex, e.msg);
		sql_buffer_free(&b);
	}
}

static void test_node_and_version(void **state)
{
	struct ch_columns c = { .count = 2, .at = { { .fill = CH_FILL_NODE }, { .fill = CH_FILL_VERSION } } };
	struct ch_row row = { .node = "edge1", .version = 258 };
	struct sql_buffer b = { 0 };

	(void)state;
	assert_int_equal(ch_put_row(&b, &c, &row, NULL), 0);
	assert_int_equal(b.len, 14);
	assert_memory_equal(b.bytes, "\005edge1\002\001\0\0\0\0\0\0", 14);
	sql_buffer_free(&b);
}

/* A name of 200 letters takes two bytes of length. */
static void test_long_strings(void **state)
{
	struct column_map m = map_of("service");
	char text[201];
	struct ch_columns c = { .count = 1, .at = { { .map = &m, .type = { CH_STRING, 0, false } } } };
	struct sink_cell cell = { .text = text, .len = 200 };
	struct ch_row row = { .cells = &cell };
	struct sql_buffer b = { 0 };

	(void)state;
	memset(text, 'x', sizeof text);
	assert_int_equal(ch_put_row(&b, &c, &row, NULL), 0);
	assert_int_equal(b.len, 202);
	assert_memory_equal(b.bytes, "\xc8\x01x", 3);
	sql_buffer_free(&b);
}

/* ---- statements ---- */

static struct sink_table table_of(struct account *a)
{
	static const char *const columns[] = { "window", "length", "node", "host", "service", "rx_packets", NULL };
	struct sink_table t = { .account = a };
	struct err e = { 0 };

	snprintf(t.name, sizeof t.name, "hosts");
	snprintf(a->name, sizeof a->name, "hosts");
	a->by[0] = FIELD_HOST;
	a->by[1] = FIELD_SERVICE;
	a->by_count = 2;
	a->party = true;
	a->every_s = 60;
	for (const char *const *c = columns; *c; c++)
		if (columns_add(&t.columns, a, *c, &e) < 0)
			fail_msg("%s", e.msg);
	return t;
}

static void test_create(void **state)
{
	struct account a = { 0 };
	struct sink_table t = table_of(&a);
	const struct ch_dialect old = { .is_old = true, .database = "net", .keep_s = 86400 },
				now = { .database = "net", .keep_s = 86400 },
				many = { .is_old = true, .database = "net", .cluster = "nt" };
	struct sql_buffer b = { 0 };

	(void)state;
	ch_schema_table(&b, &old, &t, CH_RECORDS);
	assert_string_equal(sql_text(&b),
			    "CREATE TABLE IF NOT EXISTS `net`.`hosts` (`time` DateTime('UTC'), `length` UInt32, `node` String, "
			    "`host` String, `service` String, `rx_packets` UInt64, `version` UInt64) "
			    "ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(`time`) "
			    "ORDER BY (`node`, `time`, `length`, `host`, `service`)");
	b.len = 0;
	ch_schema_table(&b, &now, &t, CH_RECORDS);
	assert_string_equal(sql_text(&b),
			    "CREATE TABLE IF NOT EXISTS `net`.`hosts` (`time` DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)), "
			    "`length` UInt32 CODEC(ZSTD(1)), `node` LowCardinality(String) CODEC(ZSTD(1)), "
			    "`host` String CODEC(ZSTD(1)), "
			    "`service` LowCardinality(String) CODEC(ZSTD(1)), `rx_packets` UInt64 CODEC(ZSTD(1)), "
			    "`version` UInt64 CODEC(ZSTD(1))) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(`time`) "
			    "ORDER BY (`node`, `time`, `length`, `host`, `service`) TTL `time` + toIntervalSecond(86400)");
	b.len = 0;
	ch_schema_table(&b, &many, &t, CH_HOURS);
	assert_string_equal(sql_text(&b),
			    "CREATE TABLE IF NOT EXISTS `net`.`hosts_1h_local` ON CLUSTER `nt` (`time` DateTime('UTC'), "
			    "`node` String, "
			    "`host` String, `service` String, `rx_packets` UInt64, `version` UInt64) ENGINE = "
			    "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/net/hosts_1h', '{replica}', version) "
			    "PARTITION BY toYYYYMM(`time`) ORDER BY (`node`, `time`, `host`, `service`)");
	b.len = 0;
	ch_schema_distributed(&b, &many, &t, CH_HOURS);
	assert_string_equal(sql_text(&b),
			    "CREATE TABLE IF NOT EXISTS `net`.`hosts_1h` ON CLUSTER `nt` AS `net`.`hosts_1h_local` ENGINE = "
			    "Distributed('nt', 'net', 'hosts_1h_local', cityHash64(`node`, `host`, `service`))");
	sql_buffer_free(&b);
}

static void test_rollup(void **state)
{
	struct account a = { 0 };
	struct sink_table t = table_of(&a);
	const struct ch_dialect d = { .database = "net" };
	const int64_t range[2] = { 1795305600, 1795392000 };
	struct sql_buffer b = { 0 };

	(void)state;
	ch_schema_rollup(&b, &d, &t, CH_DAYS, "o'node", range);
	assert_string_equal(sql_text(&b),
			    "INSERT INTO `net`.`hosts_1d` (`time`, `node`, `host`, `service`, `rx_packets`, version) SELECT "
			    "toStartOfDay(`time`), `node`, `host`, `service`, sum(`rx_packets`), max(version) "
			    "FROM `net`.`hosts_1h` FINAL "
			    "WHERE `node` = 'o\\'node' AND `time` >= toDateTime(1795305600) AND `time` < toDateTime(1795392000) "
			    "GROUP BY toStartOfDay(`time`), `node`, `host`, `service`");
	sql_buffer_free(&b);
	a.every_s = 3600;
	assert_false(ch_has_grade(&t, CH_HOURS));
	assert_true(ch_has_grade(&t, CH_DAYS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),        cmocka_unit_test(test_cells),  cmocka_unit_test(test_node_and_version),
		cmocka_unit_test(test_long_strings), cmocka_unit_test(test_create), cmocka_unit_test(test_rollup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
