/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http_sink.h -- what the sinks behind HTTP share: one connection, kept open; gzip, TLS (verified unless `insecure`), user
 * and password or token, time-outs, a bounded answer. Thread: the sink's. */
#ifndef NETTALLY_SINKS_HTTP_SINK_H
#define NETTALLY_SINKS_HTTP_SINK_H

#include "sinks/sink.h"

/* In front of the options of a kind. */
#define HTTP_SINK_OPTIONS                                                                                            \
	{ "url", SINK_TEXT, NULL, "http://HOST:PORT or https://...", true },                                         \
	{ "user", SINK_TEXT, NULL, "user of basic authentication", false },                                          \
	{ "password", SINK_SECRET, NULL, "its password, from a file or the environment", false },                    \
	{ "ca_file", SINK_FILE, NULL, "certificates to trust instead of the system's", false },                      \
	{ "insecure", SINK_BOOL, "no", "yes: any certificate will do", false },                                      \
	{ "gzip", SINK_BOOL, "yes", "compress what is sent", false }

struct http_sink;

struct http_request {
	const char *method;              /* NULL = POST */
	const char *path;                /* behind `url`, with its query, escaped: "/write?db=x" */
	const char *const *headers;      /* "Name: value", NULL at the end; may be NULL */
	const char *content_type;        /* may be NULL */
	const void *body;
	size_t body_bytes;
	bool is_gzip;                    /* body was compressed already */
};

#define HTTP_ANSWER_MAX 65536

struct http_answer {
	long status;
	size_t bytes;                    /* at most HTTP_ANSWER_MAX; the rest is thrown away */
	char *body;                      /* ends with a NUL; borrowed until the next request */
};

/* Checks url; for check() of a kind. */
int http_sink_check(const struct sink_config *cf, unsigned *ret_line, struct err *e);
int http_sink_open(struct http_sink **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e);
void http_sink_close(struct http_sink **h); /* accepts NULL */
/* 0 = there is an answer, of whatever status. -EAGAIN: none; -EACCES: the certificate is not trusted. */
int http_sink_send(struct http_sink *h, const struct http_request *rq, struct http_answer *ret, struct err *e);
/* The usual meaning of a status, with the first line of the answer: 2xx 0; 401, 403 -EACCES; 507 -ENOSPC; 400, 404, 413, 422
 * -EINVAL; else -EAGAIN. */
int http_sink_status(const struct http_sink *h, const struct http_answer *a, struct err *e);
/* Percent-encoding for one part of a query; false where it does not fit. */
bool http_sink_escape(const char *text, char *buf, size_t size);
/* Compresses; *ret is the caller's to free(). */
int http_sink_gzip(const void *bytes, size_t len, void **ret, size_t *ret_len, struct err *e);

#endif
