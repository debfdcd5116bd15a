/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buffer.h -- text on its way to a FILE, without a call of stdio per cell.
 *
 * Owns its bytes, borrows the FILE. A write that failed sticks in `failed`; what comes later is
 * thrown away. Thread: one. */
#ifndef NETTALLY_OUTPUT_BUFFER_H
#define NETTALLY_OUTPUT_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BUFFER_BYTES 65536

struct buffer {
	FILE *to;
	size_t used;
	int failed; /* negative errno of the first write that failed */
	char bytes[BUFFER_BYTES];
};

static inline void buffer_start(struct buffer *b, FILE *to) /* the bytes need no clearing */
{
	b->to = to;
	b->used = 0;
	b->failed = 0;
}

void buffer_flush(struct buffer *b);
void buffer_put(struct buffer *b, const char *text, size_t len);
void buffer_puts(struct buffer *b, const char *text);
void buffer_number(struct buffer *b, uint64_t n);
void buffer_spaces(struct buffer *b, unsigned count);

static inline void buffer_char(struct buffer *b, char c)
{
	if (b->used == BUFFER_BYTES)
		buffer_flush(b);
	b->bytes[b->used++] = c;
}

/* Untrusted text: control characters and what is no UTF-8 become '?'. */
void buffer_printable(struct buffer *b, const char *text);
/* As an RFC 4180 field, quoted only where it must be; line ends and tabs stay, other control
 * characters become '?'. */
void buffer_csv(struct buffer *b, const char *text);
/* As a JSON string with its quotes; escapes as json_string() in base/text.h does. */
void buffer_json(struct buffer *b, const char *text);
/* The value of a Prometheus label, with its quotes: \\ \" \n escaped; bytes that are no UTF-8
 * become '?'. */
void buffer_label(struct buffer *b, const char *text);
/* The same, but different texts stay different: what is not printable becomes \\xHH. */
void buffer_exact_label(struct buffer *b, const char *text);

#endif
