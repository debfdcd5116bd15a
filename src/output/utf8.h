/* SPDX-License-Identifier: GPL-2.0-or-later */
/* utf8.h -- one character of untrusted text at a time: is it UTF-8, is it fit for a terminal,
 * how wide is it. Independent of the locale. Thread: any. */
#ifndef NETTALLY_OUTPUT_UTF8_H
#define NETTALLY_OUTPUT_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the character at `text` (1 to 4) and its code point; 0 where the bytes are no UTF-8
 * (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). `text` ends with a NUL and is
 * not at it. */
unsigned utf8_take(const char *text, uint32_t *ret_code);

/* False for C0, DEL, C1, line separators and the marks that turn the writing direction round. */
bool utf8_is_printable(uint32_t code);

/* Columns on a terminal: 0 combining, 2 wide (East Asian, emoji), else 1. */
unsigned utf8_width(uint32_t code);

#endif
