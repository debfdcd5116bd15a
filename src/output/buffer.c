/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buffer.c -- see buffer.h. */
#include "output/buffer.h"

#include "output/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void buffer_flush(struct buffer *b)
{
	if (!b->failed && b->used && fwrite(b->bytes, 1, b->used, b->to) != b->used)
		b->failed = errno ? -errno : -EIO;
	b->used = 0;
}

void buffer_put(struct buffer *b, const char *text, size_t len)
{
	while (len > BUFFER_BYTES - b->used) {
		size_t part = BUFFER_BYTES - b->used;

		memcpy(b->bytes + b->used, text, part);
		b->used += part;
		text += part;
		len -= part;
		buffer_flush(b);
	}
	memcpy(b->bytes + b->used, text, len);
	b->used += len;
}

void buffer_puts(struct buffer *b, const char *text)
{
	buffer_put(b, text, strlen(text));
}

void buffer_number(struct buffer *b, uint64_t n)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
				    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	char digits[20];
	size_t at = sizeof digits;

	while (n >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * (n % 100), 2);
		n /= 100;
	}
	if (n >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * n, 2);
	} else {
		digits[--at] = (char)('0' + n);
	}
	buffer_put(b, digits + at, sizeof digits - at);
}

void buffer_spaces(struct buffer *b, unsigned count)
{
	while (count--)
		buffer_char(b, ' ');
}

/* Passes runs of plain ASCII on as they are; returns the first byte that needs a look, or the
 * end. `special` holds five bytes (repeat one): the loop over 20 million characters must not
 * call anything. */
static inline __attribute__((always_inline)) const char *put_plain(struct buffer *b, const char *text,
								    const char special[static 5])
{
	const char *from = text;

	while (*text >= 0x20 && *text < 0x7f && *text != special[0] && *text != special[1] && *text != special[2] &&
	       *text != special[3] && *text != special[4])
		text++;
	buffer_put(b, from, (size_t)(text - from));
	return text;
}

void buffer_printable(struct buffer *b, const char *text)
{
	uint32_t code;

	while (*(text = put_plain(b, text, "\x7f\x7f\x7f\x7f\x7f"))) {
		unsigned len = utf8_take(text, &code);

		if (len && utf8_is_printable(code))
			buffer_put(b, text, len);
		else
			buffer_char(b, '?');
		text += len ? len : 1;
	}
}

void buffer_csv(struct buffer *b, const char *text)
{
	bool quoted = text[strcspn(text, ",\"\r\n")] != '\0';
	uint32_t code;

	if (quoted)
		buffer_char(b, '"');
	while (*(text = put_plain(b, text, "\"\"\"\"\""))) {
		unsigned len = utf8_take(text, &code);

		if (*text == '"')
			buffer_put(b, "\"\"", 2);
		else if (len && (utf8_is_printable(code) || strchr("\r\n\t", *text)))
			buffer_put(b, text, len);
		else
			buffer_char(b, '?');
		text += len ? len : 1;
	}
	if (quoted)
		buffer_char(b, '"');
}

static void put_json_escape(struct buffer *b, uint32_t code)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', hex[code >> 12 & 15], hex[code >> 8 & 15], hex[code >> 4 & 15], hex[code & 15] };

	buffer_put(b, text, sizeof text);
}

void buffer_json(struct buffer *b, const char *text)
{
	uint32_t code;

	buffer_char(b, '"');
	while (*(text = put_plain(b, text, "\"\\<>&"))) {
		unsigned len = utf8_take(text, &code);

		if (*text == '"' || *text == '\\') {
			buffer_char(b, '\\');
			buffer_char(b, *text);
		} else if (len == 0) {
			put_json_escape(b, (uint8_t)*text);
		} else if (len == 1 || !utf8_is_printable(code)) {
			put_json_escape(b, code);
		} else {
			buffer_put(b, text, len);
		}
		text += len ? len : 1;
	}
	buffer_char(b, '"');
}

static void put_label(struct buffer *b, const char *text, bool exact)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t code;

	buffer_char(b, '"');
	while (*(text = put_plain(b, text, "\"\\\"\"\""))) {
		unsigned len = utf8_take(text, &code);

		if (*text == '"' || *text == '\\') {
			buffer_char(b, '\\');
			buffer_char(b, *text);
		} else if (*text == '\n') {
			buffer_put(b, "\\n", 2);
		} else if (len && utf8_is_printable(code)) {
			buffer_put(b, text, len);
		} else if (exact) {
			for (unsigned k = 0; k < (len ? len : 1); k++) {
				buffer_put(b, "\\\\x", 3);
				buffer_char(b, hex[(uint8_t)text[k] >> 4]);
				buffer_char(b, hex[(uint8_t)text[k] & 15]);
			}
		} else {
			buffer_char(b, '?');
		}
		text += len ? len : 1;
	}
	buffer_char(b, '"');
}

void buffer_label(struct buffer *b, const char *text)
{
	put_label(b, text, false);
}

void buffer_exact_label(struct buffer *b, const char *text)
{
	put_label(b, text, true);
}
