/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of older versions: read as they are, and made into this version by the first who writes. */
#include "ledger/testing.h"

#include "ledger/query.h"

#define W 1700000040

/* Any compiler of this century takes more than the 4095 bytes that C99 demands. */
#pragma GCC diagnostic ignored "-Woverlength-strings"
static const char *const old_ledgers[] = { /* by version, from 1 */
#include "ledger_1.inc"
	,
#include "ledger_2.inc"
};
#define OLD_COUNT (sizeof old_ledgers / sizeof *old_ledgers)

static void make_old(struct bench *b, size_t version)
{
	sqlite3 *db;
	char *why;

	unlink(b->path);
	assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, old_ledgers[version - 1], NULL, NULL, &why) != SQLITE_OK)
		fail_msg("version %zu: %s", version, why);
	sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
	sqlite3_close(db);
}

/* Every column of the fixed tables. */
#define SHAPE                                                                                                          \
	"SELECT group_concat(m.name || '.' || i.name || ' ' || i.type || ' ' || i.\"notnull\" || ' ' || i.pk || "        \
	"coalesce(' ' || i.dflt_value, ''), ', ') FROM sqlite_schema m, pragma_table_info(m.name) i "                   \
	"WHERE m.type = 'table' AND m.name NOT GLOB 'record_*' AND m.name NOT GLOB 'series_*' ORDER BY m.name, i.cid"

static void test_becomes_what_a_new_file_is(void **state)
{
	struct bench *b = *state;
	char fresh[8192], got[8192];

	bench_open(b);
	ask_text(b, fresh, sizeof fresh, SHAPE);
	ledger_close(&b->ledger);
	for (size_t version = 1; version <= OLD_COUNT; version++) {
		make_old(b, version);
		bench_open(b);
		assert_string_equal(ask_text(b, got, sizeof got, SHAPE), fresh);
		assert_ask(b, "SELECT user_version || ' ' || (SELECT value FROM meta WHERE key = 'schema_version') "
			      "FROM pragma_user_version", "3 3");
		assert_ask(b, "PRAGMA integrity_check", "ok");
		ledger_close(&b->ledger);
		bench_open(b); /* and once more, with nothing to do */
		ledger_close(&b->ledger);
	}
}

/* The old file has an account called `epoch`, as a table is from version 2 on. */
static void test_what_was_booked_goes_on(void **state)
{
	struct bench *b = *state;
	struct account *hosts = make_account("hosts", "host", 60), *epoch = make_account("epoch", "src_port", 60);
	struct account *set[] = { hosts, epoch };
	struct interface_books i;

	for (size_t version = 1; version <= OLD_COUNT; version++) {
		make_old(b, version);
		bench_open(b);
		must(ledger_define(b->ledger, set, 2, &e));
		book_some(b, hosts, W, 2, 5);
		book_some(b, epoch, W, 1, 3);
		assert_ask(b, "SELECT count(*) || ' ' || sum(rx_packets) FROM hosts", "6 8");
		assert_ask(b, "SELECT count(*) || ' ' || sum(packets) FROM record_epoch", "3 5");
		assert_ask(b, "SELECT count(*) FROM epoch", "0");
		assert_ask(b, "SELECT group_concat(run || ' ' || booked_frames || ' ' || overflowed || ' ' || "
			      "ifnull(capture_why, '?'), ', ') FROM interface", "before 7 0 ?, last 7 0 ?");
		assert_int_equal(ledger_interface(b->ledger, "eth0", &i, NULL), 1);
		assert_int_equal(i.kernel_rx_bytes, 400);
		assert_string_equal(i.capture_why, "");
		ledger_close(&b->ledger);
	}
	account_unref(&hosts);
	account_unref(&epoch);
}

static void query_to(struct ledger_reader *r, char *buf, size_t size)
{
	struct query q = { .account = "hosts", .from_utc_s = INT64_MIN, .to_utc_s = INT64_MAX, .basis = -1, .limit = -1 };
	FILE *to = fmemopen(buf, size, "w");
	struct output *out;

	must(output_open(&out, to, FORMAT_TSV, &e));
	must(query_run(r, &q, out, &e));
	must(output_close(&out, &e));
	fclose(to);
}

static void test_is_read_as_it_is(void **state)
{
	struct bench *b = *state;
	struct interface_books *interfaces;
	struct ledger_reader *r;
	char answer[512];
	size_t count;

	for (size_t version = 1; version <= OLD_COUNT; version++) {
		make_old(b, version);
		must(ledger_reader_open(&r, b->path, &e));
		must(query_interfaces(r, &interfaces, &count, &e));
		assert_int_equal(count, 1);
		assert_string_equal(interfaces[0].name, "eth0");
		assert_int_equal(interfaces[0].kernel_tx_bytes, 300);
		assert_int_equal(interfaces[0].overflowed, 0);
		free(interfaces);
		query_to(r, answer, sizeof answer);
		assert_non_null(strstr(answer, "10.0.0.3\t1\t100\t2\t200\n"));
		ledger_reader_close(&r);
		assert_int_equal(ask(b, "PRAGMA user_version"), version); /* a reader changes nothing */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(test_becomes_what_a_new_file_is),
		ledger_test(test_what_was_booked_goes_on),
		ledger_test(test_is_read_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
