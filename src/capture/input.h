/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input.h -- the bytes of a file or stream, a window of them at a time. Private to pcapfile.
 *
 * A regular file is mapped whole: `at`..`end` is all that is left of it. The mapping is populated a step ahead
 * of the reader and given back behind it, so that the resident size stays at two steps however long the file is.
 * Anything else is read into a buffer that grows to what is asked for. Owns the descriptor, mapping, buffer. */
#ifndef NETTALLY_CAPTURE_INPUT_H
#define NETTALLY_CAPTURE_INPUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
	const uint8_t *at, *end;  /* bytes at hand that were not read yet; the reader moves `at` */
	const uint8_t *step_at;   /* mapped: call input_step() when `at` has come here */
	const uint8_t *kept;      /* mapped: what lies before was given back */
	uint8_t *map, *buf;       /* one of them */
	size_t map_len, buf_size;
	int fd;
	bool ended;               /* a stream: read(2) gave 0 */
};

/* `path` "-" is standard input. Errors as open(2), -EISDIR. Names no file in its sentences: the caller does. */
int input_open(struct input *in, const char *path, struct err *e);
void input_close(struct input *in);

/* Makes `need` bytes available at `at`; moves what is there, so nothing may point into it. 1 = done, 0 = the end
 * comes before, -EAGAIN = nothing came within `idle_ms` (0 = wait for ever) or a signal did, else as read(2). */
int input_fill(struct input *in, size_t need, int idle_ms, struct err *e);

/* Mapped: populates the next step and gives back the last. */
void input_step(struct input *in);

#endif
