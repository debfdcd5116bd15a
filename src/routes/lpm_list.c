/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lpm_list.c -- the prefixes of a table as a sorted list. Tables mostly come sorted; else a radix sort, which is stable. */
#include "routes/lpm_internal.h"

#include "base/slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct lpm_list *l)
{
	size_t room = l->room ? l->room + l->room / 2 : 1024;
	void *at;

	if (l->count >= LPM_PREFIXES_MAX)
		return -ENOSPC;
	at = realloc(l->at, room * l->size);
	if (!at)
		return -ENOMEM;
	l->at = at;
	l->room = room;
	return 0;
}

int lpm_list_add(struct lpm_list *l, const struct prefix *p, uint32_t leaf)
{
	int r = l->count == l->room ? grow(l) : 0;

	if (r < 0)
		return r;
	if (l->size == sizeof(struct lpm_ip4)) {
		((struct lpm_ip4 *)l->at)[l->count++] = (struct lpm_ip4){ be32(p->addr.bytes + 12), leaf };
	} else {
		lpm_key key = key_of_bytes(p->addr.bytes);

		((struct lpm_ip6 *)l->at)[l->count++] = (struct lpm_ip6){ (uint64_t)(key >> 64), (uint64_t)key, leaf, 0 };
	}
	return 0;
}

/* Address, then length: a prefix stands before those that it holds. */
static bool in_order(const struct lpm_list *l, size_t i)
{
	lpm_key a = lpm_key_at(l, i), b = lpm_key_at(l, i + 1);

	return a < b || (a == b && (lpm_leaf_at(l, i) & 0xff) <= (lpm_leaf_at(l, i + 1) & 0xff));
}

static bool is_sorted(const struct lpm_list *l)
{
	for (size_t i = 0; i + 1 < l->count; i++)
		if (!in_order(l, i))
			return false;
	return true;
}

/* Byte `digit` of the sort key, the least significant first: the length, then the address. */
static unsigned digit_at(const struct lpm_list *l, size_t i, unsigned digit)
{
	if (digit == 0)
		return lpm_leaf_at(l, i) & 0xff;
	if (l->size == sizeof(struct lpm_ip4))
		return ((const struct lpm_ip4 *)l->at)[i].addr >> (digit - 1) * 8 & 0xff;
	return (unsigned)(lpm_key_at(l, i) >> (digit - 1) * 8) & 0xff;
}

static void sort_by(const struct lpm_list *from, struct lpm_list *to, unsigned digit)
{
	size_t starts[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < from->count; i++)
		starts[digit_at(from, i, digit)]++;
	for (unsigned d = 0; d < 256; d++) {
		size_t count = starts[d];

		starts[d] = sum;
		sum += count;
	}
	for (size_t i = 0; i < from->count; i++) {
		size_t at = starts[digit_at(from, i, digit)]++;

		if (from->size == sizeof(struct lpm_ip4))
			((struct lpm_ip4 *)to->at)[at] = ((const struct lpm_ip4 *)from->at)[i];
		else
			((struct lpm_ip6 *)to->at)[at] = ((const struct lpm_ip6 *)from->at)[i];
	}
}

static int radix_sort(struct lpm_list *l)
{
	unsigned digits = l->size == sizeof(struct lpm_ip4) ? 5 : 17;
	struct lpm_list other = *l;

	other.at = malloc(l->count * l->size);
	if (!other.at)
		return -ENOMEM;
	other.room = l->count;
	for (unsigned d = 0; d < digits; d++) {
		struct lpm_list swap = *l;

		sort_by(l, &other, d);
		*l = other;
		other = swap;
	}
	free(other.at);
	return 0;
}

static void take_out_doubles(struct lpm_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		bool doubled = i + 1 < l->count && lpm_key_at(l, i) == lpm_key_at(l, i + 1) &&
			       (lpm_leaf_at(l, i) & 0xff) == (lpm_leaf_at(l, i + 1) & 0xff);

		if (doubled)
			continue;
		if (kept != i)
			memcpy((char *)l->at + kept * l->size, (char *)l->at + i * l->size, l->size);
		kept++;
	}
	l->count = kept;
}

int lpm_list_sort(struct lpm_list *l)
{
	void *fitting;

	if (l->count == 0)
		return 0;
	if (!is_sorted(l) && radix_sort(l) < 0)
		return -ENOMEM;
	take_out_doubles(l);
	fitting = realloc(l->at, l->count * l->size);
	if (fitting) {
		l->at = fitting;
		l->room = l->count;
	}
	return 0;
}
