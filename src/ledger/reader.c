/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A read-only connection to the ledger, whoever may read the file: also while no daemon runs and
 * the directory cannot be written. */
#include "ledger/reader.h"

#include "ledger/account_row.h"
#include "ledger/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int connect_to(sqlite3 **ret, const char *name, struct err *e)
{
	sqlite3 *db = NULL;
	int64_t version;
	int r = 0;

	if (sqlite3_open_v2(name, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL) != SQLITE_OK)
		r = db ? sql_fail(db, e) : err_set(e, -ENOMEM, "the ledger: out of memory");
	if (r == 0) {
		sqlite3_extended_result_codes(db, 1);
		sqlite3_busy_timeout(db, 2000);
		r = sql_exec(db, e, "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA cell_size_check = ON; "
				    "PRAGMA temp_store = MEMORY");
	}
	if (r == 0)
		r = sql_number(db, &version, 0, e, "PRAGMA user_version");
	if (r == 0 && version > LEDGER_VERSION)
		r = err_set(e, -EPROTO, "%s: made by a newer nettally (ledger version %lld; this one knows up to %d)",
			    sqlite3_db_filename(db, "main"), (long long)version, LEDGER_VERSION);
	if (r == 0)
		r = sql_add_functions(db, NULL, e);
	if (r < 0) {
		sqlite3_close_v2(db);
		return r;
	}
	*ret = db;
	return 0;
}

/* "file:" and the path with what means something in a URI escaped, then `more`. */
static char *uri_of(const char *path, const char *more)
{
	sqlite3_str *s = sqlite3_str_new(NULL);

	sqlite3_str_appendall(s, "file:");
	for (; *path; path++)
		if (strchr("%?#", *path))
			sqlite3_str_appendf(s, "%%%02X", (unsigned char)*path);
		else
			sqlite3_str_appendchar(s, 1, *path);
	sqlite3_str_appendall(s, more);
	return sqlite3_str_finish(s);
}

static bool wal_is_empty(const char *path)
{
	char *name = sqlite3_mprintf("%s-wal", path);
	struct stat st;
	bool empty = name && (stat(name, &st) < 0 ? errno == ENOENT : st.st_size == 0);

	sqlite3_free(name);
	return empty;
}

/* SQLite makes the -shm file of a WAL database to read it. Where we may not, and no WAL holds
 * anything, the file alone is all. */
static int connect_any(sqlite3 **ret, const char *path, struct err *e)
{
	char *uri = uri_of(path, "");
	int r = uri ? connect_to(ret, uri, e) : err_set(e, -ENOMEM, "the ledger: out of memory");

	sqlite3_free(uri);
	if (r != -EACCES && r != -EROFS && r != -ENOENT)
		return r;
	if (!wal_is_empty(path))
		return r;
	uri = uri_of(path, "?immutable=1");
	r = uri ? connect_to(ret, uri, e) : err_set(e, -ENOMEM, "the ledger: out of memory");
	sqlite3_free(uri);
	return r;
}

int ledger_reader_open(struct ledger_reader **ret, const char *path, struct err *e)
{
	int r = file_check(path, false, e);

	if (r < 0)
		return r;
	struct ledger_reader *reader = calloc(1, sizeof *reader);
	if (!reader || !(reader->path = strdup(path))) {
		ledger_reader_close(&reader);
		return err_set(e, -ENOMEM, "the ledger: out of memory");
	}
	r = connect_any(&reader->db, path, e);
	if (r < 0) {
		ledger_reader_close(&reader);
		return r;
	}
	*ret = reader;
	return 0;
}

void ledger_reader_close(struct ledger_reader **pr)
{
	struct ledger_reader *r = *pr;

	if (!r)
		return;
	sqlite3_close_v2(r->db);
	free(r->path);
	free(r);
	*pr = NULL;
}

static int no_such_account(struct ledger_reader *r, const char *name, struct err *e)
{
	char names[384] = "";
	sqlite3_stmt *s;
	size_t used = 0;
	int x = sql_prepare(r->db, &s, e, "SELECT name FROM account WHERE is_current ORDER BY name");

	if (x < 0)
		return x;
	while ((x = sql_step(s, e)) == 1 && used < sizeof names - 1)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
					 (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	if (x < 0)
		return x;
	if (!*names)
		return err_set(e, -ENOENT, "%s: no account '%s': it has none yet", r->path, name);
	return err_set(e, -ENOENT, "%s: no account '%s': it has %s", r->path, name, names);
}

int reader_find_account(struct ledger_reader *r, const char *name, struct account **ret, char **ret_table, struct err *e)
{
	sqlite3_stmt *s;
	int x = sql_prepare(r->db, &s, e, "SELECT table_name, " ACCOUNT_ROW_COLUMNS
					  " FROM account WHERE name = ?1 AND is_current");

	if (x < 0)
		return x;
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	x = sql_step(s, e);
	if (x == 0)
		x = no_such_account(r, name, e);
	else if (x == 1)
		x = account_row_read(ret, s, 1, e);
	if (x == 0) {
		*ret_table = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(s, 0));
		if (!*ret_table) {
			account_unref(ret);
			x = err_set(e, -ENOMEM, "the ledger: out of memory");
		}
	}
	sqlite3_finalize(s);
	return x;
}
