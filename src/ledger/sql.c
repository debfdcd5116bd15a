/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQLite's errors as sentences, statements, and the few functions that our SQL uses. */
#include "ledger/sql.h"

#include "base/prefix.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

int sql_damaged(const char *path, const char *why, struct err *e)
{
	return err_set(e, -EUCLEAN,
		       "%s is damaged (%s): keep it, move it away (mv %s %s.damaged), then start again; "
		       "`sqlite3 %s.damaged .recover` may save its records",
		       path, why, path, path, path);
}

static int fail_system(sqlite3 *db, const char *path, int fallback, struct err *e)
{
	int sys = sqlite3_system_errno(db);

	if (sys == EDQUOT)
		sys = ENOSPC;
	if (sys == ENOSPC)
		return err_set(e, -ENOSPC, "%s: no space left on its disk", path);
	if (sys == EROFS || sys == EACCES || sys == EPERM || sys == ENOENT || sys == EMFILE || sys == ENFILE)
		return err_errno(e, -sys, "%s: %s", path, sqlite3_errmsg(db));
	if (sys)
		return err_set(e, fallback, "%s: %s: %s", path, sqlite3_errmsg(db), strerror(sys));
	return err_set(e, fallback, "%s: %s", path, sqlite3_errmsg(db));
}

int sql_fail(sqlite3 *db, struct err *e)
{
	const char *path = sqlite3_db_filename(db, "main");

	if (!path || !*path)
		path = "the ledger";
	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_FULL:
		return err_set(e, -ENOSPC, "%s: no space left on its disk", path);
	case SQLITE_READONLY:
		return err_set(e, -EROFS, "%s: cannot be written: the file or its file system is read-only", path);
	case SQLITE_CANTOPEN:
		return fail_system(db, path, -EACCES, e);
	case SQLITE_IOERR:
		return fail_system(db, path, -EIO, e);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, -EBUSY, "%s: another program holds it locked", path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return sql_damaged(path, sqlite3_errmsg(db), e);
	case SQLITE_NOMEM:
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return err_set(e, -EACCES, "%s: %s", path, sqlite3_errmsg(db));
	default:
		return err_set(e, -EIO, "%s: %s", path, sqlite3_errmsg(db));
	}
}

int sql_exec_str(sqlite3 *db, sqlite3_str *text, struct err *e)
{
	char *sql = sqlite3_str_finish(text);

	if (!sql)
		return err_set(e, -ENOMEM, "the ledger: out of memory");
	int r = sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_fail(db, e);
	sqlite3_free(sql);
	return r;
}

int sql_prepare_str(sqlite3 *db, sqlite3_stmt **ret, sqlite3_str *text, struct err *e)
{
	char *sql = sqlite3_str_finish(text);
	int r = 0;

	if (!sql)
		return err_set(e, -ENOMEM, "the ledger: out of memory");
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
		r = sql_fail(db, e);
	sqlite3_free(sql);
	return r;
}

int sql_exec(sqlite3 *db, struct err *e, const char *fmt, ...)
{
	sqlite3_str *text = sqlite3_str_new(db);
	va_list ap;

	va_start(ap, fmt);
	sqlite3_str_vappendf(text, fmt, ap);
	va_end(ap);
	return sql_exec_str(db, text, e);
}

int sql_prepare(sqlite3 *db, sqlite3_stmt **ret, struct err *e, const char *fmt, ...)
{
	sqlite3_str *text = sqlite3_str_new(db);
	va_list ap;

	va_start(ap, fmt);
	sqlite3_str_vappendf(text, fmt, ap);
	va_end(ap);
	return sql_prepare_str(db, ret, text, e);
}

int sql_number(sqlite3 *db, int64_t *ret, int64_t fallback, struct err *e, const char *fmt, ...)
{
	sqlite3_str *text = sqlite3_str_new(db);
	sqlite3_stmt *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	sqlite3_str_vappendf(text, fmt, ap);
	va_end(ap);
	int r = sql_prepare_str(db, &s, text, e);
	if (!r)
		r = sql_step(s, e);
	if (r >= 0)
		*ret = r == 1 && sqlite3_column_type(s, 0) != SQLITE_NULL ? sqlite3_column_int64(s, 0) : fallback;
	sqlite3_finalize(s);
	return r < 0 ? r : 0;
}

int sql_step(sqlite3_stmt *s, struct err *e)
{
	switch (sqlite3_step(s)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return sql_fail(sqlite3_db_handle(s), e);
	}
}

int sql_run(sqlite3_stmt *s, struct err *e)
{
	int r;

	do {
		r = sql_step(s, e);
	} while (r == 1);
	sqlite3_reset(s);
	return r;
}

void sql_bind_counter(sqlite3_stmt *s, int at, uint64_t v)
{
	sqlite3_bind_int64(s, at, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

/* SQLite's own sum() fails where it leaves 63 bits. Counters are never negative. */
static void counter_sum_step(sqlite3_context *c, int argc, sqlite3_value **argv)
{
	uint64_t *sum = sqlite3_aggregate_context(c, sizeof *sum);
	int64_t v = sqlite3_value_int64(argv[0]);

	(void)argc;
	if (!sum)
		sqlite3_result_error_nomem(c);
	else if (v > 0)
		*sum = *sum + (uint64_t)v > INT64_MAX ? INT64_MAX : *sum + (uint64_t)v;
}

static void counter_sum_final(sqlite3_context *c)
{
	uint64_t *sum = sqlite3_aggregate_context(c, 0);

	sqlite3_result_int64(c, sum ? (int64_t)*sum : 0);
}

static void in_prefix(sqlite3_context *c, int argc, sqlite3_value **argv)
{
	const struct prefix *p = sqlite3_value_pointer(argv[1], "prefix");
	const char *text = (const char *)sqlite3_value_text(argv[0]);
	struct addr a;

	(void)argc;
	sqlite3_result_int(c, p && text && addr_parse(&a, text) == 0 && prefix_contains(p, &a));
}

static void note_update(sqlite3_context *c, int argc, sqlite3_value **argv)
{
	uint64_t *updates = sqlite3_user_data(c);

	(void)argc;
	(void)argv;
	++*updates;
	sqlite3_result_int(c, 1);
}

int sql_add_functions(sqlite3 *db, uint64_t *updates, struct err *e)
{
	const int fixed = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;

	if (sqlite3_create_function_v2(db, "counter_sum", 1, fixed, NULL, NULL, counter_sum_step,
				       counter_sum_final, NULL) ||
	    sqlite3_create_function_v2(db, "in_prefix", 2, fixed, NULL, in_prefix, NULL, NULL, NULL))
		return sql_fail(db, e);
	if (updates && sqlite3_create_function_v2(db, "note_update", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, updates,
						  note_update, NULL, NULL, NULL))
		return sql_fail(db, e);
	return 0;
}
