/* SPDX-License-Identifier: GPL-2.0-or-later */
/* point.h -- one observation point: an interface, its rings, and its books against the kernel's
 * counters.
 *
 * An interface that goes away keeps its point: the rings hand over what they have and are
 * closed, and opened anew when it is back, with books that begin anew. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_POINT_H
#define NETTALLY_DAEMON_POINT_H

#include "capture/netlink.h"
#include "daemon/ring.h"

struct ring_slot {
	struct ring *ring;
	struct tables *spare;      /* empty, for the next request */
	uint64_t beats_seen;       /* for the watchdog */
	bool waiting;              /* asked, not answered */
	bool last;                 /* to be closed once it answered */
};

struct point {
	struct config_interface cf; /* cf.filter is the point's own copy */
	struct config_interface next_cf; /* where it changes */
	bool changes;
	struct interface_info info;
	struct interface_books books;
	struct interface_stats base;  /* the interface's counters when it was taken up */
	uint64_t kernel_before;       /* packets the kernel had counted at the tick before */
	uint64_t start_uncertain;     /* packets that came while the rings were opened */
	uint64_t lost_in_gap;         /* packets that came while its rings were exchanged; to be counted once */
	struct ring_slot *rings;
	unsigned ring_count;          /* open now; 0 = the interface is away */
	uint32_t interface_id;
	bool loopback;
	bool leaving;                 /* its rings are to be asked for the last time */
	bool asked_last;              /* they were, in the tick that is under way */
	bool goes_on;                 /* is opened anew with other settings: the same books */
	bool unwanted;                /* no longer configured: goes when it has left */
};

struct point_rings {
	struct plan *plan;
	void (*ready)(void *arg);
	void *arg;
	int64_t now_utc_s;
	uint16_t fanout_group;        /* unique in this process */
};

int point_new(struct point **ret, const struct config_interface *cf, uint32_t interface_id, struct err *e);
void point_free(struct point **p); /* closes what is open */

/* Other settings (a reload): its rings leave, and are opened anew with them. What comes between is
 * booked as lost. 0 or -ENOMEM: nothing changed. */
int point_change(struct point *p, const struct config_interface *cf);

/* Opens the rings on the interface as it is now, and begins its books. -ENODEV: not there. */
int point_take_up(struct point *p, struct netlink *n, const struct point_rings *r, struct err *e);
int point_start(struct point *p, struct err *e); /* the threads */

/* Books what a handover brought, reads the kernel's counters. */
void point_book(struct point *p, const struct tables *t);
void point_read_kernel(struct point *p, struct netlink *n);
/* Its rings will be asked for the last time at the next tick. */
void point_leave(struct point *p);
/* After the last handover. */
void point_close_rings(struct point *p);

#endif
