/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/bytes.h"

#include "output/utf8.h"

#include <stdlib.h>
#include <string.h>

static bool make_room(struct bytes *b, size_t more)
{
	size_t room = b->room ? b->room : 4096;

	if (b->len + more <= b->room)
		return true;
	while (room < b->len + more)
		room *= 2;
	char *at = b->failed ? NULL : realloc(b->at, room);
	if (!at) {
		b->failed = true;
		return false;
	}
	b->at = at;
	b->room = room;
	return true;
}

void bytes_put(struct bytes *b, const void *from, size_t len)
{
	if (len == 0 || !make_room(b, len))
		return;
	memcpy(b->at + b->len, from, len);
	b->len += len;
}

void bytes_puts(struct bytes *b, const char *text)
{
	bytes_put(b, text, strlen(text));
}

void bytes_char(struct bytes *b, char c)
{
	if (b->len == b->room && !make_room(b, 1))
		return;
	b->at[b->len++] = c;
}

void bytes_number(struct bytes *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	bytes_put(b, digits + at, sizeof digits - at);
}

void bytes_signed(struct bytes *b, int64_t n)
{
	if (n < 0)
		bytes_char(b, '-');
	bytes_number(b, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

static void json_char(struct bytes *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char escape[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	bytes_put(b, escape, sizeof escape);
}

void bytes_json(struct bytes *b, const char *text, size_t len)
{
	bytes_char(b, '"');
	for (const char *end = text + len; text < end;) {
		unsigned char c = (unsigned char)*text;
		uint32_t code;
		size_t n = c < 0x80 ? 1 : utf8_take(text, &code);

		if (c == '"' || c == '\\') {
			bytes_char(b, '\\');
			bytes_char(b, (char)c);
		} else if (c < 0x20 || c == 0x7f || n == 0) {
			json_char(b, c);
		} else {
			bytes_put(b, text, n);
		}
		text += n ? n : 1;
	}
	bytes_char(b, '"');
}

void bytes_clear(struct bytes *b)
{
	b->len = 0;
}

void bytes_free(struct bytes *b)
{
	free(b->at);
	*b = (struct bytes){ 0 };
}
