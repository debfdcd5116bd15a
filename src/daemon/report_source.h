/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_source.h -- a source: one thread that hears web servers' reports and counts them into counts[PLAN_REPORTS] of its
 * tables.
 *
 * It sleeps while nothing comes and nobody asks. Windows are told by when a report came. The router of a report is the one
 * that serves the server's address. All calls belong to the main loop's thread. */
#ifndef NETTALLY_DAEMON_REPORT_SOURCE_H
#define NETTALLY_DAEMON_REPORT_SOURCE_H

#include "base/clock.h"
#include "base/prefix.h"
#include "base/strings.h"
#include "daemon/source.h"
#include "reports/listener.h"

#define REPORT_TYPES_MAX 1024u    /* different types; more are booked as `other` */
#define REPORT_SENDERS_SHOWN 64u

/* Of the longest prefix that holds an address; `id` in struct strings. */
struct report_router {
	struct prefix prefix;
	uint32_t id;
};

struct report_routers {
	struct report_router *at;
	size_t count;
};

/* What is seen from outside, as of the last tick. */
struct report_shown {
	struct report_counters counters;
	int failure;                      /* negative errno: the socket cannot be read */
	uint16_t port;                    /* 0 = not listening */
	uint32_t buffer_bytes;
	uint64_t types_other;             /* records whose type found no room */
	uint64_t uncounted_records;       /* booked nowhere: no account is from = reports */
	unsigned sender_count;            /* all; the first REPORT_SENDERS_SHOWN of them: */
	struct sender senders[REPORT_SENDERS_SHOWN];
};

struct report_source_config {
	struct strings *strings;
	struct clock clock;
	void (*ready)(void *arg);         /* on the source's thread, after each handover */
	void *arg;
};

/* What it hears by from now on; each member is taken, or NULL: stays as it is. */
struct report_change {
	struct listener *listener;
	struct keys *keys;
	struct report_routers *routers;
	bool deaf;                        /* closes the listener */
};

/* Not listening yet. Takes `first` on success. */
int report_source_open(struct source **ret, const struct report_source_config *cf, struct tables *first, struct err *e);
void report_source_change(struct source *s, struct report_change *c);
void report_source_show(struct source *s, struct report_shown *ret);
void report_routers_free(struct report_routers **r); /* accepts NULL */

#endif
