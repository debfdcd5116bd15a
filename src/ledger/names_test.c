/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names_test.c -- names with their time: what is written, what is not, and what a record of then is called. */
#include "ledger/testing.h"

#include "ledger/names.h"
#include "ledger/query.h"

#include <errno.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define W INT64_C(1700006400) /* midnight UTC */

struct known {
	int what;
	int64_t since;
	const char *host, *text, *source; /* host NULL: the device 1; text NULL: none any more, of a holder the number */
	uint64_t mac;
};

static void learn(struct bench *b, const struct known *k)
{
	struct booking *booking = booking_new();
	struct learnt *l = calloc(1, sizeof *l);

	*l = (struct learnt){ .what = k->what, .since_utc_s = k->since, .mac = k->mac ? UINT64_C(1) << 48 | k->mac : 0 };
	if (k->host)
		assert_int_equal(addr_parse(&l->host, k->host), 0);
	else
		l->mac = UINT64_C(1) << 48 | 1;
	if (k->text)
		l->text = strdup(k->text);
	if (k->source)
		snprintf(l->source, sizeof l->source, "%s", k->source);
	booking->taken_utc_s = k->since;
	booking->learnt = l;
	booking->learnt_count = 1;
	must(ledger_book(b->ledger, booking, &e));
	booking_free(&booking);
}

#define ROWS(table) "SELECT ifnull(group_concat(x, ' '), '') FROM (SELECT " table ")"
#define NAMES ROWS("(since - 1700006400) || '-' || ifnull(until - 1700006400, '') || ':' || name || '/' || source AS x " \
		   "FROM name WHERE key = '10.0.0.1' ORDER BY since")
#define HOLDERS ROWS("(since - 1700006400) || '-' || ifnull(until - 1700006400, '') || ':' || mac AS x FROM held ORDER BY since")

/* Each row is one thing that was learnt after those before it; then what the ledger has. */
static void what_is_written(void **state)
{
	static const struct { const char *why; struct known k; const char *want; } rows[] = {
		{ "no name is nothing new", { LEARNT_NAME, W, "10.0.0.1", NULL, "-", 0 }, "" },
		{ "the first", { LEARNT_NAME, W, "10.0.0.1", "a", "dns", 0 }, "0-:a/dns" },
		{ "the same", { LEARNT_NAME, W + 5, "10.0.0.1", "a", "dns", 0 }, "0-:a/dns" },
		{ "from elsewhere", { LEARNT_NAME, W + 6, "10.0.0.1", "a", "lease", 0 }, "0-:a/lease" },
		{ "another", { LEARNT_NAME, W + 10, "10.0.0.1", "b", "dns", 0 }, "0-10:a/lease 10-:b/dns" },
		{ "none any more", { LEARNT_NAME, W + 20, "10.0.0.1", NULL, "-", 0 }, "0-10:a/lease 10-20:b/dns" },
		{ "the first again", { LEARNT_NAME, W + 30, "10.0.0.1", "a", "dns", 0 }, "0-10:a/lease 10-20:b/dns 30-:a/dns" },
		{ "twice in a second", { LEARNT_NAME, W + 30, "10.0.0.1", "c", "dns", 0 }, "0-10:a/lease 10-20:b/dns 30-:c/dns" },
		{ "the clock went back", { LEARNT_NAME, W + 25, "10.0.0.1", "d", "dns", 0 },
		  "0-10:a/lease 10-20:b/dns 30-:d/dns" },
	};
	static const struct { const char *why; struct known k; const char *want; } held[] = {
		{ "held", { LEARNT_HOLDER, W, "10.0.0.1", NULL, NULL, 1 }, "0-:00:00:00:00:00:01" },
		{ "by the same", { LEARNT_HOLDER, W + 1, "10.0.0.1", NULL, NULL, 1 }, "0-:00:00:00:00:00:01" },
		{ "by another", { LEARNT_HOLDER, W + 2, "10.0.0.1", NULL, NULL, 2 },
		  "0-2:00:00:00:00:00:01 2-:00:00:00:00:00:02" },
	};
	struct bench *b = *state;

	bench_open(b);
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].why);
		learn(b, &rows[i].k);
		assert_ask(b, NAMES, rows[i].want);
	}
	for (size_t i = 0; i < COUNT(held); i++) {
		print_message("%s\n", held[i].why);
		learn(b, &held[i].k);
		assert_ask(b, HOLDERS, held[i].want);
	}
	learn(b, &(struct known){ LEARNT_VENDOR, W, NULL, "One", NULL, 1 });
	learn(b, &(struct known){ LEARNT_VENDOR, W, NULL, "Two", NULL, 1 });
	assert_ask(b, "SELECT count(*) || vendor FROM vendor WHERE mac = '00:00:00:00:00:01'", "1Two");
	learn(b, &(struct known){ LEARNT_NAME, W, NULL, "x' || (SELECT 1) || '\"; DROP TABLE name; --", "config", 1 });
	assert_ask(b, "SELECT name FROM name WHERE key = '00:00:00:00:00:01'", "x' || (SELECT 1) || '\"; DROP TABLE name; --");
}

struct recalled { unsigned names, holders; };

static void hear(void *arg, const struct learnt *l)
{
	struct recalled *r = arg;

	if (l->what == LEARNT_HOLDER) {
		assert_int_equal(l->mac, UINT64_C(1) << 48 | 2);
		r->holders++;
	} else {
		assert_string_equal(l->text, l->mac ? "device" : "b");
		assert_string_equal(l->source, l->mac ? "lease" : "dns");
		r->names++;
	}
}

static void what_is_in_force_is_recalled(void **state)
{
	struct bench *b = *state;
	struct recalled r = { 0 };

	bench_open(b);
	learn(b, &(struct known){ LEARNT_NAME, W, "10.0.0.1", "a", "dns", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W + 1, "10.0.0.1", "b", "dns", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W, "2001:db8::1", "gone", "dns", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W + 1, "2001:db8::1", NULL, "-", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W, NULL, "device", "lease", 1 });
	learn(b, &(struct known){ LEARNT_HOLDER, W, "10.0.0.1", NULL, NULL, 1 });
	learn(b, &(struct known){ LEARNT_HOLDER, W + 1, "10.0.0.1", NULL, NULL, 2 });
	must(ledger_names(b->ledger, hear, &r, &e));
	assert_int_equal(r.names, 2);
	assert_int_equal(r.holders, 1);
}

/* The rows of a query as "name:packets ..." */
static void query(struct bench *b, const struct query *q, char *buf, size_t size)
{
	struct ledger_reader *r;
	struct output *out;
	char text[4096] = "", *line, *rest = text;
	FILE *to = fmemopen(text, sizeof text, "w");
	size_t used = 0;

	must(ledger_reader_open(&r, b->path, &e));
	must(output_open(&out, to, FORMAT_TSV, &e));
	must(query_run(r, q, out, &e));
	must(output_close(&out, &e));
	fclose(to);
	ledger_reader_close(&r);
	strsep(&rest, "\n");
	*buf = '\0';
	while ((line = strsep(&rest, "\n")) && *line) {
		char *key = strsep(&line, "\t");

		used += (size_t)snprintf(buf + used, size - used, "%s%s:%s", used ? " " : "", key, strsep(&line, "\t"));
	}
}

static struct query ask_names(void)
{
	return (struct query){ .account = "named", .from_utc_s = INT64_MIN, .to_utc_s = INT64_MAX,
		.by = { FIELD_NAME }, .by_count = 1,
			       .basis = -1, .limit = -1 };
}

/* A window of a minute each, of one host: what is it called in each? */
static void a_record_is_called_as_it_was_then(void **state)
{
	static const struct { const char *why; int64_t at; const char *want; } rows[] = {
		{ "older than the first name: that one", -3600, "a:1" }, { "learned within the window", 0, "a:1" },
		{ "in force all along", 60, "a:1" }, { "changed within: the later one", 120, "b:1" },
		{ "after the change", 180, "b:1" }, { "ended within: it had one", 240, "b:1" }, { "without", 300, "-:1" },
		{ "the last", 360, "c:1" }, { "much later", 86400, "c:1" },
	};
	struct bench *b = *state;
	struct account *a = make_account("named", "host,name", 60);

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	learn(b, &(struct known){ LEARNT_NAME, W + 30, "10.0.0.1", "a", "dns", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W + 150, "10.0.0.1", "b", "dns", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W + 250, "10.0.0.1", NULL, "-", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W + 370, "10.0.0.1", "c", "dns", 0 });
	for (size_t i = 0; i < COUNT(rows); i++)
		book_some(b, a, W + rows[i].at, 1, 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct query q = ask_names();
		char got[256];

		print_message("%s\n", rows[i].why);
		q.from_utc_s = W + rows[i].at;
		q.to_utc_s = q.from_utc_s + 60;
		query(b, &q, got, sizeof got);
		assert_string_equal(got, rows[i].want);
	}
	account_unref(&a);
}

static void names_are_grouped_and_looked_for(void **state)
{
	static const struct { const char *why, *value, *want; } rows[] = {
		{ "all", NULL, "-:2 both:2 x' OR 1=1 --:1" }, { "one that two have", "both", "both:2" },
		{ "hostile", "x' OR 1=1 --", "x' OR 1=1 --:1" },
		{ "nameless", "-", "-:2" }, { "nobody", "nobody", "" },
	};
	struct bench *b = *state;
	struct account *a = make_account("named", "name", 60);

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	book_some(b, a, W, 0, 5); /* 0: unknown */
	learn(b, &(struct known){ LEARNT_NAME, W + 1, "10.0.0.1", "both", "dns", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W + 1, "10.0.0.2", "both", "hosts", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W + 1, "10.0.0.3", "x' OR 1=1 --", "config", 0 });
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct query q = ask_names();
		char got[256];

		print_message("%s\n", rows[i].why);
		if (rows[i].value) {
			q.where[0] = (struct query_where){ FIELD_NAME, rows[i].value };
			q.where_count = 1;
		}
		query(b, &q, got, sizeof got);
		assert_string_equal(got, rows[i].want);
	}
	account_unref(&a);
}

/* An account by MAC has the device's name. */
static void devices_have_names(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("named", "mac,name", 60);
	struct query q = ask_names();
	char got[256];

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	book_some(b, a, W, 1, 2);
	learn(b, &(struct known){ LEARNT_NAME, W + 1, NULL, "tv", "config", 1 });
	query(b, &q, got, sizeof got);
	assert_string_equal(got, "-:1 tv:1");
	account_unref(&a);
}

static int history(struct ledger_reader *r, struct output *out, struct err *e)
{
	return query_history(r, "10.0.0.1", out, e);
}

static void check_list(struct bench *b, int (*f)(struct ledger_reader *, struct output *, struct err *), const char *want)
{
	struct ledger_reader *r;
	struct output *out;
	char got[2048] = "";
	FILE *to = fmemopen(got, sizeof got, "w");

	must(ledger_reader_open(&r, b->path, &e));
	must(output_open(&out, to, FORMAT_TSV, &e));
	must(f(r, out, &e));
	must(output_close(&out, &e));
	fclose(to);
	ledger_reader_close(&r);
	assert_string_equal(got, want);
}

static void lists_of_devices(void **state)
{
	struct bench *b = *state;
	struct booking *booking;
	struct ledger_reader *r;

	bench_open(b);
	booking = booking_new();
	booking->taken_utc_s = W;
	booking->sightings = calloc(2, sizeof *booking->sightings);
	booking->sighting_count = 2;
	booking->sightings[0].mac = UINT64_C(1) << 48 | 1;
	addr_parse(&booking->sightings[0].addr, "10.0.0.1");
	booking->sightings[1].mac = UINT64_C(1) << 48 | UINT64_C(0x06aabbccddee);
	must(ledger_book(b->ledger, booking, &e));
	booking_free(&booking);
	learn(b, &(struct known){ LEARNT_NAME, W, NULL, "tv", "config", 1 });
	learn(b, &(struct known){ LEARNT_VENDOR, W, NULL, "One", NULL, 1 });
	learn(b, &(struct known){ LEARNT_NAME, W + 1, "10.0.0.1", "tv", "config", 0 });
	learn(b, &(struct known){ LEARNT_NAME, W + 9, "10.0.0.1", NULL, "-", 0 });
	learn(b, &(struct known){ LEARNT_HOLDER, W + 2, "10.0.0.1", NULL, NULL, 1 });
	check_list(b, query_devices,
		   "mac\tname\tsource\tvendor\trandom\tipv4\tipv6\tfirst_seen\tlast_seen\n"
		   "00:00:00:00:00:01\ttv\tconfig\tOne\tno\t10.0.0.1\t-\t2023-11-15T00:00:00Z\t2023-11-15T00:00:00Z\n"
		   "06:aa:bb:cc:dd:ee\t-\t-\t-\tyes\t-\t-\t2023-11-15T00:00:00Z\t2023-11-15T00:00:00Z\n");
	check_list(b, history,
		   "since\tuntil\twhat\tvalue\tsource\n"
		   "2023-11-15T00:00:01Z\t2023-11-15T00:00:09Z\tname\ttv\tconfig\n"
		   "2023-11-15T00:00:02Z\t-\tdevice\t00:00:00:00:00:01\t-\n");
	must(ledger_reader_open(&r, b->path, &e));
	assert_int_equal(query_history(r, "nonsense", NULL, NULL), -EINVAL);
	ledger_reader_close(&r);
}

/* What joining names costs: `NETTALLY_BENCH=1`. */
static void a_million_records(void **state)
{
	struct bench *b = *state;
	struct account *a;
	struct query q = ask_names();
	struct timespec begin, end;
	char got[8192];

	if (!getenv("NETTALLY_BENCH"))
		skip();
	a = make_account("named", "host,name", 60);
	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	for (uint32_t i = 0; i < 20; i++)
		book_some(b, a, W + i * 60, 1, 50000);
	for (unsigned i = 0; i < 50000; i++) {
		char host[32], name[32];

		snprintf(host, sizeof host, "10.0.%u.%u", i >> 8, i & 255);
		snprintf(name, sizeof name, "n%u", i % 100);
		learn(b, &(struct known){ LEARNT_NAME, W, host, name, "dns", 0 });
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	query(b, &q, got, sizeof got);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("a million records by name: %.2f s\n",
		(double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	account_unref(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(what_is_written), ledger_test(what_is_in_force_is_recalled),
			ledger_test(a_record_is_called_as_it_was_then),
		ledger_test(names_are_grouped_and_looked_for), ledger_test(devices_have_names), ledger_test(lists_of_devices),
		ledger_test(a_million_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
