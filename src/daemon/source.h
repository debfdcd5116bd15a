/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.h -- what brings tables: a packet-socket ring (ring.h), or the tables in the kernel
 * (kernel_source.h). Each is a thread that owns its tables until the main loop asks for them; it then hands
 * them over whole, takes the empty ones it was given, and goes on: no lock is taken per packet.
 *
 * All calls belong to the main loop's thread. */
#ifndef NETTALLY_DAEMON_SOURCE_H
#define NETTALLY_DAEMON_SOURCE_H

#include "daemon/tables.h"

enum source_next {
	SOURCE_GOES_ON,
	SOURCE_PAUSES,  /* this process ends; what is pinned in the kernel goes on counting */
	SOURCE_ENDS,    /* nobody counts there any more */
};

struct source;

struct source_ops {
	int (*start)(struct source *s, struct err *e);
	void (*request)(struct source *s, struct tables *next, enum source_next what);
	struct tables *(*take)(struct source *s);
	void (*booked)(struct source *s, const struct booked_epoch *epoch);
	int (*failure)(const struct source *s);
	uint64_t (*beats)(const struct source *s);
	void (*close)(struct source **s);
};

struct source {
	const struct source_ops *ops; /* first in each source's own struct */
};

/* The thread begins. */
static inline int source_start(struct source *s, struct err *e)
{
	return s->ops->start(s, e);
}

/* Asks for the tables; `next` are the empty ones to go on with, perhaps by another plan. One request at a
 * time. Other than SOURCE_GOES_ON it is the last one: everything that can be had is handed over. */
static inline void source_request(struct source *s, struct tables *next, enum source_next what)
{
	s->ops->request(s, next, what);
}

/* The tables that were handed over, NULL = not yet. */
static inline struct tables *source_take(struct source *s)
{
	return s->ops->take(s);
}

/* The ledger has this epoch; every source hears of every one. */
static inline void source_booked(struct source *s, const struct booked_epoch *epoch)
{
	if (s->ops->booked)
		s->ops->booked(s, epoch);
}

/* 0 = well; -ENODEV the interface is gone; other negative errno. */
static inline int source_failure(const struct source *s)
{
	return s->ops->failure(s);
}

/* Grows with each turn of the thread: it lives. */
static inline uint64_t source_beats(const struct source *s)
{
	return s->ops->beats(s);
}

/* Ends the thread (what it still has in user space is lost: ask for the last tables first). */
static inline void source_close(struct source **s)
{
	if (*s)
		(*s)->ops->close(s);
}

#endif
