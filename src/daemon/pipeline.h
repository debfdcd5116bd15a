/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline.h -- the one place that knows the whole way: sources -> tables -> accounts' books ->
 * booking -> ledger.
 *
 * Each tick the sources hand over their tables; their entries are booked into the accounts, and
 * one booking goes to the ledger's thread, and a snapshot of all that to the readers. While the
 * ledger is behind, ticks are left out (at most 10 s, or the shortest window): fewer, larger
 * bookings. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_PIPELINE_H
#define NETTALLY_DAEMON_PIPELINE_H

#include "base/clock.h"
#include "base/loop.h"
#include "capture/netlink.h"
#include "daemon/booker.h"
#include "daemon/config.h"
#include "daemon/source.h"
#include "model/attribution.h"
#include "model/snapshot.h"

struct pipeline;
struct parts;

struct pipeline_config {
	struct loop *loop;
	struct clock clock;
	struct netlink *netlink;      /* borrowed */
	struct strings *strings;      /* borrowed, outlives the pipeline */
	struct snapshot_box *box;     /* borrowed */
	struct config *config;        /* taken */
	const char *pins;             /* directory for kernel tables of this ledger, outlives the pipeline; NULL = unpinned */
	const char *unpinned_why;     /* for people; NULL = as configured */
	/* What others than the pipeline count, for each snapshot; NULL = nothing. */
	void (*add_counters)(void *arg, struct counters *c);
	void *arg;
	struct parts *parts;          /* borrowed: told of each tick; NULL = none */
};

/* Opens a source that belongs to no interface, with its first, empty tables (taken on success). `ready` is to be called on its
 * thread after each handover. It counts into counts[PLAN_REPORTS] or counts[PLAN_SOCKETS], where the plan of its tables uses
 * that: a reload may change it. */
struct feed_setting {
	void (*ready)(void *arg);
	void *ready_arg;
	struct clock clock;
	const struct config *config;  /* at the start */
	struct strings *strings;
};
typedef int feed_open(struct source **ret, const struct feed_setting *s, struct tables *first, void *arg, struct err *e);

/* Opens all interfaces; frames gather in the rings but none is read. An interface that is not
 * there is an error. */
int pipeline_open(struct pipeline **ret, struct pipeline_config *cf, struct err *e);
/* Books what an earlier run left in the kernel. Series, totals and interfaces' books go on where the ledger
 * left them; before the booker has it. */
int pipeline_load(struct pipeline *p, struct ledger *l, struct err *e);
/* Before pipeline_load(): who is asked for derived keys, in this order; borrowed. And feeds. */
int pipeline_add_attributor(struct pipeline *p, const struct attributor *a, struct err *e);
int pipeline_add_feed(struct pipeline *p, feed_open *open, void *arg, struct err *e);
/* Starts the capture threads and the ticks. `booker` NULL: no ledger. */
int pipeline_start(struct pipeline *p, struct booker *booker, struct err *e);

/* A new configuration, taken on success; it is in force from the next tick on. Takes nothing and
 * changes nothing when it fails. */
int pipeline_reload(struct pipeline *p, struct config *config, struct err *e);
/* A change is on its way and no other can be taken until the next tick is booked. */
bool pipeline_is_changing(const struct pipeline *p);
void pipeline_refuse_reload(struct pipeline *p, const char *why);

/* A link or an address changed: looks at the interfaces again. */
void pipeline_links_changed(struct pipeline *p);

/* Books everything that is still on its way, then calls loop_stop(). What is pinned in the kernel goes on
 * counting, unless `detach`. */
void pipeline_finish(struct pipeline *p, bool detach);
/* After booker_join(): tables that were booked to the last are removed from the kernel. */
void pipeline_settle(struct pipeline *p);
/* True while every capture thread turns and ticks advance. */
bool pipeline_advances(struct pipeline *p);

/* `local` as configured, else the networks of the counted interfaces; added to *ret, which is
 * the caller's. */
int pipeline_find_local(struct netlink *n, const struct config *cf, struct prefix_set *ret, struct err *e);

/* To the log: what is counted, and how. */
void pipeline_say_points(const struct pipeline *p);

struct config *pipeline_config(struct pipeline *p);
/* Facts for the snapshot that only the daemon knows. */
void pipeline_set_listen(struct pipeline *p, const char *listen);
void pipeline_close(struct pipeline **p);

#endif
