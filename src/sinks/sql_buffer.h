/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sql_buffer.h -- bytes that grow: rows for COPY and RowBinary, and the text of statements.
 *
 * A failed allocation is sticky: later puts do nothing, `failed` is looked at once, at the end. Thread: the owner's. */
#ifndef NETTALLY_SINKS_SQL_BUFFER_H
#define NETTALLY_SINKS_SQL_BUFFER_H

#include <endian.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sql_buffer {
	uint8_t *bytes;
	size_t len, room;
	bool failed;
};

static inline void sql_buffer_free(struct sql_buffer *b)
{
	free(b->bytes);
	*b = (struct sql_buffer){ 0 };
}

/* Room for n more bytes behind the end; NULL once failed. */
static inline uint8_t *sql_room(struct sql_buffer *b, size_t n)
{
	if (b->failed)
		return NULL;
	if (b->room - b->len < n) {
		size_t room = b->room ? b->room * 2 : 4096;

		while (room - b->len < n)
			room *= 2;
		uint8_t *more = realloc(b->bytes, room);
		if (!more) {
			b->failed = true;
			return NULL;
		}
		b->bytes = more;
		b->room = room;
	}
	return b->bytes + b->len;
}

static inline void sql_put(struct sql_buffer *b, const void *bytes, size_t n)
{
	uint8_t *at = n ? sql_room(b, n) : NULL;

	if (at) {
		memcpy(at, bytes, n);
		b->len += n;
	}
}

static inline void sql_put_u8(struct sql_buffer *b, uint8_t v)
{
	sql_put(b, &v, 1);
}

static inline void sql_put_be16(struct sql_buffer *b, uint16_t v)
{
	v = htobe16(v);
	sql_put(b, &v, sizeof v);
}

static inline void sql_put_be32(struct sql_buffer *b, uint32_t v)
{
	v = htobe32(v);
	sql_put(b, &v, sizeof v);
}

static inline void sql_put_be64(struct sql_buffer *b, uint64_t v)
{
	v = htobe64(v);
	sql_put(b, &v, sizeof v);
}

static inline void sql_add(struct sql_buffer *b, const char *text)
{
	sql_put(b, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static inline void sql_addf(struct sql_buffer *b, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof text)
		b->failed = true;
	else
		sql_put(b, text, (size_t)n);
}

/* The text between two `quote`s, those inside it doubled. */
static inline void sql_add_quoted(struct sql_buffer *b, char quote, const char *text)
{
	sql_put_u8(b, (uint8_t)quote);
	for (; *text; text++) {
		if (*text == quote)
			sql_put_u8(b, (uint8_t)quote);
		sql_put_u8(b, (uint8_t)*text);
	}
	sql_put_u8(b, (uint8_t)quote);
}

/* The whole as a C string; NULL where memory ran out. Borrowed. */
static inline const char *sql_text(struct sql_buffer *b)
{
	sql_put_u8(b, 0);
	if (b->failed)
		return NULL;
	b->len--;
	return (const char *)b->bytes;
}

#endif
