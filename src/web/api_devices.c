/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_devices.c -- /api/v1/devices and /api/v1/devices/ADDRESS: the rows of `nettally devices`, as JSON. */
#include "ledger/query.h"
#include "web/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int write_devices(FILE *to, const char *ledger, const char *address, struct err *e)
{
	struct ledger_reader *reader = NULL;
	struct output *out = NULL;
	int r = ledger_reader_open(&reader, ledger, e);

	if (r == 0)
		r = output_open(&out, to, FORMAT_JSON, e);
	if (r == 0)
		r = *address ? query_history(reader, address, out, e) : query_devices(reader, out, e);
	if (r == 0)
		r = output_close(&out, e);
	output_abort(&out);
	ledger_reader_close(&reader);
	return r;
}

int api_devices(struct reply *ret, const struct request *r)
{
	struct err e = { 0 };
	FILE *to;
	int rc;

	if (!r->site->ledger_path)
		return reply_error(ret, 503, "there is no ledger: start the daemon with ledger { path = ... } or --ledger FILE");
	if (r->url->param_count)
		return reply_error(ret, 400, "this takes no parameters");
	if (sem_trywait(&r->site->queries) < 0) {
		ret->retry = true;
		return reply_error(ret, 503, "too many queries at once: ask again in a second");
	}
	to = open_memstream(&ret->body, &ret->body_len);
	rc = to ? write_devices(to, r->site->ledger_path, r->rest, &e) : err_set(&e, -ENOMEM, "no memory");
	sem_post(&r->site->queries);
	if (to && fclose(to) != 0 && rc == 0)
		rc = err_set(&e, -ENOMEM, "no memory");
	if (rc == 0) {
		ret->status = 200;
		ret->type = "application/json";
		return 0;
	}
	free(ret->body);
	ret->body = NULL;
	return reply_error(ret, rc == -EINVAL ? 400 : 503, e.msg);
}
