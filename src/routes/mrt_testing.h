/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mrt_testing.h -- BGP messages and MRT records, made byte by byte for tests. */
#ifndef NETTALLY_ROUTES_MRT_TESTING_H
#define NETTALLY_ROUTES_MRT_TESTING_H

#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t at[8192];
	size_t len;
};

static inline struct slice slice_of(const struct bytes *b)
{
	return (struct slice){ b->at, b->len };
}

static inline void put(struct bytes *b, const void *from, size_t len)
{
	if (len > sizeof b->at - b->len)
		abort();
	memcpy(b->at + b->len, from, len);
	b->len += len;
}

/* Of text such as "18 c0 00 02". */
static inline void put_hex(struct bytes *b, const char *text)
{
	unsigned byte;

	while (*text) {
		if (*text == ' ') {
			text++;
			continue;
		}
		if (sscanf(text, "%2x", &byte) != 1 || !text[1])
			abort();
		put(b, &(uint8_t){ (uint8_t)byte }, 1);
		text += 2;
	}
}

static inline void put_be(struct bytes *b, uint64_t value, unsigned len)
{
	while (len--)
		put(b, &(uint8_t){ (uint8_t)(value >> len * 8) }, 1);
}

/* A length before what it counts. */
static inline void put_counted(struct bytes *b, const struct bytes *body, unsigned len)
{
	put_be(b, body->len, len);
	put(b, body->at, body->len);
}

/* RFC 4271 4.1 */
static inline struct bytes bgp_message(uint8_t type, const struct bytes *body)
{
	struct bytes b = { 0 };

	for (unsigned i = 0; i < 16; i++)
		put_be(&b, 0xff, 1);
	put_be(&b, 19 + body->len, 2);
	put_be(&b, type, 1);
	put(&b, body->at, body->len);
	return b;
}

static inline struct bytes bgp_update(const char *withdrawn, const char *attributes, const char *announced)
{
	struct bytes w = { 0 }, a = { 0 }, body = { 0 };

	put_hex(&w, withdrawn);
	put_hex(&a, attributes);
	put_counted(&body, &w, 2);
	put_counted(&body, &a, 2);
	put_hex(&body, announced);
	return bgp_message(2, &body);
}

/* RFC 6396 2 */
static inline void put_record(struct bytes *to, uint16_t type, uint16_t subtype, const struct bytes *body)
{
	put_be(to, 1700000000, 4);
	put_be(to, type, 2);
	put_be(to, subtype, 2);
	put_counted(to, body, 4);
}

#endif
