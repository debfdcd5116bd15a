/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally.h -- packets and bytes of one key. */
#ifndef NETTALLY_MODEL_TALLY_H
#define NETTALLY_MODEL_TALLY_H

#include <stdint.h>

struct tally {
	uint64_t packets, l2_bytes, l3_bytes;
};

/* Double entry: what a party received and what it sent. A plain record (no key of a party) uses
 * `rx` alone for its packets and bytes. */
struct party_tally {
	struct tally rx, tx;
};

/* A delivery has four counters, and this form so that tables of both kinds are one: look at none of its fields. Requests or
 * packets are at least 1 (a slot without either is free). Bytes are payload, the same on every layer. */
static inline struct party_tally delivery_tally(uint64_t requests, uint64_t packets, uint64_t bytes, uint64_t retransmits)
{
	return (struct party_tally){ .rx = { requests, bytes, bytes }, .tx = { packets, retransmits, 0 } };
}

enum bytes_basis { BYTES_L2, BYTES_L3 };

static inline void tally_add(struct tally *to, const struct tally *from)
{
	to->packets += from->packets;
	to->l2_bytes += from->l2_bytes;
	to->l3_bytes += from->l3_bytes;
}

static inline void party_tally_add(struct party_tally *to, const struct party_tally *from)
{
	tally_add(&to->rx, &from->rx);
	tally_add(&to->tx, &from->tx);
}

static inline uint64_t tally_bytes(const struct tally *t, enum bytes_basis basis)
{
	return basis == BYTES_L2 ? t->l2_bytes : t->l3_bytes;
}

#endif
