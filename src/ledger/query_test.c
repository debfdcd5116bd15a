/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queries over records of several levels, against what they must print. */
#include "ledger/query.h"
#include "ledger/testing.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DAY 86400
#define W (1700006400) /* midnight */

static const struct query everything = { .account = "mix", .from_utc_s = INT64_MIN, .to_utc_s = INT64_MAX, .basis = -1,
					 .limit = -1 };

/* The answer as tsv, or the error's sentence after "-ERRNO ". */
static const char *answer(struct bench *b, const struct query *q, char *buf, size_t size)
{
	struct ledger_reader *r;
	struct output *out;
	struct err why = { 0 };
	FILE *to = fmemopen(buf, size, "w");

	must(ledger_reader_open(&r, b->path, &e));
	must(output_open(&out, to, FORMAT_TSV, &e));
	int x = query_run(r, q, out, &why);
	output_close(&out, NULL);
	fclose(to);
	ledger_reader_close(&r);
	if (x < 0)
		snprintf(buf, size, "%d %s", x,
			 why.msg + (strncmp(why.msg, b->path, strlen(b->path)) == 0 ? strlen(b->path) : 0));
	return buf;
}

#define assert_answer(b, q, want)                                               \
	do {                                                                    \
		char got_[4096] = "";                                           \
		assert_string_equal(answer((b), (q), got_, sizeof got_), want); \
	} while (0)

/* Keys 0 (unknown), 1 and 2 in three windows, and `other`. Old windows are rolled up to hours. */
static struct account *fill(struct bench *b)
{
	struct account *a = make_account("mix", "host,src_port,service", 60);

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	book_some(b, a, W, 0, 3);
	book_some(b, a, W + 60, 1, 1);
	book_some(b, a, W + 3600, 0, 1);
	struct booking *k = make_booking(a, W + 60, 9, 1, b->strings);
	key_set_other(&a->layout, k->batches[0].records);
	must(ledger_book(b->ledger, k, &e));
	booking_free(&k);
	return a;
}

static void test_range_group_order(void **state)
{
	struct bench *b = *state;
	struct account *a = fill(b);
	struct query q = everything;

	static const char all[] = "host\tsrc_port\tservice\trx_packets\trx_bytes\ttx_packets\ttx_bytes\n"
				  "-\t-\t-\t2\t200\t4\t400\n"
				  "10.0.0.1\t1\tservice1\t2\t200\t4\t400\n"
				  "10.0.0.2\t2\tservice2\t1\t100\t2\t200\n"
				  "other\tother\tother\t1\t100\t2\t200\n";
	assert_answer(b, &q, all);
	/* sums stay what they are when the windows become hours, and days */
	must(ledger_maintain(b->ledger, W + 8 * DAY, 1000, &e));
	assert_ask(b, "SELECT group_concat(DISTINCT length) FROM record_mix", "3600");
	assert_answer(b, &q, all);
	must(ledger_maintain(b->ledger, W + 92 * DAY, 1000, &e));
	assert_ask(b, "SELECT group_concat(DISTINCT length) FROM record_mix", "86400");
	assert_answer(b, &q, all);
	book_some(b, a, W, 1, 1); /* late, raw beside rolled up */
	q.by[0] = FIELD_SERVICE;
	q.by_count = 1;
	q.basis = BYTES_L3;
	assert_answer(b, &q, "service\trx_packets\trx_bytes\ttx_packets\ttx_bytes\n-\t2\t172\t4\t344\nother\t1\t86\t2\t172\n"
			     "service1\t3\t258\t6\t516\nservice2\t1\t86\t2\t172\n");
	account_unref(&a);
}

static void test_windows(void **state)
{
	struct bench *b = *state;
	struct account *a = fill(b);
	struct query q = everything;

	q.by[0] = FIELD_SRC_PORT;
	q.by_count = 1;
	q.every_s = 60;
	assert_answer(b, &q,
		      "window\tsrc_port\trx_packets\trx_bytes\ttx_packets\ttx_bytes\n"
		      "2023-11-15T00:00:00Z\t-\t1\t100\t2\t200\n2023-11-15T00:00:00Z\t1\t1\t100\t2\t200\n"
		      "2023-11-15T00:00:00Z\t2\t1\t100\t2\t200\n2023-11-15T00:01:00Z\t1\t1\t100\t2\t200\n"
		      "2023-11-15T00:01:00Z\tother\t1\t100\t2\t200\n2023-11-15T01:00:00Z\t-\t1\t100\t2\t200\n");
	q.every_s = 3600;
	q.from_utc_s = W + 60; /* windows that start in [from, to) */
	q.to_utc_s = W + 3600;
	assert_answer(b, &q, "window\tsrc_port\trx_packets\trx_bytes\ttx_packets\ttx_bytes\n"
			     "2023-11-15T00:00:00Z\t1\t1\t100\t2\t200\n2023-11-15T00:00:00Z\tother\t1\t100\t2\t200\n");
	q.to_utc_s = q.from_utc_s;
	assert_answer(b, &q, "window\tsrc_port\trx_packets\trx_bytes\ttx_packets\ttx_bytes\n");
	account_unref(&a);
}

static void test_where(void **state)
{
	struct bench *b = *state;
	struct account *a = fill(b);
	static const struct {
		enum field field;
		const char *value, *rows;
	} cases[] = {
		{ FIELD_HOST, "10.0.0.1", "10.0.0.1 " },      { FIELD_HOST, "10.0.0.0/24", "10.0.0.1 10.0.0.2 " },
		{ FIELD_HOST, "10.0.0.2/31", "10.0.0.2 " },   { FIELD_HOST, "::/0", "" },
		{ FIELD_HOST, "-", "- " },                    { FIELD_HOST, "other", "other " },
		{ FIELD_SRC_PORT, "2", "10.0.0.2 " },         { FIELD_SRC_PORT, "-", "- " },
		{ FIELD_SRC_PORT, "other", "other " },        { FIELD_SERVICE, "service1", "10.0.0.1 " },
		{ FIELD_SERVICE, "' OR 1 --", "" },           { FIELD_HOST, "::ffff:10.0.0.1", "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct query q = everything;
		char got[4096] = "", hosts[256] = "";

		q.where[0] = (struct query_where){ cases[i].field, cases[i].value };
		q.where_count = 1;
		answer(b, &q, got, sizeof got);
		assert_true(strncmp(got, "host\t", 5) == 0);
		for (char *save, *line = strtok_r(got, "\n", &save); (line = strtok_r(NULL, "\n", &save));) {
			line[strcspn(line, "\t")] = ' ';
			strncat(hosts, line, strcspn(line, " ") + 1);
		}
		assert_string_equal(hosts, cases[i].rows);
	}
	account_unref(&a);
}

static void test_sort_and_limit(void **state)
{
	struct bench *b = *state;
	struct account *a = fill(b);
	struct query q = everything;

	book_some(b, a, W, 2, 1);
	book_some(b, a, W, 2, 1);
	q.by[0] = FIELD_SRC_PORT;
	q.by_count = 1;
	q.sort = "-rx_bytes";
	q.limit = 3;
	assert_answer(b, &q, "src_port\trx_packets\trx_bytes\ttx_packets\ttx_bytes\n"
			     "2\t3\t300\t6\t600\n-\t2\t200\t4\t400\n1\t2\t200\t4\t400\n");
	q.sort = "-src_port";
	assert_answer(b, &q, "src_port\trx_packets\trx_bytes\ttx_packets\ttx_bytes\n"
			     "other\t1\t100\t2\t200\n2\t3\t300\t6\t600\n1\t2\t200\t4\t400\n");
	q.sort = "tx_bytes";
	q.limit = 0;
	assert_answer(b, &q, "src_port\trx_packets\trx_bytes\ttx_packets\ttx_bytes\n");
	account_unref(&a);
}

static void test_refusals(void **state)
{
	struct bench *b = *state;
	struct account *a = fill(b);
	struct query q = everything;

	q.account = "nope";
	assert_answer(b, &q, "-2 : no account 'nope': it has mix");
	q = everything;
	q.sort = "bytes";
	assert_answer(b, &q, "-22 cannot sort by bytes: the columns are host, src_port, service, rx_packets, rx_bytes, "
			     "tx_packets, tx_bytes");
	q = everything;
	q.by[0] = FIELD_MAC;
	q.by_count = 1;
	assert_answer(b, &q, "-22 account mix has no key mac: it is by host,src_port,service");
	q = everything;
	q.where_count = 1;
	q.where[0] = (struct query_where){ FIELD_HOST, "me" };
	assert_answer(b, &q, "-22 host=me: no address or prefix");
	q.where[0] = (struct query_where){ FIELD_SRC_PORT, "http" };
	assert_answer(b, &q, "-22 src_port=http: no number up to 65535");
	account_unref(&a);
}

static void test_sums_that_leave_63_bits(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("mix", "src_port", 60);

	bench_open(b);
	for (int i = 0; i < 3; i++) {
		struct booking *k = make_booking(a, W + 60 * i, 1, 1, b->strings);
		struct party_tally t = { { INT64_MAX / 2, INT64_MAX, 1 }, { 0 } };

		memcpy(k->batches[0].records + a->layout.size, &t, sizeof t);
		must(ledger_book(b->ledger, k, &e));
		booking_free(&k);
	}
	assert_answer(b, &everything, "src_port\tpackets\tbytes\n1\t9223372036854775807\t9223372036854775807\n");
	account_unref(&a);
}

static void test_readers_while_no_daemon_runs(void **state)
{
	struct bench *b = *state;
	struct account *a = fill(b);
	struct ledger_reader *r;
	struct err e;

	ledger_close(&b->ledger);
	assert_int_equal(chmod(b->dir, 0555), 0);
	assert_int_equal(chmod(b->path, 0644), 0);
	pid_t child = fork(); /* another user: the directory is closed to him */
	if (child == 0) {
		if (getuid() == 0 && setuid(65534) < 0)
			_exit(1);
		struct query q = everything;
		char got[4096] = "";
		if (ledger_reader_open(&r, b->path, &e) < 0)
			_exit(2);
		ledger_reader_close(&r);
		answer(b, &q, got, sizeof got);
		_exit(strstr(got, "10.0.0.2") ? 0 : 3);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	chmod(b->dir, 0755);
	assert_int_equal(ledger_reader_open(&r, "/nonexistent/ledger.db", &e), -ENOENT);
	assert_int_equal(ledger_reader_open(&r, "/etc/passwd", &e), -EUCLEAN);
	account_unref(&a);
}

static const char *list(struct bench *b, int (*f)(struct ledger_reader *, struct output *, struct err *), char *buf,
			size_t size)
{
	struct ledger_reader *r;
	struct output *out;
	FILE *to = fmemopen(buf, size, "w");

	must(ledger_reader_open(&r, b->path, &e));
	must(output_open(&out, to, FORMAT_TSV, &e));
	must(f(r, out, &e));
	must(output_close(&out, &e));
	fclose(to);
	ledger_reader_close(&r);
	return buf;
}

static void test_lists(void **state)
{
	struct bench *b = *state;
	struct account *a = fill(b), *empty = make_account("empty", "src_port", 3600);
	struct account *set[] = { a, empty };
	char got[1024] = "";

	must(ledger_define(b->ledger, set, 2, &e));
	assert_string_equal(list(b, query_accounts, got, sizeof got),
			    "account\tfrom\tby\tevery\tfirst\tlast\trecords\n"
			    "empty\tpackets\tsrc_port\t1h\t-\t-\t0\n"
			    "mix\tpackets\thost,src_port,service\t1min\t2023-11-15T00:00:00Z\t2023-11-15T01:00:00Z\t6\n");
	memset(got, 0, sizeof got);
	assert_string_equal(list(b, query_balance, got, sizeof got),
			    "account\trx_packets\ttx_packets\trx_l2_bytes\ttx_l2_bytes\trx_l3_bytes\ttx_l3_bytes\n"
			    "mix\t6\t12\t600\t1200\t516\t1032\n");
	account_unref(&a);
	account_unref(&empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(test_range_group_order), ledger_test(test_windows),
		ledger_test(test_where),             ledger_test(test_sort_and_limit),
		ledger_test(test_refusals),          ledger_test(test_sums_that_leave_63_bits),
		ledger_test(test_lists),             ledger_test(test_readers_while_no_daemon_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
