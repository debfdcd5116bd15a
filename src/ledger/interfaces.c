/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The books of the interfaces: the last run of each is replaced in each booking; when a new run
 * begins, the one before is added to the sum of all earlier ones. */
#include "ledger/interfaces.h"

#include "ledger/internal.h"

#include <stdio.h>

#define COLUMNS_1                                                                                                  \
	"name, since, is_up, capture, ifindex, booked_frames, booked_frame_bytes, booked_packets, booked_l2_bytes, " \
	"ingress_packets, egress_packets, ingress_frames, egress_frames, lost_packets, filtered_packets, "           \
	"malformed_packets, kernel_rx_packets, kernel_rx_bytes, kernel_tx_packets, kernel_tx_bytes, "                \
	"kernel_rx_dropped, kernel_tx_dropped, in_flight_packets, "
#define COLUMNS_2 COLUMNS_1 \
	"ingress_frame_bytes, egress_frame_bytes, ingress_l2_bytes, egress_l2_bytes, overflowed, 0, capture_why"
#define COLUMNS COLUMNS_1 \
	"ingress_frame_bytes, egress_frame_bytes, ingress_l2_bytes, egress_l2_bytes, overflowed, filtered_more_packets, " \
	"capture_why"

/* What follows name, since, is_up, capture and ifindex. */
#define INTERFACE_COUNTERS(X)                                                                                         \
	X(booked_frames) X(booked_frame_bytes) X(booked_packets) X(booked_l2_bytes) X(ingress_packets)                \
	X(egress_packets) X(ingress_frames) X(egress_frames) X(lost_packets) X(filtered_packets) X(malformed_packets) \
	X(kernel_rx_packets) X(kernel_rx_bytes) X(kernel_tx_packets) X(kernel_tx_bytes) X(kernel_rx_dropped)          \
	X(kernel_tx_dropped) X(in_flight_packets) X(ingress_frame_bytes) X(egress_frame_bytes) X(ingress_l2_bytes)    \
	X(egress_l2_bytes) X(overflowed) X(filtered_more_packets)

/* Returns the place behind them. */
static int bind_counters(sqlite3_stmt *s, int at, const struct interface_books *b)
{
#define X(name) sql_bind_counter(s, at++, b->name);
	INTERFACE_COUNTERS(X)
#undef X
	return at;
}

void interface_row_read(sqlite3_stmt *s, struct interface_books *ret)
{
	int at = 5;

	*ret = (struct interface_books){ .since_utc_s = sqlite3_column_int64(s, 1), .up = sqlite3_column_int(s, 2),
					 .ifindex = (uint32_t)sqlite3_column_int64(s, 4) };
	snprintf(ret->name, sizeof ret->name, "%s", (const char *)sqlite3_column_text(s, 0));
	snprintf(ret->capture, sizeof ret->capture, "%s", (const char *)sqlite3_column_text(s, 3));
#define X(name) ret->name = (uint64_t)sqlite3_column_int64(s, at++);
	INTERFACE_COUNTERS(X)
#undef X
	const char *why = (const char *)sqlite3_column_text(s, at);
	snprintf(ret->capture_why, sizeof ret->capture_why, "%s", why ? why : "");
}

/* A reader may meet a file that no writer of this version has opened yet. */
int interface_select(sqlite3 *db, sqlite3_stmt **ret, const char *where, struct err *e)
{
	int64_t version;
	int r = sql_number(db, &version, 0, e, "PRAGMA user_version");

	if (r < 0)
		return r;
	return sql_prepare(db, ret, e, "SELECT %s FROM interface WHERE %s",
			   version < 2 ? COLUMNS_1 "0, 0, 0, 0, 0, 0, NULL" : version < 3 ? COLUMNS_2 : COLUMNS, where);
}

int interfaces_prepare(struct ledger *l, struct err *e)
{
	int r = interface_select(l->db, &l->get_interface, "name = ?1 AND run = ?2", e);

	if (r == 0)
		r = sql_prepare(l->db, &l->put_interface, e,
				"REPLACE INTO interface(run, " COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
				"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	return r;
}

static int put(struct ledger *l, const char *run, const struct interface_books *b, struct err *e)
{
	sqlite3_stmt *s = l->put_interface;

	sqlite3_bind_text(s, 1, run, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, b->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, b->since_utc_s);
	sqlite3_bind_int(s, 4, b->up);
	sqlite3_bind_text(s, 5, b->capture, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 6, b->ifindex);
	int why = bind_counters(s, 7, b);
	sqlite3_bind_text(s, why, b->capture_why, -1, SQLITE_STATIC);
	int r = sql_run(s, e);
	sqlite3_clear_bindings(s);
	return r;
}

static int get(struct ledger *l, const char *name, const char *run, struct interface_books *ret, struct err *e)
{
	sqlite3_stmt *s = l->get_interface;

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, run, -1, SQLITE_STATIC);
	int r = sql_step(s, e);
	if (r == 1)
		interface_row_read(s, ret);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r;
}

static void add(struct interface_books *to, const struct interface_books *b)
{
#define X(name) to->name = to->name + b->name > INT64_MAX ? INT64_MAX : to->name + b->name;
	INTERFACE_COUNTERS(X)
#undef X
}

/* Counters only grow within a run: two runs that begin in the same second are told apart by one
 * that has shrunk. Where the kernel goes on counting without the daemon, so does the run. */
static bool is_same_run(const struct interface_books *last, const struct interface_books *b)
{
	return last->since_utc_s == b->since_utc_s && last->booked_frames <= b->booked_frames &&
	       last->lost_packets <= b->lost_packets;
}

static int close_run(struct ledger *l, const struct interface_books *last, struct err *e)
{
	struct interface_books before;
	int r = get(l, last->name, "before", &before, e);

	if (r < 0)
		return r;
	if (r == 0)
		return put(l, "before", last, e);
	add(&before, last);
	return put(l, "before", &before, e);
}

int ledger_interface(struct ledger *l, const char *name, struct interface_books *ret, struct err *e)
{
	int r = ledger_ready(l, e);

	return r < 0 ? r : get(l, name, "last", ret, e);
}

int interface_book(struct ledger *l, const struct interface_books *b, struct err *e)
{
	struct interface_books last;
	int r = get(l, b->name, "last", &last, e);

	if (r == 1 && !is_same_run(&last, b))
		r = close_run(l, &last, e);
	return r < 0 ? r : put(l, "last", b, e);
}
