/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input.c -- one buffer, read(2) and, for what may have to wait, poll(2). */
#include "capture/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Four pipes' worth, and still in a core's own cache when the records are walked. */
#define BUFFER_BYTES (256u << 10)

int input_open(struct input *in, const char *path, struct err *e)
{
	struct stat st;

	*in = (struct input){ .fd = -1 };
	in->fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &st) < 0)
		return err_errno(e, -errno, "cannot be opened");
	if (S_ISDIR(st.st_mode))
		return err_set(e, -EISDIR, "is a directory, not a capture file");
	in->waits = !S_ISREG(st.st_mode);
	if (!in->waits)
		(void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	in->buf_size = BUFFER_BYTES;
	in->buf = malloc(in->buf_size);
	if (!in->buf)
		return err_set(e, -ENOMEM, "no memory");
	in->at = in->end = in->buf;
	return 0;
}

/* Moves the unread bytes to the front of a buffer that holds `need`. */
static int make_room(struct input *in, size_t need)
{
	size_t have = (size_t)(in->end - in->at);
	uint8_t *buf;

	if (need > in->buf_size) {
		buf = malloc(need);
		if (!buf)
			return -ENOMEM;
		memcpy(buf, in->at, have);
		free(in->buf);
		in->buf = buf;
		in->buf_size = need;
	} else {
		memmove(in->buf, in->at, have);
	}
	in->at = in->buf;
	in->end = in->buf + have;
	return 0;
}

static int wait_for_more(struct input *in, int idle_ms, struct err *e)
{
	struct pollfd p = { .fd = in->fd, .events = POLLIN };
	int r = poll(&p, 1, idle_ms > 0 ? idle_ms : -1);

	if (r == 0 || (r < 0 && errno == EINTR))
		return -EAGAIN;
	return r < 0 ? err_errno(e, -errno, "waiting for more") : 0;
}

/* 1 = bytes came, 0 = the end. */
static int read_some(struct input *in, int idle_ms, struct err *e)
{
	size_t have = (size_t)(in->end - in->buf);
	ssize_t got;
	int r = in->waits ? wait_for_more(in, idle_ms, e) : 0;

	if (r < 0)
		return r;
	got = read(in->fd, in->buf + have, in->buf_size - have);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (got < 0)
		return err_errno(e, -errno, "cannot be read");
	in->end += got;
	return got > 0;
}

int input_fill(struct input *in, size_t need, int idle_ms, struct err *e)
{
	int r;

	if ((size_t)(in->end - in->at) >= need)
		return 1;
	if (in->ended)
		return 0;
	if (make_room(in, need) < 0)
		return err_set(e, -ENOMEM, "no memory for a record of %zu bytes", need);
	while ((size_t)(in->end - in->at) < need) {
		r = read_some(in, idle_ms, e);
		if (r < 0)
			return r;
		if (r == 0) {
			in->ended = true;
			return 0;
		}
	}
	return 1;
}

void input_close(struct input *in)
{
	free(in->buf);
	if (in->fd >= 0)
		close(in->fd);
	*in = (struct input){ .fd = -1 };
}
