/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread of one sink: reads a batch, writes it, tells the ledger; waits after a failure. */
#include "sinks/engine_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define POLL_NS NS_PER_S
#define REMIND_NS (600 * NS_PER_S) /* trouble that goes on is said again */

static int64_t utc_s(const struct sinks *s)
{
	return ns_to_s(s->clock.utc_ns(s->clock.arg));
}

static bool is_told_to_stop(struct sinks *s)
{
	pthread_mutex_lock(&s->lock);
	bool stop = s->stopping;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

/* For a wait inside of a sink: a write may go on for a moment longer. */
static bool must_end(void *arg)
{
	struct sink_run *k = arg;
	struct sinks *s = k->owner;

	pthread_mutex_lock(&s->lock);
	bool end = s->stopping && engine_monotonic_ns(s) >= s->stop_by_ns;
	pthread_mutex_unlock(&s->lock);
	return end;
}

/* Until `ns` have passed, all are told to stop, or somebody asks for a retry. */
static void wait_ns(struct sink_run *k, int64_t ns)
{
	struct sinks *s = k->owner;
	int64_t until = engine_monotonic_ns(s) + ns;
	struct timespec t = { .tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S };

	pthread_mutex_lock(&s->lock);
	while (!s->stopping && !k->wake && engine_monotonic_ns(s) < until)
		pthread_cond_timedwait(&s->changed, &s->lock, &t);
	k->wake = false;
	pthread_mutex_unlock(&s->lock);
}

/* ---- what is told ---- */

static void say(struct sink_run *k, enum sink_says what, const char *text)
{
	char line[800];

	snprintf(line, sizeof line, "sink %s (%s): %s", k->cf->name, k->cf->ops->name, text);
	k->host->say(k->host->arg, what, line);
}

static void note_failure(struct sink_run *k, const struct err *e)
{
	int64_t now_ns = engine_monotonic_ns(k->owner);
	char text[700];

	pthread_mutex_lock(&k->owner->lock);
	k->status.state = SINK_FAILING;
	k->status.errors++;
	snprintf(k->status.problem, sizeof k->status.problem, "%.*s", (int)sizeof k->status.problem - 1, e->msg);
	pthread_mutex_unlock(&k->owner->lock);
	if (k->backoff.failures == 1)
		k->failing_since_ns = now_ns;
	else if (now_ns < k->remind_ns)
		return;
	k->remind_ns = now_ns + REMIND_NS;
	snprintf(text, sizeof text, "%s; it is tried again, and the ledger keeps what it has not got", e->msg);
	say(k, SINK_SAYS_TROUBLE, text);
}

static void note_success(struct sink_run *k, uint64_t records)
{
	char text[128];

	if (k->backoff.failures) {
		snprintf(text, sizeof text, "works again after %" PRId64 " s",
			 (int64_t)((engine_monotonic_ns(k->owner) - k->failing_since_ns) / NS_PER_S));
		say(k, SINK_SAYS_GOOD, text);
	}
	pthread_mutex_lock(&k->owner->lock);
	if (k->has_rejected && k->backoff.failures)
		snprintf(k->status.problem, sizeof k->status.problem, "windows were refused: nettally sinks retry %s",
			 k->cf->name);
	else if (!k->has_rejected)
		k->status.problem[0] = '\0';
	k->status.records += records;
	k->status.last_utc_s = utc_s(k->owner);
	pthread_mutex_unlock(&k->owner->lock);
	backoff_clear(&k->backoff);
}

/* Where the sink stands, as often as it looks. */
static void note_place(struct sink_run *k, bool has_more)
{
	struct windows_cursor c;
	bool known = windows_cursor(reading_windows(k->reading), k->cf->name, &c, NULL) == 0;

	pthread_mutex_lock(&k->owner->lock);
	k->oldest_utc_s = has_more ? reading_oldest_utc_s(k->reading) : INT64_MAX;
	if (known) {
		k->status.records = c.records + k->not_noted;
		k->status.rejected = c.rejected;
		k->status.expired = c.expired;
		k->status.set_aside = c.set_aside;
		if (k->has_rejected && c.set_aside == 0) {
			k->has_rejected = false;
			k->status.problem[0] = '\0';
		}
	}
	if (k->backoff.failures == 0)
		k->status.state = has_more && k->oldest_utc_s < utc_s(k->owner) - 60 ? SINK_BEHIND : SINK_OK;
	pthread_mutex_unlock(&k->owner->lock);
}

/* ---- the ledger ---- */

static void close_target(struct sink_run *k)
{
	if (k->target)
		k->cf->ops->close(k->target);
	k->target = NULL;
}

static int open_reading(struct sink_run *k, struct err *e)
{
	struct windows_cursor c;
	int r;

	if (k->reading && windows_are_current(reading_windows(k->reading)))
		return 0;
	if (k->reading)
		close_target(k); /* the ledger was moved away, and there is another one */
	reading_close(&k->reading);
	r = reading_open(&k->reading, k->cf, k->host->ledger_path, e);
	if (r == 0)
		r = windows_cursor(reading_windows(k->reading), k->cf->name, &c, e);
	if (r < 0) {
		reading_close(&k->reading);
		return r;
	}
	k->noted = k->cursor = (struct sink_cursor){ c.again, c.seq };
	return 0;
}

/* The ledger may be full for the moment: then the note is made up for later, and a restart would send some windows again. */
static int tell_ledger(struct sink_run *k, struct sink_note *n)
{
	struct err e;
	int r;

	n->sink = k->cf->name;
	n->cursor = k->cursor;
	n->records += k->not_noted;
	r = k->host->note(k->host->arg, n, &e);
	if (r < 0) {
		k->not_noted = n->records;
		return r;
	}
	k->not_noted = 0;
	k->noted = k->cursor;
	return 0;
}

static int tell_rejected(struct sink_run *k, const struct sink_window *w, uint64_t records, const char *why, struct err *e)
{
	const struct window_change *c = reading_change(k->reading, w);
	struct sink_note n = { .sink = k->cf->name, .cursor = k->noted, .windows = c, .window_count = c ? 1 : 0,
			.rejected_why = why,
			       .rejected_records = records };

	return k->host->note(k->host->arg, &n, e);
}

/* ---- the target ---- */

/* The target's own cursor counts, where it keeps one of the same round. */
static int take_cursor(struct sink_run *k, struct err *e)
{
	struct sink_cursor c;
	int r = k->cf->ops->cursor ? k->cf->ops->cursor(k->target, &c, e) : -ENOENT;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (c.again == k->cursor.again)
		k->cursor.seq = c.seq;
	return 0;
}

static int open_target(struct sink_run *k, struct err *e)
{
	struct sink_context cx = { .ledger = windows_ledger(reading_windows(k->reading)), .is_stopping = must_end, .arg = k };
	int r;

	if (k->target)
		return 0;
	r = k->cf->ops->open(&k->target, k->cf, &cx, e);
	if (r < 0) {
		k->target = NULL;
		return r;
	}
	r = take_cursor(k, e);
	if (r < 0)
		close_target(k);
	return r;
}

/* ---- writing ---- */

static int say_rejected(struct sink_run *k, const struct sink_window *w, const char *why)
{
	char text[700];

	if (engine_monotonic_ns(k->owner) < k->remind_ns)
		return 0;
	k->remind_ns = engine_monotonic_ns(k->owner) + REMIND_NS;
	snprintf(text, sizeof text, "table %s: refused and set aside: %s; after a fix: nettally sinks retry %s",
			w->table->name, why,
		 k->cf->name);
	say(k, SINK_SAYS_TROUBLE, text);
	return 0;
}

static uint64_t count_rows(struct sink_batch *b)
{
	struct sink_row row;

	b->rewind(b);
	while (b->next(b, &row, NULL) == 1)
		;
	return b->rows;
}

/* A window that is refused for good is set aside once the ledger has noted it. */
static int reject(struct sink_run *k, struct sink_batch *b, const struct err *why, struct err *e)
{
	uint64_t records = count_rows(b);
	int r = tell_rejected(k, b->windows, records, why->msg, e);

	if (r < 0)
		return r;
	pthread_mutex_lock(&k->owner->lock);
	k->status.errors++;
	k->has_rejected = true;
	snprintf(k->status.problem, sizeof k->status.problem, "%.*s", (int)sizeof k->status.problem - 1, why->msg);
	pthread_mutex_unlock(&k->owner->lock);
	return say_rejected(k, b->windows, why->msg);
}

/* What was set aside stays so until the ledger knows better: then a failure is one, lest it be sent again and again. */
static int settle(struct sink_run *k, struct sink_batch *b, uint64_t rows)
{
	struct window_change *windows = calloc(b->window_count + 1, sizeof *windows);
	struct sink_note n = { .records = rows, .windows = windows };

	for (size_t i = 0; windows && i < b->window_count; i++) {
		const struct window_change *c = reading_change(k->reading, &b->windows[i]);

		if (c)
			windows[n.window_count++] = *c;
	}
	if (!b->is_repeat)
		k->cursor = b->cursor;
	int r = tell_ledger(k, &n);
	free(windows);
	return b->is_repeat ? r : 0;
}

/* One window after the other, so that only those that the target refuses are set aside. */
static int write_singly(struct sink_run *k, struct sink_batch *all, struct err *e)
{
	for (size_t i = 0; i < all->window_count; i++) {
		struct sink_batch *b = reading_one(k->reading, i);
		struct err why = { 0 };
		int r = must_end(k) ? err_set(&why, -EAGAIN, "the daemon ends") : k->cf->ops->write(k->target, b, &why);

		if (r == 0) {
			uint64_t rows = b->rows;

			note_success(k, rows);
			r = settle(k, b, rows);
			if (r < 0)
				return err_set(e, r, "the ledger cannot be written");
		} else if (r == -EINVAL) {
			r = reject(k, b, &why, e);
			if (r < 0)
				return r;
		} else {
			*e = why;
			return r;
		}
	}
	if (!all->is_repeat)
		k->cursor = all->cursor;
	tell_ledger(k, &(struct sink_note){ 0 });
	return 0;
}

static int write_batch(struct sink_run *k, struct sink_batch *b, struct err *e)
{
	int r = k->cf->ops->write(k->target, b, e);

	if (r == -EINVAL)
		return write_singly(k, b, e);
	if (r < 0)
		return r;
	uint64_t rows = b->rows; /* settle() may look at the windows again */
	note_success(k, rows);
	r = settle(k, b, rows);
	return r < 0 ? err_set(e, r, "the ledger cannot be written") : 0;
}

/* ---- the loop ---- */

static int do_retry(struct sink_run *k, struct err *e)
{
	struct windows_cursor c;
	uint64_t windows;

	pthread_mutex_lock(&k->owner->lock);
	bool wanted = k->retry, from_start = k->retry_from_start;
	pthread_mutex_unlock(&k->owner->lock);
	if (!wanted)
		return 0;
	int r = k->host->retry(k->host->arg, k->cf->name, from_start, &windows, e);
	if (r == 0)
		r = windows_cursor(reading_windows(k->reading), k->cf->name, &c, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&k->owner->lock);
	k->retry = k->retry_from_start = false;
	pthread_mutex_unlock(&k->owner->lock);
	if (from_start)
		k->noted = k->cursor = (struct sink_cursor){ c.again, c.seq };
	k->is_repeating = !from_start;
	close_target(k); /* as after a fix: look at it anew */
	return 0;
}

/* 1 = a batch is there. */
static int find_batch(struct sink_run *k, struct sink_batch **ret, struct err *e)
{
	int r = k->is_repeating ? reading_rejected(k->reading, k->cursor, ret, e) : 0;

	if (r == 0) {
		k->is_repeating = false;
		r = reading_next(k->reading, k->cursor, ret, e);
		if (r == 0 && (*ret)->cursor.seq > k->cursor.seq)
			k->cursor = (*ret)->cursor; /* changes of accounts that this sink does not show */
		if (r >= 0)
			note_place(k, r == 1);
	}
	return r;
}

/* 1 = did something, 0 = nothing to do, negative: failed. */
static int step(struct sink_run *k, struct err *e)
{
	struct sink_batch *b;
	int r = open_reading(k, e);

	if (r == 0)
		r = do_retry(k, e);
	if (r == 0)
		r = open_target(k, e);
	if (r == 0)
		r = find_batch(k, &b, e);
	if (r <= 0)
		return r;
	r = write_batch(k, b, e);
	if (r < 0 && reading_is_stale(k->reading)) {
		close_target(k); /* in the middle of a write */
		return 1;
	}
	return r < 0 ? r : 1;
}

/* While the target is away, the lag is still to be known. */
static void look(struct sink_run *k)
{
	struct sink_batch *b;

	if (k->reading) {
		int r = reading_next(k->reading, k->cursor, &b, NULL);

		if (r >= 0)
			note_place(k, r == 1);
	}
}

static void fail(struct sink_run *k, const struct err *e)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = (uint32_t)engine_monotonic_ns(k->owner);
	close_target(k);
	int64_t ns = backoff_next(&k->backoff, random) * INT64_C(1000000);
	if (!is_told_to_stop(k->owner))
		note_failure(k, e);
	look(k);
	wait_ns(k, ns);
}

static void idle(struct sink_run *k)
{
	if (k->target && k->cf->ops->idle)
		k->cf->ops->idle(k->target);
	wait_ns(k, POLL_NS);
}

void *engine_run(void *arg)
{
	struct sink_run *k = arg;
	struct sinks *s = k->owner;

	while (!is_told_to_stop(s)) {
		struct err e = { 0 };
		int r = step(k, &e);

		if (r < 0)
			fail(k, &e);
		else if (r == 0)
			idle(k);
	}
	close_target(k);
	if (k->reading && (k->not_noted || k->cursor.seq != k->noted.seq))
		tell_ledger(k, &(struct sink_note){ 0 });
	reading_close(&k->reading);
	pthread_mutex_lock(&s->lock);
	k->status.state = SINK_STOPPED;
	k->ended = true;
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
