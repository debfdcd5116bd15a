/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/read_stream.h"

#include "base/clock.h"

#include <errno.h>

#define LIVE_NS (10 * NS_PER_S)   /* packets older than that are of a file */
#define SETTLE_NS (NS_PER_S / 2)  /* a window is over when it has been left for so long */

void read_stream_see(struct read_stream *s, const struct packet *packets, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (packets[i].seen_utc_ns > s->newest_utc_ns)
			s->newest_utc_ns = packets[i].seen_utc_ns;
}

int64_t read_stream_boundary(const struct read_stream *s, uint32_t window_s, int64_t now_utc_ns)
{
	int64_t behind = now_utc_ns - s->newest_utc_ns, boundary;

	if (behind > LIVE_NS && s->printed_before_s == 0)
		return INT64_MIN;
	if (behind < -LIVE_NS)
		return INT64_MIN;
	boundary = window_start(ns_to_s(now_utc_ns - SETTLE_NS), window_s);
	return boundary > s->printed_before_s ? boundary : INT64_MIN;
}

static int copy_slots(struct table *to, const struct table *from, uint8_t *slot)
{
	const uint64_t *key = (const uint64_t *)(void *)slot;
	uint64_t *counters = table_find_or_add(to, key, table_hash_words(to->seed, key, to->key_words));

	if (!counters)
		return -ENOMEM;
	for (unsigned i = 0; i < from->counters; i++)
		counters[i] += slot_counters(from, slot)[i];
	return 0;
}

static int split_table(const struct key_layout *l, const struct table *from, int64_t boundary_s, struct table *closed,
		       struct table *open)
{
	int r = 0;

	for (uint64_t i = 0; i < table_slots(from) && r == 0; i++) {
		uint8_t *slot = table_slot(from, i);
		int64_t start;

		if (!slot_is_taken(from, slot))
			continue;
		memcpy(&start, slot + l->at[FIELD_WINDOW], sizeof start);
		r = copy_slots(start < boundary_s ? closed : open, from, slot);
	}
	return r;
}

int read_stream_take(struct count *c, int64_t boundary_s, struct count *ret_closed, struct err *e)
{
	struct count closed, open;
	int r = count_open(&closed, &c->grain, e);

	if (r < 0)
		return r;
	r = count_open(&open, &c->grain, e);
	if (r < 0) {
		count_close(&closed);
		return r;
	}
	r = split_table(&c->grain.layout, &c->table, boundary_s, &closed.table, &open.table);
	if (r == 0)
		r = split_table(&c->grain.layout, &c->others, boundary_s, &closed.others, &open.others);
	if (r < 0) {
		count_close(&closed);
		count_close(&open);
		return err_set(e, r, "no memory");
	}
	count_close(c);
	*c = open;
	*ret_closed = closed;
	return 0;
}
