/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mrt_file.h -- an MRT file as records: plain, gz (several members too) or bz2, by its first bytes.
 *
 * Memory: a few hundred KiB, and a record of at most MRT_RECORD_MAX; longer ones are passed over and counted.
 * Thread: one; blocks on the disk. */
#ifndef NETTALLY_ROUTES_MRT_FILE_H
#define NETTALLY_ROUTES_MRT_FILE_H

#include "base/err.h"
#include "base/slice.h"

struct mrt_file;

int mrt_file_open(struct mrt_file **ret, const char *path, struct err *e);
/* 1 and the next whole record with its header, borrowed until the next call; 0 at the end; -EIO where the disk fails,
 * -ENOMEM. A stream that is damaged or ends early ends here too: mrt_file_warning() says so. */
int mrt_file_next(struct mrt_file *f, struct slice *ret, struct err *e);
const char *mrt_file_warning(const struct mrt_file *f); /* "" = none so far */
uint64_t mrt_file_too_long(const struct mrt_file *f);
void mrt_file_close(struct mrt_file **f);

#endif
