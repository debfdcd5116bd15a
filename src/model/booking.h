/* SPDX-License-Identifier: GPL-2.0-or-later */
/* booking.h -- what one tick hands to the ledger: the unit of "all or nothing".
 *
 * Made by the pipeline, given away whole to the ledger's thread, which frees it once booked. */
#ifndef NETTALLY_MODEL_BOOKING_H
#define NETTALLY_MODEL_BOOKING_H

#include "model/account.h"
#include "model/interface_books.h"

#define BOOKED_GENERATION_MAX 17

/* Records of one account and one window that are to be ADDED to what the ledger has for it (a
 * window stays open over many ticks). Keys are distinct within a batch. */
struct batch {
	struct account *account;  /* a reference */
	int64_t window_utc_s;     /* start */
	size_t count, room;
	uint8_t *records;         /* count times: key (account->layout.size bytes), struct party_tally */
	uint64_t overflowed;      /* keys that went into `other` in this tick */
};

static inline size_t record_size(const struct account *a)
{
	return (size_t)a->layout.size + sizeof(struct party_tally);
}

/* A device or host that was seen in this tick. */
struct sighting {
	uint64_t mac;      /* key form, 0 = no MAC known: a host alone */
	struct addr addr;  /* ADDR_NONE: a device alone */
};

/* The cumulative counter of one exported series (/metrics), replaced as a whole. */
struct series_state {
	struct account *account;     /* a reference */
	uint8_t key[KEY_BYTES_MAX];  /* account->layout; key_set_other() for `other` */
	struct party_tally total;
	uint64_t expression;         /* of an account by rule: account->rule_sums of the rule it counted; 0 = not known */
};

/* An epoch of a kernel table (capture/kernel.h) whose counts are in this booking: booked in the same
 * transaction, so that after a crash the ledger tells whether the table still has to be booked. */
struct booked_epoch {
	char generation[BOOKED_GENERATION_MAX]; /* id of the set of tables, a word */
	uint64_t number;                        /* all epochs of the generation up to this one are booked */
};

/* What became known of a host or a device, from now on (names/names.h). */
struct learnt {
	enum { LEARNT_NAME, LEARNT_HOLDER, LEARNT_VENDOR } what;
	struct addr host;      /* ADDR_NONE: the key is the device */
	uint64_t mac;          /* key form; of LEARNT_HOLDER: who holds the host, 0 = nobody any more */
	int64_t since_utc_s;
	char source[8];        /* of a name: config, lease, hosts, dns */
	char *text;            /* the name or vendor; NULL = none any more; the booking's */
};

struct booking {
	struct booking *next;        /* for the owner's queue */
	int64_t taken_utc_s;
	struct batch *batches;
	size_t batch_count;
	struct sighting *sightings;
	size_t sighting_count;
	struct series_state *series;
	size_t series_count;
	struct interface_books *interfaces; /* cumulative since the daemon took up the interface */
	size_t interface_count;
	struct booked_epoch *epochs;
	size_t epoch_count;
	struct learnt *learnt;
	size_t learnt_count;
	bool tried;                  /* it may be in the ledger already, should the answer have got lost: never merged */
};

void learnt_free(struct learnt *l, size_t count); /* the array and its texts */
struct booking *booking_new(void);      /* NULL: no memory */
void booking_free(struct booking **b);  /* accepts NULL; drops the account references */

#endif
