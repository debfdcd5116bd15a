/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http.h -- the web server: /metrics, /healthz, /readyz, /api/v1/..., and a page for people at
 * /.
 *
 * libmicrohttpd with its own threads. Reads the newest snapshot from the box, and the ledger
 * through its own read-only connections (ledger/query.h); never touches the daemon otherwise.
 * GET and HEAD only. Limits: 64 connections, 10 s without a byte, 4095 bytes of URL, 100,000
 * rows, 6 queries at once. */
#ifndef NETTALLY_WEB_HTTP_H
#define NETTALLY_WEB_HTTP_H

#include "base/err.h"
#include "model/snapshot.h"

#include <stdint.h>

struct http;

struct http_config {
	const char *address;        /* "127.0.0.1", "::1" */
	uint16_t port;              /* 0 = a free one */
	struct snapshot_box *box;
	const char *ledger_path;    /* NULL = no ledger: the API of accounts answers 503 */
};

/* -EADDRINUSE: says which address and port, and how to choose another. */
int http_open(struct http **ret, const struct http_config *cf, struct err *e);
/* "127.0.0.1:9390", with the port that was taken. */
const char *http_address(const struct http *h);
void http_close(struct http **h);

#endif
