/* SPDX-License-Identifier: GPL-2.0-or-later */
/* postgresql_link.h -- one connection to a PostgreSQL server: statements and COPY, never waiting longer than allowed.
 *
 * libpq's own calls wait without end for a server that has gone silent; here each wait is bounded by the sink's `timeout`
 * and ends when the daemon stops. Errors by SQLSTATE: -EAGAIN away, busy, or the schema is not as it was; -EACCES not let in;
 * -ENOSPC disk full; -EINVAL the rows themselves are refused. Thread: the sink's. */
#ifndef NETTALLY_SINKS_POSTGRESQL_LINK_H
#define NETTALLY_SINKS_POSTGRESQL_LINK_H

#include "sinks/sink.h"
#include "sinks/sql_buffer.h"

#include <libpq-fe.h>

struct pg_link;

int pg_link_check(const struct sink_config *cf, struct err *e); /* `url`, without connecting */
int pg_link_open(struct pg_link **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e);
void pg_link_close(struct pg_link **l); /* accepts NULL */

#define PG_PARAMETERS_MAX 8

/* Statements without a result worth reading; several may stand in one text. */
int pg_run(struct pg_link *l, struct sql_buffer *sql, struct err *e);
int pg_run_text(struct pg_link *l, const char *sql, struct err *e);
/* One statement with text parameters $1 ...; `ret` (PQclear) may be NULL. */
int pg_ask(struct pg_link *l, PGresult **ret, const char *sql, int count, const char *const *parameters, struct err *e);

/* `sql` is COPY ... FROM STDIN. After a failure the transaction is to be rolled back. */
int pg_copy_begin(struct pg_link *l, const char *sql, struct err *e);
int pg_copy_put(struct pg_link *l, struct sql_buffer *b, struct err *e); /* empties b */
int pg_copy_end(struct pg_link *l, struct err *e);
void pg_copy_abort(struct pg_link *l);

#endif
