/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_station.c -- see bmp_station.h. While the thread runs, all but `shown` and the events is its own; between stop_thread()
 * and start_thread() the main loop's. */
#include "routes/bmp_station_internal.h"

#include "base/text.h"
#include "routes/bmp_listen.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_NS (NS_PER_S / 4)
#define COLLECT_SHARE 5 /* compiling takes at most this part of a CPU */

static int64_t utc_s(const struct bmp_station *s)
{
	return ns_to_s(s->clock.utc_ns(s->clock.arg));
}

static int64_t monotonic_ns(const struct bmp_station *s)
{
	return s->clock.monotonic_ns(s->clock.arg);
}

static void __attribute__((format(printf, 2, 3))) event(struct bmp_station *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&s->lock);
	if (s->event_count < EVENTS_MAX) /* more than the main loop takes in a second: the counters have them */
		vsnprintf(s->events[(s->first_event + s->event_count++) % EVENTS_MAX], sizeof s->events[0], fmt, ap);
	pthread_mutex_unlock(&s->lock);
	va_end(ap);
}

/* ---- sessions ---- */

static void session_close(struct station_router *r, const char *why)
{
	if (r->fd < 0)
		return;
	if (r->io)
		loop_remove_fd(r->station->loop, &r->io);
	close(r->fd);
	r->fd = -1;
	r->len = 0;
	free(r->bytes);
	r->bytes = NULL;
	bmp_router_lost(r->router, utc_s(r->station));
	event(r->station, "routes %s: the BMP session ended (%s); its routes stay, marked stale", r->view.name, why);
}

/* Every whole message that is there. -EBADMSG: the stream cannot be followed. */
static int read_messages(struct station_router *r, struct err *e)
{
	int64_t now_utc_s = utc_s(r->station);
	size_t at = 0;

	for (;;) {
		int64_t length = bmp_message_length((struct slice){ r->bytes + at, r->len - at }, e);

		if (length < 0)
			return (int)length;
		if (length == 0 || (size_t)length > r->len - at)
			break;
		/* What is damaged inside of its length is counted, and the stream goes on. */
		bmp_router_read(r->router, (struct slice){ r->bytes + at, (size_t)length }, now_utc_s, NULL);
		at += (size_t)length;
	}
	if (at && at < r->len)
		memmove(r->bytes, r->bytes + at, r->len - at);
	r->len -= at;
	return 0;
}

static void on_session(void *arg, uint32_t events)
{
	struct station_router *r = arg;
	struct err e = { 0 };
	ssize_t n = recv(r->fd, r->bytes + r->len, BMP_MESSAGE_MAX - r->len, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_close(r, n < 0 ? strerror(errno) : "closed by the router");
		return;
	}
	r->len += (size_t)n;
	if (read_messages(r, &e) < 0) {
		pthread_mutex_lock(&r->station->lock);
		r->station->facts.broken++;
		pthread_mutex_unlock(&r->station->lock);
		session_close(r, e.msg);
	}
}

static struct station_router *router_at(const struct bmp_station *s, const struct addr *a)
{
	for (size_t i = 0; i < s->router_count; i++)
		if (addr_equal(&s->routers[i]->view.router, a))
			return s->routers[i];
	return NULL;
}

static void session_open(struct station_router *r, int fd)
{
	struct bmp_station *s = r->station;
	uint8_t *bytes = malloc(BMP_MESSAGE_MAX);

	session_close(r, "the router connected again");
	if (!bytes || loop_add_fd(s->loop, &r->io, fd, EPOLLIN, on_session, r, NULL) < 0) {
		free(bytes);
		close(fd);
		event(s, "routes %s: no memory for a BMP session", r->view.name);
		return;
	}
	r->fd = fd;
	r->bytes = bytes;
	r->len = 0;
	bmp_router_connected(r->router, utc_s(s));
	event(s, "routes %s: the router connected by BMP", r->view.name);
}

static void on_connection(void *arg, uint32_t events)
{
	struct bmp_station *s = arg;
	char text[ADDR_TEXT_MAX];
	struct station_router *r;
	struct addr from;
	int fd = bmp_accept(s->fd, &from);
	bool first;

	(void)events;
	if (fd < 0)
		return;
	r = router_at(s, &from);
	if (r) {
		session_open(r, fd);
		return;
	}
	close(fd);
	pthread_mutex_lock(&s->lock);
	first = s->facts.strangers++ == 0;
	pthread_mutex_unlock(&s->lock);
	addr_format(&from, text);
	if (first)
		event(s, "bmp: %s connected and is no configured router: closed (write routes NAME { bmp = \"%s\" } to take it; "
		      "further ones are only counted)", text, text);
}

/* ---- tables, snapshots, facts ---- */

static void collect(struct station_router *r, int64_t now_ns)
{
	uint64_t version = bmp_router_version(r->router);
	struct route_builder *b = NULL;

	if (version == r->collected || atomic_load(&r->building) || now_ns < r->next_collect_ns)
		return;
	r->next_collect_ns = now_ns + BMP_COLLECT_S * NS_PER_S;
	if (atomic_load(&r->took_ns) * COLLECT_SHARE > BMP_COLLECT_S * NS_PER_S)
		r->next_collect_ns = now_ns + atomic_load(&r->took_ns) * COLLECT_SHARE;
	if (route_builder_new(&b) < 0)
		return;
	if (bmp_router_collect(r->router, b) < 0) {
		route_builder_free(&b);
		event(r->station, "routes %s: no memory for a table", r->view.name);
		return;
	}
	atomic_store(&r->building, true);
	if (worker_build(r->station->worker, r->view.name, &b) < 0)
		atomic_store(&r->building, false);
	else
		r->collected = version;
}

static bool state_path(const struct station_router *r, char path[static ROUTES_PATH_MAX])
{
	const char *state = r->station->state_path;

	return state[0] && snprintf(path, ROUTES_PATH_MAX, "%s.%s.bmp", state, r->view.name) < ROUTES_PATH_MAX;
}

/* Until when the router was heard. */
static int64_t heard_utc_s(const struct station_router *r)
{
	struct bmp_router_facts facts;

	bmp_router_facts(r->router, &facts);
	return facts.connected ? utc_s(r->station) : facts.since_utc_s;
}

/* A copy is made here, and written by the worker. */
static void save(struct station_router *r, int64_t now_ns)
{
	uint64_t version = bmp_router_version(r->router);
	struct bmp_snapshot snapshot;
	char path[ROUTES_PATH_MAX];

	if (now_ns < r->next_save_ns)
		return;
	r->next_save_ns = now_ns + BMP_SAVE_S * NS_PER_S;
	if (version == r->saved || !state_path(r, path) || bmp_snapshot_make(&snapshot, r->router, heard_utc_s(r)) < 0)
		return;
	if (worker_save(r->station->worker, r->view.name, path, &snapshot) == 0)
		r->saved = version;
}

static void show(struct station_router *r)
{
	struct bmp_router_facts facts;
	struct bmp_peer_facts *peers, *old;

	bmp_router_facts(r->router, &facts);
	peers = calloc(facts.peers + 1, sizeof *peers);
	for (size_t i = 0; peers && i < facts.peers; i++)
		bmp_router_peer(r->router, i, &peers[i]);
	if (!peers)
		facts.peers = 0;
	pthread_mutex_lock(&r->station->lock);
	old = r->shown_peers;
	r->shown = facts;
	r->shown_peers = peers;
	pthread_mutex_unlock(&r->station->lock);
	free(old);
}

static void keep_memory(struct bmp_station *s)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->router_count; i++)
		bytes += s->routers[i]->shown.bytes; /* only this thread writes it */
	for (size_t i = 0; i < s->router_count; i++)
		bmp_router_set_full(s->routers[i]->router, bytes > s->memory_bytes);
}

static void on_tick(void *arg)
{
	struct bmp_station *s = arg;
	int64_t now_ns = monotonic_ns(s);

	for (size_t i = 0; i < s->router_count; i++) {
		bmp_router_tick(s->routers[i]->router, utc_s(s));
		collect(s->routers[i], now_ns);
		save(s->routers[i], now_ns);
		show(s->routers[i]);
	}
	keep_memory(s);
}

/* ---- what was saved ---- */

static void restore(struct station_router *r)
{
	struct bmp_snapshot snapshot = { 0 };
	char path[ROUTES_PATH_MAX], when[32];
	struct err e = { 0 };
	int64_t saved_utc_s = 0;

	r->restored = true;
	if (!state_path(r, path))
		return;
	if (bmp_snapshot_read(&snapshot, path, &e) < 0) {
		event(r->station, "routes %s: %.200s", r->view.name, e.msg);
		return;
	}
	if (!snapshot.at)
		return;
	if (bmp_snapshot_restore(r->router, (struct slice){ snapshot.at, snapshot.len }, &saved_utc_s, &e) < 0)
		event(r->station, "routes %s: %.100s: %.100s", r->view.name, path, e.msg);
	bmp_snapshot_free(&snapshot);
	bmp_router_lost(r->router, saved_utc_s);
	r->saved = bmp_router_version(r->router);
	event(r->station, "routes %s: what the router said until %s is in force, marked stale, until it is back", r->view.name,
	      time_format(saved_utc_s, when, sizeof when));
}

/* ---- the thread ---- */

static void *run(void *arg)
{
	struct bmp_station *s = arg;
	struct err e = { 0 };

	for (size_t i = 0; i < s->router_count; i++)
		if (!s->routers[i]->restored)
			restore(s->routers[i]);
	on_tick(s);
	pthread_mutex_lock(&s->lock);
	s->facts.restored = true;
	pthread_mutex_unlock(&s->lock);
	if (loop_run(s->loop, &e) < 0)
		event(s, "bmp: the station ended: %.200s", e.msg);
	return NULL;
}

static void on_wake(void *arg)
{
	loop_stop(arg);
}

static int start_thread(struct bmp_station *s, struct err *e)
{
	sigset_t all, before;
	int r = loop_open(&s->loop, e);

	if (r == 0)
		r = loop_set_wake(s->loop, on_wake, s->loop, e);
	if (r == 0)
		r = loop_add_fd(s->loop, &s->io, s->fd, EPOLLIN, on_connection, s, e);
	if (r == 0)
		r = loop_add_timer(s->loop, &s->timer, TICK_NS, TICK_NS, on_tick, s, e);
	for (size_t i = 0; i < s->router_count && r == 0; i++)
		if (s->routers[i]->fd >= 0)
			r = loop_add_fd(s->loop, &s->routers[i]->io, s->routers[i]->fd, EPOLLIN, on_session, s->routers[i], e);
	if (r < 0)
		return r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return err_errno(e, -r, "bmp: cannot start a thread");
	pthread_setname_np(s->thread, "bmp");
	s->running = true;
	return 0;
}

static void stop_thread(struct bmp_station *s)
{
	if (s->running) {
		loop_wake(s->loop);
		pthread_join(s->thread, NULL);
	}
	s->running = false;
	for (size_t i = 0; i < s->router_count; i++)
		s->routers[i]->io = NULL; /* loop_close() frees it */
	s->io = NULL;
	s->timer = NULL;
	loop_close(&s->loop);
}

/* ---- opening, changing, closing ---- */

static void router_free(struct station_router **pr)
{
	struct station_router *r = *pr;

	*pr = NULL;
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	bmp_router_free(&r->router);
	free(r->bytes);
	free(r->shown_peers);
	free(r);
}

static int router_new(struct station_router **ret, struct bmp_station *s, const struct routes_view *v)
{
	struct bmp_limits limits = { 0 };
	struct station_router *r = calloc(1, sizeof *r);

	if (!r || bmp_router_new(&r->router, v->table, &limits) < 0) {
		free(r);
		return -ENOMEM;
	}
	r->view = *v;
	r->view.serves = (struct prefix_set){ 0 };
	r->station = s;
	r->fd = -1;
	r->next_save_ns = monotonic_ns(s) + BMP_SAVE_S * NS_PER_S;
	r->collected = bmp_router_version(r->router);
	*ret = r;
	return 0;
}

/* The router of an equal view out of the old ones, or NULL. */
static struct station_router *take_old(struct bmp_station *s, const struct routes_view *v)
{
	for (size_t i = 0; i < s->router_count; i++) {
		struct station_router *r = s->routers[i];

		if (r && strcmp(r->view.name, v->name) == 0 && addr_equal(&r->view.router, &v->router) &&
		    r->view.table == v->table) {
			s->routers[i] = NULL;
			return r;
		}
	}
	return NULL;
}

/* Fails before anything changed. The thread does not run. */
static int set_routers(struct bmp_station *s, const struct routes_config *c, struct err *e)
{
	struct station_router **fresh = calloc(c->view_count + 1, sizeof *fresh);
	size_t count = 0;

	if (!fresh)
		return err_set(e, -ENOMEM, "bmp: out of memory");
	for (size_t i = 0; i < c->view_count; i++) {
		if (c->views[i].router.family == ADDR_NONE)
			continue;
		fresh[count] = take_old(s, &c->views[i]);
		if (!fresh[count] && router_new(&fresh[count], s, &c->views[i]) < 0)
			event(s, "routes %s: no memory", c->views[i].name);
		count += fresh[count] != NULL;
	}
	for (size_t i = 0; i < s->router_count; i++)
		router_free(&s->routers[i]);
	free(s->routers);
	s->routers = fresh;
	s->router_count = count;
	s->memory_bytes = s->facts.bytes_max = c->bmp.memory_bytes;
	return 0;
}

static void note_listen(struct bmp_station *s, const struct routes_config *c)
{
	snprintf(s->listen_at, sizeof s->listen_at, "%s %u", c->bmp.address, c->bmp.port);
	bmp_listen_name(s->fd, s->address, sizeof s->address);
}

int bmp_station_open(struct bmp_station **ret, const struct routes_config *c, const char *state_path, struct err *e)
{
	struct bmp_station *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "bmp: out of memory");
	s->clock = clock_system();
	s->fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	snprintf(s->state_path, sizeof s->state_path, "%s", state_path);
	r = bmp_listen(c, &s->fd, e);
	if (r == 0)
		r = set_routers(s, c, e);
	if (r < 0) {
		bmp_station_close(&s);
		return r;
	}
	note_listen(s, c);
	*ret = s;
	return 0;
}

int bmp_station_start(struct bmp_station *s, struct worker *w, struct err *e)
{
	s->worker = w;
	return start_thread(s, e);
}

int bmp_station_change(struct bmp_station *s, const struct routes_config *c, struct err *e)
{
	char wanted[sizeof s->listen_at];
	int fd = -1, r = 0;
	bool was_running = s->running;

	snprintf(wanted, sizeof wanted, "%s %u", c->bmp.address, c->bmp.port);
	if (strcmp(wanted, s->listen_at) != 0)
		r = bmp_listen(c, &fd, e);
	if (r < 0)
		return r;
	stop_thread(s);
	if (fd >= 0) {
		close(s->fd);
		s->fd = fd;
		note_listen(s, c);
	}
	r = set_routers(s, c, e);
	return was_running && r == 0 ? start_thread(s, e) : r;
}

static void save_now(struct station_router *r)
{
	struct bmp_snapshot snapshot;
	char path[ROUTES_PATH_MAX];

	if (!r->restored || bmp_router_version(r->router) == r->saved || !state_path(r, path) ||
	    bmp_snapshot_make(&snapshot, r->router, heard_utc_s(r)) < 0)
		return;
	bmp_snapshot_write(&snapshot, path, NULL);
	bmp_snapshot_free(&snapshot);
}

void bmp_station_close(struct bmp_station **ps)
{
	struct bmp_station *s = *ps;

	*ps = NULL;
	if (!s)
		return;
	stop_thread(s);
	for (size_t i = 0; i < s->router_count; i++) {
		save_now(s->routers[i]);
		router_free(&s->routers[i]);
	}
	free(s->routers);
	if (s->fd >= 0)
		close(s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
