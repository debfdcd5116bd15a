/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.h -- for tests alone: capture files written into memory, in either byte order. */
#ifndef NETTALLY_CAPTURE_TESTING_H
#define NETTALLY_CAPTURE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct image {
	uint8_t *bytes;
	size_t len, room;
	bool swap;         /* write in the other byte order */
	size_t whole[512]; /* where a cut leaves no record in the middle */
	size_t whole_packets[512];
	size_t wholes;
};

static inline void put(struct image *m, const void *bytes, size_t len)
{
	if (m->len + len > m->room) {
		m->room = (m->len + len) * 2;
		m->bytes = realloc(m->bytes, m->room);
		assert_non_null(m->bytes);
	}
	if (len)
		memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
}

static inline void put8(struct image *m, uint8_t v)
{
	put(m, &v, 1);
}

static inline void put16(struct image *m, uint16_t v)
{
	v = m->swap ? __builtin_bswap16(v) : v;
	put(m, &v, sizeof v);
}

static inline void put32(struct image *m, uint32_t v)
{
	v = m->swap ? __builtin_bswap32(v) : v;
	put(m, &v, sizeof v);
}

static inline void put64(struct image *m, uint64_t v)
{
	v = m->swap ? __builtin_bswap64(v) : v;
	put(m, &v, sizeof v);
}

static inline void put_fill(struct image *m, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put8(m, (uint8_t)i);
}

static inline void whole(struct image *m, size_t packets)
{
	assert_true(m->wholes < 512);
	m->whole[m->wholes] = m->len;
	m->whole_packets[m->wholes++] = packets;
}

static inline void pcap_header(struct image *m, uint32_t magic, uint16_t minor, uint32_t linktype)
{
	put32(m, magic);
	put16(m, 2);
	put16(m, minor);
	put32(m, 0);
	put32(m, 0);
	put32(m, 65535);
	put32(m, linktype);
}

static inline void pcap_record(struct image *m, uint32_t s, uint32_t part, uint32_t cap_len, uint32_t wire_len)
{
	put32(m, s);
	put32(m, part);
	put32(m, cap_len);
	put32(m, wire_len);
	put_fill(m, cap_len);
}

/* A block whose length is put right by block_end(). */
static inline size_t block_begin(struct image *m, uint32_t type)
{
	size_t at = m->len;

	put32(m, type);
	put32(m, 0);
	return at;
}

static inline void patch32(struct image *m, size_t at, uint32_t v)
{
	v = m->swap ? __builtin_bswap32(v) : v;
	memcpy(m->bytes + at, &v, sizeof v);
}

static inline void block_end(struct image *m, size_t at)
{
	while (m->len % 4)
		put8(m, 0);
	put32(m, (uint32_t)(m->len + 4 - at));
	patch32(m, at + 4, (uint32_t)(m->len - at));
}

static inline void option(struct image *m, uint16_t code, const void *value, uint16_t len)
{
	put16(m, code);
	put16(m, len);
	put(m, value, len);
	while (m->len % 4)
		put8(m, 0);
}

static inline void section(struct image *m)
{
	size_t at = block_begin(m, 0x0a0d0d0a);

	put32(m, 0x1a2b3c4d);
	put16(m, 1);
	put16(m, 0);
	put64(m, UINT64_MAX);
	block_end(m, at);
}

static inline void interface(struct image *m, uint16_t linktype, uint32_t snap_len, const char *name)
{
	size_t at = block_begin(m, 1);

	put16(m, linktype);
	put16(m, 0);
	put32(m, snap_len);
	if (name) {
		option(m, 2, name, (uint16_t)strlen(name));
		option(m, 0, NULL, 0);
	}
	block_end(m, at);
}

static inline size_t enhanced_begin(struct image *m, uint32_t id, uint64_t ticks, uint32_t cap_len, uint32_t wire_len)
{
	size_t at = block_begin(m, 6);

	put32(m, id);
	put32(m, (uint32_t)(ticks >> 32));
	put32(m, (uint32_t)ticks);
	put32(m, cap_len);
	put32(m, wire_len);
	put_fill(m, cap_len);
	while (m->len % 4)
		put8(m, 0);
	return at;
}

static inline void enhanced(struct image *m, uint32_t id, uint64_t ticks, uint32_t cap_len, uint32_t wire_len)
{
	block_end(m, enhanced_begin(m, id, ticks, cap_len, wire_len));
}

#endif
