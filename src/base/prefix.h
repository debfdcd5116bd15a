/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prefix.h -- CIDR prefixes, and a small set of them (the `local` list).
 *
 * The set is for tens of prefixes: a linear search. Full tables are enrich/lpm's. Thread: any for
 * reading; a set belongs to who made it until it is shared read-only. */
#ifndef NETTALLY_BASE_PREFIX_H
#define NETTALLY_BASE_PREFIX_H

#include "base/addr.h"
#include "base/err.h"

#include <stddef.h>

struct prefix {
	struct addr addr; /* host bits are zero */
	uint8_t bits;     /* 0..32 or 0..128 */
};

#define PREFIX_TEXT_MAX (ADDR_TEXT_MAX + 4)

/* "192.0.2.0/24", "2001:db8::/32"; an address alone is a prefix of full length. Host bits that are
 * set are cleared: people write their own address with its length, and mean the network. */
int prefix_parse(struct prefix *ret, const char *text, struct err *e);
void prefix_format(const struct prefix *p, char text[static PREFIX_TEXT_MAX]);
bool prefix_contains(const struct prefix *p, const struct addr *a);

struct prefix_set {
	struct prefix *at;
	size_t count;
};

int prefix_set_add(struct prefix_set *s, const struct prefix *p); /* 0 or -ENOMEM */
bool prefix_set_contains(const struct prefix_set *s, const struct addr *a);
/* True where `a` is the IPv4 broadcast address (all host bits set) of a prefix of the set. */
bool prefix_set_is_broadcast(const struct prefix_set *s, const struct addr *a);
void prefix_set_free(struct prefix_set *s);

#endif
