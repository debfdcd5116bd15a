/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/socket_source.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define REST_MOST_MS 500
#define PROTO_TCP (1u << 8 | 6) /* in key form */

struct socket_source {
	struct source source;                  /* first */
	struct socket_source_config cf;
	struct sockets *sockets;               /* from here on the thread's */
	struct tables *counting;
	const struct plan *services_of;        /* whose services the connections are asked by */
	int64_t look_at_utc_ns;                /* the next look; it is booked just before */
	int64_t offset_ns;                     /* wall clock less monotonic, during a read or a look */
	int64_t looked_utc_ns;                 /* what a look that is under way is booked by */
	_Atomic(struct tables *) next;         /* given by the main loop; NULL = not asked */
	_Atomic(struct tables *) full;         /* handed over */
	atomic_bool last, stop;
	atomic_int failure;
	atomic_uint_fast64_t beats;
	int wake_fd;
	pthread_mutex_t lock;                  /* of the one below */
	struct socket_shown shown;
	pthread_t thread;
	bool running;
};

static struct socket_source *self(struct source *s)
{
	return (struct socket_source *)(void *)s;
}

static int64_t utc_ns(const struct socket_source *s)
{
	return s->cf.clock.utc_ns(s->cf.clock.arg);
}

/* ---- counting ---- */

static inline void put(const struct key_layout *l, uint8_t *key, enum field f, const void *value, size_t size)
{
	if (key_has(l, f))
		memcpy(key + l->at[f], value, size);
}

static void book(void *arg, const struct socket_delivery *d)
{
	struct socket_source *s = arg;
	struct count *c = &s->counting->counts[PLAN_SOCKETS];
	const struct key_layout *l = &c->grain.layout;
	const struct party_tally t = delivery_tally(d->requests, d->packets, d->bytes, d->retransmits);
	int64_t when = d->requests ? d->monotonic_ns + s->offset_ns : s->looked_utc_ns, start;
	uint64_t words[KEY_WORDS_MAX] = { 0 };
	uint8_t *key = (uint8_t *)words;
	uint32_t service;

	if (!s->counting->plan->used[PLAN_SOCKETS])
		return;
	start = window_start(ns_to_s(when), c->grain.window_s);
	put(l, key, FIELD_WINDOW, &start, sizeof start);
	put(l, key, FIELD_HOST, d->client.bytes, sizeof d->client.bytes);
	put(l, key, FIELD_HOST_FAMILY, &d->client.family, sizeof d->client.family);
	service = services_find(c->grain.services, PROTO_TCP, 0, 1u << 16 | d->port);
	put(l, key, FIELD_SERVICE, &service, sizeof service);
	count_delivery(c, words, &t);
}

/* The services of the tables that are counted into: a reload brings others. */
static void follow_services(struct socket_source *s)
{
	const struct plan *plan = s->counting->plan;

	if (s->services_of == plan)
		return;
	s->services_of = plan;
	if (plan->used[PLAN_SOCKETS])
		sockets_set_services(s->sockets, plan->grains[PLAN_SOCKETS].services);
}

static void find_offset(struct socket_source *s)
{
	s->offset_ns = utc_ns(s) - s->cf.clock.monotonic_ns(s->cf.clock.arg);
}

static void read_closed(struct socket_source *s)
{
	int r;

	find_offset(s);
	r = sockets_read(s->sockets, book, s);
	if (r < 0)
		atomic_store(&s->failure, r);
}

/* ---- looks ---- */

/* Divides every window. */
static int64_t look_every_ns(const struct plan *plan)
{
	uint32_t window_s = plan->window_s ? plan->window_s : SOCKET_LOOK_MOST_S, every_s = SOCKET_LOOK_MOST_S;

	while (window_s % every_s)
		every_s--;
	return every_s * NS_PER_S;
}

static void plan_look(struct socket_source *s)
{
	const int64_t every = look_every_ns(s->counting->plan), now = utc_ns(s);

	s->look_at_utc_ns = window_start(ns_to_s(now), (uint32_t)(every / NS_PER_S)) * NS_PER_S + every;
}

static void note_look(struct socket_source *s, int r, const struct err *e)
{
	pthread_mutex_lock(&s->lock);
	s->shown.failure = r;
	if (r < 0)
		snprintf(s->shown.problem, sizeof s->shown.problem, "%.150s", e->msg);
	pthread_mutex_unlock(&s->lock);
}

static void look(struct socket_source *s, int64_t booked_by_utc_ns)
{
	struct err e = { 0 };

	find_offset(s);
	s->looked_utc_ns = booked_by_utc_ns;
	note_look(s, sockets_look(s->sockets, book, s, &e), &e);
	plan_look(s);
}

/* One that comes far too late (the machine slept, the clock was set) is booked by its own time. */
static void look_if_time(struct socket_source *s)
{
	const int64_t now = utc_ns(s), every = look_every_ns(s->counting->plan);

	if (s->look_at_utc_ns - now > every)
		plan_look(s); /* the clock went back */
	else if (now >= s->look_at_utc_ns)
		look(s, now - s->look_at_utc_ns < every ? s->look_at_utc_ns - 1 : now);
}

/* ---- the thread ---- */

static void hand_over(struct socket_source *s, bool last)
{
	struct tables *next = atomic_load(&s->next), *full = s->counting;

	if (last)
		look(s, utc_ns(s));
	else
		read_closed(s);
	pthread_mutex_lock(&s->lock);
	sockets_stats(s->sockets, &s->shown.stats);
	pthread_mutex_unlock(&s->lock);
	s->counting = next;
	atomic_store(&s->next, NULL);
	atomic_store(&s->full, full);
	s->cf.ready(s->cf.arg);
}

/* Until a connection closes, the next look, or somebody asks for something. */
static void rest(struct socket_source *s)
{
	const int64_t until_ms = (s->look_at_utc_ns - utc_ns(s)) / 1000000 + 1;
	struct pollfd fds[2] = {
		{ .fd = s->wake_fd, .events = POLLIN },
		{ .fd = atomic_load(&s->failure) ? -1 : sockets_fd(s->sockets), .events = POLLIN },
	};
	eventfd_t n;

	if (poll(fds, 2, until_ms < 0 ? 0 : until_ms < REST_MOST_MS ? (int)until_ms : REST_MOST_MS) > 0 && fds[0].revents)
		(void)eventfd_read(s->wake_fd, &n);
}

static void *run(void *arg)
{
	struct socket_source *s = arg;

	plan_look(s);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		if (atomic_load_explicit(&s->next, memory_order_acquire)) {
			bool last = atomic_load(&s->last);

			hand_over(s, last);
			if (last)
				break;
			follow_services(s);
		}
		read_closed(s);
		look_if_time(s);
		atomic_fetch_add_explicit(&s->beats, 1, memory_order_relaxed);
		rest(s);
	}
	return NULL;
}

static void wake(struct socket_source *s)
{
	(void)eventfd_write(s->wake_fd, 1);
}

static int start(struct source *source, struct err *e)
{
	struct socket_source *s = self(source);
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main loop's */
	err = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return err_errno(e, -err, "cannot start the thread of TCP connections");
	s->running = true;
	return 0;
}

static void request(struct source *source, struct tables *next, enum source_next what)
{
	struct socket_source *s = self(source);

	atomic_store(&s->last, what != SOURCE_GOES_ON);
	atomic_store_explicit(&s->next, next, memory_order_release);
	wake(s);
}

static struct tables *take(struct source *source)
{
	return atomic_exchange(&self(source)->full, NULL);
}

static int failure(const struct source *source)
{
	return atomic_load(&((const struct socket_source *)(const void *)source)->failure);
}

static uint64_t beats(const struct source *source)
{
	return atomic_load_explicit(&((const struct socket_source *)(const void *)source)->beats, memory_order_relaxed);
}

static void close_source(struct source **ps)
{
	struct socket_source *s = self(*ps);
	struct tables *left;

	if (s->running) {
		atomic_store(&s->stop, true);
		wake(s);
		pthread_join(s->thread, NULL);
	}
	left = atomic_load(&s->next);
	tables_free(&left);
	left = atomic_load(&s->full);
	tables_free(&left);
	tables_free(&s->counting);
	sockets_close(&s->sockets);
	close(s->wake_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
	*ps = NULL;
}

static const struct source_ops socket_ops = {
	.start = start,
	.request = request,
	.take = take,
	.failure = failure,
	.beats = beats,
	.close = close_source,
};

int socket_source_open(struct source **ret, const struct socket_source_config *cf, struct sockets *sockets,
		       struct tables *first, struct err *e)
{
	struct socket_source *s = calloc(1, sizeof *s);

	if (!s)
		return err_set(e, -ENOMEM, "no memory to follow TCP connections");
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0) {
		free(s);
		return err_errno(e, -errno, "eventfd");
	}
	s->source.ops = &socket_ops;
	s->cf = *cf;
	pthread_mutex_init(&s->lock, NULL);
	s->sockets = sockets;
	s->counting = first;
	*ret = &s->source;
	return 0;
}

void socket_source_show(struct source *source, struct socket_shown *ret)
{
	struct socket_source *s = self(source);

	pthread_mutex_lock(&s->lock);
	*ret = s->shown;
	pthread_mutex_unlock(&s->lock);
}
