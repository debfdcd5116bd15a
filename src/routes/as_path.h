/* SPDX-License-Identifier: GPL-2.0-or-later */
/* as_path.h -- an AS path as a value: what it says of its origin, its neighbour and the ASes between, and its text.
 *
 * A path is words: of each segment a head, AS_SEGMENT(kind, count), and then `count` AS numbers (always 4 octets,
 * RFC 6793). Sequences that follow one another are one segment, so that equal paths are equal words. Nothing is owned.
 * Thread: any. */
#ifndef NETTALLY_ROUTES_AS_PATH_H
#define NETTALLY_ROUTES_AS_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* RFC 4271 4.3 b, RFC 5065 3 */
enum as_segment_kind { AS_SEGMENT_SET = 1, AS_SEGMENT_SEQUENCE = 2, AS_SEGMENT_CONFED_SEQUENCE = 3, AS_SEGMENT_CONFED_SET = 4 };

#define AS_SEGMENT(kind, count) ((uint32_t)(kind) << 16 | (uint32_t)(count))
#define AS_SEGMENT_KIND(head) ((head) >> 16)
#define AS_SEGMENT_COUNT(head) ((head) & 0xffff)

#define AS_PATH_WORDS_MAX 16384u /* four times what a message of 64 KiB can hold as one sequence of 4 octets each */
#define AS_TRANS 23456u          /* RFC 6793: stands for a number that needs 4 octets */

struct as_path {
	const uint32_t *words; /* borrowed */
	uint32_t count;        /* 0 = the empty path: a route that began in the peer's own AS */
};

/* The walk over segments: false at the end. `at` begins at 0. */
struct as_segment {
	enum as_segment_kind kind;
	const uint32_t *as;
	uint32_t count;
};
bool as_path_next(const struct as_path *p, uint32_t *at, struct as_segment *ret);

/* As `bgpdump -m` prints it: "64500 64501 {64502,64503}", confederations "(65001 65002)" and "[65001,65002]", "" where
 * empty. Writes at most `size` bytes with the end mark, returns the length that the whole text has (as snprintf). */
size_t as_path_format(const struct as_path *p, char *text, size_t size);
/* Of a text as above; used by tests and by tables that people write. 0, -EINVAL, or -ENOSPC (`room` words). */
int as_path_parse(uint32_t *words, uint32_t room, uint32_t *ret_count, const char *text);

/* What RFC 4271 9.1.2.2 compares: a set counts as one, a confederation not at all. */
uint32_t as_path_length(const struct as_path *p);

/* The last element: one AS, or an AS_SET (which may hold one AS only: still a set, as every tool prints it). */
struct as_origin {
	uint32_t as;            /* 0 where it is a set or nothing */
	struct as_segment set;  /* count 0 where it is no set */
};
struct as_origin as_path_origin(const struct as_path *p);
/* "64502" or "{64502,64503}" or "" */
size_t as_origin_format(const struct as_origin *o, char *text, size_t size);

/* The first AS of the path, 0 where it is empty or begins with a set of several. Confederations are passed over: they
 * are inside the neighbour's own AS or ours. */
uint32_t as_path_neighbour(const struct as_path *p);

/* The distinct ASes of the path in their order, sets and confederations too: the first `room` of them. Returns how many were
 * written. */
uint32_t as_path_distinct(const struct as_path *p, uint32_t *as, uint32_t room);

#endif
