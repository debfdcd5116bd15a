/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A webhook: a POST of JSON for each window, in parts where it is large.
 *
 * The Idempotency-Key names what is in a request: ledger, round, table, window, the number of its last change, part. A repeat of
 * the same has the same key; a window that changed has another, and its records are whole again, never a difference. */
#include "sinks/http_sink.h"
#include "sinks/text_row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_RECORDS 5000
#define PART_BYTES (1u << 20)

struct webhook {
	struct http_sink *http;
	const struct sink_config *cf;
	struct bytes body;
	char *authorization; /* a header, holds the token; NULL = none */
	char ledger[40];
	/* of the request that is being made */
	const struct sink_window *window;
	uint64_t again;
	unsigned part, records;
};

static const struct sink_option options[] = {
	HTTP_SINK_OPTIONS,
	{ "token", SINK_SECRET, NULL, "bearer token, from a file or the environment", false },
	{ 0 },
};

static void webhook_close(void *sink)
{
	struct webhook *s = sink;

	if (!s)
		return;
	http_sink_close(&s->http);
	bytes_free(&s->body);
	free(s->authorization);
	free(s);
}

static int webhook_open(void **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e)
{
	struct webhook *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->cf = cf;
	snprintf(s->ledger, sizeof s->ledger, "%s", cx->ledger);
	if (sink_text(cf, "token") && asprintf(&s->authorization, "Authorization: Bearer %s", sink_text(cf, "token")) < 0) {
		s->authorization = NULL;
		webhook_close(s);
		return err_set(e, -ENOMEM, "out of memory");
	}
	r = http_sink_open(&s->http, cf, cx, e);
	if (r < 0) {
		webhook_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

static void begin(struct webhook *s)
{
	bytes_clear(&s->body);
	bytes_puts(&s->body, "{\"node\":");
	bytes_json(&s->body, s->cf->node, strlen(s->cf->node));
	bytes_puts(&s->body, ",\"sink\":");
	bytes_json(&s->body, s->cf->name, strlen(s->cf->name));
	bytes_puts(&s->body, ",\"table\":");
	bytes_json(&s->body, s->window->table->name, strlen(s->window->table->name));
	bytes_puts(&s->body, ",\"records\":[");
	s->records = 0;
}

static int send_part(struct webhook *s, struct err *e)
{
	char key[512], name[3 * SINK_TABLE_NAME_MAX];
	const char *headers[] = { key, s->authorization, NULL };
	struct http_answer answer;
	int r;

	if (!s->window || s->records == 0)
		return 0;
	bytes_puts(&s->body, "]}\n");
	if (s->body.failed || !http_sink_escape(s->window->table->name, name, sizeof name))
		return err_set(e, -ENOMEM, "out of memory");
	snprintf(key, sizeof key, "Idempotency-Key: %s-%" PRIu64 "-%s-%" PRId64 "-%" PRIu32 "-%" PRIu64 "-%u", s->ledger,
			s->again,
		 name, s->window->start_utc_s, s->window->length_s, s->window->seq, s->part);
	struct http_request rq = { .path = "", .headers = headers, .content_type = "application/json", .body = s->body.at,
				   .body_bytes = s->body.len };
	r = http_sink_send(s->http, &rq, &answer, e);
	if (r == 0)
		r = http_sink_status(s->http, &answer, e);
	/* 409: the same request is still being worked on */
	return r == -EINVAL && answer.status == 409 ? -EAGAIN : r == -EINVAL && answer.status == 404 ? -EACCES : r;
}

static int add(struct webhook *s, const struct sink_row *row, struct err *e)
{
	bool is_full = s->records >= PART_RECORDS || s->body.len >= PART_BYTES;
	int r = 0;

	if (s->window != row->window || is_full) {
		r = send_part(s, e);
		s->part = s->window == row->window ? s->part + 1 : 0;
		s->window = row->window;
		begin(s);
	}
	if (s->records++)
		bytes_char(&s->body, ',');
	text_row_json(&s->body, row, false);
	return r;
}

static int webhook_write(void *sink, struct sink_batch *b, struct err *e)
{
	struct webhook *s = sink;
	struct sink_row row;
	int r;

	s->window = NULL;
	s->again = b->cursor.again;
	while ((r = b->next(b, &row, e)) == 1) {
		r = add(s, &row, e);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : send_part(s, e);
}

const struct sink_ops sink_webhook = {
	.name = "webhook",
	.help = "any HTTP server: a POST of JSON for each window, with an Idempotency-Key",
	.options = options,
	.batch_records = 5000,
	.check = http_sink_check,
	.open = webhook_open,
	.write = webhook_write,
	.close = webhook_close,
};
