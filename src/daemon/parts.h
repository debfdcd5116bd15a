/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parts.h -- what a daemon has besides counting and booking: routes, names, sinks, reports ... Each is a row of the table in
 * parts.c: a new one is one file and one line. All calls belong to the main loop's thread; a part may have threads of its own.
 *
 * The order of a life: open (privileges are still there: sockets, files of root), start (they are gone, the ledger's thread
 * runs), tick and show each second, stop (at the end, before the ledger's thread ends), close. */
#ifndef NETTALLY_DAEMON_PARTS_H
#define NETTALLY_DAEMON_PARTS_H

#include "base/loop.h"
#include "base/slice.h"
#include "daemon/booker.h"
#include "daemon/config.h"
#include "model/snapshot.h"

struct pipeline;

/* What a part may use; outlives it. */
struct parts_world {
	struct loop *loop;
	struct strings *strings;
	struct netlink *netlink;
	struct snapshot_box *box;
	struct ledger *ledger;     /* in open() alone: before its thread has it */
	struct booker *booker;     /* from start() on */
	struct pipeline *pipeline; /* from join() on: pipeline_add_attributor(), pipeline_add_feed() */
};

struct part_ops {
	const char *name;
	/* *ret stays NULL where the configuration wants no such part; a reload may bring it (reload() is then called with
	 * NULL and may make it, if it needs no privileges). */
	int (*open)(void **ret, const struct parts_world *w, const struct config *cf, struct err *e);
	int (*join)(void *part, const struct parts_world *w, struct err *e);  /* the pipeline is there; NULL = nothing to do */
	int (*start)(void *part, const struct parts_world *w, struct err *e); /* threads */
	/* The new configuration is in force from now on; the old one is gone. */
	void (*reload)(void **part, const struct parts_world *w, const struct config *cf);
	/* True while what is counted should not be booked yet, because the part cannot say yet what it belongs to; NULL = never.
	 * Ticks are left out meanwhile (at most 10 s, or the shortest window), and READY=1 waits as long. */
	bool (*waits)(void *part);
	/* A tick's booking is about to be given to the ledger: what goes with it. */
	void (*tick)(void *part, struct booking *b);
	void (*show)(void *part, struct snapshot *s); /* s->facts */
	/* A line of a client of the control socket whose first word is the part's name, without that word: the answer, to `to`.
	 * NULL = it answers nothing. Must not block. */
	void (*ask)(void *part, struct slice words, FILE *to);
	void (*stop)(void *part, unsigned timeout_s);
	void (*close)(void **part);
};

struct parts;

int parts_open(struct parts **ret, const struct parts_world *w, const struct config *cf, struct err *e);
int parts_join(struct parts *p, struct pipeline *pipeline, struct err *e);
int parts_start(struct parts *p, struct booker *booker, struct err *e);
void parts_reload(struct parts *p, const struct config *cf);
bool parts_wait(struct parts *p);                      /* accepts NULL, as the next */
void parts_tick(struct parts *p, struct booking *b);   /* accepts NULL, as the next */
void parts_show(struct parts *p, struct snapshot *s);
bool parts_ask(struct parts *p, struct slice line, FILE *to); /* false: no part is meant */
/* The part of that name, NULL = not there: for answers that are streamed (control_add_words()). */
void *parts_find(struct parts *p, const char *name);
void parts_stop(struct parts *p, unsigned timeout_s);
void parts_close(struct parts **p);

#endif
