/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "count/narrow.h"

#include <errno.h>
#include <sys/random.h>

/* A mark, which tells that a slot is taken; packets and bytes received; packets and bytes sent. */
#define WIDE_COUNTERS 5
#define WIDE_KEYS (1u << 22) /* each took four billion bytes or packets to get here */

int narrow_open(struct narrow *ret, struct table *ret_table, uint64_t limit, struct err *e)
{
	struct table_form form = { .key_bytes = NARROW_WORDS * 8, .counters = 2, .limit = limit };
	struct table_form wide = { .key_bytes = NARROW_WORDS * 8, .counters = WIDE_COUNTERS, .limit = WIDE_KEYS };
	struct narrow n;
	int r;

	if (getrandom(n.nobody, sizeof n.nobody, 0) != sizeof n.nobody ||
	    getrandom(n.disguise, sizeof n.disguise, 0) != sizeof n.disguise)
		return err_errno(e, -errno, "no random numbers for a table");
	r = table_open(ret_table, &form, e);
	if (r < 0)
		return r;
	r = table_open(&n.wide, &wide, e);
	if (r < 0) {
		table_close(ret_table);
		return r;
	}
	*ret = n;
	return 0;
}

void narrow_close(struct narrow *n)
{
	table_close(&n->wide);
}

void narrow_addr(const struct narrow *n, const uint64_t key[2], struct addr *ret)
{
	uint64_t plain[2] = { key[0] ^ n->disguise[0], key[1] ^ n->disguise[1] };

	*ret = (struct addr){ 0 };
	if (key[0] == n->nobody[0] && key[1] == n->nobody[1])
		return;
	if (narrow_is_mapped(plain)) {
		memcpy(ret->bytes, plain, 16);
		ret->family = ADDR_IP6;
		return;
	}
	memcpy(ret->bytes, key, 16);
	ret->family = narrow_is_mapped(key) ? ADDR_IP4 : ADDR_IP6;
}

/* The wide table is never full (each of its keys stands for gigabytes): without a slot there is no
 * memory left, and nothing could be exact any more. */
void narrow_add_wide(struct narrow *n, const uint64_t *key, unsigned shift, uint64_t packets, uint64_t bytes)
{
	uint64_t hash = table_hash_words(n->wide.seed, key, NARROW_WORDS);
	uint64_t *wide = table_find_or_add(&n->wide, key, hash);

	if (!wide)
		return;
	wide[0] = 1;
	wide[shift ? 3 : 1] += packets;
	wide[shift ? 4 : 2] += bytes;
}

void narrow_spill(struct narrow *n, const uint64_t *key, uint64_t *counters, unsigned shift)
{
	uint64_t mask = (uint64_t)UINT32_MAX << shift;

	narrow_add_wide(n, key, shift, (counters[0] & mask) >> shift, (counters[1] & mask) >> shift);
	counters[0] &= ~mask;
	counters[1] &= ~mask;
}

static void set_bytes(struct tally *t, enum bytes_basis basis, uint64_t bytes)
{
	*(basis == BYTES_L2 ? &t->l2_bytes : &t->l3_bytes) = bytes;
}

void narrow_get(const struct narrow *n, const uint64_t *slot, enum bytes_basis basis, struct party_tally *ret)
{
	const uint64_t *counters = slot + NARROW_WORDS, *wide = NULL;
	static const uint64_t nothing[WIDE_COUNTERS];

	if (n->wide.used)
		wide = table_find(&n->wide, slot, table_hash_words(n->wide.seed, slot, NARROW_WORDS));
	if (!wide)
		wide = nothing;
	*ret = (struct party_tally){ 0 };
	ret->rx.packets = (counters[0] & UINT32_MAX) + wide[1];
	ret->tx.packets = (counters[0] >> 32) + wide[3];
	set_bytes(&ret->rx, basis, (counters[1] & UINT32_MAX) + wide[2]);
	set_bytes(&ret->tx, basis, (counters[1] >> 32) + wide[4]);
}
