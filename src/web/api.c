/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api.c -- /api/v1/...: the snapshot and the ledger as JSON. Rows of an account are those of
 * `nettally query`, by the same names and with the same sentences. */
#include "base/clock.h"
#include "ledger/query_args.h"
#include "output/status.h"
#include "web/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 100000 /* rows: what a reply may take of memory stays bounded */
#define WAIT_FOR_TURN_S 2

static int reply_snapshot(struct reply *ret, const struct request *r, void (*write)(FILE *to, const struct snapshot *s))
{
	struct snapshot *s = snapshot_box_get(r->site->box);
	int rc;

	if (!s)
		return reply_error(ret, 503, "the daemon is starting: nothing was counted yet");
	rc = reply_written(ret, "application/json", write, s);
	snapshot_unref(&s);
	return rc;
}

static void account_columns(struct json *j, const struct account *a)
{
	unsigned count;
	const struct account_counter *counters = account_counters(a, &count);

	json_begin(j, "columns", '[');
	for (size_t i = 0; i < a->by_count; i++)
		json_text(j, NULL, field_name(a->by[i]));
	for (unsigned i = 0; i < count; i++)
		json_text(j, NULL, counters[i].name);
	json_end(j, ']');
}

static void accounts_json(FILE *to, const struct snapshot *s)
{
	struct buffer b;
	struct json j = { .to = &b };

	buffer_start(&b, to);
	json_begin(&j, NULL, '[');
	for (size_t i = 0; i < s->account_count; i++) {
		json_begin(&j, NULL, '{');
		account_definition_json(&j, s->accounts[i].account);
		account_columns(&j, s->accounts[i].account);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	buffer_flush(&b);
}

int api_accounts(struct reply *ret, const struct request *r)
{
	return reply_snapshot(ret, r, accounts_json);
}

int api_interfaces(struct reply *ret, const struct request *r)
{
	return reply_snapshot(ret, r, interfaces_json);
}

int api_audit(struct reply *ret, const struct request *r)
{
	return reply_snapshot(ret, r, audit_json);
}

int api_status(struct reply *ret, const struct request *r)
{
	return reply_snapshot(ret, r, status_json);
}

/* Rows of an account */

static const char *const types[] = {
	[FORMAT_TSV] = "text/tab-separated-values; charset=utf-8",
	[FORMAT_CSV] = "text/csv; charset=utf-8",
	[FORMAT_JSON] = "application/json",
	[FORMAT_NDJSON] = "application/x-ndjson",
};

static int set_param(struct query *q, enum format *format, const char *name, const char *value, struct err *e)
{
	int r;

	if (*value == '\0')
		return 0; /* a field of a form that was left empty */
	if (strcmp(name, "format") == 0) {
		r = format_parse(format, value, e);
		if (r == 0 && *format == FORMAT_TABLE)
			r = err_set(e, -EINVAL, "unknown format 'table': use json, ndjson, csv or tsv");
		return r;
	}
	r = query_arg(q, name, value, ns_to_s(clock_system().utc_ns(NULL)), e);
	if (r == -ENOENT)
		return err_set(e, -EINVAL, "unknown parameter '%.40s': use from, to, every, where, by, bytes, sort, limit, "
			       "format", name);
	return r;
}

static int parse_query(struct query *q, enum format *format, const struct request *r, struct err *e)
{
	query_init(q);
	q->account = r->rest;
	q->limit = LIMIT_DEFAULT;
	*format = FORMAT_JSON;
	for (unsigned i = 0; i < r->url->param_count; i++)
		if (set_param(q, format, r->url->params[i].name, r->url->params[i].value, e) < 0)
			return -EINVAL;
	if (q->limit > LIMIT_MAX)
		return err_set(e, -EINVAL, "limit: at most %d rows a request; ask by ranges of time (from, to), or use "
			       "nettally query", LIMIT_MAX);
	return query_check(q, e);
}

static int run_query(struct reply *ret, const char *ledger, const struct query *q, enum format format, struct err *e)
{
	struct ledger_reader *reader = NULL;
	struct output *out = NULL;
	FILE *to = open_memstream(&ret->body, &ret->body_len);
	int r;

	if (!to)
		return err_set(e, -ENOMEM, "no memory");
	r = ledger_reader_open(&reader, ledger, e);
	if (r == -ENOENT)
		r = -EIO; /* no ledger: not the client's mistake */
	if (r == 0)
		r = output_open(&out, to, format, e);
	if (r == 0)
		r = query_run(reader, q, out, e);
	if (r == 0)
		r = output_close(&out, e);
	output_abort(&out);
	ledger_reader_close(&reader);
	if (fclose(to) != 0 && r == 0)
		r = err_set(e, -ENOMEM, "no memory");
	return r;
}

static int take_turn(struct site *site)
{
	struct timespec until;
	int r;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_FOR_TURN_S;
	while ((r = sem_timedwait(&site->queries, &until)) < 0 && errno == EINTR)
		;
	return r;
}

int api_account(struct reply *ret, const struct request *r)
{
	enum format format;
	struct err e = { 0 };
	struct query q;
	int rc;

	if (!r->site->ledger_path)
		return reply_error(ret, 503, "there is no ledger: start the daemon with ledger { path = ... } or --ledger FILE");
	if (parse_query(&q, &format, r, &e) < 0)
		return reply_error(ret, 400, e.msg);
	if (take_turn(r->site) < 0) {
		ret->retry = true;
		return reply_error(ret, 503, "too many queries at once: ask again in a second");
	}
	rc = run_query(ret, r->site->ledger_path, &q, format, &e);
	sem_post(&r->site->queries);
	if (rc == 0) {
		ret->status = 200;
		ret->type = types[format];
		return 0;
	}
	free(ret->body);
	ret->body = NULL;
	return reply_error(ret, rc == -EINVAL ? 400 : rc == -ENOENT ? 404 : 503, e.msg);
}
