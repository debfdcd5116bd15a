/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.h -- one epoll loop: file descriptors, timers, signals.
 *
 * Owns the epoll, timer and signal descriptors; borrows the descriptors it watches. Handlers run
 * one at a time on the thread that calls loop_run(); they may add and remove anything,
 * themselves included. Thread: one, but loop_wake() is for any thread and for signal handlers.
 * Errors: negative errno. */
#ifndef NETTALLY_BASE_LOOP_H
#define NETTALLY_BASE_LOOP_H

#include "base/err.h"

#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;

int loop_open(struct loop **ret, struct err *e);
void loop_close(struct loop **l); /* accepts NULL; frees what is still registered */

/* `events` are EPOLLIN, EPOLLOUT; the handler gets what epoll reported. */
int loop_add_fd(struct loop *l, struct loop_io **ret, int fd, uint32_t events,
		void (*handle)(void *arg, uint32_t events), void *arg, struct err *e);
int loop_change_fd(struct loop *l, struct loop_io *io, uint32_t events);
void loop_remove_fd(struct loop *l, struct loop_io **io); /* does not close the descriptor */

/* First after `first_ns` from now (CLOCK_MONOTONIC), then every `interval_ns` (0 = once). A
 * handler that runs late is called once, not once per missed interval. A negative first_ns
 * leaves it unarmed until loop_set_timer(). */
int loop_add_timer(struct loop *l, struct loop_timer **ret, int64_t first_ns, int64_t interval_ns,
		   void (*handle)(void *arg), void *arg, struct err *e);
int loop_set_timer(struct loop *l, struct loop_timer *t, int64_t first_ns, int64_t interval_ns);
void loop_remove_timer(struct loop *l, struct loop_timer **t);

/* Blocks `signo` in the calling thread (call before other threads start) and handles it here,
 * through signalfd(2). loop_close() leaves it blocked: a late signal must not end the process
 * halfway through its own end. */
int loop_add_signal(struct loop *l, int signo, void (*handle)(void *arg, int signo), void *arg,
		    struct err *e);

/* Calls `handle` on the loop's thread soon; many wakes may become one call. Async-signal-safe. */
int loop_set_wake(struct loop *l, void (*handle)(void *arg), void *arg, struct err *e);
void loop_wake(struct loop *l);

int loop_run(struct loop *l, struct err *e); /* until loop_stop(); 0 or negative errno */
void loop_stop(struct loop *l); /* on the loop's thread; before loop_run() it makes that return at once */

#endif
