/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_fuzz.c -- a request target: path, escapes, parameters, and what a query makes of them. */
#include "ledger/query_args.h"
#include "web/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct url u;
	struct query q;
	struct err e;

	if (url_parse(&u, (struct slice){ data, size }, &e) < 0)
		return 0;
	if (u.path[0] != '/' || strlen(u.path) > size || u.param_count > URL_PARAMS_MAX)
		abort();
	query_init(&q);
	for (unsigned i = 0; i < u.param_count; i++)
		query_arg(&q, u.params[i].name, u.params[i].value, 1700000000, &e);
	query_check(&q, &e);
	if (q.where_count > QUERY_WHERE_MAX || q.by_count > FIELDS_PER_KEY_MAX || q.limit < -1)
		abort();
	return 0;
}
