/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_source.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LAST_TURNS_MAX 64
#define TYPE_SLOTS (REPORT_TYPES_MAX * 2)
#define PROTO_TCP (1u << 8 | 6) /* in key form */

/* A type's text and its id; only the thread's, so no lock per record. */
struct type_slot {
	uint32_t id;              /* 0 = free */
	uint8_t len;
	uint8_t text[LAYOUT_NAME_MAX];
};

struct report_source {
	struct source source;                  /* first */
	struct report_source_config cf;
	struct listener *listener;             /* NULL = deaf; from here on the thread's */
	struct receiver *receiver;             /* from the first keys on */
	struct report_routers *routers;
	struct tables *counting;
	struct type_slot types[TYPE_SLOTS];
	uint64_t keys[COUNT_DELIVERIES_MAX][KEY_WORDS_MAX];
	unsigned type_count;
	uint64_t types_other, uncounted_records, dropped_before;
	_Atomic(struct tables *) next;         /* given by the main loop; NULL = not asked */
	_Atomic(struct tables *) full;         /* handed over */
	atomic_bool last, stop;
	atomic_int failure;
	atomic_uint_fast64_t beats;
	int wake_fd;
	pthread_mutex_t lock;                  /* of the two below */
	struct report_change change;
	struct report_shown shown;
	pthread_t thread;
	bool running;
};

static struct report_source *report_source_of(struct source *s)
{
	return (struct report_source *)(void *)s;
}

void report_routers_free(struct report_routers **r)
{
	if (!*r)
		return;
	free((*r)->at);
	free(*r);
	*r = NULL;
}

/* The slot of this text: its own, or the free one for it. */
static struct type_slot *find_type(struct report_source *r, struct slice text)
{
	uint32_t hash = 2166136261u; /* FNV-1a: only who knows a secret chooses these */
	struct type_slot *slot;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ text.at[i]) * 16777619u;
	for (;; hash++) {
		slot = &r->types[hash % TYPE_SLOTS];
		if (!slot->id || (slot->len == text.len && memcmp(slot->text, text.at, text.len) == 0))
			return slot;
	}
}

static uint32_t type_id(struct report_source *r, struct slice text)
{
	struct type_slot *slot;
	char name[LAYOUT_NAME_MAX + 1];

	if (text.len == 0)
		return 0;
	slot = find_type(r, text);
	if (slot->id)
		return slot->id;
	if (r->type_count == REPORT_TYPES_MAX)
		return UINT32_MAX; /* `other` */
	memcpy(name, text.at, text.len);
	name[text.len] = '\0';
	slot->id = strings_add(r->cf.strings, name);
	if (!slot->id)
		return UINT32_MAX;
	slot->len = (uint8_t)text.len;
	memcpy(slot->text, text.at, text.len);
	r->type_count++;
	return slot->id;
}

static uint32_t router_id(const struct report_routers *routers, const struct addr *server)
{
	const struct report_router *best = NULL;

	for (size_t i = 0; routers && i < routers->count; i++) {
		const struct report_router *at = &routers->at[i];

		if (prefix_contains(&at->prefix, server) && (!best || at->prefix.bits > best->prefix.bits))
			best = at;
	}
	return best ? best->id : 0;
}

/* What all records of a datagram that have the same server or type share. */
struct batch_ids {
	uint32_t type[UINT8_MAX + 1], router[UINT8_MAX + 1], service[UINT8_MAX + 1];
};

static void find_ids(struct report_source *r, const struct report_batch *b, const struct grain *g, struct batch_ids *ret)
{
	for (unsigned i = 0; i < b->type_count; i++)
		ret->type[i] = key_has(&g->layout, FIELD_TYPE) ? type_id(r, b->types[i]) : 0;
	for (unsigned i = 0; i < b->server_count; i++) {
		uint32_t port = b->servers[i].port ? 1u << 16 | b->servers[i].port : 0;

		ret->router[i] = key_has(&g->layout, FIELD_ROUTER) ? router_id(r->routers, &b->servers[i].addr) : 0;
		ret->service[i] = key_has(&g->layout, FIELD_SERVICE) ? services_find(g->services, PROTO_TCP, 0, port) : 0;
	}
}

static inline void put_u32(const struct key_layout *l, uint8_t *key, enum field f, uint32_t value)
{
	if (key_has(l, f))
		memcpy(key + l->at[f], &value, sizeof value);
}

static void make_key(const struct grain *g, const struct report *report, const struct batch_ids *ids, int64_t start, uint8_t *key)
{
	const struct key_layout *l = &g->layout;

	memset(key, 0, l->size);
	if (key_has(l, FIELD_WINDOW))
		memcpy(key + l->at[FIELD_WINDOW], &start, sizeof start);
	if (key_has(l, FIELD_HOST)) {
		memcpy(key + l->at[FIELD_HOST], report->client.bytes, sizeof report->client.bytes);
		key[l->at[FIELD_HOST_FAMILY]] = report->client.family;
	}
	put_u32(l, key, FIELD_TYPE, ids->type[report->type]);
	put_u32(l, key, FIELD_ROUTER, ids->router[report->server]);
	put_u32(l, key, FIELD_SERVICE, ids->service[report->server]);
}

static void book_batch(void *arg, const struct report_batch *b)
{
	struct report_source *r = arg;
	struct count *c = &r->counting->counts[PLAN_REPORTS];
	struct party_tally t[COUNT_DELIVERIES_MAX];
	struct batch_ids ids;
	int64_t start;

	if (!r->counting->plan->used[PLAN_REPORTS]) {
		r->uncounted_records += b->count;
		return;
	}
	find_ids(r, b, &c->grain, &ids);
	start = window_start(b->heard_utc_us / 1000000, c->grain.window_s);
	for (unsigned i = 0; i < b->count;) {
		unsigned n = 0;

		for (; i < b->count && n < COUNT_DELIVERIES_MAX; i++, n++) {
			const struct report *report = &b->reports[i];

			make_key(&c->grain, report, &ids, start, (uint8_t *)r->keys[n]);
			t[n] = delivery_tally(report->requests, report->packets, report->bytes, report->retransmits);
			r->types_other += ids.type[report->type] == UINT32_MAX;
		}
		count_deliveries(c, (const uint64_t (*)[KEY_WORDS_MAX])r->keys, t, n);
	}
}

static int make_receiver(struct report_source *r, struct keys *keys)
{
	struct receiver_config cf = { .opened_utc_us = r->cf.clock.utc_ns(r->cf.clock.arg) / 1000, .book = book_batch, .arg = r };
	struct err e;
	int err;

	if (r->receiver) {
		receiver_set_keys(r->receiver, keys);
		return 0;
	}
	err = receiver_open(&r->receiver, &cf, keys, &e);
	if (err < 0)
		keys_free(&keys);
	return err;
}

static void free_change(struct report_change *c)
{
	listener_close(&c->listener);
	keys_free(&c->keys);
	report_routers_free(&c->routers);
	*c = (struct report_change){ 0 };
}

static void publish(struct report_source *r)
{
	const struct sender *senders = NULL;
	unsigned count = r->receiver ? receiver_senders(r->receiver, &senders) : 0;
	struct report_shown *s = &r->shown;

	pthread_mutex_lock(&r->lock);
	if (r->receiver)
		s->counters = *receiver_counters(r->receiver);
	s->counters.kernel_dropped = r->dropped_before + (r->listener ? listener_dropped(r->listener) : 0);
	s->failure = atomic_load(&r->failure);
	s->port = r->listener ? listener_port(r->listener) : 0;
	s->buffer_bytes = r->listener ? listener_buffer_bytes(r->listener) : 0;
	s->types_other = r->types_other;
	s->uncounted_records = r->uncounted_records;
	s->sender_count = count;
	for (unsigned i = 0; i < count && i < REPORT_SENDERS_SHOWN; i++)
		s->senders[i] = senders[i];
	pthread_mutex_unlock(&r->lock);
}

static void take_change(struct report_source *r)
{
	struct report_change c;

	pthread_mutex_lock(&r->lock);
	c = r->change;
	r->change = (struct report_change){ 0 };
	pthread_mutex_unlock(&r->lock);
	if (c.keys && make_receiver(r, c.keys) < 0)
		atomic_store(&r->failure, -ENOMEM);
	if (c.routers) {
		report_routers_free(&r->routers);
		r->routers = c.routers;
	}
	if (c.listener || c.deaf) {
		if (r->listener)
			r->dropped_before += listener_dropped(r->listener);
		listener_close(&r->listener);
		r->listener = c.listener;
		publish(r);
	}
}

static int hear(struct report_source *r)
{
	int n = r->listener && r->receiver ? listener_read(r->listener, r->receiver) : 0;

	if (n < 0)
		atomic_store(&r->failure, n);
	return n;
}

/* What the socket has already been given is booked. */
static void drain(struct report_source *r)
{
	for (unsigned turn = 0; turn < LAST_TURNS_MAX && hear(r) > 0; turn++)
		;
}

static void hand_over(struct report_source *r)
{
	struct tables *next = atomic_load(&r->next), *full = r->counting;

	publish(r);
	r->counting = next;
	atomic_store(&r->next, NULL);
	atomic_store(&r->full, full);
	r->cf.ready(r->cf.arg);
}

/* Until a datagram is there, or somebody asks for something. */
static void rest(struct report_source *r)
{
	struct pollfd fds[2] = {
		{ .fd = r->wake_fd, .events = POLLIN },
		{ .fd = r->listener && !atomic_load(&r->failure) ? listener_fd(r->listener) : -1, .events = POLLIN },
	};
	eventfd_t n;

	if (poll(fds, 2, 1000) > 0 && fds[0].revents)
		(void)eventfd_read(r->wake_fd, &n);
}

static void *report_thread(void *arg)
{
	struct report_source *r = arg;

	(void)pthread_setname_np(pthread_self(), "reports");
	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		take_change(r);
		if (atomic_load_explicit(&r->next, memory_order_acquire)) {
			bool last = atomic_load(&r->last);

			if (last)
				drain(r);
			hand_over(r);
			if (last)
				break;
		}
		if (hear(r) <= 0)
			rest(r);
		atomic_fetch_add_explicit(&r->beats, 1, memory_order_relaxed);
	}
	return NULL;
}

static void wake(struct report_source *r)
{
	(void)eventfd_write(r->wake_fd, 1);
}

static int report_start(struct source *s, struct err *e)
{
	struct report_source *r = report_source_of(s);
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main loop's */
	err = pthread_create(&r->thread, NULL, report_thread, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return err_errno(e, -err, "cannot start the thread of reports");
	r->running = true;
	return 0;
}

static void report_request(struct source *s, struct tables *next, enum source_next what)
{
	struct report_source *r = report_source_of(s);

	atomic_store(&r->last, what != SOURCE_GOES_ON);
	atomic_store_explicit(&r->next, next, memory_order_release);
	wake(r);
}

static struct tables *report_take(struct source *s)
{
	return atomic_exchange(&report_source_of(s)->full, NULL);
}

static int report_failure(const struct source *s)
{
	return atomic_load(&((const struct report_source *)(const void *)s)->failure);
}

static uint64_t report_beats(const struct source *s)
{
	return atomic_load_explicit(&((const struct report_source *)(const void *)s)->beats, memory_order_relaxed);
}

static void report_close(struct source **ps)
{
	struct report_source *r = report_source_of(*ps);
	struct tables *left;

	if (r->running) {
		atomic_store(&r->stop, true);
		wake(r);
		pthread_join(r->thread, NULL);
	}
	left = atomic_load(&r->next);
	tables_free(&left);
	left = atomic_load(&r->full);
	tables_free(&left);
	tables_free(&r->counting);
	free_change(&r->change);
	listener_close(&r->listener);
	receiver_close(&r->receiver);
	report_routers_free(&r->routers);
	if (r->wake_fd >= 0)
		close(r->wake_fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
	*ps = NULL;
}

static const struct source_ops report_ops = {
	.start = report_start,
	.request = report_request,
	.take = report_take,
	.failure = report_failure,
	.beats = report_beats,
	.close = report_close,
};

int report_source_open(struct source **ret, const struct report_source_config *cf, struct tables *first, struct err *e)
{
	struct report_source *r = calloc(1, sizeof *r);
	struct source *s = &r->source;

	if (!r)
		return err_set(e, -ENOMEM, "no memory for reports");
	s->ops = &report_ops;
	r->cf = *cf;
	pthread_mutex_init(&r->lock, NULL);
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake_fd < 0) {
		int err = err_errno(e, -errno, "eventfd");

		report_close(&s);
		return err;
	}
	r->counting = first;
	*ret = s;
	return 0;
}

void report_source_change(struct source *s, struct report_change *c)
{
	struct report_source *r = report_source_of(s);
	struct report_change *to = &r->change;

	pthread_mutex_lock(&r->lock);
	if (c->listener || c->deaf) {
		listener_close(&to->listener);
		to->listener = c->listener;
		to->deaf = c->deaf;
	}
	if (c->keys) {
		keys_free(&to->keys);
		to->keys = c->keys;
	}
	if (c->routers) {
		report_routers_free(&to->routers);
		to->routers = c->routers;
	}
	pthread_mutex_unlock(&r->lock);
	*c = (struct report_change){ 0 };
	wake(r);
}

void report_source_show(struct source *s, struct report_shown *ret)
{
	struct report_source *r = report_source_of(s);

	pthread_mutex_lock(&r->lock);
	*ret = r->shown;
	pthread_mutex_unlock(&r->lock);
}
