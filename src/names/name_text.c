/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names/name_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void name_text_start(struct name_text *t)
{
	t->used = 0;
	t->cut = false;
	t->at[0] = '\0';
}

static void put(struct name_text *t, const char *text, unsigned count)
{
	if (t->cut || t->used + count >= sizeof t->at) {
		t->cut = true;
		return;
	}
	memcpy(t->at + t->used, text, count);
	t->used += count;
	t->at[t->used] = '\0';
}

static bool stays(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-_:/+*~", c));
}

void name_text_byte(struct name_text *t, uint8_t byte)
{
	char text[8];

	if (byte >= 'A' && byte <= 'Z')
		byte = (uint8_t)(byte - 'A' + 'a');
	if (stays(byte)) {
		text[0] = (char)byte;
		put(t, text, 1);
		return;
	}
	snprintf(text, sizeof text, "\\%03u", byte);
	put(t, text, 4);
}

void name_text_dot(struct name_text *t)
{
	put(t, ".", 1);
}

void name_text_end(struct name_text *t)
{
	if (strcmp(t->at, "-") == 0)
		t->used = (unsigned)snprintf(t->at, sizeof t->at, "\\045");
	else if (strcmp(t->at, "other") == 0)
		t->used = (unsigned)snprintf(t->at, sizeof t->at, "\\111ther");
}

bool name_text_of(struct name_text *t, struct slice s)
{
	name_text_start(t);
	while (s.len && s.at[s.len - 1] == '.')
		s.len--;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '.')
			name_text_dot(t);
		else
			name_text_byte(t, s.at[i]);
	}
	name_text_end(t);
	return t->used > 0;
}

/* The length of the UTF-8 character at `s`, or 0. Overlong forms, surrogates and the C1 controls are none. */
static unsigned printable_length(const uint8_t *s)
{
	static const struct { uint8_t low, high, second_low, second_high; unsigned length; } forms[] = {
		{ 0x20, 0x7e, 0, 0, 1 },          { 0xc2, 0xc2, 0xa0, 0xbf, 2 }, { 0xc3, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },    { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },    { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (s[0] < forms[i].low || s[0] > forms[i].high)
			continue;
		for (unsigned k = 1; k < forms[i].length; k++) {
			if (k == 1 ? s[1] < forms[i].second_low || s[1] > forms[i].second_high : (s[k] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].length;
	}
	return 0;
}

int name_text_check(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len > 63)
		return err_set(e, -EINVAL, "a name has 1 to 63 bytes, not %zu", len);
	if (strcmp(name, "-") == 0 || strcmp(name, "other") == 0)
		return err_set(e, -EINVAL, "the name '%s' has a meaning of its own: choose another", name);
	for (const uint8_t *at = (const uint8_t *)name; *at;) {
		unsigned length = printable_length(at);

		if (length == 0)
			return err_set(e, -EINVAL, "a name is printable UTF-8: byte 0x%02x is not", *at);
		at += length;
	}
	return 0;
}

struct slice slice_line(struct slice *rest)
{
	const uint8_t *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
	struct slice line = { rest->at, end ? (size_t)(end - rest->at) : rest->len };
	size_t taken = line.len + (end != NULL);

	rest->at += taken;
	rest->len -= taken;
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

struct slice slice_word(struct slice *rest)
{
	struct slice word;

	while (rest->len && is_blank(*rest->at)) {
		rest->at++;
		rest->len--;
	}
	word = (struct slice){ rest->at, 0 };
	while (word.len < rest->len && !is_blank(word.at[word.len]))
		word.len++;
	rest->at += word.len;
	rest->len -= word.len;
	return word;
}

bool slice_is(struct slice s, const char *text)
{
	return s.len == strlen(text) && (s.len == 0 || memcmp(s.at, text, s.len) == 0);
}

bool slice_text(struct slice s, char *ret, size_t size)
{
	if (s.len >= size || (s.len && memchr(s.at, 0, s.len)))
		return false;
	if (s.len)
		memcpy(ret, s.at, s.len);
	ret[s.len] = '\0';
	return true;
}

bool slice_number(struct slice s, int64_t *ret)
{
	int64_t n = 0;

	if (s.len == 0 || s.len > 15)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		n = n * 10 + (s.at[i] - '0');
	}
	*ret = n;
	return true;
}

uint64_t mac_key_of(const uint8_t mac[static 6])
{
	uint64_t key = 1;

	for (unsigned i = 0; i < 6; i++)
		key = key << 8 | mac[i];
	return key;
}
