/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger's life: lock, connection, transactions, and a new connection where the old one is
 * of no use any more. */
#include "ledger/ledger.h"

#include "ledger/changes.h"
#include "ledger/file.h"
#include "ledger/internal.h"
#include "ledger/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int ledger_begin(struct ledger *l, struct err *e)
{
	return sql_exec(l->db, e, "BEGIN IMMEDIATE");
}

int ledger_end(struct ledger *l, int r, struct err *e)
{
	if (r >= 0) {
		r = sql_exec(l->db, e, "COMMIT");
		if (r == 0)
			return 0;
	}
	if (!sqlite3_get_autocommit(l->db) && sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		l->reopen = true;
	if (r == -EIO || r == -EROFS || r == -EACCES || r == -EUCLEAN || r == -ENOENT)
		l->reopen = true;
	return r;
}

static void disconnect(struct ledger *l)
{
	ledger_tables_close(l);
	book_close(l);
	names_close_statements(l);
	changes_close(l);
	sqlite3_close_v2(l->db);
	l->db = NULL;
}

static int connect_file(struct ledger *l, struct err *e)
{
	struct stat st;
	int r = file_connect(l->path, &l->db, e);

	if (r < 0)
		return r;
	if (stat(l->path, &st) < 0)
		r = err_errno(e, -errno, "%s", l->path);
	if (r == 0)
		r = sql_add_functions(l->db, &l->updates, e);
	if (r == 0)
		r = book_prepare(l, e);
	if (r == 0)
		r = changes_prepare(l, e);
	if (r < 0)
		return r;
	l->device = st.st_dev;
	l->inode = st.st_ino;
	l->reopen = false;
	return 0;
}

/* Moved or deleted while we had it open: what we write then would be lost with its last
 * descriptor. */
static bool file_is_gone(const struct ledger *l)
{
	struct stat st;

	return stat(l->path, &st) == 0 ? st.st_ino != l->inode || st.st_dev != l->device : errno == ENOENT;
}

int ledger_ready(struct ledger *l, struct err *e)
{
	int r;

	if (l->db && !l->reopen && !file_is_gone(l))
		return 0;
	disconnect(l);
	r = connect_file(l, e);
	if (r == 0)
		r = ledger_define_again(l, e);
	if (r < 0)
		disconnect(l);
	return r;
}

void ledger_measure(struct ledger *l)
{
	int64_t pages, unused, page_size, expired;

	if (sql_number(l->db, &pages, 0, NULL, "PRAGMA page_count") < 0 ||
	    sql_number(l->db, &unused, 0, NULL, "PRAGMA freelist_count") < 0 ||
	    sql_number(l->db, &page_size, 0, NULL, "PRAGMA page_size") < 0 ||
	    sql_number(l->db, &expired, 0, NULL, "SELECT sum(records) FROM expired") < 0)
		return;
	l->facts.size_bytes = (uint64_t)(pages - unused) * (uint64_t)page_size;
	l->facts.expired_records = (uint64_t)expired;
}

int ledger_open(struct ledger **ret, const char *path, const struct ledger_options *o, struct err *e)
{
	struct ledger *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return err_set(e, -ENOMEM, "the ledger: out of memory");
	l->lock_fd = -1;
	l->options = *o;
	l->path = strdup(path);
	r = l->path ? file_make_directory(path, e) : err_set(e, -ENOMEM, "the ledger: out of memory");
	if (r == 0)
		r = file_check(path, true, e); /* first, so that no lock file appears beside a foreign file */
	if (r == 0)
		r = file_lock(path, &l->lock_fd, e);
	if (r == 0)
		r = connect_file(l, e);
	if (r == 0)
		r = ledger_tables_load(l, e);
	if (r < 0) {
		ledger_close(&l);
		return r;
	}
	ledger_measure(l);
	*ret = l;
	return 0;
}

void ledger_facts(struct ledger *l, struct ledger_facts *ret)
{
	*ret = l->facts;
}

void ledger_close(struct ledger **pl)
{
	struct ledger *l = *pl;

	if (!l)
		return;
	disconnect(l); /* the last connection checkpoints and removes the WAL */
	ledger_tables_free(l);
	cursors_free(l);
	if (l->lock_fd >= 0)
		close(l->lock_fd); /* the lock file stays: removing it would race with the next owner */
	free(l->path);
	free(l);
	*pl = NULL;
}
