/* SPDX-License-Identifier: GPL-2.0-or-later */
/* account.h -- what a user wants counted: from what, by which fields, of which parties, how often.
 *
 * Made by config (or by the command line for `read`), then read-only. Reference counted, because a
 * booking on its way to the ledger outlives a reload. Thread: any. */
#ifndef NETTALLY_MODEL_ACCOUNT_H
#define NETTALLY_MODEL_ACCOUNT_H

#include "model/field.h"
#include "model/key.h"
#include "model/tally.h"

#include <stdatomic.h>

#define ACCOUNT_NAME_MAX 48
#define ACCOUNT_KEEP_MAX 8

enum account_from { FROM_PACKETS, FROM_REPORTS, FROM_SOCKETS };
enum account_of { OF_BOTH, OF_LOCAL, OF_REMOTE };

struct keep {
	uint32_t window_s; /* records of this length ... */
	uint32_t age_s;    /* ... stay this long, then are summed into the next; 0 = for ever */
};

struct columns;

struct account {
	atomic_uint refs;
	char name[ACCOUNT_NAME_MAX]; /* [a-z][a-z0-9_]*, so that it can be a table and a metric */
	enum account_from from;
	enum field by[FIELDS_PER_KEY_MAX];
	size_t by_count;
	enum account_of of;
	bool self, groups;           /* also this machine's own addresses; broadcast and multicast owners */
	uint32_t every_s;            /* window length; divides a day */
	enum bytes_basis bytes;      /* what `bytes` means to its readers; the ledger holds both */
	struct keep keep[ACCOUNT_KEEP_MAX];
	size_t keep_count;           /* keep[0].window_s == every_s; each is a multiple of the one before */
	uint32_t limit;              /* keys per window; what finds no room is booked under `other` */
	uint32_t series;             /* most series it shows in /metrics */
	/* with `rule` among the keys: */
	size_t rule_count;
	uint32_t *rules;             /* ids in struct strings, in the file's order; 0 until account_intern_rules() */
	uint64_t *rule_sums;         /* of each one's expression, to tell whether it changed; 0 = not known */
	struct columns *columns;     /* its names in /metrics (model/columns.h), NULL = the usual ones */
	/* derived by account_finish() */
	bool party;                  /* packets with a key of a party: records have rx_ and tx_ counters */
	uint64_t bases;              /* FIELD_MAC, FIELD_HOST: what its keys of a party are, or are derived from */
	enum field stored[FIELDS_PER_KEY_MAX]; /* `by`, with the host (or the MAC) in the place of `name` */
	size_t stored_count;
	struct key_layout layout;    /* of the fields in `stored` */
};

#define ACCOUNT_EVERY_DEFAULT 60
#define ACCOUNT_LIMIT_DEFAULT (1u << 21)
#define ACCOUNT_SERIES_DEFAULT 1000

/* refs = 1, every default set, no name, no fields. NULL: no memory. */
struct account *account_new(void);
struct account *account_ref(struct account *a);
void account_unref(struct account **a); /* accepts NULL */

/* Checks the whole and derives the rest; keep defaults to every:7d 1h:90d 1d:forever (those that
 * are longer than every). */
int account_finish(struct account *a, struct err *e);
static inline bool account_has_rules(const struct account *a)
{
	return key_has(&a->layout, FIELD_RULE);
}
int account_name_check(const char *name, struct err *e);
/* True where two definitions make records of the same form (from, by): their records may share a
 * table. */
bool account_same_form(const struct account *a, const struct account *b);

/* True where its records are deliveries: requests packets bytes retransmits. */
static inline bool account_has_deliveries(const struct account *a)
{
	return a->from != FROM_PACKETS;
}

/* The counters of a record as users see them: rx_packets rx_bytes tx_packets tx_bytes; packets bytes; or those of a delivery. */
#define ACCOUNT_COUNTERS_MAX 4
struct account_counter {
	const char *name;
	bool is_bytes;
	uint64_t (*get)(const struct party_tally *t, enum bytes_basis basis);
};
const struct account_counter *account_counters(const struct account *a, unsigned *ret_count);

#endif
