/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger's thread: books in order, tries again each second while the ledger cannot write,
 * keeps house when there is nothing to book. */
#include "daemon/booker.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/pending.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_NS NS_PER_S
#define MAINTAIN_INTERVAL_NS (10 * NS_PER_S) /* while nothing is booked */
#define MAINTAIN_BUDGET_MS 50
#define STOP_FAILING_NS (10 * NS_PER_S) /* a full disk does not hold up the end for longer */

struct booker {
	pthread_t thread;
	struct ledger *ledger;           /* the thread's alone */
	struct clock clock;
	struct log_limit failure_lines, maintain_lines, fold_lines;
	pthread_mutex_t lock;            /* of all below */
	pthread_cond_t changed;          /* CLOCK_MONOTONIC */
	struct pending pending;
	struct booker_job *jobs, **jobs_end;
	bool stopping;
	int64_t stop_by_ns;              /* CLOCK_MONOTONIC */
	int64_t stop_failing_by_ns;      /* the same, where the ledger cannot write */
	bool catching_up;                /* from the first failure until all that waited is booked */
	int64_t waits_since_utc_s;
	uint64_t waited_records;         /* of them, booked by now */
	uint64_t folded_records;
	uint64_t in_hand_records;        /* of the booking that is being booked */
	struct booked_epoch *booked;     /* not asked for yet */
	size_t booked_count;
	bool joined;
	struct snapshot_ledger state;
};

static int64_t monotonic_ns(const struct booker *b)
{
	return b->clock.monotonic_ns(b->clock.arg);
}

static int64_t utc_s(const struct booker *b)
{
	return ns_to_s(b->clock.utc_ns(b->clock.arg));
}

/* With the lock held; until something changes, or `ns` have passed. */
static void wait_ns(struct booker *b, int64_t ns)
{
	int64_t until = monotonic_ns(b) + ns;
	struct timespec t;

	if (b->stopping && until > b->stop_by_ns)
		until = b->stop_by_ns;
	t = (struct timespec){ .tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S };
	pthread_cond_timedwait(&b->changed, &b->lock, &t);
}

/* A full second, also while new bookings come in; a stop ends it. */
static void wait_to_retry(struct booker *b)
{
	int64_t until = monotonic_ns(b) + RETRY_NS;
	bool was_stopping = b->stopping;

	while (monotonic_ns(b) < until && b->stopping == was_stopping &&
	       !(b->stopping && monotonic_ns(b) >= b->stop_by_ns))
		wait_ns(b, until - monotonic_ns(b));
}

static void note_facts(struct booker *b)
{
	struct ledger_facts f;

	ledger_facts(b->ledger, &f);
	b->state.booked_records = f.booked_records;
	b->state.booked_transactions = f.booked_transactions;
	b->state.expired_records = f.expired_records;
	b->state.size_bytes = f.size_bytes;
}

static void note_failure(struct booker *b, const struct err *e)
{
	uint64_t left_out;

	if (b->state.state != LEDGER_FAILING)
		b->state.failing_since_utc_s = utc_s(b);
	b->state.state = LEDGER_FAILING;
	snprintf(b->state.problem, sizeof b->state.problem, "%.*s", (int)sizeof b->state.problem - 1, e->msg);
	if (!b->catching_up) {
		b->catching_up = true;
		b->waits_since_utc_s = utc_s(b);
		b->waited_records = 0;
	}
	if (log_limit_pass(&b->failure_lines, monotonic_ns(b), &left_out))
		log_error("ledger: %s; counting goes on, %" PRIu64 " records wait and are booked when it can be written again",
			  e->msg, b->pending.records);
}

static void note_success(struct booker *b, uint64_t records)
{
	b->waited_records += records;
	if (b->catching_up && b->pending.bookings == 0) {
		log_notice("ledger: works again; the %" PRIu64 " records that had waited for up to %" PRId64 " s are booked",
			   b->waited_records, utc_s(b) - b->waits_since_utc_s);
		b->catching_up = false;
		b->failure_lines = (struct log_limit){ 0 };
	}
	b->state.state = LEDGER_OK;
	b->state.problem[0] = '\0';
	b->state.failing_since_utc_s = 0;
	b->state.last_booked_utc_s = utc_s(b);
	note_facts(b);
}

/* Merging takes a while: what waits is taken out, so that booker_give() need not wait for it. */
static uint64_t shrink_unlocked(struct booker *b)
{
	struct pending old = b->pending;

	if (pending_init(&b->pending) < 0) {
		b->pending = old;
		return pending_shrink(&b->pending, BOOKER_PENDING_MAX / 2);
	}
	b->in_hand_records = old.records;
	pthread_mutex_unlock(&b->lock);
	uint64_t folded = pending_shrink(&old, BOOKER_PENDING_MAX / 2);
	pthread_mutex_lock(&b->lock);
	b->in_hand_records = 0;
	pending_join(&old, &b->pending);
	b->pending = old;
	return folded;
}

static void keep_bound(struct booker *b)
{
	uint64_t left_out, folded;

	if (b->pending.bytes <= BOOKER_PENDING_MAX)
		return;
	folded = shrink_unlocked(b);
	b->folded_records += folded;
	if (folded && log_limit_pass(&b->fold_lines, monotonic_ns(b), &left_out))
		log_warning("ledger: too much waits: %" PRIu64 " records were summed into `other`", b->folded_records);
}

/* Both with the lock held, which they give up while the ledger works. 0 or negative errno. */
static int define_next(struct booker *b)
{
	struct pending_group *g = b->pending.first;
	struct err e = { 0 };

	pthread_mutex_unlock(&b->lock);
	int r = ledger_define(b->ledger, g->accounts, g->account_count, &e);
	pthread_mutex_lock(&b->lock);
	if (r < 0)
		note_failure(b, &e);
	else
		pending_defined(&b->pending);
	return r;
}

/* With the lock held. Without memory the tables wait until the next start, which finds them booked. */
static void note_epochs(struct booker *b, struct booking *booking)
{
	struct booked_epoch *grown;

	if (booking->epoch_count == 0)
		return;
	grown = realloc(b->booked, (b->booked_count + booking->epoch_count) * sizeof *grown);
	if (!grown)
		return;
	memcpy(grown + b->booked_count, booking->epochs, booking->epoch_count * sizeof *grown);
	b->booked = grown;
	b->booked_count += booking->epoch_count;
}

static int book(struct booker *b, struct booking *booking)
{
	uint64_t records = booking_records(booking);
	struct err e = { 0 };

	b->in_hand_records = records;
	pthread_mutex_unlock(&b->lock);
	int r = ledger_book(b->ledger, booking, &e);
	pthread_mutex_lock(&b->lock);
	b->in_hand_records = 0;
	if (r == -EALREADY) /* it was booked after all, and the answer got lost */
		r = 0;
	if (r < 0) {
		booking->tried = true;
		pending_put_back(&b->pending, booking);
		note_failure(b, &e);
	} else {
		note_epochs(b, booking);
		note_success(b, records);
		pthread_mutex_unlock(&b->lock);
		booking_free(&booking);
		pthread_mutex_lock(&b->lock);
	}
	return r;
}

/* True while more is to do. */
static bool maintain(struct booker *b)
{
	struct err e = { 0 };
	uint64_t left_out;

	pthread_mutex_unlock(&b->lock);
	int r = ledger_maintain(b->ledger, utc_s(b), MAINTAIN_BUDGET_MS, &e);
	if (r < 0 && log_limit_pass(&b->maintain_lines, monotonic_ns(b), &left_out))
		log_warning("ledger: rollup and retention have to wait: %s", e.msg);
	pthread_mutex_lock(&b->lock);
	note_facts(b);
	return r == 1;
}

static bool time_is_up(const struct booker *b)
{
	int64_t by = b->state.state == LEDGER_FAILING ? b->stop_failing_by_ns : b->stop_by_ns;

	return b->stopping && monotonic_ns(b) >= by;
}

/* With the lock held, which it gives up meanwhile. */
static void run_job(struct booker *b)
{
	struct booker_job *job = b->jobs;
	struct err e = { 0 };

	b->jobs = job->next;
	if (!b->jobs)
		b->jobs_end = &b->jobs;
	pthread_mutex_unlock(&b->lock);
	int r = job->run(b->ledger, job->arg, &e);
	job->done(job->arg, r, &e);
	pthread_mutex_lock(&b->lock);
}

/* 1 = did something, 0 = nothing to do, negative: failed. */
static int work(struct booker *b)
{
	if (b->jobs) {
		run_job(b);
		return 1;
	}
	struct booking *booking = pending_take(&b->pending);

	if (booking) {
		int r = book(b, booking);
		return r < 0 ? r : 1;
	}
	if (b->pending.first->defines) {
		int r = define_next(b);
		return r < 0 ? r : 1;
	}
	return 0;
}

static void *run(void *arg)
{
	struct booker *b = arg;
	bool house_to_keep = true;
	int64_t next_maintain_ns = 0;

	pthread_mutex_lock(&b->lock);
	while (!time_is_up(b)) {
		int r = work(b);

		if (r < 0) {
			keep_bound(b);
			wait_to_retry(b);
		} else if (r > 0) {
			house_to_keep = true;
			keep_bound(b);
		} else if (b->stopping) {
			break;
		} else if (house_to_keep || monotonic_ns(b) >= next_maintain_ns) {
			house_to_keep = maintain(b);
			next_maintain_ns = monotonic_ns(b) + MAINTAIN_INTERVAL_NS;
		} else {
			wait_ns(b, next_maintain_ns - monotonic_ns(b));
		}
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void free_booker(struct booker **pb)
{
	struct booker *b = *pb;

	pending_free(&b->pending);
	free(b->booked);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	free(b);
	*pb = NULL;
}

static int start_thread(struct booker *b)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the main loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&b->thread, NULL, run, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_setname_np(b->thread, "ledger");
	return -r;
}

int booker_start(struct booker **ret, struct ledger **l, const char *path, uint64_t max_size_bytes, struct err *e)
{
	struct booker *b = calloc(1, sizeof *b);
	pthread_condattr_t attr;

	if (!b || pending_init(&b->pending) < 0) {
		free(b);
		return err_set(e, -ENOMEM, "the ledger's thread: out of memory");
	}
	b->jobs_end = &b->jobs;
	b->clock = clock_system();
	b->ledger = *l;
	b->state.state = LEDGER_OK;
	b->state.max_size_bytes = max_size_bytes;
	snprintf(b->state.path, sizeof b->state.path, "%s", path);
	note_facts(b);
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->changed, &attr);
	pthread_condattr_destroy(&attr);
	int r = start_thread(b);
	if (r < 0) {
		free_booker(&b);
		return err_errno(e, r, "cannot start the ledger's thread");
	}
	*l = NULL;
	*ret = b;
	return 0;
}

void booker_give(struct booker *b, struct booking *booking)
{
	pthread_mutex_lock(&b->lock);
	/* The ledger's thread keeps the bound. Should it hang in the kernel, what comes now is
	 * folded here. */
	if (b->pending.bytes > 2u * BOOKER_PENDING_MAX)
		b->folded_records += booking_fold(booking);
	pending_add(&b->pending, booking);
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

int booker_define(struct booker *b, struct account *const *accounts, size_t count)
{
	pthread_mutex_lock(&b->lock);
	int r = pending_define(&b->pending, accounts, count);
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->lock);
	return r;
}

void booker_state(struct booker *b, struct snapshot_ledger *ret)
{
	pthread_mutex_lock(&b->lock);
	*ret = b->state;
	ret->pending_bookings = b->pending.bookings + (b->in_hand_records != 0);
	ret->pending_records = b->pending.records + b->in_hand_records;
	if (ret->state == LEDGER_OK && b->pending.bookings > 1)
		ret->state = LEDGER_BEHIND;
	pthread_mutex_unlock(&b->lock);
}

void booker_run(struct booker *b, struct booker_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&b->lock);
	*b->jobs_end = job;
	b->jobs_end = &job->next;
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

void booker_take_booked(struct booker *b, struct booked_epoch **ret, size_t *ret_count)
{
	pthread_mutex_lock(&b->lock);
	*ret = b->booked;
	*ret_count = b->booked_count;
	b->booked = NULL;
	b->booked_count = 0;
	pthread_mutex_unlock(&b->lock);
}

int booker_join(struct booker *b, unsigned timeout_s, struct err *e)
{
	if (b->joined)
		return 0;
	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	b->stop_by_ns = monotonic_ns(b) + timeout_s * NS_PER_S;
	b->stop_failing_by_ns = monotonic_ns(b) + STOP_FAILING_NS;
	if (b->stop_failing_by_ns > b->stop_by_ns)
		b->stop_failing_by_ns = b->stop_by_ns;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	b->joined = true;
	if (b->pending.bookings)
		return err_set(e, -ETIME, "%s: %" PRIu64 " records could not be booked and are lost: %s", b->state.path,
			       b->pending.records, b->state.problem[0] ? b->state.problem : "there was no time");
	return 0;
}

int booker_stop(struct booker **pb, unsigned timeout_s, struct err *e)
{
	int r = booker_join(*pb, timeout_s, e);

	ledger_close(&(*pb)->ledger);
	free_booker(pb);
	return r;
}
