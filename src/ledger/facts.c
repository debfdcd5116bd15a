/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists that need no range: the accounts, their balance, the interfaces' books. */
#include "base/text.h"
#include "ledger/interfaces.h"
#include "ledger/reader.h"

#include <errno.h>
#include <stdlib.h>

static int write_row(struct output *out, const struct cell *cells, struct err *e)
{
	int r = output_row(out, cells);

	return r < 0 ? err_errno(e, r, "cannot write the answer") : 0;
}

static struct cell time_cell(sqlite3_stmt *s, int at, char *buf)
{
	if (sqlite3_column_type(s, at) == SQLITE_NULL)
		return (struct cell){ .text = "-" };
	return (struct cell){ .text = time_format(sqlite3_column_int64(s, at), buf, TIME_TEXT_MAX) };
}

static int account_row(sqlite3_stmt *s, struct output *out, struct err *e)
{
	char every[32], first[TIME_TEXT_MAX], last[TIME_TEXT_MAX];
	struct cell cells[] = {
		{ .text = (const char *)sqlite3_column_text(s, 0) },
		{ .text = (const char *)sqlite3_column_text(s, 1) },
		{ .text = (const char *)sqlite3_column_text(s, 2) },
		{ .text = duration_format((uint32_t)sqlite3_column_int64(s, 3), every, sizeof every) },
		time_cell(s, 4, first),
		time_cell(s, 5, last),
		{ .number = (uint64_t)sqlite3_column_int64(s, 6) },
	};

	return write_row(out, cells, e);
}

int query_accounts(struct ledger_reader *r, struct output *out, struct err *e)
{
	static const struct column columns[] = {
		{ "account", COLUMN_TEXT }, { "from", COLUMN_TEXT }, { "by", COLUMN_TEXT }, { "every", COLUMN_TEXT },
		{ "first", COLUMN_TEXT },   { "last", COLUMN_TEXT }, { "records", COLUMN_COUNT },
	};
	sqlite3_stmt *s;
	int x = sql_prepare(r->db, &s, e, "SELECT name, source, keys, every_s, first_window, last_window, records "
					  "FROM account WHERE is_current ORDER BY name");

	if (x < 0)
		return x;
	x = output_columns(out, columns, sizeof columns / sizeof *columns);
	if (x < 0)
		x = err_errno(e, x, "cannot write the answer");
	while (x == 0 && (x = sql_step(s, e)) == 1)
		x = account_row(s, out, e);
	sqlite3_finalize(s);
	return x;
}

int query_balance(struct ledger_reader *r, struct output *out, struct err *e)
{
	static const struct column columns[] = {
		{ "account", COLUMN_TEXT },      { "rx_packets", COLUMN_COUNT },  { "tx_packets", COLUMN_COUNT },
		{ "rx_l2_bytes", COLUMN_BYTES }, { "tx_l2_bytes", COLUMN_BYTES }, { "rx_l3_bytes", COLUMN_BYTES },
		{ "tx_l3_bytes", COLUMN_BYTES },
	};
	sqlite3_stmt *s;
	int x = sql_prepare(r->db, &s, e, "SELECT name, rx_packets, tx_packets, rx_l2_bytes, tx_l2_bytes, "
					  "rx_l3_bytes, tx_l3_bytes FROM account JOIN total ON account = id "
					  "WHERE is_current AND is_whole ORDER BY name");

	if (x < 0)
		return x;
	x = output_columns(out, columns, sizeof columns / sizeof *columns);
	if (x < 0)
		x = err_errno(e, x, "cannot write the answer");
	while (x == 0 && (x = sql_step(s, e)) == 1) {
		struct cell cells[7] = { { .text = (const char *)sqlite3_column_text(s, 0) } };

		for (int i = 1; i < 7; i++)
			cells[i].number = (uint64_t)sqlite3_column_int64(s, i);
		x = write_row(out, cells, e);
	}
	sqlite3_finalize(s);
	return x;
}

int query_interfaces(struct ledger_reader *r, struct interface_books **ret, size_t *ret_count, struct err *e)
{
	struct interface_books *all = NULL;
	size_t count = 0;
	sqlite3_stmt *s;
	int x = interface_select(r->db, &s, "run = 'last' ORDER BY name", e);

	if (x < 0)
		return x;
	while ((x = sql_step(s, e)) == 1) {
		struct interface_books *more = realloc(all, (count + 1) * sizeof *more);

		if (!more) {
			x = err_set(e, -ENOMEM, "the ledger: out of memory");
			break;
		}
		all = more;
		interface_row_read(s, &all[count++]);
	}
	sqlite3_finalize(s);
	if (x < 0) {
		free(all);
		return x;
	}
	*ret = all;
	*ret_count = count;
	return 0;
}
