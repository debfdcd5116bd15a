/* SPDX-License-Identifier: GPL-2.0-or-later */
/* utf8.c -- see utf8.h. */
#include "output/utf8.h"

#include <stddef.h>

struct range {
	uint32_t first, last;
};

/* Unicode 15: the blocks that terminals draw over the character before, and those drawn two
 * columns wide. */
static const struct range combining[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x0610, 0x061a }, { 0x064b, 0x065f },
	{ 0x06d6, 0x06dc }, { 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
	{ 0x200b, 0x200d }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff },
	{ 0xe0100, 0xe01ef },
};
static const struct range wide[] = {
	{ 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0xa4cf }, { 0xa960, 0xa97c }, { 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff01, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f },
	{ 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};
/* U+202A-E, U+2066-9 reorder what is around them; U+2028-9 break lines. */
static const struct range unprintable[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x061c, 0x061c }, { 0x200e, 0x200f }, { 0x2028, 0x202e },
	{ 0x2066, 0x2069 },
};

static bool in_ranges(const struct range *r, size_t count, uint32_t code)
{
	for (size_t i = 0; i < count; i++)
		if (code >= r[i].first && code <= r[i].last)
			return true;
	return false;
}

#define IN(ranges, code) in_ranges(ranges, sizeof ranges / sizeof *(ranges), code)

static bool is_tail(uint8_t b)
{
	return (b & 0xc0) == 0x80;
}

unsigned utf8_take(const char *text, uint32_t *ret_code)
{
	const uint8_t *b = (const uint8_t *)text;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned len = b[0] < 0x80 ? 1 : b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	uint32_t code = b[0];

	if (len == 1) {
		*ret_code = code;
		return 1;
	}
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	code &= 0x7fu >> len;
	for (unsigned i = 1; i < len; i++) {
		if (!is_tail(b[i])) /* the NUL at the end is no tail either */
			return 0;
		code = code << 6 | (b[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return len;
}

bool utf8_is_printable(uint32_t code)
{
	return (code >= 0x20 && code < 0x7f) || !IN(unprintable, code);
}

unsigned utf8_width(uint32_t code)
{
	if (code < 0x300)
		return 1;
	if (IN(combining, code))
		return 0;
	return IN(wide, code) ? 2 : 1;
}
