/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control.h"

#include "base/clock.h"
#include "daemon/control_answer.h"
#include "output/testing.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A daemon's main loop on a thread of its own, with nothing but the socket. */
struct fixture {
	char path[64];
	struct strings *strings;
	struct snapshot_box *box;
	struct loop *loop;
	struct control *control;
	pthread_t thread;
};

static void stop(void *arg)
{
	loop_stop(arg);
}

static void *run(void *arg)
{
	loop_run(((struct fixture *)arg)->loop, NULL);
	return NULL;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err e = { 0 };

	snprintf(f->path, sizeof f->path, "/tmp/nettally-control-test-%d.sock", getpid());
	strings_new(&f->strings);
	snapshot_box_new(&f->box);
	snapshot_box_put(f->box, testing_snapshot(f->strings));
	assert_int_equal(loop_open(&f->loop, &e), 0);
	assert_int_equal(loop_set_wake(f->loop, stop, f->loop, &e), 0);
	if (control_open(&f->control, f->loop, f->box, f->path, "", &e) < 0)
		fail_msg("%s", e.msg);
	pthread_create(&f->thread, NULL, run, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	loop_wake(f->loop);
	pthread_join(f->thread, NULL);
	control_close(&f->control);
	assert_int_equal(access(f->path, F_OK), -1);
	loop_close(&f->loop);
	snapshot_box_free(&f->box);
	strings_free(&f->strings);
	free(f);
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = 8 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sun.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	return fd;
}

/* All until the end of the stream, as a string. */
static size_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, size - 1 - len, 0)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
	return n < 0 && errno == EAGAIN ? SIZE_MAX : len;
}

static const struct {
	const char *why, *request, *begins;
} cases[] = {
	{ "json", "status json\n", "{\n  \"state\":\"degraded\"" },
	{ "text", "status text\n", "nettally 0.1, degraded" },
	{ "colour", "status colour\n", "\033[1mnettally\033[0m" },
	{ "audit", "audit json\n", "{\n  \"interfaces\":[" },
	{ "blanks do not matter", "  audit \t text \r\n", "eth0 " },
	{ "what follows the line is not read", "status json\nstatus text\n", "{\n" },
	{ "unknown", "\x1b[31mreboot\n", "error: unknown request '?[31mreboot': ask for status or audit" },
	{ "a word too many", "status json now\n", "error: unknown request" },
	{ "empty", "\n", "error: unknown request ''" },
};

static void test_answers(void **state)
{
	struct fixture *f = *state;
	char text[65536];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int fd = connect_to(f->path);

		assert_int_equal(send(fd, cases[i].request, strlen(cases[i].request), 0), strlen(cases[i].request));
		read_all(fd, text, sizeof text);
		if (strncmp(text, cases[i].begins, strlen(cases[i].begins)) != 0)
			fail_msg("%s: %.200s", cases[i].why, text);
	}
}

static void test_end_of_stream_ends_the_line(void **state)
{
	struct fixture *f = *state;
	int fd = connect_to(f->path);
	char text[65536];

	assert_int_equal(send(fd, "audit text", 10, 0), 10);
	shutdown(fd, SHUT_WR);
	read_all(fd, text, sizeof text);
	assert_non_null(strstr(text, "the books do NOT close"));
}

static void test_too_long_is_closed(void **state)
{
	struct fixture *f = *state;
	int fd = connect_to(f->path);
	char text[5000];

	memset(text, 'x', sizeof text);
	send(fd, text, sizeof text, MSG_NOSIGNAL);
	assert_int_equal(read_all(fd, text, sizeof text), 0);
}

/* 32 that say nothing, and one more: the first is closed at once; all of them after 5 seconds. */
static void test_limits(void **state)
{
	struct fixture *f = *state;
	int fds[32], over;
	char text[64];
	int64_t before_ns = clock_system().monotonic_ns(NULL), took_ns;

	for (size_t i = 0; i < 32; i++)
		fds[i] = connect_to(f->path);
	over = connect_to(f->path);
	assert_int_equal(read_all(fds[0], text, sizeof text), 0);
	assert_true(clock_system().monotonic_ns(NULL) - before_ns < NS_PER_S);
	assert_int_equal(read_all(over, text, sizeof text), 0);
	for (size_t i = 1; i < 32; i++)
		assert_int_equal(read_all(fds[i], text, sizeof text), 0);
	took_ns = clock_system().monotonic_ns(NULL) - before_ns;
	assert_true(took_ns > 4 * NS_PER_S && took_ns < 7 * NS_PER_S);
	assert_int_equal(control_dropped(f->control), 33);
}

static void test_mode_and_second_daemon(void **state)
{
	struct fixture *f = *state;
	struct control *second = NULL;
	struct err e = { 0 };
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(control_open(&second, f->loop, f->box, f->path, "", &e), -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(e.msg, "another nettally answers there"));
	assert_int_equal(access(f->path, F_OK), 0); /* the other's socket is still there */
}

static void test_stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct control *c = NULL;
	struct err e = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s.2", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	close(fd); /* as a killed daemon leaves it */
	if (control_open(&c, f->loop, f->box, sun.sun_path, "", &e) < 0)
		fail_msg("%s", e.msg);
	control_close(&c);
	assert_int_equal(control_open(&c, f->loop, f->box, sun.sun_path, "no-such-group", &e), -EINVAL);
	assert_non_null(strstr(e.msg, "no group 'no-such-group'"));
	fd = connect_to(f->path);
	close(fd);
}

/* An answer that is made as it is taken: much longer than what a socket holds. */
#define STREAM_PIECES 200
#define STREAM_PIECE 10000

struct stream {
	unsigned made;
	int closed;
};

static int next_piece(void *arg, FILE *to)
{
	struct stream *s = arg;

	for (unsigned i = 0; i < STREAM_PIECE; i++)
		fputc('a' + (int)(s->made % 26), to);
	return ++s->made < STREAM_PIECES;
}

static void close_stream(void *arg)
{
	((struct stream *)arg)->closed++;
}

static int ask_stream(void *arg, struct slice line, struct control_stream *ret)
{
	assert_memory_equal(line.at, "many words", line.len);
	*ret = (struct control_stream){ next_piece, close_stream, arg };
	return 0;
}

static void test_stream(void **state)
{
	static const struct control_words words = { "many", ask_stream };
	struct fixture *f = *state;
	struct stream s = { 0 };
	char *text = malloc(STREAM_PIECES * STREAM_PIECE + 2);
	int fd;

	assert_non_null(text);
	assert_int_equal(control_add_words(f->control, &words, &s), 0);
	fd = connect_to(f->path);
	assert_int_equal(send(fd, "many words\n", 11, 0), 11);
	assert_int_equal(read_all(fd, text, STREAM_PIECES * STREAM_PIECE + 2), STREAM_PIECES * STREAM_PIECE);
	for (unsigned i = 0; i < STREAM_PIECES; i++)
		assert_int_equal(text[i * STREAM_PIECE], 'a' + (int)(i % 26));
	free(text);
	fd = connect_to(f->path); /* who goes away ends its stream */
	assert_int_equal(send(fd, "many words\n", 11, 0), 11);
	close(fd);
	for (unsigned i = 0; i < 100 && s.closed < 2; i++)
		usleep(10000);
	assert_int_equal(s.closed, 2);
}

/* A file that is no socket is nobody's to remove. */
static void test_other_files_stay(void **state)
{
	struct fixture *f = *state;
	char path[80];
	struct control *c = NULL;
	struct err e = { 0 };
	FILE *file;

	snprintf(path, sizeof path, "%s.txt", f->path);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(control_open(&c, f->loop, f->box, path, "", &e), -EADDRINUSE);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end_of_stream_ends_the_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_long_is_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mode_and_second_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stale_socket_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_files_stay, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
