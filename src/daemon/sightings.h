/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sightings.h -- which devices and hosts were seen, told to the ledger when new and then once a
 * minute.
 *
 * At most SIGHTINGS_KEYS are remembered and SIGHTINGS_PER_TICK told at once; who is left out
 * comes with its next traffic. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_SIGHTINGS_H
#define NETTALLY_DAEMON_SIGHTINGS_H

#include "model/booking.h"

#define SIGHTINGS_KEYS (1u << 20)
#define SIGHTINGS_PER_TICK 50000u
#define SIGHTINGS_REPEAT_S 60

struct sightings;

int sightings_new(struct sightings **ret, struct err *e);
void sightings_free(struct sightings **s);

/* From an entry of the party grain: its owner sent, or received. Group addresses are no devices. */
void sightings_see(struct sightings *s, const struct key_layout *l, const uint8_t *key, bool sent, int64_t now_utc_s);
/* Moves what is to be told into the booking. */
void sightings_tell(struct sightings *s, struct booking *b);

#endif
