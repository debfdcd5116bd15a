/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slice.h -- bounded views of foreign bytes, and the sticky cursor that reads them.
 *
 * A parser takes a slice and walks it with a cursor. Once a read would leave the slice the cursor
 * is `truncated`, and every later read gives 0 or NULL; check once at the end. A length field makes
 * a child cursor, so no parser can leave its own element. Thread: any; nothing is owned. */
#ifndef NETTALLY_BASE_SLICE_H
#define NETTALLY_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
	const uint8_t *at; /* borrowed, never freed */
	size_t len;
};

struct cursor {
	struct slice rest;
	bool truncated; /* sticky */
};

static inline struct cursor cursor_of(struct slice s)
{
	return (struct cursor){ .rest = s };
}

/* n >= 1; NULL when fewer than n bytes are left. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *at = c->rest.at;

	if (c->truncated || n > c->rest.len) {
		c->truncated = true;
		return NULL;
	}
	c->rest.at += n;
	c->rest.len -= n;
	return at;
}

static inline struct slice cursor_slice(struct cursor *c, size_t n)
{
	if (n == 0)
		return (struct slice){ .at = c->rest.at };
	const uint8_t *at = cursor_take(c, n);
	return at ? (struct slice){ at, n } : (struct slice){ 0 };
}

static inline uint16_t be16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t be32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *b = cursor_take(c, 1);
	return b ? b[0] : 0;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
	const uint8_t *b = cursor_take(c, 2);
	return b ? be16(b) : 0;
}

static inline uint32_t cursor_be32(struct cursor *c)
{
	const uint8_t *b = cursor_take(c, 4);
	return b ? be32(b) : 0;
}

#endif
