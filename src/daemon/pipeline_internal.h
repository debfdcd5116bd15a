/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline_internal.h -- the pipeline's state, and what its files say to each other: pipeline.c
 * (the tick), pipeline_points.c (interfaces), pipeline_feeds.c (other sources), pipeline_kernel.c (epochs of kernel tables),
 * pipeline_reload.c (plans and accounts that change), pipeline_show.c (what readers see). Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_PIPELINE_INTERNAL_H
#define NETTALLY_DAEMON_PIPELINE_INTERNAL_H

#include "daemon/books.h"
#include "daemon/pipeline.h"
#include "daemon/point.h"
#include "daemon/sightings.h"
#include "base/log.h"

#define TICK_NS NS_PER_S

#define PIPELINE_FEEDS_MAX 4
#define PIPELINE_ATTRIBUTORS_MAX 4

struct feed {
	struct source_slot slot;
};

struct pipeline {
	struct loop *loop;
	struct clock clock;
	struct netlink *netlink;
	struct strings *strings;
	struct snapshot_box *box;
	void (*add_counters)(void *arg, struct counters *c);
	void *arg;
	struct booker *booker;
	struct loop_timer *timer;

	struct config *config;
	struct plan *plan;
	struct books **books;          /* one per account, in the config's order */
	struct sightings *sightings;
	struct own_addresses own;
	struct point **points;
	size_t point_count;
	struct feed feeds[PIPELINE_FEEDS_MAX];
	unsigned feed_count;
	const struct attributor *attributors[PIPELINE_ATTRIBUTORS_MAX];
	unsigned attributor_count;
	struct parts *parts;

	const char *pins, *unpinned_why;
	struct closing closing;        /* tables that went with their source and wait for the ledger */
	struct kernel_generation **left; /* found where a source was opened */
	size_t left_count;
	struct booked_epoch *epochs;   /* of this tick's booking */
	size_t epoch_count, epoch_room;

	struct config *next_config;    /* a reload or changed networks: in force after this tick */
	struct plan *next_plan;
	struct books **next_books;

	bool ticking, finishing;
	bool detaches;                 /* at the end: nothing goes on counting */
	bool tick_changes_plan, tick_is_last; /* as the rings were asked when it began */
	int64_t tick_began_ns, last_tick_ns;
	int64_t booking_utc_s;
	int64_t clock_offset_ns;       /* wall clock less monotonic */
	int64_t started_utc_s;
	uint64_t ticks, entries;
	uint64_t reloads, reloads_refused;
	char reload_problem[256];
	char listen[64];
	struct counters counters;
	uint16_t next_group;
	struct log_limit memory_limit;
};

static inline int64_t utc_s(const struct pipeline *p)
{
	return ns_to_s(p->clock.utc_ns(p->clock.arg));
}

static inline int64_t monotonic_ns(const struct pipeline *p)
{
	return p->clock.monotonic_ns(p->clock.arg);
}

/* pipeline_points.c */
int pipeline_add_point(struct pipeline *p, const struct config_interface *cf, struct err *e);
int pipeline_take_up(struct pipeline *p, struct point *point, struct err *e);
void pipeline_look_at_rules(struct pipeline *p, struct point *point); /* at the end of each tick: those not in the kernel */
void pipeline_look_for(struct pipeline *p, struct point *point);    /* an interface that was away: is it back? */
void pipeline_check_point(struct pipeline *p, struct point *point); /* one that is there: has it gone? */
int pipeline_copy_interfaces(const struct pipeline *p, struct interface_books **ret, size_t *ret_count);

/* pipeline_kernel.c */
void pipeline_take_left(void *arg, struct kernel_generation *g);  /* keeps it until it is booked or dropped */
void pipeline_drop_left(struct pipeline *p);                      /* closes them; pins stay for the next start */
/* Before any source is opened: takes our programs off interfaces that are not counted any more. */
void pipeline_reap_others(struct pipeline *p);
/* At the start: books what was left, at configured interfaces and at others, then lets books go on. */
int pipeline_book_left(struct pipeline *p, struct ledger *l, struct err *e);
/* Room for all that the sources of now may hand over, before they are asked: to book counts without their
 * epoch would be to book them twice. 0 or -ENOMEM. */
int pipeline_reserve_epochs(struct pipeline *p);
void pipeline_note_epochs(struct pipeline *p, const struct tables *t);
void pipeline_give_epochs(struct pipeline *p, struct booking *b); /* moves what was noted */
void pipeline_epoch_booked(struct pipeline *p, const struct booked_epoch *epoch);
void pipeline_hear_booked(struct pipeline *p);                    /* what the ledger has since it was asked last */

/* pipeline_feeds.c: what pipeline.c does with points, for the sources that have none */
int pipeline_start_feeds(struct pipeline *p, struct err *e);
int pipeline_prepare_feeds(struct pipeline *p, struct plan *plan, struct err *e);
void pipeline_ask_feeds(struct pipeline *p);
bool pipeline_take_feeds(struct pipeline *p); /* true: all have answered */
void pipeline_book_feeds(struct pipeline *p);
bool pipeline_feeds_advance(struct pipeline *p);
void pipeline_close_feeds(struct pipeline *p);
void pipeline_attribute(void *pipeline, uint64_t fields, uint32_t router, const struct addr *host, uint64_t mac,
			struct attribution *ret);

/* pipeline_reload.c */
int pipeline_books_for(struct books ***ret, const struct config *cf, struct err *e);
void pipeline_books_free(struct books ***books, size_t count);
/* Where nobody configured `local`: do the interfaces' networks still stand as they are planned
 * with? */
void pipeline_follow_networks(struct pipeline *p);
int pipeline_make_plan(struct pipeline *p, struct config *cf, struct plan **ret, struct err *e);
/* All tables of the old plan have been booked and are gone: the new one, if there is one, is in
 * force. */
void pipeline_change_over(struct pipeline *p);

/* pipeline_show.c */
void pipeline_show(struct pipeline *p);

/* pipeline.c */
void pipeline_begin_tick(struct pipeline *p);
/* Of struct tables_booking: `arg` is the pipeline. */
void pipeline_see(void *arg, const struct key_layout *l, const uint8_t *key, bool sent);

#endif
