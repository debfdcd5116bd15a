/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeping house between bookings: rollups, then max_size, then the list of hosts; in steps of
 * bounded work. */
#include "ledger/changes.h"
#include "ledger/internal.h"

#include "base/clock.h"

#include <time.h>

/* The list of hosts ever seen is no account, but it must end somewhere: a quarter of max_size at
 * about 64 bytes each. */
#define HOSTS_MAX 4000000
#define HOST_BYTES 64
#define HOSTS_CHECK_S 600

static int64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool is_older(const struct oldest *a, const struct oldest *b)
{
	if (a->is_raw != b->is_raw)
		return a->is_raw;
	return a->window < b->window;
}

/* 1 where a sink has not got the window yet and it is held for that. */
static int is_held(struct ledger *l, const struct ledger_table *t, const struct oldest *o, int64_t now_utc_s, struct err *e)
{
	struct change_span s = { .length_s = o->length_s, .window = o->window, .end = o->window + o->length_s };

	return o->is_raw ? changes_is_held(l, t, &s, now_utc_s, e) : 0;
}

/* Over the limit the oldest window goes: raw ones of all accounts first, then the coarser ones. While one is held for a sink,
 * only raw ones go. */
static int size_step(struct ledger *l, int64_t now_utc_s, struct err *e)
{
	struct oldest oldest = { .window = INT64_MAX };
	const struct ledger_table *from = NULL;
	bool any_held = false;

	if (l->options.max_size_bytes == 0 || l->facts.size_bytes <= l->options.max_size_bytes)
		return 0;
	for (size_t i = 0; i < l->table_count; i++) {
		struct oldest o;
		int r = oldest_of(l, &l->tables[i], &o, e);

		if (r == 0 && o.window != INT64_MAX)
			r = is_held(l, &l->tables[i], &o, now_utc_s, e);
		if (r < 0)
			return r;
		any_held |= r == 1;
		if (r == 0 && o.window != INT64_MAX && (!from || is_older(&o, &oldest))) {
			oldest = o;
			from = &l->tables[i];
		}
	}
	return from && (oldest.is_raw || !any_held) ? expire_step(l, from, &oldest, e) : 0;
}

/* Gives unused pages back to the file system once the file itself is over the limit. */
static int shrink_step(struct ledger *l, struct err *e)
{
	int64_t pages, unused, page_size;
	int r = sql_number(l->db, &pages, 0, e, "PRAGMA page_count");

	if (r == 0)
		r = sql_number(l->db, &unused, 0, e, "PRAGMA freelist_count");
	if (r == 0)
		r = sql_number(l->db, &page_size, 0, e, "PRAGMA page_size");
	if (r < 0 || l->options.max_size_bytes == 0 || unused == 0 ||
	    (uint64_t)(pages * page_size) <= l->options.max_size_bytes)
		return r;
	r = sql_exec(l->db, e, "PRAGMA incremental_vacuum(1000)");
	return r < 0 ? r : 1;
}

static int hosts_step(struct ledger *l, int64_t now_utc_s, struct err *e)
{
	int64_t most = HOSTS_MAX, count;

	if (now_utc_s < l->next_hosts_check_s && now_utc_s > l->next_hosts_check_s - 2 * HOSTS_CHECK_S)
		return 0;
	l->next_hosts_check_s = now_utc_s + HOSTS_CHECK_S;
	if (l->options.max_size_bytes && (int64_t)(l->options.max_size_bytes / 4 / HOST_BYTES) < most)
		most = (int64_t)(l->options.max_size_bytes / 4 / HOST_BYTES);
	int r = sql_number(l->db, &count, 0, e, "SELECT count(*) FROM host");
	if (r < 0 || count <= most)
		return r;
	r = ledger_begin(l, e);
	if (r < 0)
		return r;
	/* a tenth more than asked, so that this is not done each time */
	r = sql_exec(l->db, e,
		     "DELETE FROM host WHERE host IN (SELECT host FROM host ORDER BY last_seen LIMIT %lld);"
		     "UPDATE meta SET value = value + changes() WHERE key = 'forgotten_hosts';"
		     /* what they were called goes with them; devices are few */
		     "DELETE FROM name WHERE key NOT IN (SELECT host FROM host) AND key NOT IN (SELECT mac FROM device);"
		     "DELETE FROM held WHERE host NOT IN (SELECT host FROM host)",
		     (long long)(count - most + most / 10));
	return ledger_end(l, r, e);
}

static int maintain_step(struct ledger *l, int64_t now_utc_s, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->table_count && r == 0; i++)
		r = rollup_step(l, &l->tables[i], now_utc_s, e);
	if (r == 0)
		r = size_step(l, now_utc_s, e);
	if (r == 0)
		r = shrink_step(l, e);
	if (r == 0)
		r = hosts_step(l, now_utc_s, e);
	return r;
}

int ledger_maintain(struct ledger *l, int64_t now_utc_s, unsigned budget_ms, struct err *e)
{
	int64_t end = monotonic_ns() + budget_ms * 1000000LL;
	int r = ledger_ready(l, e);

	if (r < 0)
		return r;
	ledger_measure(l);
	do {
		r = maintain_step(l, now_utc_s, e);
		ledger_measure(l);
	} while (r == 1 && monotonic_ns() < end);
	return r;
}
