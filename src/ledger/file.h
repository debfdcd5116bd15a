/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.h -- the ledger as a file: its lock, its header, a connection to it. */
#ifndef NETTALLY_LEDGER_FILE_H
#define NETTALLY_LEDGER_FILE_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>

/* A file up to this size is checked whole when it is opened (about 0.3 s); a larger one by its
 * header, its length and its schema. */
#define LEDGER_CHECK_MAX (64LL << 20)

/* The last part of the path's directory, mode 0750, where it is missing. */
int file_make_directory(const char *path, struct err *e);

/* flock(2) on PATH-lock, which names our pid. The descriptor holds it. */
int file_lock(const char *path, int *ret_fd, struct err *e);

/* Looks at the header before SQLite does: 0 = ours, or absent or empty while `may_be_new`. Never
 * writes. */
int file_check(const char *path, bool may_be_new, struct err *e);

/* Opens for writing, makes or migrates the schema, sets the mode of work, checks what is there. */
int file_connect(const char *path, sqlite3 **ret, struct err *e);

#endif
