/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.c -- a list of watches over one epoll descriptor.
 *
 * What a handler removes may still have an event in the batch at hand: a removed watch is only
 * marked and moved to the `removed` list, and freed when the batch is through. Each timer has a
 * timerfd of its own. */
#include "base/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 32
#define SIGNALS_MAX 65 /* 1..64 */

struct watch {
	struct watch *next, **link; /* in loop.watches or loop.removed */
	int fd;
	bool owns_fd;
	bool is_removed;
	void (*ready)(struct loop *l, struct watch *w, uint32_t events);
};

/* The watch comes first in both, so that a pointer to it is a pointer to them. */
struct loop_io {
	struct watch watch;
	void (*handle)(void *arg, uint32_t events);
	void *arg;
};

struct loop_timer {
	struct watch watch;
	void (*handle)(void *arg);
	void *arg;
};

struct signal_handler {
	void (*handle)(void *arg, int signo);
	void *arg;
};

struct loop {
	int epoll_fd, wake_fd, signal_fd;
	bool stopping;
	struct watch *watches, *removed;
	sigset_t signals;
	struct signal_handler signal_handlers[SIGNALS_MAX];
	void (*wake)(void *arg);
	void *wake_arg;
};

static void watch_link(struct watch **head, struct watch *w)
{
	w->next = *head;
	w->link = head;
	if (w->next)
		w->next->link = &w->next;
	*head = w;
}

static void watch_unlink(struct watch *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
}

static void watches_free(struct watch **head)
{
	while (*head) {
		struct watch *w = *head;

		*head = w->next;
		if (w->owns_fd && w->fd >= 0)
			close(w->fd);
		free(w);
	}
}

/* Takes w, which was made by calloc, into the loop; frees it on failure. */
static int watch_add(struct loop *l, struct watch *w, uint32_t events, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) < 0) {
		int code = -errno;

		if (w->owns_fd)
			close(w->fd);
		free(w);
		return err_errno(e, code, "cannot watch a descriptor");
	}
	watch_link(&l->watches, w);
	return 0;
}

static void watch_remove(struct loop *l, struct watch *w)
{
	if (w->is_removed)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	if (w->owns_fd)
		close(w->fd);
	w->fd = -1;
	w->is_removed = true;
	watch_unlink(w);
	watch_link(&l->removed, w);
}

static void io_ready(struct loop *l, struct watch *w, uint32_t events)
{
	struct loop_io *io = (struct loop_io *)w;

	(void)l;
	io->handle(io->arg, events);
}

static void timer_ready(struct loop *l, struct watch *w, uint32_t events)
{
	struct loop_timer *t = (struct loop_timer *)w;
	uint64_t expirations;

	(void)l;
	(void)events;
	/* Nothing to read: it was set anew by an earlier handler of this batch. */
	if (read(w->fd, &expirations, sizeof expirations) != sizeof expirations)
		return;
	t->handle(t->arg);
}

static void wake_ready(struct loop *l, struct watch *w, uint32_t events)
{
	uint64_t wakes;

	(void)events;
	if (read(w->fd, &wakes, sizeof wakes) == sizeof wakes && l->wake)
		l->wake(l->wake_arg);
}

static void signal_ready(struct loop *l, struct watch *w, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof info) == sizeof info) {
		const struct signal_handler *h;

		if (info.ssi_signo >= SIGNALS_MAX)
			continue;
		h = &l->signal_handlers[info.ssi_signo];
		if (h->handle)
			h->handle(h->arg, (int)info.ssi_signo);
	}
}

/* A watch over a descriptor that the loop owns; takes fd, also on failure. */
static int own_watch_add(struct loop *l, int fd, void (*ready)(struct loop *, struct watch *, uint32_t),
			 struct err *e)
{
	struct watch *w = calloc(1, sizeof *w);

	if (!w) {
		close(fd);
		return err_set(e, -ENOMEM, "no memory for an event loop");
	}
	w->fd = fd;
	w->owns_fd = true;
	w->ready = ready;
	return watch_add(l, w, EPOLLIN, e);
}

int loop_open(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof *l);
	int code;

	if (!l)
		return err_set(e, -ENOMEM, "no memory for an event loop");
	l->signal_fd = -1;
	sigemptyset(&l->signals);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		code = err_errno(e, -errno, "epoll_create1");
		goto fail;
	}
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0) {
		code = err_errno(e, -errno, "eventfd");
		goto fail;
	}
	code = own_watch_add(l, l->wake_fd, wake_ready, e);
	if (code < 0)
		goto fail;
	*ret = l;
	return 0;
fail:
	loop_close(&l);
	return code;
}

void loop_close(struct loop **l)
{
	if (!*l)
		return;
	watches_free(&(*l)->watches);
	watches_free(&(*l)->removed);
	if ((*l)->epoll_fd >= 0)
		close((*l)->epoll_fd);
	free(*l);
	*l = NULL;
}

int loop_add_fd(struct loop *l, struct loop_io **ret, int fd, uint32_t events,
		void (*handle)(void *arg, uint32_t events), void *arg, struct err *e)
{
	struct loop_io *io = calloc(1, sizeof *io);
	int code;

	if (!io)
		return err_set(e, -ENOMEM, "no memory to watch a descriptor");
	io->watch = (struct watch){ .fd = fd, .ready = io_ready };
	io->handle = handle;
	io->arg = arg;
	code = watch_add(l, &io->watch, events, e);
	if (code == 0 && ret)
		*ret = io;
	return code;
}

int loop_change_fd(struct loop *l, struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = &io->watch };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, io->watch.fd, &ev) < 0 ? -errno : 0;
}

void loop_remove_fd(struct loop *l, struct loop_io **io)
{
	if (*io)
		watch_remove(l, &(*io)->watch);
	*io = NULL;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

int loop_set_timer(struct loop *l, struct loop_timer *t, int64_t first_ns, int64_t interval_ns)
{
	/* timerfd_settime(2) takes a first expiration of 0 as "disarm"; here a negative one says
	 * that. */
	struct itimerspec spec = {
		.it_value = timespec_of(first_ns > 0 ? first_ns : first_ns == 0),
		.it_interval = timespec_of(interval_ns > 0 ? interval_ns : 0),
	};

	(void)l;
	return timerfd_settime(t->watch.fd, 0, &spec, NULL) < 0 ? -errno : 0;
}

int loop_add_timer(struct loop *l, struct loop_timer **ret, int64_t first_ns, int64_t interval_ns,
		   void (*handle)(void *arg), void *arg, struct err *e)
{
	struct loop_timer *t = calloc(1, sizeof *t);
	int code;

	if (!t)
		return err_set(e, -ENOMEM, "no memory for a timer");
	t->watch = (struct watch){ .owns_fd = true, .ready = timer_ready };
	t->handle = handle;
	t->arg = arg;
	t->watch.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->watch.fd < 0) {
		code = -errno;
		free(t);
		return err_errno(e, code, "timerfd_create");
	}
	code = watch_add(l, &t->watch, EPOLLIN, e);
	if (code < 0)
		return code;
	code = loop_set_timer(l, t, first_ns, interval_ns);
	if (code < 0) {
		watch_remove(l, &t->watch);
		return err_errno(e, code, "timerfd_settime");
	}
	if (ret)
		*ret = t;
	return 0;
}

void loop_remove_timer(struct loop *l, struct loop_timer **t)
{
	if (*t)
		watch_remove(l, &(*t)->watch);
	*t = NULL;
}

int loop_add_signal(struct loop *l, int signo, void (*handle)(void *arg, int signo), void *arg,
		    struct err *e)
{
	int fd, code;

	if (signo <= 0 || signo >= SIGNALS_MAX || sigaddset(&l->signals, signo) < 0)
		return err_set(e, -EINVAL, "%d is no signal", signo);
	code = pthread_sigmask(SIG_BLOCK, &l->signals, NULL);
	if (code)
		return err_errno(e, -code, "pthread_sigmask");
	fd = signalfd(l->signal_fd, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_errno(e, -errno, "signalfd");
	l->signal_handlers[signo] = (struct signal_handler){ handle, arg };
	if (fd == l->signal_fd)
		return 0;
	code = own_watch_add(l, fd, signal_ready, e);
	if (code == 0)
		l->signal_fd = fd;
	return code;
}

int loop_set_wake(struct loop *l, void (*handle)(void *arg), void *arg, struct err *e)
{
	(void)e;
	l->wake = handle;
	l->wake_arg = arg;
	return 0;
}

void loop_wake(struct loop *l)
{
	int saved = errno;
	const uint64_t one = 1;

	/* A full counter (EAGAIN) is a wake that nobody has seen yet: fine. */
	while (write(l->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	errno = saved;
}

int loop_run(struct loop *l, struct err *e)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	while (!l->stopping) {
		int n = epoll_wait(l->epoll_fd, events, EVENTS_AT_ONCE, -1);

		if (n < 0 && errno != EINTR)
			return err_errno(e, -errno, "epoll_wait");
		for (int i = 0; i < n && !l->stopping; i++) {
			struct watch *w = events[i].data.ptr;

			if (!w->is_removed)
				w->ready(l, w, events[i].events);
		}
		watches_free(&l->removed);
	}
	l->stopping = false;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}
