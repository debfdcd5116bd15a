/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine_internal.h -- what engine.c (all sinks) and engine_run.c (the thread of one) share. No other file includes it. */
#ifndef NETTALLY_SINKS_ENGINE_INTERNAL_H
#define NETTALLY_SINKS_ENGINE_INTERNAL_H

#include "base/clock.h"
#include "sinks/backoff.h"
#include "sinks/engine.h"
#include "sinks/reading.h"

#include <pthread.h>

struct sink_run {
	const struct sink_config *cf;
	const struct sink_host *host;
	struct sinks *owner;
	pthread_t thread;
	bool has_thread;
	/* the thread's alone */
	struct reading *reading;
	void *target;             /* NULL = not open */
	struct sink_cursor cursor;
	struct sink_cursor noted;  /* what the ledger knows of it */
	uint64_t not_noted;       /* records */
	struct backoff backoff;
	int64_t failing_since_ns, remind_ns;
	bool is_repeating;        /* windows that were set aside are tried, so long as there are some */
	/* under the owner's lock */
	struct sink_status status;
	int64_t oldest_utc_s;     /* end of the oldest window that it has not got; INT64_MAX = none */
	bool retry, retry_from_start, wake, ended;
	bool has_rejected;        /* `problem` says so until nothing is set aside any more */
};

struct sinks {
	struct sink_set *set;
	struct sink_host host;
	struct clock clock;
	pthread_mutex_t lock;
	pthread_cond_t changed;   /* CLOCK_MONOTONIC */
	bool stopping;
	int64_t stop_by_ns;
	size_t count;
	struct sink_run *runs;
};

void *engine_run(void *arg); /* the thread of one: a struct sink_run */

static inline int64_t engine_monotonic_ns(const struct sinks *s)
{
	return s->clock.monotonic_ns(s->clock.arg);
}

#endif
