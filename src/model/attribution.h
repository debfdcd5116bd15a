/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attribution.h -- what an address belongs to: the fields of a key that are derived from a party's host or MAC when a tick
 * is booked. Data only. Ids are those of struct strings; 0 = nothing known. Thread: the main loop's. */
#ifndef NETTALLY_MODEL_ATTRIBUTION_H
#define NETTALLY_MODEL_ATTRIBUTION_H

#include "base/addr.h"
#include "model/key.h"

#include <stddef.h>
#include <stdint.h>

#define AS_KEY(as) (UINT64_C(1) << 32 | (as)) /* an AS number in a key */

struct attribution {
	uint32_t prefix;          /* "192.0.2.0/24" */
	uint32_t as_path;         /* "64500 64501 {64502,64503}" */
	uint64_t origin_as;       /* AS_KEY(); of an AS_SET {a,b}: 2 << 32 | id of its text */
	uint64_t neighbour_as;    /* AS_KEY() of the first AS of the path */
	const uint32_t *transit;  /* the distinct ASes of the path; borrowed until the next tick */
	size_t transit_count;
	uint32_t country;         /* "DE" */
	uint32_t vendor;
	uint32_t name;            /* for those who print at once; the ledger's records have the host or MAC instead */
};

/* Who knows: each leaves alone what it does not know. */
struct attributor {
	/* `fields` are FIELD_BITs that are wanted; `router` is the id of a router's or an interface's name, 0 = none; `host` may
	 * be ADDR_NONE, `mac` 0 (key form). */
	void (*find)(void *arg, uint64_t fields, uint32_t router, const struct addr *host, uint64_t mac, struct attribution *ret);
	void *arg;
};

#define FIELDS_OF_ROUTES                                                                                          \
	(FIELD_BIT(FIELD_PREFIX) | FIELD_BIT(FIELD_ORIGIN_AS) | FIELD_BIT(FIELD_NEIGHBOUR_AS) |                   \
	 FIELD_BIT(FIELD_TRANSIT_AS) | FIELD_BIT(FIELD_AS_PATH) | FIELD_BIT(FIELD_COUNTRY))
#define FIELDS_DERIVED (FIELDS_OF_ROUTES | FIELD_BIT(FIELD_VENDOR) | FIELD_BIT(FIELD_NAME))

/* From keys with the bases to keys with what is derived from them. */
struct derivation {
	const struct key_layout *from, *to;
	uint64_t bases;                      /* FIELD_HOST, FIELD_MAC: those that `from` has for this */
	const struct attributor *attributor; /* NULL = nothing is known of any party */
	uint32_t router;                     /* where `from` has no FIELD_ROUTER: id of the interface's name */
};

/* Fills the derived fields of `to_key`, which has all others already, and gives it to `emit`: once, or by `transit_as` once for
 * each AS on the path (sums over it are larger than the traffic). */
void derive_keys(const struct derivation *d, const uint8_t *from_key, uint64_t to_key[static KEY_WORDS_MAX],
		 void (*emit)(void *arg, uint64_t key[static KEY_WORDS_MAX]), void *arg);

#endif
