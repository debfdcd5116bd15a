/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input.c -- a mapping for regular files, a buffer for the rest. */
#include "capture/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_BYTES (8u << 20)    /* a multiple of the page size */
#define BUFFER_BYTES (256u << 10) /* four pipes' worth */

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22    /* Linux 5.14; before, pages come by faults */
#endif

/* 0 where the file is no candidate for mapping: the caller reads it. */
static int map_file(struct input *in, const struct stat *st)
{
	off_t start = lseek(in->fd, 0, SEEK_CUR); /* standard input may stand in the middle of a file */
	size_t len = (size_t)st->st_size;
	void *map;

	/* Files of /proc say that they are empty, and are not. */
	if (!S_ISREG(st->st_mode) || st->st_size <= 0 || start < 0)
		return 0;
	if (start > st->st_size)
		start = st->st_size;
	map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, in->fd, 0);
	if (map == MAP_FAILED)
		return 0;
	in->map = map;
	in->map_len = len;
	in->at = in->map + start;
	in->end = in->map + len;
	in->kept = in->map + ((size_t)start & ~(size_t)(STEP_BYTES - 1));
	in->step_at = in->kept;
	return 1;
}

void input_step(struct input *in)
{
	const uint8_t *from = in->step_at;
	size_t left = (size_t)(in->map + in->map_len - from);
	size_t step = left < STEP_BYTES ? left : STEP_BYTES;

	/* The frames of the last batch may still lie behind: dropped pages of a file come back when they are touched. */
	if (from - in->kept >= (ptrdiff_t)STEP_BYTES) {
		(void)madvise((void *)(uintptr_t)in->kept, STEP_BYTES, MADV_DONTNEED);
		in->kept += STEP_BYTES;
	}
	if (step > 0)
		(void)madvise((void *)(uintptr_t)from, step, MADV_POPULATE_READ);
	in->step_at = left > STEP_BYTES ? from + STEP_BYTES : (const uint8_t *)UINTPTR_MAX;
}

int input_open(struct input *in, const char *path, struct err *e)
{
	struct stat st;

	*in = (struct input){ .fd = -1, .step_at = (const uint8_t *)UINTPTR_MAX };
	in->fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &st) < 0)
		return err_errno(e, -errno, "cannot be opened");
	if (S_ISDIR(st.st_mode))
		return err_set(e, -EISDIR, "is a directory, not a capture file");
	if (map_file(in, &st))
		return 0;
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

/* 1 = bytes came, 0 = the end. */
static int read_some(struct input *in, int idle_ms, struct err *e)
{
	struct pollfd p = { .fd = in->fd, .events = POLLIN };
	size_t have = (size_t)(in->end - in->buf);
	ssize_t got;
	int r;

	r = poll(&p, 1, idle_ms > 0 ? idle_ms : -1);
	if (r == 0 || (r < 0 && errno == EINTR))
		return -EAGAIN;
	if (r < 0)
		return err_errno(e, -errno, "waiting for more");
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
	if (in->map || in->ended)
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
	if (in->map)
		munmap(in->map, in->map_len);
	free(in->buf);
	if (in->fd >= 0)
		close(in->fd);
	*in = (struct input){ .fd = -1 };
}
