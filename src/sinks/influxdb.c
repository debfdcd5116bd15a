/* SPDX-License-Identifier: GPL-2.0-or-later */
/* InfluxDB by line protocol: 1.x (/write, database), 2 (/api/v2/write, bucket), and what speaks the same, such as
 * VictoriaMetrics. A point written again takes the place of the first, so a window may be sent as often as wanted. */
#include "sinks/http_sink.h"
#include "sinks/line_protocol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES (4u << 20) /* servers take 25 MB and more */
#define PATH_MAX_BYTES 1024

struct influxdb {
	struct http_sink *http;
	const struct sink_config *cf;
	struct bytes lines;
	char path[PATH_MAX_BYTES];
	char *authorization;      /* a header, holds the token; NULL = none */
	const char *headers[2];
};

static const struct sink_option options[] = {
	HTTP_SINK_OPTIONS,
	{ "database", SINK_TEXT, NULL, "InfluxDB 1.x: the database; made where it is missing", false },
	{ "retention_policy", SINK_TEXT, NULL, "InfluxDB 1.x: instead of the database's default", false },
	{ "bucket", SINK_TEXT, NULL, "InfluxDB 2: the bucket", false },
	{ "org", SINK_TEXT, NULL, "InfluxDB 2: the organisation", false },
	{ "token", SINK_SECRET, NULL, "API token, from a file or the environment", false },
	{ 0 },
};

static int influxdb_check(const struct sink_config *cf, unsigned *ret_line, struct err *e)
{
	int r = http_sink_check(cf, ret_line, e);

	if (r < 0)
		return r;
	if (!sink_text(cf, "database") == !sink_text(cf, "bucket"))
		return err_set(e, -EINVAL, "write either database = NAME (InfluxDB 1.x) or bucket = NAME (InfluxDB 2)");
	if (!sink_text(cf, "bucket") && sink_text(cf, "org"))
		return err_set(e, -EINVAL, "org belongs to bucket (InfluxDB 2)");
	if (sink_text(cf, "bucket") && sink_text(cf, "retention_policy"))
		return err_set(e, -EINVAL, "retention_policy belongs to database (InfluxDB 1.x)");
	return 0;
}

/* Adds "name=value" where the option is set. */
static bool add_argument(char *path, const char *name, const char *value)
{
	size_t used = strlen(path);
	int n;

	if (!value)
		return true;
	n = snprintf(path + used, PATH_MAX_BYTES - used, "&%s=", name);
	return n > 0 && used + (size_t)n < PATH_MAX_BYTES &&
	       http_sink_escape(value, path + used + n, PATH_MAX_BYTES - used - (size_t)n);
}

static int make_path(struct influxdb *s, struct err *e)
{
	const struct sink_config *cf = s->cf;
	bool good;

	if (sink_text(cf, "bucket")) {
		snprintf(s->path, sizeof s->path, "/api/v2/write?precision=s");
		good = add_argument(s->path, "org", sink_text(cf, "org")) && add_argument(s->path, "bucket", sink_text(cf,
				"bucket"));
	} else {
		snprintf(s->path, sizeof s->path, "/write?precision=s");
		good = add_argument(s->path, "db", sink_text(cf, "database")) &&
		       add_argument(s->path, "rp", sink_text(cf, "retention_policy"));
	}
	return good ? 0 : err_set(e, -EINVAL, "the names of database, bucket or org are too long");
}

static void influxdb_close(void *sink)
{
	struct influxdb *s = sink;

	if (!s)
		return;
	http_sink_close(&s->http);
	bytes_free(&s->lines);
	free(s->authorization);
	free(s);
}

static int influxdb_open(void **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e)
{
	struct influxdb *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->cf = cf;
	if (sink_text(cf, "token") && asprintf(&s->authorization, "Authorization: Token %s", sink_text(cf, "token")) < 0)
		s->authorization = NULL;
	s->headers[0] = s->authorization;
	r = sink_text(cf, "token") && !s->authorization ? err_set(e, -ENOMEM, "out of memory") : make_path(s, e);
	if (r == 0)
		r = http_sink_open(&s->http, cf, cx, e);
	if (r < 0) {
		influxdb_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* 0: there is one now. Where the server does not let us make it, its answer to the write says what is wrong. */
static int make_database(struct influxdb *s, struct err *e)
{
	char name[PATH_MAX_BYTES], path[PATH_MAX_BYTES + 64];
	struct http_answer answer;
	struct bytes q = { 0 };
	int r;

	bytes_puts(&q, "CREATE DATABASE \"");
	for (const char *at = sink_text(s->cf, "database"); *at; at++) {
		if (*at == '"' || *at == '\\')
			bytes_char(&q, '\\');
		bytes_char(&q, *at);
	}
	bytes_put(&q, "\"", 2);
	bool good = !q.failed && http_sink_escape(q.at, name, sizeof name);
	bytes_free(&q);
	if (!good)
		return -EINVAL;
	snprintf(path, sizeof path, "/query?q=%s", name);
	r = http_sink_send(s->http, &(struct http_request){ .path = path, .headers = s->headers }, &answer, e);
	return r < 0 ? r : http_sink_status(s->http, &answer, e);
}

static int post(struct influxdb *s, bool may_make, struct err *e)
{
	struct http_request rq = {
		.path = s->path, .headers = s->headers, .content_type = "text/plain; charset=utf-8",
		.body = s->lines.at, .body_bytes = s->lines.len,
	};
	struct http_answer answer;
	int r = http_sink_send(s->http, &rq, &answer, e);

	if (r < 0)
		return r;
	if (may_make && answer.status == 404 && strstr(answer.body, "database not found")) {
		r = make_database(s, e);
		return r == -EINVAL ? -EACCES : r < 0 ? r : post(s, false, e);
	}
	r = http_sink_status(s->http, &answer, e);
	/* No database, no bucket: nothing is wrong with the rows. */
	return r == -EINVAL && answer.status == 404 ? -EACCES : r;
}

/* Full ones on the way, the rest at the end. */
static int post_if(struct influxdb *s, size_t least, struct err *e)
{
	if (s->lines.failed)
		return err_set(e, -ENOMEM, "out of memory");
	if (s->lines.len < least)
		return 0;
	int r = post(s, !sink_text(s->cf, "bucket"), e);
	bytes_clear(&s->lines);
	return r;
}

static int influxdb_write(void *sink, struct sink_batch *b, struct err *e)
{
	struct influxdb *s = sink;
	struct sink_row row;
	int r;

	bytes_clear(&s->lines);
	while ((r = b->next(b, &row, e)) == 1) {
		line_protocol_row(&s->lines, &row);
		r = post_if(s, REQUEST_BYTES, e);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : post_if(s, 1, e);
}

const struct sink_ops sink_influxdb = {
	.name = "influxdb",
	.help = "InfluxDB 1.x and 2, VictoriaMetrics: line protocol over HTTP",
	.options = options,
	.batch_records = 20000,
	.check = influxdb_check,
	.open = influxdb_open,
	.write = influxdb_write,
	.close = influxdb_close,
};
