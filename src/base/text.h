/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h -- durations, sizes, times and numbers, as people and programs write them.
 *
 * Parsers take whole strings (nothing may follow), return 0 or -EINVAL with a sentence that shows
 * what would be right. Formatters never fail. Thread: any. */
#ifndef NETTALLY_BASE_TEXT_H
#define NETTALLY_BASE_TEXT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "1s" "5min" "90s" "1h" "1d" "1w", also "m" for minutes; no sign, no fraction; 1 s to 100
 * years. */
int duration_parse(uint32_t *ret_s, const char *text, struct err *e);
/* The largest unit that divides: 3600 -> "1h", 90 -> "90s". */
const char *duration_format(uint32_t s, char *buf, size_t size);

/* "64MiB" "10GiB" "512KiB" "1TiB", "10MB" (powers of ten), plain bytes "4096". */
int size_parse(uint64_t *ret_bytes, const char *text, struct err *e);
/* "10GiB" where it divides, else plain bytes. */
const char *size_format(uint64_t bytes, char *buf, size_t size);

/* People's units: "1.2 MB", "950 B", "3.4 k" (decimal, three digits). */
const char *human_bytes(uint64_t bytes, char *buf, size_t size);
const char *human_count(uint64_t n, char *buf, size_t size);

/* RFC 3339 UTC, whole seconds: "2026-11-22T00:46:00Z". buf of at least TIME_TEXT_MAX. */
#define TIME_TEXT_MAX 32
const char *time_format(int64_t utc_s, char *buf, size_t size);
/* RFC 3339 ("Z", an offset, a space instead of T, or a date alone = its midnight UTC), seconds
 * since 1970 ("1700000000"), "now", "today", "yesterday" (midnight UTC), "-1h" (that long before
 * now). */
int time_parse(int64_t *ret_utc_s, const char *text, int64_t now_utc_s, struct err *e);

/* Writes `text` as a JSON string with its quotes. Control characters, quotes, backslashes and
 * bytes that are no UTF-8 are escaped (a bad byte as \u00XX), "<" ">" "&" too, so that it can
 * stand in a page. */
void json_string(FILE *to, const char *text);
/* Copies, with every control character, DEL, and byte that is no UTF-8 replaced by '?': safe for a
 * terminal and for a TSV field. Returns `buf`. */
const char *text_printable(const char *text, char *buf, size_t size);

#endif
