/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interfaces.h -- rows of table interface as struct interface_books. */
#ifndef NETTALLY_LEDGER_INTERFACES_H
#define NETTALLY_LEDGER_INTERFACES_H

#include "base/err.h"
#include "model/interface_books.h"

#include <sqlite3.h>

/* `where` is SQL of ours; each row is for interface_row_read(). */
int interface_select(sqlite3 *db, sqlite3_stmt **ret, const char *where, struct err *e);
void interface_row_read(sqlite3_stmt *s, struct interface_books *ret);

#endif
