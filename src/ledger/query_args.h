/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_args.h -- a query from names and values: the options of `nettally query` and the
 * parameters of the web API are the same, with the same sentences. Thread: any. */
#ifndef NETTALLY_LEDGER_QUERY_ARGS_H
#define NETTALLY_LEDGER_QUERY_ARGS_H

#include "ledger/query.h"

/* Everything open, all rows, no account. */
void query_init(struct query *ret);

/* from, to, every, where (repeated: K=V), by, bytes, sort, limit. Borrows `value`. -EINVAL with
 * a sentence that begins with the name; -ENOENT: no such name. */
int query_arg(struct query *q, const char *name, const char *value, int64_t now_utc_s, struct err *e);

/* What no single argument shows: from before to. */
int query_check(const struct query *q, struct err *e);

#endif
