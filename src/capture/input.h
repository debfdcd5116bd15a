/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input.h -- the bytes of a file or stream, a window of them at a time. Private to pcapfile.
 *
 * Files are read, not mapped: the copy stays in the core's own cache and costs no more than the
 * page faults did (measured: 18.5 against 19.8 ms over 185 MB of short records, 14 against 56 ms
 * over 225 MB of whole ones), and a file that somebody truncates meanwhile ends, where a mapping
 * would kill the program by SIGBUS. The buffer grows to what is asked for. Owns the descriptor
 * and the buffer. */
#ifndef NETTALLY_CAPTURE_INPUT_H
#define NETTALLY_CAPTURE_INPUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
	const uint8_t *at, *end;  /* bytes at hand that were not taken yet; the reader moves `at` */
	uint8_t *buf;
	size_t buf_size;
	int fd;
	bool waits;               /* no regular file: poll first */
	bool ended;               /* read(2) gave 0 */
};

/* `path` "-" is standard input. Errors as open(2), -EISDIR. Names no file in its sentences: the
 * caller does. */
int input_open(struct input *in, const char *path, struct err *e);
void input_close(struct input *in);

/* Makes `need` bytes available at `at`; moves what is there, so nothing may point into it. 1 =
 * done, 0 = the end comes before, -EAGAIN = nothing came within `idle_ms` (0 = wait for ever) or
 * a signal did, else as read(2). */
int input_fill(struct input *in, size_t need, int idle_ms, struct err *e);

#endif
