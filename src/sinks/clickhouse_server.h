/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clickhouse_server.h -- the server behind the sink: statements over HTTP, its version, the tables that are there or are made.
 * For clickhouse.c. Thread: the sink's. */
#ifndef NETTALLY_SINKS_CLICKHOUSE_SERVER_H
#define NETTALLY_SINKS_CLICKHOUSE_SERVER_H

#include "sinks/clickhouse_schema.h"
#include "sinks/http_sink.h"

/* A table of the target. */
struct ch_target {
	const struct sink_table *table;
	struct ch_columns columns;
	bool has_version, has_node, is_distributed, has_grade[CH_GRADES];
	struct sql_buffer rows;
	uint64_t rows_sent;  /* in this write() */
};

struct clickhouse {
	const struct sink_config *cf;
	struct sink_context cx;
	struct http_sink *http;
	struct ch_dialect dialect;
	struct ch_target *targets; /* as cf->tables */
	uint64_t version;       /* of the last write */
	int64_t dropped_day;    /* when old partitions were last looked for */
};

/* Path and settings of each request; `&query=` may follow. */
extern const char ch_settings[];
/* An error that ClickHouse tells is one, whatever the status. `ret` may be NULL. */
int ch_send(struct clickhouse *c, const struct http_request *rq, struct http_answer *ret, struct err *e);
/* Frees the statement. */
int ch_ask(struct clickhouse *c, struct sql_buffer *sql, struct http_answer *ret, struct err *e);
/* Connects, makes what is missing, reads the catalog, and finds the version to go on behind. */
int ch_open_tables(struct clickhouse *c, struct err *e);
/* The node whose rows are ours; NULL: the table has no column for it. */
static inline const char *ch_node(const struct clickhouse *c, const struct ch_target *g)
{
	return g->has_node ? c->cf->node : NULL;
}

#endif
