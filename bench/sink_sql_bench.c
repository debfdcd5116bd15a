/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sink_sql_bench.c -- how fast a sink of rows writes, without the ledger: `sink_sql_bench KIND URL [option=value]...`
 *
 *   columns=default|speedy  the table: all columns of an account by host, or time, mac, download, upload
 *   keys=1000 windows=200   a window has so many records
 *   batch=50000             records in a write()
 *   again=1                 all of it a second time, as after a full retry
 *   inserts=1               first the old way into PostgreSQL: a prepared INSERT per record, one transaction per window
 * Other options are the sink's own. Prints records, seconds, records/s, and the memory that the process has taken. */
#include "sinks/sink.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct bench {
	const char *url;
	bool is_speedy, again, inserts;
	uint64_t keys, windows, batch;
	int64_t start_utc_s;
	struct sink_config cf;
	struct sink_table table;
	struct sink_setting settings[32];
};

static double now_s(void)
{
	struct clock c = clock_system();

	return (double)c.monotonic_ns(c.arg) / 1e9;
}

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "sink_sql_bench: %s: %s\n", what, e->msg);
	exit(1);
}

/* ---- rows ---- */

struct made_batch {
	struct sink_batch b;
	const struct bench *bench;
	size_t window, key;
	struct sink_cell cells[COLUMNS_MAX];
	char texts[COLUMNS_MAX][64];
};

static uint64_t number_of(uint64_t window, uint64_t key, uint64_t column)
{
	return (window * 2654435761u + key * 40503u + column * 977u) % 1000000007u;
}

static size_t party_text(char text[static 64], const struct column_map *m, uint64_t key)
{
	const unsigned bytes[4] = { key >> 24 & 255, key >> 16 & 255, key >> 8 & 255, key & 255 };

	if (m->field == FIELD_MAC)
		return (size_t)snprintf(text, 64, "02:00:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
	return (size_t)snprintf(text, 64, "10.%u.%u.%u", bytes[1], bytes[2], bytes[3]);
}

static void fill_cell(struct made_batch *m, size_t i, const struct sink_window *w)
{
	const struct column_map *map = &m->bench->table.columns.at[i];
	struct sink_cell *c = &m->cells[i];

	*c = (struct sink_cell){ 0 };
	switch (map->of) {
	case COLUMN_OF_TIME:
		c->number = (uint64_t)w->start_utc_s;
		return;
	case COLUMN_OF_LENGTH:
		c->number = w->length_s;
		return;
	case COLUMN_OF_COUNTER:
		c->number = number_of((uint64_t)w->start_utc_s, m->key, i);
		return;
	case COLUMN_OF_KEY:
		c->len = party_text(m->texts[i], map, m->key);
		break;
	default:
		c->len = (size_t)snprintf(m->texts[i], sizeof m->texts[i], "%s", m->bench->cf.node);
		break;
	}
	c->text = m->texts[i];
}

static int next(struct sink_batch *b, struct sink_row *ret, struct err *e)
{
	struct made_batch *m = (struct made_batch *)b;

	(void)e;
	if (m->key == m->bench->keys) {
		m->key = 0;
		m->window++;
	}
	if (m->window == b->window_count)
		return 0;
	ret->window = &b->windows[m->window];
	ret->cells = m->cells;
	for (size_t i = 0; i < m->bench->table.columns.count; i++)
		fill_cell(m, i, ret->window);
	m->key++;
	b->rows++;
	return 1;
}

static void rewind_batch(struct sink_batch *b)
{
	struct made_batch *m = (struct made_batch *)b;

	m->window = m->key = 0;
	b->rows = 0;
}

/* ---- the sink ---- */

static void make_table(struct bench *b)
{
	static const char *const speedy[] = { "time", "mac", "download=rx_l3_bytes", "upload=tx_l3_bytes" };
	struct account *a = account_new();
	struct err e = { 0 };
	int r;

	if (!a)
		exit(1);
	snprintf(a->name, sizeof a->name, "hosts");
	a->by[0] = b->is_speedy ? FIELD_MAC : FIELD_HOST;
	a->by_count = 1;
	if (account_finish(a, &e) < 0)
		die("account", &e);
	snprintf(b->table.name, sizeof b->table.name, b->is_speedy ? "speedy" : "hosts");
	b->table.account = a;
	r = b->is_speedy ? 0 : columns_default(&b->table.columns, a, &e);
	for (size_t i = 0; b->is_speedy && i < 4 && r == 0; i++)
		r = columns_add(&b->table.columns, a, speedy[i], &e);
	if (r < 0)
		die("columns", &e);
	b->cf.tables = &b->table;
	b->cf.table_count = 1;
}

static void set_option(struct bench *b, const char *name, const char *text)
{
	const struct sink_option *o = b->cf.ops->options;
	struct err e = { 0 };
	uint32_t s = 0;

	for (size_t i = 0; o[i].name; i++) {
		if (strcmp(o[i].name, name) != 0)
			continue;
		b->settings[i].text = (char *)(uintptr_t)text;
		if (o[i].type == SINK_BOOL)
			b->settings[i].number = strcmp(text, "yes") == 0;
		else if (o[i].type == SINK_NUMBER)
			b->settings[i].number = strtoull(text, NULL, 10);
		else if (o[i].type == SINK_DURATION && duration_parse(&s, text, &e) < 0)
			die(name, &e);
		else if (o[i].type == SINK_DURATION)
			b->settings[i].number = s;
		return;
	}
	fprintf(stderr, "sink_sql_bench: no option %s\n", name);
	exit(2);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static void report(const char *what, uint64_t records, double seconds)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("%s: %" PRIu64 " records, %.2f s, %.0f records/s, %ld KiB\n", what, records, seconds, (double)records / seconds,
	       u.ru_maxrss);
}

static void run_sink(struct bench *b, const char *what)
{
	uint64_t per_batch = b->batch / b->keys ? b->batch / b->keys : 1, seq = 0;
	struct sink_context cx = { .ledger = "00000000000000000000000000000000", .is_stopping = never };
	struct sink_window *windows = calloc(per_batch, sizeof *windows);
	struct err e = { 0 };
	void *sink;

	if (!windows)
		exit(1);
	if (b->cf.ops->open(&sink, &b->cf, &cx, &e) < 0)
		die("open", &e);
	double from = now_s();
	for (uint64_t w = 0; w < b->windows;) {
		struct made_batch m = { .bench = b, .b = { .windows = windows, .next = next, .rewind = rewind_batch } };

		for (; m.b.window_count < per_batch && w < b->windows; w++)
			windows[m.b.window_count++] = (struct sink_window){ .table = &b->table, .length_s = 60, .seq = ++seq,
									    .start_utc_s = b->start_utc_s + (int64_t)w * 60 };
		m.b.cursor.seq = seq;
		if (b->cf.ops->write(sink, &m.b, &e) < 0)
			die("write", &e);
	}
	report(what, b->windows * b->keys, now_s() - from);
	b->cf.ops->close(sink);
	free(windows);
}

/* ---- the old way ---- */

static void must(PGconn *c, PGresult *r, ExecStatusType wanted)
{
	if (PQresultStatus(r) != wanted) {
		fprintf(stderr, "sink_sql_bench: %s", PQerrorMessage(c));
		exit(1);
	}
	PQclear(r);
}

static void run_inserts(struct bench *b)
{
	uint64_t windows = b->windows > 50 ? 50 : b->windows;
	PGconn *c = PQconnectdb(b->url);

	if (PQstatus(c) != CONNECTION_OK) {
		fprintf(stderr, "sink_sql_bench: %s", PQerrorMessage(c));
		exit(1);
	}
	must(c, PQexec(c, "CREATE TABLE IF NOT EXISTS speedy_old(time timestamptz NOT NULL, mac macaddr NOT NULL, "
			  "download bigint NOT NULL, upload bigint NOT NULL)"), PGRES_COMMAND_OK);
	must(c, PQprepare(c, "i", "INSERT INTO speedy_old VALUES($1, $2, $3, $4)", 0, NULL), PGRES_COMMAND_OK);
	double from = now_s();
	for (uint64_t w = 0; w < windows; w++) {
		must(c, PQexec(c, "BEGIN"), PGRES_COMMAND_OK);
		for (uint64_t key = 0; key < b->keys; key++) {
			struct column_map mac = { .field = FIELD_MAC };
			char time[TIME_TEXT_MAX], text[64], down[24], up[24];
			const char *const values[] = { time, text, down, up };
			int64_t at = b->start_utc_s + (int64_t)w * 60;

			time_format(at, time, sizeof time);
			party_text(text, &mac, key);
			snprintf(down, sizeof down, "%" PRIu64, number_of((uint64_t)at, key, 2));
			snprintf(up, sizeof up, "%" PRIu64, number_of((uint64_t)at, key, 3));
			must(c, PQexecPrepared(c, "i", 4, values, NULL, NULL, 0), PGRES_COMMAND_OK);
		}
		must(c, PQexec(c, "COMMIT"), PGRES_COMMAND_OK);
	}
	report("an INSERT per record", windows * b->keys, now_s() - from);
	PQfinish(c);
}

int main(int argc, char **argv)
{
	struct bench b = { .keys = 1000, .windows = 200, .start_utc_s = 1795305600 };

	if (argc < 3 || !(b.cf.ops = sink_kind_find(argv[1]))) {
		fprintf(stderr, "usage: sink_sql_bench KIND URL [option=value]...\n");
		return 2;
	}
	b.url = argv[2];
	b.cf.settings = b.settings;
	b.batch = b.cf.ops->batch_records;
	b.cf.timeout_s = 60;
	snprintf(b.cf.name, sizeof b.cf.name, "bench");
	snprintf(b.cf.node, sizeof b.cf.node, "bench1");
	for (const struct sink_option *o = b.cf.ops->options; o->name; o++)
		if (o->fallback)
			set_option(&b, o->name, o->fallback);
	set_option(&b, "url", b.url);
	for (int i = 3; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			return 2;
		*value++ = '\0';
		if (strcmp(argv[i], "columns") == 0)
			b.is_speedy = strcmp(value, "speedy") == 0;
		else if (strcmp(argv[i], "keys") == 0)
			b.keys = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "windows") == 0)
			b.windows = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "batch") == 0)
			b.batch = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "again") == 0)
			b.again = true;
		else if (strcmp(argv[i], "inserts") == 0)
			b.inserts = true;
		else
			set_option(&b, argv[i], value);
	}
	make_table(&b);
	if (b.inserts)
		run_inserts(&b);
	run_sink(&b, "the sink");
	if (b.again)
		run_sink(&b, "all of it again");
	return 0;
}
