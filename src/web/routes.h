/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes.h -- inside web/: a request, its reply, and the table of paths. */
#ifndef NETTALLY_WEB_ROUTES_H
#define NETTALLY_WEB_ROUTES_H

#include "model/snapshot.h"
#include "web/url.h"

#include <semaphore.h>

struct site {                    /* what the handlers may know */
	struct snapshot_box *box;
	const char *ledger_path; /* NULL = none */
	sem_t queries;           /* how many may read the ledger at once: some threads stay free for /healthz */
};

struct request {
	struct site *site;
	const struct url *url;
	const char *rest;        /* of the path, behind a route that ends with '/' */
};

#define NONCE_TEXT_MAX 33

struct reply {
	unsigned status;
	const char *type;              /* Content-Type */
	char *body;                    /* malloc()ed */
	size_t body_len;
	char nonce[NONCE_TEXT_MAX];    /* of a page's own script and style; "" = it has none */
	bool retry;                    /* Retry-After */
};

/* 0 or -ENOMEM; *ret is whole on 0. */
int route(struct reply *ret, const struct request *r);

/* {"error": "..."} */
int reply_error(struct reply *ret, unsigned status, const char *sentence);
int reply_text(struct reply *ret, unsigned status, const char *text);
/* Runs `write` into the body. */
int reply_written(struct reply *ret, const char *type, void (*write)(FILE *to, const struct snapshot *s),
		  const struct snapshot *s);

int page_index(struct reply *ret, const struct request *r);
int health_healthz(struct reply *ret, const struct request *r);
int health_readyz(struct reply *ret, const struct request *r);
int health_metrics(struct reply *ret, const struct request *r);
int api_accounts(struct reply *ret, const struct request *r);
int api_account(struct reply *ret, const struct request *r); /* rest = its name */
int api_interfaces(struct reply *ret, const struct request *r);
int api_audit(struct reply *ret, const struct request *r);
int api_devices(struct reply *ret, const struct request *r); /* rest = an address, "" = all devices */
int api_status(struct reply *ret, const struct request *r);

#endif
