/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/postgresql_link.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define SLICE_MS 100 /* how soon a wait sees that the daemon stops */
#define SYSTEM_CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"
#define CONNINFO_MAX 64

struct pg_link {
	PGconn *conn;
	struct sink_context cx;
	uint32_t timeout_s;
	char name[SINK_NAME_MAX];
};

/* ---- waits and errors ---- */

static int64_t now_ns(void)
{
	struct clock c = clock_system();

	return c.monotonic_ns(c.arg);
}

static int wait_for(struct pg_link *l, short events, struct err *e)
{
	int64_t until_ns = now_ns() + (int64_t)l->timeout_s * NS_PER_S;

	for (;;) {
		struct pollfd p = { .fd = PQsocket(l->conn), .events = events };

		if (l->cx.is_stopping && l->cx.is_stopping(l->cx.arg))
			return err_set(e, -EAGAIN, "postgresql %s: stopped", l->name);
		if (p.fd < 0)
			return err_set(e, -EAGAIN, "postgresql %s: the connection is gone", l->name);
		int r = poll(&p, 1, SLICE_MS);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_errno(e, -errno, "postgresql %s: poll", l->name);
		if (now_ns() > until_ns)
			return err_set(e, -EAGAIN, "postgresql %s: no answer within %u s", l->name, l->timeout_s);
	}
}

static int code_of(const char *state)
{
	static const struct {
		const char *prefix;
		int code;
	} codes[] = {
		{ "53100", -ENOSPC }, { "28", -EACCES },    { "42501", -EACCES }, { "3D000", -EACCES },
		{ "22P04", -EAGAIN }, /* a broken COPY is our own fault, not the rows' */
		{ "22", -EINVAL },    { "23", -EINVAL },
	};

	for (size_t i = 0; state && i < sizeof codes / sizeof *codes; i++)
		if (strncmp(state, codes[i].prefix, strlen(codes[i].prefix)) == 0)
			return codes[i].code;
	return -EAGAIN; /* also 42P01 and 42703, no such table or column: open() reads the catalog anew */
}

/* One line, without what libpq puts behind it. */
static int first_line(const char *text)
{
	return (int)strcspn(text, "\n");
}

static int connection_failed(const struct pg_link *l, struct err *e)
{
	const char *why = PQerrorMessage(l->conn);
	/* there is no SQLSTATE for a refused login in libpq's result of connecting */
	static const char *const refusals[] = { "authentication failed", "no password supplied", "no pg_hba.conf entry",
						"certificate verify failed", "does not exist" };
	bool refused = false;

	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		refused |= strstr(why, refusals[i]) != NULL;
	return err_set(e, refused ? -EACCES : -EAGAIN, "postgresql %s: %.*s", l->name, first_line(why), why);
}

static int refused(const struct pg_link *l, const PGresult *res, struct err *e)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE), *why = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *context = PQresultErrorField(res, PG_DIAG_CONTEXT);

	if (!why)
		return connection_failed(l, e);
	if (!context)
		return err_set(e, code_of(state), "postgresql %s: %s (%s)", l->name, why, state ? state : "?");
	return err_set(e, code_of(state), "postgresql %s: %s (%s; %.*s)", l->name, why, state ? state : "?", first_line(context),
		       context);
}

/* ---- opening ---- */

static bool is_set(const PQconninfoOption *o, const char *keyword)
{
	for (; o && o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val && *o->val;
	return false;
}

static const char *value_of(const PQconninfoOption *o, const char *keyword)
{
	for (; o && o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0 && o->val)
			return o->val;
	return "";
}

int pg_link_check(const struct sink_config *cf, struct err *e)
{
	char *why = NULL;
	PQconninfoOption *o = PQconninfoParse(sink_text(cf, "url"), &why);
	int r = 0;

	if (!o)
		r = err_set(e, -EINVAL, "url: %.*s", first_line(why ? why : "out of memory"), why ? why : "out of memory");
	else if (is_set(o, "password"))
		r = err_set(e, -EINVAL, "url holds a password, which all who may read this file would know; "
					"use password_file");
	PQfreemem(why);
	PQconninfoFree(o);
	return r;
}

/* A socket file, or this machine: nobody is in between. */
static bool is_local(const PQconninfoOption *o)
{
	const char *host = value_of(o, "host");

	return *host == '\0' ? !is_set(o, "hostaddr") || strncmp(value_of(o, "hostaddr"), "127.", 4) == 0
			     : *host == '/' || *host == '@' || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
				       strcmp(host, "localhost") == 0;
}

/* TLS is verified unless the url says otherwise: libpq's own default takes any certificate, and none. */
static int connect_start(struct pg_link *l, const struct sink_config *cf, struct err *e)
{
	PQconninfoOption *o = PQconninfoParse(sink_text(cf, "url"), NULL);
	const char *keywords[CONNINFO_MAX], *values[CONNINFO_MAX], *ca = sink_text(cf, "ca_file");
	int n = 0;

	if (!o)
		return err_set(e, -ENOMEM, "postgresql %s: out of memory", l->name);
	bool plain = is_set(o, "sslmode") || is_local(o);
	const char *const extra[][2] = {
		{ "password", sink_text(cf, "password") },
		{ "sslmode", plain ? NULL : "verify-full" },
		{ "sslrootcert", is_set(o, "sslrootcert")              ? NULL
				 : ca                                  ? ca
				 : access(SYSTEM_CERTIFICATES, R_OK) == 0 ? SYSTEM_CERTIFICATES
									 : NULL },
		{ "client_encoding", "UTF8" },
		{ "application_name", is_set(o, "application_name") ? NULL : "nettally" },
		{ "fallback_application_name", "nettally" },
	};

	for (const PQconninfoOption *at = o; at->keyword && n < CONNINFO_MAX - 8; at++)
		if (at->val) {
			keywords[n] = at->keyword;
			values[n++] = at->val;
		}
	for (size_t i = 0; i < sizeof extra / sizeof *extra; i++)
		if (extra[i][1]) {
			keywords[n] = extra[i][0];
			values[n++] = extra[i][1];
		}
	keywords[n] = values[n] = NULL;
	l->conn = PQconnectStartParams(keywords, values, 0);
	PQconninfoFree(o);
	if (!l->conn)
		return err_set(e, -ENOMEM, "postgresql %s: out of memory", l->name);
	return PQstatus(l->conn) == CONNECTION_BAD ? connection_failed(l, e) : 0;
}

static int connect_wait(struct pg_link *l, struct err *e)
{
	for (PostgresPollingStatusType s = PGRES_POLLING_WRITING; s != PGRES_POLLING_OK; s = PQconnectPoll(l->conn)) {
		if (s == PGRES_POLLING_FAILED)
			return connection_failed(l, e);
		int r = wait_for(l, s == PGRES_POLLING_READING ? POLLIN : POLLOUT, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void ignore_notice(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

int pg_link_open(struct pg_link **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e)
{
	struct pg_link *l = calloc(1, sizeof *l);

	if (!l)
		return err_set(e, -ENOMEM, "postgresql %s: out of memory", cf->name);
	l->cx = *cx;
	l->timeout_s = cf->timeout_s ? cf->timeout_s : 30;
	snprintf(l->name, sizeof l->name, "%s", cf->name);
	int r = connect_start(l, cf, e);
	if (r == 0)
		r = connect_wait(l, e);
	if (r == 0 && PQsetnonblocking(l->conn, 1) < 0)
		r = connection_failed(l, e);
	if (r == 0) {
		PQsetNoticeReceiver(l->conn, ignore_notice, NULL);
		r = pg_run_text(l, "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET standard_conforming_strings = on", e);
	}
	if (r < 0)
		pg_link_close(&l);
	else
		*ret = l;
	return r;
}

void pg_link_close(struct pg_link **l)
{
	if (!*l)
		return;
	PQfinish((*l)->conn);
	free(*l);
	*l = NULL;
}

/* ---- statements ---- */

/* Sends what libpq holds; reads meanwhile, so that neither side waits for the other. */
static int flush(struct pg_link *l, struct err *e)
{
	for (;;) {
		int r = PQflush(l->conn);

		if (r == 0)
			return 0;
		if (r < 0)
			return connection_failed(l, e);
		r = wait_for(l, POLLIN | POLLOUT, e);
		if (r < 0)
			return r;
		if (!PQconsumeInput(l->conn))
			return connection_failed(l, e);
	}
}

/* The next result, NULL after the last one. */
static int next_result(struct pg_link *l, PGresult **ret, struct err *e)
{
	while (PQisBusy(l->conn)) {
		int r = wait_for(l, POLLIN, e);

		if (r < 0)
			return r;
		if (!PQconsumeInput(l->conn))
			return connection_failed(l, e);
	}
	*ret = PQgetResult(l->conn);
	return 0;
}

/* Reads to the end; the first failure counts, *ret is the last result. */
static int results(struct pg_link *l, PGresult **ret, struct err *e)
{
	PGresult *last = NULL, *res = NULL;
	int failed = 0, r = flush(l, e);

	while (r == 0 && (r = next_result(l, &res, e)) == 0 && res) {
		ExecStatusType s = PQresultStatus(res);

		if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK && s != PGRES_EMPTY_QUERY && failed == 0)
			failed = refused(l, res, e);
		PQclear(last);
		last = res;
	}
	if (r == 0)
		r = failed;
	if (r == 0 && ret)
		*ret = last;
	else
		PQclear(last);
	return r;
}

int pg_run_text(struct pg_link *l, const char *sql, struct err *e)
{
	if (!PQsendQuery(l->conn, sql))
		return connection_failed(l, e);
	return results(l, NULL, e);
}

int pg_run(struct pg_link *l, struct sql_buffer *sql, struct err *e)
{
	const char *text = sql_text(sql);
	int r = text ? pg_run_text(l, text, e) : err_set(e, -ENOMEM, "postgresql %s: out of memory", l->name);

	sql_buffer_free(sql);
	return r;
}

int pg_ask(struct pg_link *l, PGresult **ret, const char *sql, int count, const char *const *parameters, struct err *e)
{
	if (!PQsendQueryParams(l->conn, sql, count, NULL, parameters, NULL, NULL, 0))
		return connection_failed(l, e);
	return results(l, ret, e);
}

/* ---- COPY ---- */

int pg_copy_begin(struct pg_link *l, const char *sql, struct err *e)
{
	PGresult *res = NULL;
	int r;

	if (!PQsendQuery(l->conn, sql))
		return connection_failed(l, e);
	r = flush(l, e);
	if (r == 0)
		r = next_result(l, &res, e);
	if (r < 0)
		return r;
	if (res && PQresultStatus(res) == PGRES_COPY_IN) {
		PQclear(res);
		return 0;
	}
	r = res ? refused(l, res, e) : err_set(e, -EAGAIN, "postgresql %s: no answer to COPY", l->name);
	PQclear(res);
	if (results(l, NULL, NULL) < 0 && r == 0)
		r = -EAGAIN;
	return r;
}

int pg_copy_put(struct pg_link *l, struct sql_buffer *b, struct err *e)
{
	int r = 0;

	if (b->failed)
		return err_set(e, -ENOMEM, "postgresql %s: out of memory", l->name);
	if (b->len && PQputCopyData(l->conn, (const char *)b->bytes, (int)b->len) != 1)
		r = connection_failed(l, e);
	b->len = 0;
	return r < 0 ? r : flush(l, e);
}

int pg_copy_end(struct pg_link *l, struct err *e)
{
	if (PQputCopyEnd(l->conn, NULL) != 1)
		return connection_failed(l, e);
	return results(l, NULL, e);
}

void pg_copy_abort(struct pg_link *l)
{
	if (PQputCopyEnd(l->conn, "given up") == 1)
		(void)results(l, NULL, NULL);
}
