/* SPDX-License-Identifier: GPL-2.0-or-later */
/* books.h -- one account's books: takes the grain's entries of a tick, gives the batches for the
 * ledger.
 *
 * Leaves out what the account does not want (of, self, groups), projects the key, adds what is derived, sums up, and
 * holds the limit of keys per window: a new key beyond it is booked under `other`. Keeps the
 * account's totals and series. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_BOOKS_H
#define NETTALLY_DAEMON_BOOKS_H

#include "base/prefix.h"
#include "count/count.h"
#include "daemon/series.h"
#include "model/attribution.h"
#include "model/booking.h"
#include "model/snapshot.h"

/* This machine's own addresses, for self = no; and its networks, whose broadcast addresses are
 * groups. */
struct own_addresses {
	struct addr *addrs;
	size_t addr_count;
	uint64_t *macs;           /* key form */
	size_t mac_count;
	struct prefix_set networks;
};
void own_addresses_free(struct own_addresses *o);

struct books;

int books_new(struct books **ret, struct account *a, struct err *e); /* keeps a reference */
void books_free(struct books **b);
struct account *books_account(const struct books *b);
struct series *books_series(struct books *b);
void books_set_total(struct books *b, const struct party_tally *total);
/* Takes over what `from` knows (series, totals, the open window) where the form is the same:
 * after a reload. */
void books_inherit(struct books *b, struct books *from);

/* What the entries of a handover are seen with. */
struct books_light {
	const struct grain *grain;
	const struct own_addresses *own;
	const struct attributor *attributor; /* NULL = nothing is known of any party */
	uint32_t interface;                  /* id in struct strings: where they come from, 0 = no interface */
};

/* One entry of the grain. */
void books_add(struct books *b, const struct books_light *light, const uint8_t *key, const struct party_tally *t);
/* Ends the tick: appends this account's batches and series to the booking, whose taken_utc_s says
 * what time it is. */
int books_close_tick(struct books *b, struct booking *booking, struct err *e);

/* Forgets what was added since the tick ended: it was for a look alone. */
void books_drop_tick(struct books *b);

/* With what was added since the tick ended. */
int books_snapshot(const struct books *b, struct snapshot_account *ret);

#endif
