/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_client.c -- see control_client.h. */
#include "cli/control_client.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_S 10
#define ANSWER_MAX (64u << 20)

static int explain(const char *path, int code, struct err *e)
{
	struct group *g;
	struct stat st;

	if (code == -ENOENT || code == -ECONNREFUSED)
		return err_set(e, code, "no daemon answers at %s: start one with 'nettally run -i INTERFACE', or say where "
			       "it is with --control PATH or --ledger FILE", path);
	if (code != -EACCES)
		return err_errno(e, code, "%s", path);
	g = stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;
	return err_set(e, code, "%s: not allowed: ask as root%s%s", path, g && g->gr_gid ? ", or as a member of group " : "",
		       g && g->gr_gid ? g->gr_name : "");
}

static int connect_to(const char *path, int *ret_fd, struct err *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd;

	if (strlen(path) >= sizeof sun.sun_path)
		return err_set(e, -ENAMETOOLONG, "%s: a path of a socket has at most %zu bytes", path, sizeof sun.sun_path - 1);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, -errno, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
		int code = -errno;

		close(fd);
		return explain(path, code, e);
	}
	*ret_fd = fd;
	return 0;
}

static int read_all(int fd, char **ret, size_t *ret_len)
{
	size_t room = 65536, len = 0;
	char *text = malloc(room);

	while (text) {
		ssize_t n = recv(fd, text + len, room - len - 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || len > ANSWER_MAX) {
			int code = n < 0 ? -errno : -EFBIG;

			free(text);
			return code;
		}
		if (n == 0) {
			text[len] = '\0';
			*ret = text;
			*ret_len = len;
			return 0;
		}
		len += (size_t)n;
		if (room - len < 4096) {
			char *more = realloc(text, room *= 2);

			if (!more)
				free(text);
			text = more;
		}
	}
	return -ENOMEM;
}

static int send_request(int fd, const char *request)
{
	char line[4096];
	size_t len = (size_t)snprintf(line, sizeof line, "%s\n", request);

	if (len >= sizeof line)
		return -E2BIG;
	if (send(fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		return errno ? -errno : -EIO;
	return 0;
}

static int exchange(int fd, const char *request, char **ret, size_t *ret_len)
{
	int r = send_request(fd, request);

	return r < 0 ? r : read_all(fd, ret, ret_len);
}

int control_ask(const char *path, const char *request, char **ret_answer, size_t *ret_len, struct err *e)
{
	char *answer = NULL;
	size_t len = 0;
	int fd = -1, r;

	r = connect_to(path, &fd, e);
	if (r < 0)
		return r;
	r = exchange(fd, request, &answer, &len);
	close(fd);
	if (r == -EAGAIN)
		return err_set(e, -ETIME, "%s: the daemon gave no answer within %d s", path, WAIT_S);
	if (r < 0)
		return err_errno(e, r, "%s", path);
	if (len == 0 || strncmp(answer, "error: ", 7) == 0) {
		r = err_set(e, -EPROTO, "%s: %.*s", path, len ? (int)strcspn(answer + 7, "\n") : 100,
			    len ? answer + 7 : "the daemon closed the connection: it has too many clients; ask again");
		free(answer);
		return r;
	}
	*ret_answer = answer;
	*ret_len = len;
	return 0;
}

/* Until the last line: 0, or why it ended before. */
static int read_lines(const char *path, FILE *from, int (*handle)(void *arg, char *line), void *arg, struct err *e)
{
	char *line = NULL;
	size_t room = 0;
	bool ended = false;
	ssize_t len = 0;
	int r = 0;

	while (r == 0 && !ended && (len = getline(&line, &room, from)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		ended = strncmp(line, "# end", 5) == 0;
		if (strncmp(line, "error: ", 7) == 0)
			r = err_set(e, -EPROTO, "%s: %s", path, line + 7);
		else if (!ended)
			r = handle(arg, line);
		if (r < 0 && r != -EPROTO)
			err_errno(e, r, "cannot write");
	}
	free(line);
	if (r == 0 && !ended)
		r = err_set(e, -EPROTO, "%s: the answer ends early: is the daemon gone, or busy?", path);
	return r;
}

int control_ask_lines(const char *path, const char *request, int (*line)(void *arg, char *line), void *arg, struct err *e)
{
	FILE *from;
	int fd, r = connect_to(path, &fd, e);

	if (r < 0)
		return r;
	r = send_request(fd, request);
	from = r == 0 ? fdopen(fd, "r") : NULL;
	if (!from) {
		r = r < 0 ? r : -errno;
		close(fd);
		return err_errno(e, r, "%s", path);
	}
	r = read_lines(path, from, line, arg, e);
	fclose(from);
	return r;
}
