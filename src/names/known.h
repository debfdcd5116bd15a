/* SPDX-License-Identifier: GPL-2.0-or-later */
/* known.h -- names by address and by MAC, as files say: read whole, then looked up. A later line takes an earlier one's
 * place, unless it is added to be kept. At most KNOWN_MAX rows; the rest is left out, counted. Thread: its owner's. */
#ifndef NETTALLY_NAMES_KNOWN_H
#define NETTALLY_NAMES_KNOWN_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KNOWN_MAX (1u << 20)

struct known;

struct known_row {
	struct addr host;        /* ADDR_NONE: a device's alone */
	uint64_t mac;            /* key form, 0 = unknown */
	const char *name;        /* "" = none: it may tell who holds the host all the same */
	int64_t until_utc_s;     /* INT64_MAX = always */
};

struct known *known_new(void); /* NULL: no memory */
void known_free(struct known **k);

/* Copies the row. Of several for a host the last one counts; with `keep` the first. 0 or -ENOMEM. */
int known_add(struct known *k, const struct known_row *row, bool keep);
void known_remove(struct known *k, const struct addr *host);

/* What holds at `now`; NULL: nothing. Valid until the next change. */
const struct known_row *known_host(const struct known *k, const struct addr *host, int64_t now_utc_s);
const struct known_row *known_mac(const struct known *k, uint64_t mac, int64_t now_utc_s); /* the newest with a name */

size_t known_count(const struct known *k);
const struct known_row *known_at(const struct known *k, size_t i); /* 0 .. count - 1; its host is ADDR_NONE where removed */
uint64_t known_left_out(const struct known *k);

#endif
