/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/engine.h"

#include "base/clock.h"
#include "sinks/backoff.h"
#include "sinks/reading.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define POLL_NS NS_PER_S
#define REMIND_NS (600 * NS_PER_S) /* trouble that goes on is said again */

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
	bool retry, retry_from_start, ended;
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

static int64_t monotonic_ns(const struct sinks *s)
{
	return s->clock.monotonic_ns(s->clock.arg);
}

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
	bool end = s->stopping && monotonic_ns(s) >= s->stop_by_ns;
	pthread_mutex_unlock(&s->lock);
	return end;
}

/* Until `ns` have passed, all are told to stop, or somebody asks for a retry. */
static void wait_ns(struct sink_run *k, int64_t ns)
{
	struct sinks *s = k->owner;
	int64_t until = monotonic_ns(s) + ns;
	struct timespec t = { .tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S };

	pthread_mutex_lock(&s->lock);
	while (!s->stopping && !k->retry && monotonic_ns(s) < until)
		pthread_cond_timedwait(&s->changed, &s->lock, &t);
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
	int64_t now_ns = monotonic_ns(k->owner);
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
			 (int64_t)((monotonic_ns(k->owner) - k->failing_since_ns) / NS_PER_S));
		say(k, SINK_SAYS_GOOD, text);
	}
	backoff_clear(&k->backoff);
	pthread_mutex_lock(&k->owner->lock);
	k->status.problem[0] = '\0';
	k->status.records += records;
	k->status.last_utc_s = utc_s(k->owner);
	pthread_mutex_unlock(&k->owner->lock);
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
	}
	if (k->backoff.failures == 0)
		k->status.state = has_more && k->oldest_utc_s < utc_s(k->owner) - 60 ? SINK_BEHIND : SINK_OK;
	pthread_mutex_unlock(&k->owner->lock);
}

/* ---- the ledger ---- */

static int open_reading(struct sink_run *k, struct err *e)
{
	struct windows_cursor c;
	int r;

	if (k->reading)
		return 0;
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
static void tell_ledger(struct sink_run *k, struct sink_note *n)
{
	n->sink = k->cf->name;
	n->cursor = k->cursor;
	n->records += k->not_noted;
	if (k->host->note(k->host->arg, n, NULL) < 0) {
		k->not_noted = n->records;
		return;
	}
	k->not_noted = 0;
	k->noted = k->cursor;
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

static void close_target(struct sink_run *k)
{
	if (k->target)
		k->cf->ops->close(k->target);
	k->target = NULL;
}

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

	if (monotonic_ns(k->owner) < k->remind_ns)
		return 0;
	k->remind_ns = monotonic_ns(k->owner) + REMIND_NS;
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
	snprintf(k->status.problem, sizeof k->status.problem, "%.*s", (int)sizeof k->status.problem - 1, why->msg);
	pthread_mutex_unlock(&k->owner->lock);
	return say_rejected(k, b->windows, why->msg);
}

static void settle(struct sink_run *k, struct sink_batch *b, uint64_t rows)
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
	tell_ledger(k, &n);
	free(windows);
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

			settle(k, b, rows);
			note_success(k, rows);
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
	settle(k, b, rows);
	note_success(k, rows);
	return 0;
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
		random = (uint32_t)monotonic_ns(k->owner);
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

static void *run(void *arg)
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

/* ---- all of them ---- */

static int start_thread(struct sink_run *k)
{
	sigset_t all, before;
	char name[16];

	sigfillset(&all); /* signals are the main loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&k->thread, NULL, run, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	k->has_thread = r == 0;
	snprintf(name, sizeof name, "sink-%.10s", k->cf->name);
	if (r == 0)
		pthread_setname_np(k->thread, name);
	return -r;
}

static int make(struct sinks **ret, struct sink_set *set, const struct sink_host *host, struct err *e)
{
	struct sinks *s = calloc(1, sizeof *s);
	pthread_condattr_t attr;

	if (!s || !(s->runs = calloc(set->count + 1, sizeof *s->runs))) {
		free(s);
		return err_set(e, -ENOMEM, "sinks: out of memory");
	}
	s->set = sink_set_ref(set);
	s->host = *host;
	s->clock = clock_system();
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret = s;
	return 0;
}

int sinks_start(struct sinks **ret, struct sink_set *set, const struct sink_host *host, struct err *e)
{
	struct sinks *s;
	int r = make(&s, set, host, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < set->count && r == 0; i++) {
		struct sink_run *k = &s->runs[s->count++];

		*k = (struct sink_run){ .cf = &set->at[i], .host = &s->host, .owner = s, .oldest_utc_s = INT64_MAX };
		k->status = (struct sink_status){ .name = k->cf->name, .kind = k->cf->ops->name };
		r = start_thread(k);
	}
	if (r < 0) {
		sinks_close(&s);
		return err_errno(e, r, "cannot start a sink's thread");
	}
	*ret = s;
	return 0;
}

size_t sinks_count(const struct sinks *s)
{
	return s->count;
}

void sinks_status(struct sinks *s, size_t i, int64_t now_utc_s, struct sink_status *ret)
{
	struct sink_run *k = &s->runs[i];

	pthread_mutex_lock(&s->lock);
	*ret = k->status;
	ret->lag_s = k->oldest_utc_s < now_utc_s ? (uint64_t)(now_utc_s - k->oldest_utc_s) : 0;
	pthread_mutex_unlock(&s->lock);
}

const char *sink_state_text(enum sink_state s)
{
	static const char *const texts[] = { "starting", "ok", "behind", "failing", "stopped" };

	return texts[s];
}

int sinks_retry(struct sinks *s, const char *name, bool from_start, struct err *e)
{
	char names[256] = "";
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count; i++) {
		struct sink_run *k = &s->runs[i];
		size_t used = strlen(names);

		snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", k->cf->name);
		if (strcmp(k->cf->name, name) != 0)
			continue;
		k->retry = found = true;
		k->retry_from_start |= from_start;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return found ? 0 : err_set(e, -ENOENT, "no sink '%.60s'; there are: %s", name, names[0] ? names : "none");
}

void sinks_stop(struct sinks *s, unsigned timeout_s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	s->stop_by_ns = monotonic_ns(s) + timeout_s * NS_PER_S;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool sinks_have_stopped(struct sinks *s)
{
	bool all = true;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count; i++)
		all &= s->runs[i].ended;
	pthread_mutex_unlock(&s->lock);
	return all;
}

void sinks_close(struct sinks **ps)
{
	struct sinks *s = *ps;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	if (!s->stopping)
		s->stop_by_ns = 0;
	s->stopping = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->count; i++)
		if (s->runs[i].has_thread)
			pthread_join(s->runs[i].thread, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	sink_set_unref(&s->set);
	free(s->runs);
	free(s);
	*ps = NULL;
}
