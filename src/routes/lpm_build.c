/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lpm_build.c -- a sorted list of prefixes to the form that lpm.c looks up. */
#include "routes/lpm_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE (2u << 20)
#define LINE_WORDS 16u /* a cache line */

struct build {
	const struct lpm_list *list;
	uint32_t *nodes;
	size_t used, room;
	bool failed;
	uint32_t page[1u << PAGE_BITS]; /* that is being filled */
};

static unsigned bits_at(const struct build *b, size_t i)
{
	return lpm_leaf_at(b->list, i) & 0xff;
}

static unsigned slot_at(const struct build *b, size_t i, unsigned depth)
{
	return (unsigned)(lpm_key_at(b->list, i) << depth >> (128 - STRIDE_BITS));
}

/* Room for a node. One that fits in a cache line does not lie across two. */
static uint32_t *reserve(struct build *b, unsigned words)
{
	size_t at = b->used;

	if (words <= LINE_WORDS && at % LINE_WORDS + words > LINE_WORDS)
		at += LINE_WORDS - at % LINE_WORDS;
	if (at + words > b->room) {
		size_t room = (at + words) * 3 / 2 + 4096;
		uint32_t *nodes = room < WORD_PAGE ? realloc(b->nodes, room * sizeof *nodes) : NULL;

		if (!nodes) {
			b->failed = true;
			return NULL;
		}
		b->nodes = nodes;
		b->room = room;
	}
	memset(b->nodes + b->used, 0, (at - b->used) * sizeof *b->nodes);
	b->used = at + words;
	return b->nodes + at;
}

/* The word for a node of these slots: equal neighbours become one run; a node of one leaf is that leaf. */
static uint32_t put_node(struct build *b, const uint32_t slots[SLOTS])
{
	uint64_t ends = 1; /* the last slot ends the last run */
	unsigned count = 1;
	uint32_t *node;

	for (unsigned i = 0; i + 1 < SLOTS; i++)
		if (slots[i] != slots[i + 1]) {
			ends |= UINT64_C(1) << (SLOTS - 1 - i);
			count++;
		}
	if (count == 1 && !(slots[0] & WORD_CHILD))
		return slots[0];
	node = reserve(b, 2 + count);
	if (!node)
		return 0;
	memcpy(node, &ends, sizeof ends);
	for (unsigned i = SLOTS, to = 2; i-- > 0;)
		if (ends >> (SLOTS - 1 - i) & 1)
			node[to++] = slots[i];
	return WORD_CHILD | (uint32_t)(node - b->nodes);
}

/* The first prefix behind `from` that lies in another slot. */
static size_t end_of_slot(const struct build *b, size_t from, size_t to, unsigned depth)
{
	unsigned slot = slot_at(b, from, depth);

	while (++from < to && slot_at(b, from, depth) == slot)
		;
	return from;
}

/* The prefixes from..to are longer than `depth` bits and agree in those. Since a prefix stands before those that it holds,
 * each finds in its slots what it inherits. Recursion: 19 levels for IPv6. */
static uint32_t build_node(struct build *b, size_t from, size_t to, unsigned depth, uint32_t inherited)
{
	uint32_t slots[SLOTS];

	for (unsigned i = 0; i < SLOTS; i++)
		slots[i] = inherited;
	while (from < to && !b->failed) {
		unsigned slot = slot_at(b, from, depth), bits = bits_at(b, from);

		if (bits <= depth + STRIDE_BITS) {
			unsigned end = slot + (1u << (depth + STRIDE_BITS - bits));

			for (; slot < end && slot < SLOTS; slot++)
				slots[slot] = lpm_leaf_at(b->list, from);
			from++;
		} else {
			size_t end = end_of_slot(b, from, to, depth);

			slots[slot] = build_node(b, from, end, depth + STRIDE_BITS, slots[slot]);
			from = end;
		}
	}
	return put_node(b, slots);
}

static unsigned page_at(const struct build *b, size_t i)
{
	return (unsigned)(lpm_key_at(b->list, i) << DIRECT_BITS >> (128 - PAGE_BITS));
}

/* The prefixes from..to agree in the bits of the first level. */
static uint32_t build_page(struct build *b, size_t from, size_t to, uint32_t inherited)
{
	uint32_t *page;

	for (size_t i = 0; i < sizeof b->page / sizeof *b->page; i++)
		b->page[i] = inherited;
	while (from < to && !b->failed) {
		unsigned at = page_at(b, from), bits = bits_at(b, from);
		size_t end = from + 1;

		if (bits <= DIRECT_BITS + PAGE_BITS) {
			for (unsigned last = at + (1u << (DIRECT_BITS + PAGE_BITS - bits)); at < last; at++)
				b->page[at] = lpm_leaf_at(b->list, from);
		} else {
			while (end < to && page_at(b, end) == at)
				end++;
			b->page[at] = build_node(b, from, end, DIRECT_BITS + PAGE_BITS, b->page[at]);
		}
		from = end;
	}
	page = reserve(b, 1u << PAGE_BITS);
	if (!page)
		return 0;
	memcpy(page, b->page, sizeof b->page);
	return WORD_CHILD | WORD_PAGE | (uint32_t)(page - b->nodes);
}

static unsigned direct_at(const struct build *b, size_t i)
{
	return (unsigned)(lpm_key_at(b->list, i) >> (128 - DIRECT_BITS));
}

static void build_direct(struct build *b, uint32_t *direct)
{
	size_t i = 0;

	while (i < b->list->count && !b->failed) {
		unsigned at = direct_at(b, i), bits = bits_at(b, i);
		size_t end = i + 1;

		if (bits <= DIRECT_BITS) {
			for (unsigned to = at + (1u << (DIRECT_BITS - bits)); at < to; at++)
				direct[at] = lpm_leaf_at(b->list, i);
		} else {
			while (end < b->list->count && direct_at(b, end) == at)
				end++;
			if (b->list->size == sizeof(struct lpm_ip6) && end - i >= PAGE_PREFIXES)
				direct[at] = build_page(b, i, end, direct[at]);
			else
				direct[at] = build_node(b, i, end, DIRECT_BITS, direct[at]);
		}
		i = end;
	}
}

/* Memory that is read at random: huge pages where the kernel has them, for the sake of the TLB. */
static uint32_t *random_access_words(size_t words)
{
	size_t bytes = words * sizeof(uint32_t);
	void *at;

	if (bytes < HUGE_PAGE / 2)
		return malloc(bytes ? bytes : 1);
	if (posix_memalign(&at, HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE) != 0)
		return NULL;
	(void)madvise(at, bytes, MADV_HUGEPAGE);
	return at;
}

int lpm_side_build(struct lpm_side *s)
{
	struct build *b = calloc(1, sizeof *b);
	size_t direct_words = (size_t)1 << DIRECT_BITS;

	/* of a family without prefixes: zeros that nobody touches */
	s->direct = s->list.count ? random_access_words(direct_words) : calloc(direct_words, sizeof *s->direct);
	if (!b || !s->direct) {
		free(b);
		return -ENOMEM;
	}
	b->list = &s->list;
	if (s->list.count)
		memset(s->direct, 0, direct_words * sizeof *s->direct);
	if (reserve(b, LINE_WORDS)) { /* no node lies at 0: prefetches of leaves go there */
		memset(b->nodes, 0, LINE_WORDS * sizeof *b->nodes);
		build_direct(b, s->direct);
	}
	if (!b->failed) {
		s->nodes = random_access_words(b->used);
		s->node_words = b->used;
		if (s->nodes)
			memcpy(s->nodes, b->nodes, b->used * sizeof *b->nodes);
	}
	free(b->nodes);
	free(b);
	return s->nodes ? 0 : -ENOMEM;
}
