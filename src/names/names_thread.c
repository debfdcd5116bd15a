/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread: answers, neighbours, files, and a look at all names now and then.
 *
 * How long an answer holds: a name for its TTL, at least 1 min, at most 1 day; that there is none for what the SOA says (RFC
 * 2308), 5 min to 1 day, 1 h where it says nothing; REFUSED for 1 h; another failure for 5 min, doubled each time up to 1 h;
 * silence for 15 s, doubled up to 1 h, with one more question at once. Nobody is asked again before he is seen again. */
#include "names/names_internal.h"

#include "base/clock.h"
#include "names/name_text.h"
#include "names/neighbours.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LOOK_NS (2 * NS_PER_S)    /* at the files */
#define SWEEP_NS (30 * NS_PER_S)  /* leases end */
#define SWEEP_STEP 256            /* places under one lock */
#define EVENTS_MAX 32
#define WAIT_MAX_MS 2000

static uint32_t within(uint32_t least, uint32_t value, uint32_t most)
{
	return value < least ? least : value > most ? most : value;
}

static uint32_t doubled(uint32_t first_s, uint8_t times)
{
	return within(first_s, times < 10 ? first_s << times : UINT32_MAX, 3600);
}

uint32_t names_holds_for_s(enum answer a, uint32_t ttl_s, uint8_t failures)
{
	switch (a) {
	case ANSWER_NAME: return within(60, ttl_s, 86400);
	case ANSWER_NONE: return within(300, ttl_s ? ttl_s : 3600, 86400);
	case ANSWER_REFUSED: return 3600;
	case ANSWER_FAILED: return doubled(300, failures);
	default: return doubled(15, failures);
	}
}

static void count_answer(struct names_counts *c, enum answer a)
{
	uint64_t *const counts[] = {
		[ANSWER_NAME] = &c->found, [ANSWER_NONE] = &c->none, [ANSWER_REFUSED] = &c->refused,
		[ANSWER_FAILED] = &c->failed, [ANSWER_SILENCE] = &c->silent,
	};

	++*counts[a];
}

static void take_answer(struct names *n, struct place *p, enum answer a, const char *name, uint32_t ttl_s)
{
	p->ask_again_s = ns_to_s(names_monotonic_ns()) + names_holds_for_s(a, ttl_s, p->failures);
	if (a > ANSWER_NONE) { /* what was known before holds on */
		if (a == ANSWER_SILENCE && p->failures == 0)
			places_queue(n->places, p, false);
		p->failures += p->failures < UINT8_MAX;
		p->state = PLACE_FAILED;
		return;
	}
	p->failures = 0;
	p->state = a == ANSWER_NAME ? PLACE_NAMED : PLACE_NAMELESS;
	if (p->dns && name && strcmp(p->dns, name) == 0)
		return;
	free(p->dns);
	p->dns = name ? strdup(name) : NULL;
}

static void hear_answer(void *arg, const struct addr *host, enum answer a, const char *name, uint32_t ttl_s)
{
	struct names *n = arg;
	struct place *p;

	pthread_mutex_lock(&n->lock);
	count_answer(&n->counts, a);
	p = places_find(n->places, host);
	if (p) { /* else it had to go while the question was on its way */
		take_answer(n, p, a, name, ttl_s);
		names_tell(n, p);
		names_tell_device(n, p->mac);
	}
	pthread_mutex_unlock(&n->lock);
}

static void hear_neighbour(void *arg, const struct neighbour *nb)
{
	struct names *n = arg;
	struct addr key = place_device(nb->mac);
	struct place *p;

	pthread_mutex_lock(&n->lock);
	if (places_want(n->places, &key) && (p = places_want(n->places, &nb->host)) &&
	    places_hold(n->places, p, nb->mac)) {
		names_tell(n, p);
		names_tell_device(n, nb->mac);
	}
	pthread_mutex_unlock(&n->lock);
}

static void add_to_epoll(struct names *n, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static void open_neighbours(struct names *n)
{
	struct err e = { 0 };
	char text[600];

	if (neighbours_open(&n->neighbours_fd, &e) == 0) {
		add_to_epoll(n, n->neighbours_fd);
		return;
	}
	snprintf(text, sizeof text, "names: %s; addresses are joined by what is seen alone", e.msg);
	n->say(n->arg, text);
}

static void close_neighbours(struct names *n)
{
	if (n->neighbours_fd >= 0)
		close(n->neighbours_fd);
	n->neighbours_fd = -1;
}

/* Those whose question went away with the resolver may be asked again. */
static void forget_questions(struct names *n)
{
	pthread_mutex_lock(&n->lock);
	for (uint32_t i = 0; i < places_count(n->places); i++)
		if (places_at(n->places, i)->ask_again_s == INT64_MAX)
			places_at(n->places, i)->ask_again_s = 0;
	pthread_mutex_unlock(&n->lock);
}

static void open_resolver(struct names *n)
{
	struct resolver_config cf = {
		.servers = n->mine.resolver, .rate = n->mine.rate, .epoll_fd = n->epoll_fd, .hear = hear_answer, .arg = n,
	};
	struct err e = { 0 };
	char text[600];

	forget_questions(n);
	if (resolver_open(&n->resolver, &cf, &e) == 0)
		return;
	n->mine.dns = false; /* until the next configuration */
	snprintf(text, sizeof text, "names: %s; no address is asked for", e.msg);
	n->say(n->arg, text);
}

static void follow_config(struct names *n)
{
	bool reopen;

	pthread_mutex_lock(&n->lock);
	reopen = n->reopen;
	n->reopen = false;
	if (reopen)
		n->mine = n->cf;
	pthread_mutex_unlock(&n->lock);
	if (reopen) {
		names_mark_files(n, true);
		resolver_close(&n->resolver);
		close_neighbours(n);
	}
	if (reopen && n->mine.neighbours)
		open_neighbours(n);
	if (n->mine.dns && !n->resolver)
		open_resolver(n);
}

static bool take_question(struct names *n, struct addr *ret)
{
	struct place *p;

	pthread_mutex_lock(&n->lock);
	p = places_unqueue(n->places);
	if (p) {
		*ret = p->key;
		n->counts.asked++;
		p->ask_again_s = INT64_MAX; /* until the answer */
	}
	pthread_mutex_unlock(&n->lock);
	return p != NULL;
}

static bool is_wanting(struct names *n)
{
	bool wanting;

	pthread_mutex_lock(&n->lock);
	n->is_down = resolver_is_down(n->resolver);
	wanting = n->mine.dns && places_queued(n->places) > 0;
	pthread_mutex_unlock(&n->lock);
	return wanting;
}

static void ask(struct names *n)
{
	struct addr host;

	while (n->resolver && resolver_may_ask(n->resolver, names_monotonic_ns()) && take_question(n, &host))
		resolver_ask(n->resolver, &host, names_monotonic_ns());
}

/* A step of the look at all names. */
static void sweep(struct names *n)
{
	uint32_t end;

	if (n->sweep_at == UINT32_MAX)
		return;
	pthread_mutex_lock(&n->lock);
	end = places_count(n->places);
	for (uint32_t i = 0; i < SWEEP_STEP && n->sweep_at < end; i++)
		names_tell(n, places_at(n->places, n->sweep_at++));
	if (n->sweep_at >= end)
		n->sweep_at = UINT32_MAX;
	pthread_mutex_unlock(&n->lock);
}

static void look_around(struct names *n, int64_t now_ns)
{
	if (now_ns >= n->next_look_ns) {
		n->next_look_ns = now_ns + LOOK_NS;
		names_look_at_files(n);
	}
	pthread_mutex_lock(&n->lock);
	if (n->sweep || now_ns >= n->next_sweep_ns) {
		n->sweep = false;
		n->sweep_at = 0;
		n->next_sweep_ns = now_ns + SWEEP_NS;
	}
	pthread_mutex_unlock(&n->lock);
	sweep(n);
}

static void handle(struct names *n, const struct epoll_event *ev)
{
	uint64_t count;

	if (ev->data.fd == n->wake_fd) {
		if (read(n->wake_fd, &count, sizeof count) < 0)
			return; /* read already */
	} else if (ev->data.fd == n->neighbours_fd) {
		neighbours_read(n->neighbours_fd, hear_neighbour, n);
	} else if (n->resolver) {
		resolver_handle(n->resolver, ev->data.fd, ev->events, names_monotonic_ns());
	}
}

static int wait_ms(struct names *n)
{
	int ms = n->sweep_at != UINT32_MAX ? 1 : WAIT_MAX_MS, resolver_ms;

	if (!n->resolver)
		return ms;
	resolver_ms = resolver_wait_ms(n->resolver, is_wanting(n), names_monotonic_ns());
	return resolver_ms >= 0 && resolver_ms < ms ? resolver_ms : ms;
}

void *names_run(void *arg)
{
	struct names *n = arg;
	struct epoll_event events[EVENTS_MAX];

	n->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	add_to_epoll(n, n->wake_fd);
	if (n->mine.neighbours)
		open_neighbours(n);
	while (!atomic_load(&n->stop)) {
		follow_config(n);
		ask(n);
		int count = epoll_wait(n->epoll_fd, events, EVENTS_MAX, wait_ms(n));

		for (int i = 0; i < count; i++)
			handle(n, &events[i]);
		if (n->resolver)
			resolver_expire(n->resolver, names_monotonic_ns());
		look_around(n, names_monotonic_ns());
	}
	resolver_close(&n->resolver);
	close_neighbours(n);
	if (n->epoll_fd >= 0)
		close(n->epoll_fd);
	return NULL;
}
