/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which epochs of kernel tables are booked. Tables outlive the process that books them; each number
 * stands in the transaction that holds its counts, so that whoever starts next knows what is still to
 * be booked, wherever a kill came. */
#include "ledger/internal.h"

#include <errno.h>
#include <inttypes.h>

static int booked_number(struct ledger *l, const char *generation, uint64_t *ret, struct err *e)
{
	sqlite3_stmt *s = l->get_epoch;

	sqlite3_bind_text(s, 1, generation, -1, SQLITE_STATIC);
	int r = sql_step(s, e);
	if (r >= 0)
		*ret = r == 1 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r < 0 ? r : 0;
}

static int check_one(struct ledger *l, const struct booked_epoch *x, struct err *e)
{
	uint64_t booked;
	int r = booked_number(l, x->generation, &booked, e);

	if (r < 0 || booked < x->number)
		return r;
	return err_set(e, -EALREADY,
		       "%s: epoch %" PRIu64 " of kernel table %s is booked already (as all up to %" PRIu64 "): not booked again",
		       sqlite3_db_filename(l->db, "main"), x->number, x->generation, booked);
}

static int put_one(struct ledger *l, const struct booked_epoch *x, int64_t now_utc_s, struct err *e)
{
	sqlite3_bind_text(l->put_epoch, 1, x->generation, -1, SQLITE_STATIC);
	sql_bind_counter(l->put_epoch, 2, x->number);
	sqlite3_bind_int64(l->put_epoch, 3, now_utc_s);
	int r = sql_run(l->put_epoch, e);
	sqlite3_clear_bindings(l->put_epoch);
	return r;
}

/* All are looked at before the first is written: a booking may have several of one generation, in any
 * order. */
int epochs_book(struct ledger *l, const struct booking *b, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < b->epoch_count && r == 0; i++)
		r = check_one(l, &b->epochs[i], e);
	for (size_t i = 0; i < b->epoch_count && r == 0; i++)
		r = put_one(l, &b->epochs[i], b->taken_utc_s, e);
	return r;
}

int ledger_epoch(struct ledger *l, const char *generation, uint64_t *ret_number, struct err *e)
{
	int r = ledger_ready(l, e);

	return r < 0 ? r : booked_number(l, generation, ret_number, e);
}

int ledger_forget_epochs(struct ledger *l, const char *const *keep, size_t keep_count, struct err *e)
{
	int r = ledger_ready(l, e);

	if (r < 0)
		return r;
	sqlite3_str *sql = sqlite3_str_new(l->db);
	sqlite3_str_appendall(sql, "DELETE FROM epoch WHERE generation NOT IN (");
	for (size_t i = 0; i < keep_count; i++)
		sqlite3_str_appendf(sql, "%s%Q", i ? ", " : "", keep[i]);
	sqlite3_str_appendall(sql, ")");
	return sql_exec_str(l->db, sql, e);
}
