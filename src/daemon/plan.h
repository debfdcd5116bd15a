/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.h -- from the accounts to the grains: which tables are updated per packet, and what each
 * account takes from them.
 *
 * Accounts with a key of a party share one grain (each packet booked at both ends). Accounts
 * without one take their fields from it where it has them (what all parties received is every
 * packet once), else from a second, plain grain. Windows are told by each packet's own time
 * stamp, so they are exact however late a table is read, and a clock that steps gives no wrong
 * window. Keys that are derived from a party's host or MAC (model/attribution.h) need that one in the grain, and nothing else.
 * Accounts by rule take no part in the grains. Thread: made by the main loop, then read-only;
 * outlives the tables made by it. */
#ifndef NETTALLY_DAEMON_PLAN_H
#define NETTALLY_DAEMON_PLAN_H

#include "count/count.h"
#include "daemon/config.h"

enum {
	PLAN_PARTY, PLAN_PLAIN, PLAN_PACKET_GRAINS,
	PLAN_REPORTS = PLAN_PACKET_GRAINS, PLAN_SOCKETS, PLAN_GRAINS, /* deliveries, by what the sources of each kind tell */
	PLAN_RULES = PLAN_GRAINS
};

/* An account by rule: counted apart, into struct rule_counts. */
struct plan_rules {
	size_t account;                   /* index */
	const struct config_rules *rules; /* borrowed from the config */
	uint32_t window_s;
	bool by_direction;
	struct grain grain;               /* the form in which its counts are booked */
};

struct plan {
	bool used[PLAN_GRAINS];
	struct grain grains[PLAN_GRAINS];
	unsigned *grain_of;        /* account index -> PLAN_PARTY, PLAN_PLAIN or PLAN_RULES */
	struct plan_rules *rules;
	size_t rules_count;
	size_t account_count;
	uint32_t window_s;         /* of the grains: divides every account's */
	uint32_t tick_most_s;      /* a tick takes no longer: the shortest window, at most 10 s */
	enum account_of of;        /* the ends that any account by parties wants: kernel tables leave out the other */
	char *note;                /* leftovers_note(), for kernel tables */
	struct prefix_set local;   /* own copy: of the config, or the interfaces' networks */
};

/* `services` and rules must be interned; the config outlives the plan. */
int plan_make(struct plan **ret, const struct config *cf, const struct prefix_set *local, struct err *e);
void plan_free(struct plan **p);

#endif
