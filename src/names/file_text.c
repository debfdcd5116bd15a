/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* As far as it goes: a file that is being written to may have grown or shrunk. */
static int read_all(int fd, size_t size, struct file_text *ret)
{
	uint8_t *memory = malloc(size + 1);
	size_t used = 0;

	if (!memory)
		return -ENOMEM;
	while (used < size) {
		ssize_t n = read(fd, memory + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(memory);
			return -errno;
		}
		if (n == 0)
			break;
		used += (size_t)n;
	}
	ret->memory = memory;
	ret->text = (struct slice){ memory, used };
	return 0;
}

int file_text_read(struct file_text *ret, const char *path, struct err *e)
{
	/* not blocking: a FIFO must not hold anybody up */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r = 0;
	struct stat st;

	if (fd < 0)
		return err_errno(e, -errno, "%s", path);
	if (fstat(fd, &st) < 0)
		r = err_errno(e, -errno, "%s", path);
	else if (!S_ISREG(st.st_mode))
		r = err_set(e, -EINVAL, "%s: no regular file", path);
	else if (st.st_size > FILE_TEXT_MAX)
		r = err_set(e, -EFBIG, "%s: larger than %u MiB", path, FILE_TEXT_MAX >> 20);
	if (r == 0) {
		r = read_all(fd, (size_t)st.st_size, ret);
		if (r < 0)
			err_errno(e, r, "%s", path);
	}
	close(fd);
	return r;
}

void file_text_free(struct file_text *f)
{
	free(f->memory);
	*f = (struct file_text){ 0 };
}

bool file_mark_changed(struct file_mark *m, const char *path)
{
	struct file_mark now = { 0 };
	struct stat st;
	bool changed;

	if (stat(path, &st) == 0)
		now = (struct file_mark){ st.st_dev, st.st_ino, st.st_size, st.st_ctim, true };
	changed = now.is_there != m->is_there || now.device != m->device || now.inode != m->inode || now.size != m->size ||
		  now.changed.tv_sec != m->changed.tv_sec || now.changed.tv_nsec != m->changed.tv_nsec;
	*m = now;
	return changed;
}
