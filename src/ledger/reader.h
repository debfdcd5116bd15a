/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader.h -- the read-only connection behind query.h. */
#ifndef NETTALLY_LEDGER_READER_H
#define NETTALLY_LEDGER_READER_H

#include "ledger/query.h"
#include "ledger/sql.h"

struct ledger_reader {
	sqlite3 *db;
	char *path;
};

/* The current account of that name; *ret_table (sqlite3_free) is its records' table. -ENOENT
 * with the list of names. */
int reader_find_account(struct ledger_reader *r, const char *name, struct account **ret, char **ret_table,
			struct err *e);

#endif
