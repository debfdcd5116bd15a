/* SPDX-License-Identifier: GPL-2.0-or-later */
/* narrow.h -- the table of a count by host alone, in half a cache line a host.
 *
 * `read --by host` may meet millions of hosts once or twice each: what that costs is cache and TLB
 * misses, so it is the size of the table. A narrow slot is 32 bytes: the address as one number of
 * 128 bits, and four counters of 32 bits (packets received and sent, bytes received and sent). A
 * counter that would overflow is emptied into a wide table beside; a host's books are the sum of
 * both, exactly.
 *
 * The number tells the family too: IPv4 is ::ffff:a.b.c.d; an IPv6 address of that very form (it is
 * another host) and "no address" stand under numbers that are drawn at random for each table, so no
 * sender can choose an address that is mistaken for them. Thread: as the count's. */
#ifndef NETTALLY_COUNT_NARROW_H
#define NETTALLY_COUNT_NARROW_H

#include "base/addr.h"
#include "count/table.h"
#include "model/tally.h"

#define NARROW_WORDS 2 /* of a key */

struct narrow {
	struct table wide;    /* what overflowed: the same keys, counters of 64 bits */
	uint64_t nobody[2];   /* the number of "no address" */
	uint64_t disguise[2]; /* XORed to an IPv6 address of the form ::ffff:a.b.c.d */
};

int narrow_open(struct narrow *ret, struct table *ret_table, uint64_t limit, struct err *e);
void narrow_close(struct narrow *n);

static inline bool narrow_is_mapped(const uint64_t words[2])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(words, mapped, sizeof mapped) == 0;
}

static inline void narrow_key(const struct narrow *n, const struct addr *a, uint64_t key[2])
{
	memcpy(key, a->bytes, 16);
	if (a->family == ADDR_IP4)
		return;
	if (a->family == ADDR_NONE) {
		key[0] = n->nobody[0];
		key[1] = n->nobody[1];
	} else if (narrow_is_mapped(key)) {
		key[0] ^= n->disguise[0];
		key[1] ^= n->disguise[1];
	}
}

void narrow_addr(const struct narrow *n, const uint64_t key[2], struct addr *ret);

/* Empties a counter that has no room for `packets` or `bytes` more into the wide table. `shift`: 0
 * received, 32 sent. */
void narrow_spill(struct narrow *n, const uint64_t *key, uint64_t *counters, unsigned shift);
/* A single booking that no narrow counter can hold. */
void narrow_add_wide(struct narrow *n, const uint64_t *key, unsigned shift, uint64_t packets, uint64_t bytes);

/* counters[0]: packets sent, packets received; counters[1]: bytes; 32 bits each. */
static inline void narrow_add(struct narrow *n, const uint64_t *key, uint64_t *counters, unsigned shift, uint32_t packets,
			      uint64_t bytes)
{
	uint64_t had_packets = counters[0] >> shift & UINT32_MAX, had_bytes = counters[1] >> shift & UINT32_MAX;

	if (had_packets + packets > UINT32_MAX || had_bytes + bytes > UINT32_MAX) {
		narrow_spill(n, key, counters, shift);
		narrow_add_wide(n, key, shift, packets - 1, bytes);
		packets = 1; /* a slot that is taken has packets */
		bytes = 0;
	}
	counters[0] += (uint64_t)packets << shift;
	counters[1] += bytes << shift;
}

void narrow_get(const struct narrow *n, const uint64_t *slot, enum bytes_basis basis, struct party_tally *ret);

#endif
