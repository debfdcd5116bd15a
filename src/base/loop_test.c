/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop_test.c -- the order of events, and removal in the middle of a batch. */
#include "base/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000000LL

struct fixture {
	struct loop *loop;
	struct loop_io *io[2];
	struct loop_timer *timer;
	int calls, signo;
	pthread_t thread;
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ 0 };
	*state = &f;
	return loop_open(&f.loop, NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_close(&f->loop);
	loop_close(&f->loop); /* twice is fine */
	return 0;
}

static void stop_on_timer(void *arg)
{
	struct fixture *f = arg;

	loop_stop(f->loop);
}

static void stop_after_three(void *arg)
{
	struct fixture *f = arg;

	if (++f->calls == 3)
		loop_stop(f->loop);
}

static void timer_repeats(void **state)
{
	struct fixture *f = *state;
	struct clock clock = clock_system();
	int64_t start = clock.monotonic_ns(NULL);

	assert_int_equal(loop_add_timer(f->loop, &f->timer, 5 * MS, 10 * MS, stop_after_three, f, NULL), 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->calls, 3);
	assert_true(clock.monotonic_ns(NULL) - start >= 25 * MS);
}

static void late_once(void *arg)
{
	struct fixture *f = arg;

	if (f->calls++ == 0)
		usleep(50000); /* five intervals go by */
}

static void late_timer_is_called_once(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *stop;

	assert_int_equal(loop_add_timer(f->loop, &f->timer, 0, 20 * MS, late_once, f, NULL), 0);
	assert_int_equal(loop_add_timer(f->loop, &stop, 58 * MS, 0, stop_on_timer, f, NULL), 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_in_range(f->calls, 2, 3);
}

static void unarmed_timer_waits_to_be_set(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *stop;

	assert_int_equal(loop_add_timer(f->loop, &f->timer, -1, 0, stop_after_three, f, NULL), 0);
	assert_int_equal(loop_add_timer(f->loop, &stop, 20 * MS, 0, stop_on_timer, f, NULL), 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->calls, 0);
	assert_int_equal(loop_set_timer(f->loop, f->timer, 1, 1), 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->calls, 3);
}

/* Both descriptors are ready in one batch; whoever comes first removes both. */
static void remove_both(void *arg, uint32_t events)
{
	struct fixture *f = arg;

	assert_int_equal(events, EPOLLIN);
	f->calls++;
	loop_remove_fd(f->loop, &f->io[0]);
	loop_remove_fd(f->loop, &f->io[1]);
	loop_remove_fd(f->loop, &f->io[1]); /* NULL by now */
	loop_stop(f->loop);
}

static void removed_watch_is_not_called(void **state)
{
	struct fixture *f = *state;
	int pipes[2][2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(loop_add_fd(f->loop, &f->io[i], pipes[i][0], EPOLLIN, remove_both, f, NULL), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
	}
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->calls, 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(close(pipes[i / 2][i % 2]), 0); /* still open: the loop only borrowed them */
}

static void timer_removes_itself(void *arg)
{
	struct fixture *f = arg;

	f->calls++;
	loop_remove_timer(f->loop, &f->timer);
}

static void handler_may_remove_itself(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *stop;

	assert_int_equal(loop_add_timer(f->loop, &f->timer, 0, 1 * MS, timer_removes_itself, f, NULL), 0);
	assert_int_equal(loop_add_timer(f->loop, &stop, 10 * MS, 0, stop_on_timer, f, NULL), 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->calls, 1);
}

static void change_to_writable(void *arg, uint32_t events)
{
	struct fixture *f = arg;

	f->calls++;
	assert_true(events & EPOLLOUT);
	loop_stop(f->loop);
}

static void events_can_change(void **state)
{
	struct fixture *f = *state;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(loop_add_fd(f->loop, &f->io[0], pipes[1], 0, change_to_writable, f, NULL), 0);
	assert_int_equal(loop_change_fd(f->loop, f->io[0], EPOLLOUT), 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->calls, 1);
	loop_remove_fd(f->loop, &f->io[0]);
	close(pipes[0]);
	close(pipes[1]);
}

static void on_signal(void *arg, int signo)
{
	struct fixture *f = arg;

	f->signo += signo;
	if (++f->calls == 2)
		loop_stop(f->loop);
}

static void signals_arrive(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_signal(f->loop, SIGUSR1, on_signal, f, NULL), 0);
	assert_int_equal(loop_add_signal(f->loop, SIGUSR2, on_signal, f, NULL), 0);
	assert_int_equal(loop_add_signal(f->loop, 0, on_signal, f, NULL), -EINVAL);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	assert_int_equal(f->signo, SIGUSR1 + SIGUSR2);
}

static void *wake_from_thread(void *arg)
{
	struct fixture *f = arg;

	for (int i = 0; i < 100; i++)
		loop_wake(f->loop);
	return NULL;
}

static void wake_comes_from_any_thread(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_set_wake(f->loop, stop_on_timer, f, NULL), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, wake_from_thread, f), 0);
	assert_int_equal(loop_run(f->loop, NULL), 0);
	pthread_join(f->thread, NULL);
}

static void bad_descriptor_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(loop_add_fd(f->loop, &f->io[0], -1, EPOLLIN, remove_both, f, &e), -EBADF);
	assert_null(f->io[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timer_repeats, setup, teardown),
		cmocka_unit_test_setup_teardown(late_timer_is_called_once, setup, teardown),
		cmocka_unit_test_setup_teardown(unarmed_timer_waits_to_be_set, setup, teardown),
		cmocka_unit_test_setup_teardown(removed_watch_is_not_called, setup, teardown),
		cmocka_unit_test_setup_teardown(handler_may_remove_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(events_can_change, setup, teardown),
		cmocka_unit_test_setup_teardown(signals_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(wake_comes_from_any_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_descriptor_is_an_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
