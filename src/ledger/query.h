/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query.h -- the reading side of the ledger: sums of an account's records over a range.
 *
 * Opens its own read-only connection (WAL: never waits for the writer). Thread: the caller's;
 * one handle, one thread. Values are always bound, never pasted into SQL. */
#ifndef NETTALLY_LEDGER_QUERY_H
#define NETTALLY_LEDGER_QUERY_H

#include "base/err.h"
#include "model/account.h"
#include "model/interface_books.h"
#include "output/output.h"

#include <stdbool.h>
#include <stdint.h>

struct ledger_reader;

/* -ENOENT, -EACCES, -EUCLEAN (no ledger), -EPROTO (newer). */
int ledger_reader_open(struct ledger_reader **ret, const char *path, struct err *e);
void ledger_reader_close(struct ledger_reader **r);

struct query_where {
	enum field field;
	/* Text as printed; for host a CIDR prefix matches all addresses in it, for country "DE,FR" both. */
	const char *value;
};

#define QUERY_WHERE_MAX 16

struct query {
	const char *account;
	int64_t from_utc_s, to_utc_s;  /* windows that start in [from, to); INT64_MIN, INT64_MAX = open */
	uint32_t every_s;              /* 0 = one sum over the range; else a first column `window` */
	enum field by[FIELDS_PER_KEY_MAX]; /* a part of the account's keys, in the order to print */
	size_t by_count;               /* 0 = all the account's keys, in its order */
	struct query_where where[QUERY_WHERE_MAX];
	size_t where_count;
	int basis;                     /* enum bytes_basis, or -1 = as the account declares */
	const char *sort;              /* "[-]COLUMN", NULL = by the columns from the left */
	int64_t limit;                 /* rows at most, -1 = all; with `every`: per the whole output */
};

/* Writes columns and rows to `out` (output_columns, output_row; the caller does output_open and
 * _close). -ENOENT: no such account, with the list of those there are. -EINVAL: a key or column
 * the account does not have, with the list. */
int query_run(struct ledger_reader *r, const struct query *q, struct output *out, struct err *e);

/* Accounts in the ledger: columns account, from, by, every, first, last (RFC 3339), records. */
int query_accounts(struct ledger_reader *r, struct output *out, struct err *e);

/* Devices: columns mac, name, source, vendor, random, ipv4, ipv6, first_seen, last_seen. */
int query_devices(struct ledger_reader *r, struct output *out, struct err *e);
/* What a host or a device was called and who held it: columns since, until ("-": still), what (name, device, host), value,
 * source. -EINVAL: no address. */
int query_history(struct ledger_reader *r, const char *address, struct output *out, struct err *e);

/* The books of each interface as last booked, for `audit` without a daemon; free() the array. */
int query_interfaces(struct ledger_reader *r, struct interface_books **ret, size_t *ret_count, struct err *e);

/* For `audit`: does sum received = sum sent hold for each account over all parties (of = both,
 * self = groups = yes, ever since it began)? Columns: account, rx_packets, tx_packets,
 * rx_l2_bytes, tx_l2_bytes, rx_l3_bytes, tx_l3_bytes. */
int query_balance(struct ledger_reader *r, struct output *out, struct err *e);

#endif
