/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.h -- the daemon's state at one tick, for status, audit, /metrics and the web.
 *
 * Made by the main loop each tick, then immutable and reference counted: readers on other threads
 * hold a reference, the main loop never waits for them. */
#ifndef NETTALLY_MODEL_SNAPSHOT_H
#define NETTALLY_MODEL_SNAPSHOT_H

#include "model/account.h"
#include "model/columns.h"
#include "model/counters.h"
#include "model/facts.h"
#include "model/interface_books.h"

#include <stdio.h>

/* One exported series of an account: the key as text per `by` field, and its total. */
struct snapshot_series {
	uint8_t key[KEY_BYTES_MAX];  /* account->layout, or key_set_other() */
	struct party_tally total;
};

struct snapshot_account {
	struct account *account;     /* a reference */
	struct snapshot_series *series;
	size_t series_count;
	struct party_tally total;    /* of all its records since the ledger began; party: rx sum, tx sum */
	uint64_t keys;               /* in the open window */
	int64_t window_utc_s;        /* start of the open window */
	uint64_t overflowed;
};

enum ledger_state { LEDGER_NONE, LEDGER_OK, LEDGER_BEHIND, LEDGER_FAILING };

struct snapshot_ledger {
	enum ledger_state state;
	char path[256];
	char problem[256];           /* what failed, "" when all is well */
	int64_t failing_since_utc_s;
	uint64_t pending_bookings, pending_records;
	uint64_t booked_records, booked_transactions;
	uint64_t size_bytes, max_size_bytes;
	uint64_t expired_records;    /* went by retention or max_size */
	int64_t last_booked_utc_s;
};

/* A rule that the programs in the kernel do not count at an interface that they count. */
struct snapshot_rule {
	char interface[INTERFACE_NAME_MAX], account[ACCOUNT_NAME_MAX];
	uint32_t rule;               /* id of the identifier in struct strings */
	bool at_socket;              /* a packet socket beside them counts it; else nobody does */
	char why[160];
};

#define SNAPSHOT_RULES_MAX 1000

struct snapshot {
	atomic_uint refs;
	int64_t taken_utc_s, started_utc_s;
	uint32_t tick_s;
	uint64_t ticks;
	const char *version;
	char listen[64];             /* where the web server answers, "" = nowhere */
	char config_path[256];       /* "" = none */
	char reload_problem[256];    /* why the last reload was refused, "" = none */
	uint64_t reloads, reloads_refused;
	struct counters counters;
	struct interface_books *interfaces;
	size_t interface_count;
	struct snapshot_account *accounts;
	size_t account_count;
	struct snapshot_rule *rules;
	size_t rule_count;           /* at most SNAPSHOT_RULES_MAX are told */
	struct snapshot_ledger ledger;
	struct facts facts;                  /* what the daemon's other parts say of themselves */
	uint64_t table_entries, table_limit; /* the grain table, at the last tick */
	const struct strings *strings;       /* outlives every snapshot */
	/* What a host (or the device of a MAC, in key form) is called now; any thread. NULL: no names are known. */
	const char *(*name_of)(const void *arg, const struct addr *host, uint64_t mac, char scratch[static KEY_TEXT_MAX]);
	const void *name_arg;
};

/* A key's field as text, `name` too. As key_text(). */
const char *snapshot_key_text(const struct snapshot *s, const struct account *a, const uint8_t *key, enum field f,
			      char scratch[static KEY_TEXT_MAX]);

struct snapshot *snapshot_new(void);     /* refs = 1; NULL: no memory */
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot **s);

/* The place where the newest one is picked up; any thread. */
struct snapshot_box;
int snapshot_box_new(struct snapshot_box **ret);
void snapshot_box_put(struct snapshot_box *b, struct snapshot *s); /* takes the reference */
struct snapshot *snapshot_box_get(struct snapshot_box *b); /* a reference, or NULL before the first */
void snapshot_box_free(struct snapshot_box **b);

#endif
