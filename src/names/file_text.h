/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_text.h -- a file's text whole, and whether it has changed since. At most FILE_TEXT_MAX bytes. Thread: any. */
#ifndef NETTALLY_NAMES_FILE_TEXT_H
#define NETTALLY_NAMES_FILE_TEXT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#define FILE_TEXT_MAX (64u << 20)

struct file_text {
	struct slice text;
	void *memory;
};

/* -ENOENT, -EACCES ...; -EFBIG over the limit; -EINVAL: no regular file. */
int file_text_read(struct file_text *ret, const char *path, struct err *e);
void file_text_free(struct file_text *f);

/* What a file was when it was looked at. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
	bool is_there;
};

/* True where the file is another than `m` says, or comes or goes; *m is then as it is now. */
bool file_mark_changed(struct file_mark *m, const char *path);

#endif
