/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c -- see control.h. A client is read until its line ends, then written to until it has
 * all, then closed; one timer each bounds both. */
#include "daemon/control.h"

#include "base/clock.h"
#include "daemon/control_answer.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 32
#define BACKLOG 1024 /* who connects without waiting is refused beyond it */
#define REQUEST_MAX 4096
#define WORDS_MAX 4
#define DRAINS_MAX 64 /* of a client's bytes that nobody asked for, 4096 each */
#define REQUEST_TIMEOUT_NS (5 * NS_PER_S)
#define ANSWER_TIMEOUT_NS (10 * NS_PER_S)

struct client {
	struct control *control; /* NULL: the slot is free */
	uint64_t number;         /* in order of arrival */
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	char *answer;            /* NULL while the request is read */
	size_t answer_len, sent;
	struct control_stream stream; /* next NULL: the answer is all there is */
	size_t request_len;
	unsigned drained;
	uint8_t request[REQUEST_MAX];
};

struct control {
	struct loop *loop;
	struct snapshot_box *box;
	int fd;
	struct loop_io *io;
	uint64_t dropped, arrived;
	const char *what;         /* in messages */
	struct control_teller teller; /* tell NULL: clients ask */
	bool (*ask)(void *arg, struct slice line, FILE *to);
	void *ask_arg;
	struct {
		const struct control_words *words;
		void *arg;
	} words[WORDS_MAX];
	char path[sizeof ((struct sockaddr_un *)NULL)->sun_path];
	struct client clients[CLIENTS_MAX];
};

static void client_close(struct client *c)
{
	loop_remove_fd(c->control->loop, &c->io);
	loop_remove_timer(c->control->loop, &c->timer);
	close(c->fd);
	free(c->answer);
	if (c->stream.close)
		c->stream.close(c->stream.arg);
	memset(c, 0, offsetof(struct client, request));
}

static void client_drop(struct client *c)
{
	c->control->dropped++;
	client_close(c);
}

static void on_timeout(void *arg)
{
	client_drop(arg);
}

/* The next piece of a stream in the place of what was sent; false: there is none. */
static bool next_piece(struct client *c)
{
	FILE *to;
	int r;

	if (!c->stream.next)
		return false;
	free(c->answer);
	c->answer = NULL;
	c->answer_len = c->sent = 0;
	to = open_memstream(&c->answer, &c->answer_len);
	if (!to)
		return false;
	r = c->stream.next(c->stream.arg, to);
	if (r <= 0)
		c->stream.next = NULL;
	return fclose(to) == 0 && r >= 0 && loop_set_timer(c->control->loop, c->timer, ANSWER_TIMEOUT_NS, 0) == 0;
}

static void client_write(struct client *c)
{
	while (c->sent < c->answer_len || next_piece(c)) {
		ssize_t n = send(c->fd, c->answer + c->sent, c->answer_len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			client_drop(c);
			return;
		}
		c->sent += (size_t)n;
	}
	/* What it sent and nobody reads would make an error of the end of file. */
	while (recv(c->fd, c->request, REQUEST_MAX, MSG_DONTWAIT) == REQUEST_MAX && c->drained++ < DRAINS_MAX)
		;
	client_close(c);
}

/* 1 = it was meant and has answered. */
static int ask_others(struct client *c, size_t line_len)
{
	FILE *to = open_memstream(&c->answer, &c->answer_len);
	bool meant;

	if (!to)
		return -ENOMEM;
	meant = c->control->ask(c->control->ask_arg, (struct slice){ c->request, line_len }, to);
	if (fclose(to) != 0)
		return -ENOMEM;
	if (meant)
		return 1;
	free(c->answer);
	c->answer = NULL;
	return 0;
}

static int make_answer(struct client *c, size_t line_len, struct snapshot *s)
{
	const struct control_teller *t = &c->control->teller;
	int r;

	if (t->tell)
		return t->tell(t->arg, &c->answer, &c->answer_len, s);
	r = c->control->ask ? ask_others(c, line_len) : 0;
	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < WORDS_MAX && c->control->words[i].words; i++) {
		const struct control_words *w = c->control->words[i].words;
		size_t len = strlen(w->word);

		if (line_len < len || memcmp(c->request, w->word, len) != 0 || (line_len > len && c->request[len] != ' '))
			continue;
		c->answer = calloc(1, 1); /* the request is complete */
		return c->answer ? w->ask(c->control->words[i].arg, (struct slice){ c->request, line_len }, &c->stream) : -ENOMEM;
	}
	return control_answer(&c->answer, &c->answer_len, (struct slice){ c->request, line_len }, s);
}

static void client_answer(struct client *c, size_t line_len)
{
	struct snapshot *s = snapshot_box_get(c->control->box);
	int r = make_answer(c, line_len, s);

	snapshot_unref(&s);
	if (r < 0 || loop_change_fd(c->control->loop, c->io, EPOLLOUT) < 0 ||
	    loop_set_timer(c->control->loop, c->timer, ANSWER_TIMEOUT_NS, 0) < 0) {
		client_drop(c);
		return;
	}
	client_write(c);
}

/* Takes what there is: a whole line, or the end of the stream, makes the request. */
static void client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->request + c->request_len, REQUEST_MAX - c->request_len, MSG_DONTWAIT);
	const uint8_t *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && c->request_len == 0)) {
		client_drop(c);
		return;
	}
	c->request_len += (size_t)n;
	end = memchr(c->request, '\n', c->request_len);
	if (end)
		client_answer(c, (size_t)(end - c->request));
	else if (n == 0)
		client_answer(c, c->request_len);
	else if (c->request_len == REQUEST_MAX)
		client_drop(c);
}

static void on_client(void *arg, uint32_t events)
{
	struct client *c = arg;

	if (c->answer)
		client_write(c);
	else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		client_read(c);
}

/* Where all are taken, the oldest makes room: clients that hang do not keep others out. */
static struct client *free_slot(struct control *k)
{
	struct client *oldest = k->clients;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (!k->clients[i].control)
			return &k->clients[i];
		if (k->clients[i].number < oldest->number)
			oldest = &k->clients[i];
	}
	client_drop(oldest);
	return oldest;
}

static void on_connection(void *arg, uint32_t events)
{
	struct control *k = arg;
	int fd = accept4(k->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	(void)events;
	if (fd < 0)
		return;
	c = free_slot(k);
	c->control = k;
	c->number = k->arrived++;
	c->fd = fd;
	if (loop_add_fd(k->loop, &c->io, fd, EPOLLIN, on_client, c, NULL) < 0 ||
	    loop_add_timer(k->loop, &c->timer, REQUEST_TIMEOUT_NS, 0, on_timeout, c, NULL) < 0)
		client_drop(c);
	else if (k->teller.tell)
		client_answer(c, 0);
}

/* A socket that nobody listens on was left by a daemon that was killed. */
static bool is_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, r;

	if (lstat(sun->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	r = connect(fd, (const struct sockaddr *)sun, sizeof *sun) < 0 ? -errno : 0;
	close(fd);
	return r == -ECONNREFUSED;
}

static void make_directory(const char *path)
{
	char dir[sizeof ((struct sockaddr_un *)NULL)->sun_path];
	char *slash;

	strcpy(dir, path); /* the length was checked */
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = '\0';
		mkdir(dir, 0755); /* bind() tells what is wrong */
	}
}

static int bind_path(int fd, const char *what, const char *path, struct err *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	strcpy(sun.sun_path, path);
	make_directory(path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return 0;
	if (errno == EADDRINUSE && is_stale(&sun) && unlink(path) == 0 && bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return 0;
	if (errno == EADDRINUSE)
		return err_set(e, -EADDRINUSE, "%s %s: another nettally answers there, or it is no socket; stop it, or "
			       "set another path", what, path);
	return err_errno(e, -errno, "%s %s", what, path);
}

/* Before listen(): until then nobody can connect, whatever the mode. */
static int set_owner(const char *what, const char *path, const char *group, struct err *e)
{
	struct group *g = *group ? getgrnam(group) : NULL;

	if (*group && !g)
		return err_set(e, -EINVAL, "%s %s: no group '%s': make it with 'groupadd --system %s'", what, path, group,
			       group);
	if (g && chown(path, (uid_t)-1, g->gr_gid) < 0)
		return err_errno(e, -errno, "%s %s: give it to group %s", what, path, group);
	if (chmod(path, 0660) < 0)
		return err_errno(e, -errno, "%s %s: mode 0660", what, path);
	return 0;
}

static int control_listen(struct control *k, const char *path, const char *group, struct err *e)
{
	int r;

	k->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->fd < 0)
		return err_errno(e, -errno, "%s", k->what);
	r = bind_path(k->fd, k->what, path, e);
	if (r < 0)
		return r;
	strcpy(k->path, path);
	r = set_owner(k->what, path, group, e);
	if (r < 0)
		return r;
	if (listen(k->fd, BACKLOG) < 0)
		return err_errno(e, -errno, "%s %s: listen", k->what, path);
	return loop_add_fd(k->loop, &k->io, k->fd, EPOLLIN, on_connection, k, e);
}

static int open_as(struct control **ret, struct loop *loop, struct snapshot_box *box, const struct control_teller *t,
		   struct err *e)
{
	const char *what = t->tell ? "socket" : "control socket";
	struct control *k;
	int r;

	if (strlen(t->path) >= sizeof k->path)
		return err_set(e, -ENAMETOOLONG, "%s %s: a path of a socket has at most %zu bytes", what, t->path,
			       sizeof k->path - 1);
	k = calloc(1, sizeof *k);
	if (!k)
		return err_set(e, -ENOMEM, "no memory for the %s", what);
	k->loop = loop;
	k->box = box;
	k->fd = -1;
	k->what = what;
	k->teller = *t;
	r = control_listen(k, t->path, t->group, e);
	if (r < 0) {
		control_close(&k);
		return r;
	}
	*ret = k;
	return 0;
}

int control_open(struct control **ret, struct loop *loop, struct snapshot_box *box, const char *path, const char *group,
		 struct err *e)
{
	struct control_teller asks = { .path = path, .group = group };

	return open_as(ret, loop, box, &asks, e);
}

int control_open_teller(struct control **ret, struct loop *loop, struct snapshot_box *box, const struct control_teller *t,
			struct err *e)
{
	return open_as(ret, loop, box, t, e);
}

void control_set_asked(struct control *k, bool (*ask)(void *arg, struct slice line, FILE *to), void *arg)
{
	k->ask = ask;
	k->ask_arg = arg;
}

int control_add_words(struct control *k, const struct control_words *w, void *arg)
{
	size_t i = 0;

	while (i < WORDS_MAX && k->words[i].words)
		i++;
	if (i == WORDS_MAX)
		return -ENOSPC;
	k->words[i].words = w;
	k->words[i].arg = arg;
	return 0;
}

int control_set_group(struct control *k, const char *group, struct err *e)
{
	return set_owner(k->what, k->path, group, e);
}

uint64_t control_dropped(const struct control *k)
{
	return k->dropped;
}

void control_close(struct control **pk)
{
	struct control *k = *pk;

	*pk = NULL;
	if (!k)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (k->clients[i].control)
			client_close(&k->clients[i]);
	loop_remove_fd(k->loop, &k->io);
	if (k->fd >= 0)
		close(k->fd);
	if (k->path[0])
		unlink(k->path);
	free(k);
}
