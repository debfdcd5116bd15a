/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bytes.h -- a growing piece of memory that a request is written into.
 *
 * Sticks at `failed` when memory runs out: check it once, at the end. Thread: one. */
#ifndef NETTALLY_SINKS_BYTES_H
#define NETTALLY_SINKS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	char *at;
	size_t len, room;
	bool failed;
};

void bytes_put(struct bytes *b, const void *from, size_t len);
void bytes_puts(struct bytes *b, const char *text);
void bytes_char(struct bytes *b, char c);
void bytes_number(struct bytes *b, uint64_t n);
void bytes_signed(struct bytes *b, int64_t n);
/* A JSON string with its quotes; what is no UTF-8 is escaped as \u00XX. text[len] is a NUL. */
void bytes_json(struct bytes *b, const char *text, size_t len);
void bytes_clear(struct bytes *b); /* keeps the memory */
void bytes_free(struct bytes *b);

#endif
