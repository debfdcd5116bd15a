/* SPDX-License-Identifier: GPL-2.0-or-later */
/* columns.h -- what an account's records are called elsewhere: the one mapping of `columns`, which all sinks and /metrics
 * share.
 *
 * `columns = { "mac", "download=rx_l3_bytes" }` is a list of ALIAS=FIELD, or FIELD alone for both. A field is a key of the
 * account (a tag, a label, a key column), a counter of its records or a sum of such (a+b; a field, a metric, a value
 * column), `window` or its other name `time` (the window's start), `length` (its length in seconds), `account`, `node`, or a
 * constant text in single quotes ("router='edge1'"). `bytes`, `rx_bytes` and `tx_bytes` are in the account's basis.
 * Thread: any; made at load, then read-only. */
#ifndef NETTALLY_MODEL_COLUMNS_H
#define NETTALLY_MODEL_COLUMNS_H

#include "model/account.h"

#define COLUMN_ALIAS_MAX 64
#define COLUMNS_MAX 32

enum column_of {
	COLUMN_OF_TIME,     /* the window's start, seconds UTC */
	COLUMN_OF_LENGTH,   /* of the window, seconds */
	COLUMN_OF_KEY,      /* `field` */
	COLUMN_OF_COUNTER,  /* the sum of the counters in `counters` */
	COLUMN_OF_ACCOUNT,  /* its name */
	COLUMN_OF_NODE,     /* the name of this machine, as configured */
	COLUMN_OF_CONSTANT, /* `constant` */
	COLUMN_OF_IPV4,     /* of a device, a text; none is known yet: NULL */
	COLUMN_OF_IPV6,
};

/* The numbers of a record, in the order of struct party_tally; deliveries use them as tally.h says. */
enum counter {
	COUNTER_RX_PACKETS, COUNTER_RX_L2_BYTES, COUNTER_RX_L3_BYTES,
	COUNTER_TX_PACKETS, COUNTER_TX_L2_BYTES, COUNTER_TX_L3_BYTES,
	COUNTER_COUNT
};

struct column_map {
	char alias[COLUMN_ALIAS_MAX]; /* letters, digits, '_', '.', '-'; no digit first */
	enum column_of of;
	enum field field;             /* COLUMN_OF_KEY */
	uint8_t counters;             /* COLUMN_OF_COUNTER: bits 1 << enum counter */
	char constant[COLUMN_ALIAS_MAX];
};

struct columns {
	size_t count;
	struct column_map at[COLUMNS_MAX];
};

/* Adds one "alias=field". -EINVAL with what there is: an unknown field, a key that the account does not have, an alias that is
 * there already. -E2BIG. `a` NULL: the list of devices, whose fields are mac, ipv4, ipv6, time, node and constants. */
int columns_add(struct columns *c, const struct account *a, const char *text, struct err *e);
/* What holds where nothing is written: the window, the keys, all counters (of devices: mac, ipv4, ipv6). */
int columns_default(struct columns *c, const struct account *a, struct err *e);
/* -EINVAL: a key of the account is missing, so that several records would be one; or there is no counter. */
int columns_check_whole(const struct columns *c, const struct account *a, struct err *e);

bool column_is_text(const struct column_map *m);   /* a key as text, account, node, constant, an address */
/* A tag, a label, a part of the target's key. */
bool column_is_key(const struct column_map *m);
uint64_t column_counter(const struct column_map *m, const struct party_tally *t); /* stays at 2^64 - 1 */

/* The counter of that name in records of `a`; a set of bits, 0 = none. "rx_packets", "packets", "bytes", "retransmits" ... */
uint8_t counter_of_name(const struct account *a, const char *name, size_t len);

#endif
