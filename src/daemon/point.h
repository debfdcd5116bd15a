/* SPDX-License-Identifier: GPL-2.0-or-later */
/* point.h -- one observation point: an interface, its sources (packet-socket rings, or the tables in
 * the kernel), and its books against the kernel's counters.
 *
 * An interface that goes away keeps its point: the sources hand over what they have and are
 * closed, and opened anew when it is back, with books that begin anew. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_POINT_H
#define NETTALLY_DAEMON_POINT_H

#include "base/clock.h"
#include "capture/netlink.h"
#include "daemon/closing.h"
#include "daemon/source.h"

struct source_slot {
	struct source *source;
	struct tables *spare;      /* empty, for the next request */
	uint64_t beats_seen;       /* for the watchdog */
	bool waiting;              /* asked, not answered */
	bool last;                 /* to be closed once it answered */
	bool kernel;               /* tables in the kernel */
	bool side;                 /* a ring beside these, for rules alone (point_rules.h) */
	bool fresh;                /* was asked with rules of its own */
};

struct point {
	struct config_interface cf; /* cf.filter is the point's own copy */
	struct config_interface next_cf; /* where it changes */
	bool changes;
	struct interface_info info;
	struct interface_books books;
	struct interface_stats base;  /* the interface's counters when it was taken up */
	int64_t run_since_utc_s;      /* kernel tables that go on from before this process: since when; 0 = none do */
	struct interface_stats run_base; /* the interface's counters when its kernel tables began */
	bool kernel_knows_base;       /* they began with this process */
	uint64_t kernel_before;       /* packets the kernel had counted at the tick before */
	uint64_t start_uncertain;     /* packets that came while the rings were opened */
	uint64_t lost_in_gap;         /* packets that came while its rings were exchanged; to be counted once */
	struct source_slot *slots;    /* cf.rings + 1 of them; the kernel's tables need one, and one beside */
	unsigned source_count;        /* open now; 0 = the interface is away */
	bool behind;                  /* what came since the tick before is in the kernel's tables still */
	uint32_t interface_id;
	bool ingress_only;            /* what goes out is not counted: loopback, or a mirror port at XDP */
	bool leaving;                 /* its sources are to be asked for the last time */
	bool asked_last;              /* they were, in the tick that is under way */
	bool gone;                    /* the interface is not there any more: nothing goes on at the end */
	bool goes_on;                 /* is opened anew with other settings: the same books */
	bool unwanted;                /* no longer configured: goes when it has left */
	bool started;                 /* its sources run */
	/* Of the plan's rules, enum rule_left (point_rules.h); `next`: of those that were compiled last. */
	uint8_t *left, *left_next;
	size_t left_count, left_next_count;
	unsigned refusals_seen;
	bool side_stale;              /* the socket beside the kernel is to count other rules */
	char side_why[96];            /* why there is none, "" = there is, or need not be */
};

/* What a point needs to be taken up. */
struct point_setting {
	struct plan *plan;
	void (*ready)(void *arg);
	void *arg;
	int64_t now_utc_s;
	struct clock clock;
	uint16_t fanout_group;        /* unique in this process */
	const char *pins;             /* of kernel tables; NULL = unpinned. Outlives the point */
	const char *unpinned_why;     /* for people; "" = as configured */
	uint64_t kernel_keys;
	struct closing *closing;
	/* A generation of kernel tables that was there: the callee's. */
	void (*left)(void *arg, struct kernel_generation *g);
	void *left_arg;
};

int point_new(struct point **ret, const struct config_interface *cf, uint32_t interface_id, struct err *e);
void point_free(struct point **p); /* closes what is open */

/* Other settings (a reload): its sources leave, and are opened anew with them. What comes between is
 * booked as lost. 0 or -ENOMEM: nothing changed. */
int point_change(struct point *p, const struct config_interface *cf);

/* Opens its sources on the interface as it is now, the best that can be done for `capture = auto`, and
 * begins its books. -ENODEV: not there. */
int point_take_up(struct point *p, struct netlink *n, const struct point_setting *s, struct err *e);
/* A part of that: opens the sources alone, says which and why (point_open.c). */
int point_open_sources(struct point *p, struct netlink *n, const struct point_setting *s, struct err *e);
/* The books of the run before, as the ledger has them: they go on where the kernel's tables did. Before it is
 * started. */
void point_continue(struct point *p, const struct interface_books *before);
/* Empty tables by a plan of other rules: opens them for this interface. */
int point_open_rules(struct point *p, struct tables *t, bool say_never, struct err *e);
int point_start(struct point *p, struct err *e); /* the threads */

/* Books what a handover brought, reads the kernel's counters. */
void point_book(struct point *p, const struct tables *t);
void point_read_kernel(struct point *p, struct netlink *n);
/* Its sources will be asked for the last time at the next tick. */
void point_leave(struct point *p);
/* After the last handover. */
void point_close_sources(struct point *p);

#endif
