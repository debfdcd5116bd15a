/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/kernel_source.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/point_rules.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LOOK_NS (NS_PER_S / 10) /* how often the filling of the tables is looked at */

struct request {
	struct tables *next;            /* NULL: nothing is asked */
	enum source_next what;
};

struct kernel_source {
	struct source source;           /* first: a source is this */
	struct kernel_source_config cf;
	pthread_t thread;
	bool running;
	atomic_int failure;
	atomic_uint_fast64_t beats;

	struct kernel_point *point;     /* from here on the thread's, once it runs; NULL: detached */
	struct tables *counting;
	struct closing closing;
	uint64_t handed;                /* highest epoch of the current generation that was handed over */
	bool waits;                     /* it is not booked yet */
	uint64_t renewed;
	struct log_limit lines;

	pthread_mutex_t lock;           /* of all below */
	pthread_cond_t changed;         /* CLOCK_MONOTONIC */
	struct request request;
	struct tables *full;
	struct booked_epoch *booked;    /* notes that wait for the thread */
	size_t booked_count;
	uint8_t *refused;               /* by rule; NULL = none */
	size_t refused_count;
	unsigned refusals;              /* times that this has changed */
	bool stop;
};

static struct kernel_source *self(struct source *s)
{
	return (struct kernel_source *)(void *)s;
}

static int64_t utc_ns(const struct kernel_source *k)
{
	return k->cf.clock.utc_ns(k->cf.clock.arg);
}

/* Those of the plan's configuration; NULL where nothing is counted. */
static const struct services *services_of(const struct plan *plan)
{
	for (unsigned g = 0; g < PLAN_GRAINS; g++)
		if (plan->used[g])
			return plan->grains[g].services;
	return NULL;
}

static struct kernel_names names_of(const struct kernel_source *k)
{
	const struct services *s = services_of(k->counting->plan);

	return (struct kernel_names){
		.interface = k->cf.interface_id,
		.service_ids = s ? s->ids : NULL,
		.service_count = s ? s->count : 0,
	};
}

/* Borrows from the tables, which count by this form from then on. */
static void form_of(const struct kernel_source *k, const struct tables *t, struct kernel_form *ret)
{
	kernel_tables_form(t->plan, services_of(t->plan), k->cf.keys, ret);
	if (t->compiled)
		ret->rules = &t->compiled->kernel.rules;
}

/* Which rules the kernel refused as it loaded them. No memory: as if it had refused none. */
static void note_refused(struct kernel_source *k)
{
	const struct kernel_generation *g = kernel_current(k->point);
	const uint32_t count = kernel_describe(g)->rules;
	uint8_t *refused = calloc(count + 1u, 1);
	bool some = false;

	for (uint32_t i = 0; refused && i < count; i++)
		some |= refused[i] = !kernel_rule_is_counted(g, i);
	pthread_mutex_lock(&k->lock);
	if (some || k->refused)
		k->refusals++;
	free(k->refused);
	k->refused = some ? refused : NULL;
	k->refused_count = count;
	pthread_mutex_unlock(&k->lock);
	if (!some)
		free(refused);
}

/* The generation before is final; it is handed over with the next tables. Where too many wait already, its pins
 * keep it for the next start. */
static void close_generation(struct kernel_source *k, struct kernel_generation *g)
{
	if (closing_has_room(&k->closing)) {
		closing_add(&k->closing, g, k->handed);
	} else {
		log_error("%s: too many kernel tables wait for the ledger; the last ones are booked at the next start, where "
			  "they are pinned", k->cf.point.interface);
		kernel_generation_close(&g);
	}
	k->handed = 0;
	k->waits = false;
}

static int renew(struct kernel_source *k, const struct kernel_form *form, struct err *e)
{
	struct kernel_generation *old;
	int r = closing_has_room(&k->closing) ? 0 : err_set(e, -EAGAIN, "too many tables wait for the ledger");

	if (r == 0)
		r = kernel_renew(k->point, form, utc_ns(k), &old, e);
	if (r == 0) {
		close_generation(k, old);
		note_refused(k);
		return 0;
	}
	while ((old = kernel_take_left(k->point))) { /* what the new one had by then */
		if (closing_has_room(&k->closing))
			closing_add(&k->closing, old, 0);
		else
			kernel_generation_close(&old);
	}
	return r;
}

static void complain(struct kernel_source *k, const char *what, const struct err *e)
{
	uint64_t left_out;

	if (log_limit_pass(&k->lines, k->cf.clock.monotonic_ns(k->cf.clock.arg), &left_out))
		log_warning("%s: %s: %s", k->cf.point.interface, what, e->msg);
}

static void grow_if_filling(struct kernel_source *k)
{
	struct err e = { 0 };

	/* One place stays free for the handover itself. */
	if (!k->point || k->closing.count + 1 >= CLOSING_MAX || !kernel_is_filling(k->point))
		return;
	if (renew(k, NULL, &e) == 0)
		k->renewed++;
	else
		complain(k, "no larger kernel table", &e);
}

static void detach(struct kernel_source *k)
{
	struct kernel_generation *g;
	struct err e = { 0 };

	if (kernel_detach(k->point, &g, &e) == 0)
		close_generation(k, g);
	else
		log_error("%s: the kernel goes on counting: %s; the next start books it", k->cf.point.interface, e.msg);
	kernel_close(&k->point);
}

/* The point is opened anew. What is pinned goes on counting until then, as the old accounts wanted it, and is
 * booked by its description at the next start. */
static void fail(struct kernel_source *k, const struct err *e)
{
	log_warning("%s: no kernel tables for the new accounts: %s", k->cf.point.interface, e->msg);
	atomic_store(&k->failure, e->code);
	if (kernel_is_pinned(k->point))
		kernel_close(&k->point);
	else
		detach(k);
}

/* What cannot be swapped yet, for those who look. */
static void preview(struct kernel_source *k, struct tables *t)
{
	struct kernel_generation *g = kernel_current(k->point);
	struct kernel_names names = names_of(k);
	struct kernel_epoch epochs[TALLY_EPOCHS];

	kernel_epochs(g, epochs);
	t->preview = true;
	kernel_tables_add(t, g, &epochs[TALLY_EPOCHS - 1], &names); /* the newer one: it is counted into */
}

static void swap(struct kernel_source *k, struct tables *t)
{
	struct kernel_names names = names_of(k);
	struct kernel_epoch epoch;
	struct err e = { 0 };
	int r = k->waits ? -EAGAIN : kernel_swap(k->point, utc_ns(k), &epoch, &e);

	if (r < 0) {
		if (r != -EAGAIN)
			complain(k, "tables cannot be swapped", &e);
		if (!closing_waits(&k->closing)) /* those are handed over first */
			preview(k, t);
		return;
	}
	kernel_tables_add(t, kernel_current(k->point), &epoch, &names);
	kernel_tables_note_epoch(t, kernel_current(k->point), epoch.number);
	k->handed = epoch.number;
	k->waits = true;
}

static void take_out(struct kernel_source *k, const struct request *r)
{
	struct kernel_form form;
	struct err e = { 0 };

	if (!k->point)
		return;
	form_of(k, r->next, &form);
	if (r->what == SOURCE_ENDS || (r->what == SOURCE_PAUSES && !kernel_is_pinned(k->point))) {
		detach(k);
	} else if (r->next->plan != k->counting->plan || (r->what == SOURCE_PAUSES && k->waits)) {
		if (renew(k, &form, &e) < 0)
			fail(k, &e);
	} else {
		swap(k, k->counting);
	}
}

static void hand_over(struct kernel_source *k, const struct request *r)
{
	struct kernel_names names = names_of(k);
	struct tables *full = k->counting;

	take_out(k, r);
	closing_hand_over(&k->closing, full, &names);
	full->renewed = k->renewed;
	k->renewed = 0;
	k->counting = r->next;
	point_rules_free(&k->counting->compiled); /* the kernel has them */
	pthread_mutex_lock(&k->lock);
	k->full = full;
	pthread_mutex_unlock(&k->lock);
	k->cf.ready(k->cf.arg);
}

static void note_booked(struct kernel_source *k, const struct booked_epoch *epoch)
{
	closing_booked(&k->closing, epoch);
	if (!k->waits || !k->point || strcmp(kernel_describe(kernel_current(k->point))->id, epoch->generation) != 0 ||
	    epoch->number < k->handed)
		return;
	kernel_clean(k->point);
	k->waits = false;
}

/* With the lock held: until something is asked or booked, or it is time to look at the tables. */
static void wait_for_work(struct kernel_source *k)
{
	int64_t until = k->cf.clock.monotonic_ns(k->cf.clock.arg) + LOOK_NS;
	struct timespec t = { .tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S };

	if (!k->stop && !k->request.next && !k->booked_count)
		pthread_cond_timedwait(&k->changed, &k->lock, &t);
}

static void *run(void *arg)
{
	struct kernel_source *k = arg;
	struct booked_epoch *booked;
	struct request r;
	size_t booked_count;
	bool stop = false;

	while (!stop) {
		pthread_mutex_lock(&k->lock);
		wait_for_work(k);
		stop = k->stop;
		r = k->request;
		k->request.next = NULL;
		booked_count = k->booked_count;
		booked = k->booked;
		k->booked = NULL;
		k->booked_count = 0;
		pthread_mutex_unlock(&k->lock);
		atomic_fetch_add_explicit(&k->beats, 1, memory_order_relaxed);
		for (size_t i = 0; i < booked_count; i++)
			note_booked(k, &booked[i]);
		free(booked);
		if (r.next)
			hand_over(k, &r);
		else
			grow_if_filling(k);
	}
	return NULL;
}

static int start(struct source *s, struct err *e)
{
	struct kernel_source *k = self(s);
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main loop's */
	err = pthread_create(&k->thread, NULL, run, k);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return err_errno(e, -err, "cannot start a capture thread");
	k->running = true;
	return 0;
}

static void request(struct source *s, struct tables *next, enum source_next what)
{
	struct kernel_source *k = self(s);

	pthread_mutex_lock(&k->lock);
	k->request = (struct request){ next, what };
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

static struct tables *take(struct source *s)
{
	struct kernel_source *k = self(s);
	struct tables *full;

	pthread_mutex_lock(&k->lock);
	full = k->full;
	k->full = NULL;
	pthread_mutex_unlock(&k->lock);
	return full;
}

/* Without memory for the note the tables wait until the next start, which finds them booked. */
static void booked(struct source *s, const struct booked_epoch *epoch)
{
	struct kernel_source *k = self(s);
	struct booked_epoch *grown;

	pthread_mutex_lock(&k->lock);
	grown = realloc(k->booked, (k->booked_count + 1) * sizeof *grown);
	if (grown) {
		k->booked = grown;
		grown[k->booked_count++] = *epoch;
		pthread_cond_signal(&k->changed);
	}
	pthread_mutex_unlock(&k->lock);
}

static int failure(const struct source *s)
{
	return atomic_load(&((const struct kernel_source *)(const void *)s)->failure);
}

static uint64_t beats(const struct source *s)
{
	return atomic_load_explicit(&((const struct kernel_source *)(const void *)s)->beats, memory_order_relaxed);
}

static void stop_thread(struct kernel_source *k)
{
	if (!k->running)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
}

static void close_source(struct source **ps)
{
	struct kernel_source *k = self(*ps);

	stop_thread(k);
	tables_free(&k->request.next);
	tables_free(&k->full);
	tables_free(&k->counting);
	free(k->booked);
	free(k->refused);
	if (k->cf.closing)
		closing_move(k->cf.closing, &k->closing);
	closing_free(&k->closing);
	kernel_close(&k->point);
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	free(k);
	*ps = NULL;
}

static const struct source_ops kernel_ops = {
	.start = start,
	.request = request,
	.take = take,
	.booked = booked,
	.failure = failure,
	.beats = beats,
	.close = close_source,
};

int kernel_source_open(struct source **ret, const struct kernel_source_config *cf, struct tables *first, struct err *e)
{
	struct kernel_source *k = calloc(1, sizeof *k);
	struct source *s = &k->source;
	struct kernel_form form;
	pthread_condattr_t attr;
	int r;

	if (!k)
		return err_set(e, -ENOMEM, "no memory for a source");
	s->ops = &kernel_ops;
	k->cf = *cf;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->changed, &attr);
	pthread_condattr_destroy(&attr);
	form_of(k, first, &form);
	r = kernel_open(&k->point, &cf->point, &form, e);
	if (r < 0) {
		close_source(&s);
		return r;
	}
	point_rules_free(&first->compiled);
	k->counting = first;
	note_refused(k);
	*ret = s;
	return 0;
}

bool kernel_source_refused(struct source *s, unsigned *seen, uint8_t *left, size_t count)
{
	struct kernel_source *k = self(s);
	bool changed;

	pthread_mutex_lock(&k->lock);
	changed = *seen != k->refusals;
	*seen = k->refusals;
	for (size_t i = 0; k->refused && i < count && i < k->refused_count; i++)
		if (k->refused[i])
			left[i] = RULE_REFUSED;
	pthread_mutex_unlock(&k->lock);
	return changed;
}

struct kernel_point *kernel_source_point(struct source *s)
{
	return self(s)->point;
}
