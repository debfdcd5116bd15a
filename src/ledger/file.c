/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger as a file: its lock, its header, a connection to it.
 *
 * WAL with synchronous = NORMAL: a kill of the process loses nothing and a power cut never
 * damages the file, but may take the last transactions with it. That is what a power cut does to
 * the counters in the kernel, too, and it saves an fsync in each tick. */
#include "ledger/file.h"

#include "ledger/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE 100 /* https://www.sqlite.org/fileformat2.html 1.3 */

static int lock_is_held(const char *path, int fd, struct err *e)
{
	char pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

	pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	if (*pid)
		return err_set(e, -EBUSY, "%s: in use by another nettally (pid %s)", path, pid);
	return err_set(e, -EBUSY, "%s: in use by another nettally", path);
}

int file_lock(const char *path, int *ret_fd, struct err *e)
{
	char name[4096], pid[24];

	if (snprintf(name, sizeof name, "%s-lock", path) >= (int)sizeof name)
		return err_errno(e, -ENAMETOOLONG, "%s", path);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(e, -errno, "%s: cannot open the lock file", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? lock_is_held(path, fd, e) : err_errno(e, -errno, "%s", name);

		close(fd);
		return r;
	}
	int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	/* The pid is for people; on a full disk the lock holds without it. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) < 0)
		errno = 0;
	*ret_fd = fd;
	return 0;
}

static uint32_t header_be32(const uint8_t *h, unsigned at)
{
	return (uint32_t)h[at] << 24 | (uint32_t)h[at + 1] << 16 | (uint32_t)h[at + 2] << 8 | h[at + 3];
}

static bool has_wal(const char *path)
{
	char name[4096];
	struct stat st;

	return snprintf(name, sizeof name, "%s-wal", path) < (int)sizeof name && stat(name, &st) == 0 && st.st_size > 0;
}

static int check_header(const char *path, const uint8_t *h, int64_t size, struct err *e)
{
	uint32_t page = (uint32_t)h[16] << 8 | h[17];

	if (memcmp(h, "SQLite format 3", 16) != 0)
		return err_set(e, -EUCLEAN, "%s: is no ledger; it was left as it is: choose another path", path);
	if (header_be32(h, 68) != LEDGER_APPLICATION_ID)
		return err_set(e, -EUCLEAN,
			       "%s: is an SQLite file of another program; it was left as it is: choose another path", path);
	if (header_be32(h, 60) > LEDGER_VERSION)
		return err_set(e, -EPROTO, "%s: made by a newer nettally (ledger version %" PRIu32 "; this one knows up to %d)",
			       path, header_be32(h, 60), LEDGER_VERSION);
	/* The header's page count is valid where both change counters agree; a WAL may hold the
	 * rest of the pages. */
	if (header_be32(h, 24) == header_be32(h, 92) && !has_wal(path) &&
	    (int64_t)header_be32(h, 28) * (page == 1 ? 65536 : page) > size)
		return sql_damaged(path, "it is cut short", e);
	return 0;
}

int file_check(const char *path, bool may_be_new, struct err *e)
{
	uint8_t h[HEADER_SIZE] = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return may_be_new && errno == ENOENT ? 0 : err_errno(e, -errno, "%s: cannot open the ledger", path);
	ssize_t n = pread(fd, h, sizeof h, 0);
	int r = n < 0 || fstat(fd, &st) < 0 ? -errno : 0;
	close(fd);
	if (r < 0)
		return err_errno(e, r, "%s: cannot read the ledger", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EUCLEAN, "%s: is no ledger: not a plain file", path);
	if (st.st_size == 0 && may_be_new)
		return 0;
	return check_header(path, h, st.st_size, e);
}

/* Ours from the first moment, with the mode that we want; SQLite gives its -wal and -shm the
 * same. */
static int create(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		return err_errno(e, -errno, "%s: cannot open the ledger for writing", path);
	close(fd);
	return 0;
}

int file_make_directory(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash && slash != path ? strndup(path, (size_t)(slash - path)) : NULL;
	int r = 0;

	if (dir && mkdir(dir, 0750) < 0 && errno != EEXIST)
		r = err_errno(e, -errno, "%s: cannot make the ledger's directory", dir);
	free(dir);
	return r;
}

static int check_whole(sqlite3 *db, const char *path, struct err *e)
{
	char why[192], *detail;
	sqlite3_stmt *s;
	struct stat st;

	if (stat(path, &st) < 0 || st.st_size > LEDGER_CHECK_MAX)
		return 0;
	int r = sql_prepare(db, &s, e, "PRAGMA quick_check(1)");
	if (r < 0)
		return r;
	r = sql_step(s, e);
	snprintf(why, sizeof why, "%s", r == 1 ? (const char *)sqlite3_column_text(s, 0) : "ok");
	sqlite3_finalize(s);
	if (r < 0)
		return r;
	detail = strchr(why, '\n') ? strchr(why, '\n') + 1 : why; /* behind "*** in database main ***" */
	detail[strcspn(detail, "\n")] = '\0';
	return strcmp(why, "ok") == 0 ? 0 : sql_damaged(path, detail, e);
}

/* The first transaction is made with a rollback journal, before WAL: from then on the main file
 * has our application_id, and is known as a ledger whatever happens. */
static int set_up(sqlite3 *db, const char *path, struct err *e)
{
	int r = sql_exec(db, e, "PRAGMA trusted_schema = OFF; PRAGMA legacy_alter_table = ON; PRAGMA cell_size_check = ON");

	sqlite3_busy_timeout(db, 2000);
	if (r == 0)
		r = check_whole(db, path, e);
	if (r == 0) /* writes, even where it changes nothing: not before the file is known to be whole */
		r = sql_exec(db, e, "PRAGMA auto_vacuum = INCREMENTAL");
	if (r == 0)
		r = migrate(db, e);
	if (r == 0)
		r = sql_exec(db, e, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768; "
				    "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 16777216; "
				    "PRAGMA temp_store = MEMORY");
	return r;
}

int file_connect(const char *path, sqlite3 **ret, struct err *e)
{
	sqlite3 *db = NULL;
	int r = file_make_directory(path, e);

	if (r == 0)
		r = file_check(path, true, e);
	if (r == 0)
		r = create(path, e);
	if (r < 0)
		return r;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		r = db ? sql_fail(db, e) : err_set(e, -ENOMEM, "the ledger: out of memory");
		sqlite3_close_v2(db);
		return r;
	}
	sqlite3_extended_result_codes(db, 1);
	r = set_up(db, path, e);
	if (r < 0) {
		sqlite3_close_v2(db);
		return r;
	}
	*ret = db;
	return 0;
}
