/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t widths[FIELD_COUNT] = {
	[FIELD_WINDOW] = 8,
	[FIELD_MAC] = 8, [FIELD_SRC_MAC] = 8, [FIELD_DST_MAC] = 8,
	[FIELD_ORIGIN_AS] = 8, [FIELD_NEIGHBOUR_AS] = 8, [FIELD_TRANSIT_AS] = 8,
	[FIELD_HOST] = 16, [FIELD_SRC_HOST] = 16, [FIELD_DST_HOST] = 16,
	[FIELD_NAME] = 4, [FIELD_VENDOR] = 4, [FIELD_PREFIX] = 4, [FIELD_AS_PATH] = 4, [FIELD_COUNTRY] = 4,
	[FIELD_SRC_PORT] = 4, [FIELD_DST_PORT] = 4, [FIELD_INTERFACE] = 4, [FIELD_ETHERTYPE] = 4,
	[FIELD_SERVICE] = 4, [FIELD_RULE] = 4, [FIELD_ROUTER] = 4, [FIELD_TYPE] = 4,
	[FIELD_VLAN] = 2, [FIELD_PROTO] = 2,
	[FIELD_DIRECTION] = 1, [FIELD_HOST_FAMILY] = 1, [FIELD_SRC_FAMILY] = 1, [FIELD_DST_FAMILY] = 1,
	[FIELD_LOCALITY] = 1,
};

uint8_t field_width(enum field f)
{
	return widths[f];
}

static enum field family_of(enum field host)
{
	switch (host) {
	case FIELD_HOST: return FIELD_HOST_FAMILY;
	case FIELD_SRC_HOST: return FIELD_SRC_FAMILY;
	default: return FIELD_DST_FAMILY;
	}
}

int key_layout_make(struct key_layout *ret, uint64_t fields, struct err *e)
{
	/* What comes first in a key, widest first; 16 bytes need no more than 8 of alignment. */
	static const uint8_t order[] = { 8, 16, 4, 2, 1 };
	struct key_layout l = { 0 };
	unsigned at = 0;

	if (fields & FIELD_BIT(FIELD_HOST))
		fields |= FIELD_BIT(FIELD_HOST_FAMILY);
	if (fields & FIELD_BIT(FIELD_SRC_HOST))
		fields |= FIELD_BIT(FIELD_SRC_FAMILY);
	if (fields & FIELD_BIT(FIELD_DST_HOST))
		fields |= FIELD_BIT(FIELD_DST_FAMILY);
	l.fields = fields;
	if (fields & FIELD_BIT(FIELD_WINDOW))
		at = 8; /* first of all, at 0 */
	for (unsigned o = 0; o < sizeof order; o++) {
		for (enum field f = 0; f < FIELD_COUNT; f++) {
			if (f == FIELD_WINDOW || widths[f] != order[o] || !(fields & FIELD_BIT(f)))
				continue;
			if (at + widths[f] > KEY_BYTES_MAX)
				return err_set(e, -E2BIG, "too many keys at once");
			l.at[f] = (uint8_t)at;
			at += widths[f];
		}
	}
	l.size = (uint8_t)(at ? (at + 7) / 8 * 8 : 8);
	*ret = l;
	return 0;
}

void key_set_other(const struct key_layout *l, uint8_t *key)
{
	for (enum field f = 0; f < FIELD_COUNT; f++)
		if (key_has(l, f) && f != FIELD_WINDOW)
			memset(key + l->at[f], 0xff, widths[f]);
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof v);
	return v;
}

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof v);
	return v;
}

bool key_field_is_other(const struct key_layout *l, const uint8_t *key, enum field f)
{
	uint64_t value;

	/* An address of all ones is an address; its family says whether it is `other`. */
	if (widths[f] == 16)
		f = family_of(f);
	switch (widths[f]) {
	case 1: return key[l->at[f]] == UINT8_MAX;
	case 2: return get_u16(key + l->at[f]) == UINT16_MAX;
	case 4: return get_u32(key + l->at[f]) == UINT32_MAX;
	default: memcpy(&value, key + l->at[f], sizeof value); return value == UINT64_MAX;
	}
}

void key_get_addr(const struct key_layout *l, const uint8_t *key, enum field host, struct addr *ret)
{
	memcpy(ret->bytes, key + l->at[host], sizeof ret->bytes);
	ret->family = key[l->at[family_of(host)]];
}

bool key_get_mac(const struct key_layout *l, const uint8_t *key, enum field mac, uint8_t ret[static 6])
{
	uint64_t v;

	memcpy(&v, key + l->at[mac], sizeof v);
	if (v == 0 || v == UINT64_MAX)
		return false;
	for (unsigned i = 0; i < 6; i++)
		ret[i] = (uint8_t)(v >> (40 - 8 * i));
	return true;
}

static uint64_t get_u64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof v);
	return v;
}

static int64_t get_as(const uint8_t *at)
{
	uint64_t v = get_u64(at);

	return v >> 32 == 1 ? (int64_t)(v & UINT32_MAX) : -1;
}

int64_t key_get_number(const struct key_layout *l, const uint8_t *key, enum field f)
{
	if (field_is_as(f))
		return get_as(key + l->at[f]);

	const uint8_t *at = key + l->at[f];
	const uint32_t v = widths[f] == 2 ? get_u16(at) : get_u32(at);

	if (v == 0 || key_field_is_other(l, key, f))
		return -1;
	switch (f) {
	case FIELD_VLAN: return v & 0xfff;
	case FIELD_PROTO: return v & 0xff;
	default: return v & 0xffff; /* ports, ethertype */
	}
}

static unsigned put_text(char *to, const char *text)
{
	size_t len = strlen(text);

	if (len >= KEY_TEXT_MAX)
		len = KEY_TEXT_MAX - 1;
	memcpy(to, text, len);
	to[len] = '\0';
	return (unsigned)len;
}

static unsigned put_number(char *to, uint32_t n)
{
	char digits[10];
	unsigned len = 0, at = 0;

	do
		digits[len++] = (char)('0' + n % 10);
	while (n /= 10);
	while (len)
		to[at++] = digits[--len];
	to[at] = '\0';
	return at;
}

static unsigned format_number(const struct key_layout *l, const uint8_t *key, enum field f, char *text)
{
	int64_t n = key_get_number(l, key, f);

	if (n < 0)
		return put_text(text, "-");
	if (f == FIELD_ETHERTYPE)
		return (unsigned)snprintf(text, KEY_TEXT_MAX, "0x%04x", (unsigned)n);
	return put_number(text, (uint32_t)n);
}

unsigned key_format(const struct key_layout *l, const uint8_t *key, enum field f,
		    const struct strings *strings, char text[static KEY_TEXT_MAX])
{
	static const char *const directions[] = { "-", "ingress", "egress" };
	struct addr a;
	uint8_t mac[6];

	if (key_field_is_other(l, key, f))
		return put_text(text, "other");
	switch (f) {
	case FIELD_HOST:
	case FIELD_SRC_HOST:
	case FIELD_DST_HOST:
		key_get_addr(l, key, f, &a);
		return addr_format(&a, text);
	case FIELD_MAC:
	case FIELD_SRC_MAC:
	case FIELD_DST_MAC:
		return key_get_mac(l, key, f, mac) ? mac_format(mac, text) : put_text(text, "-");
	case FIELD_SRC_PORT:
	case FIELD_DST_PORT:
	case FIELD_VLAN:
	case FIELD_PROTO:
	case FIELD_ETHERTYPE:
		return format_number(l, key, f, text);
	case FIELD_ORIGIN_AS:
	case FIELD_NEIGHBOUR_AS:
	case FIELD_TRANSIT_AS:
		if (get_u64(key + l->at[f]) >> 32 == 2)
			return put_text(text, strings_at(strings, get_u32(key + l->at[f])));
		return format_number(l, key, f, text);
	case FIELD_DIRECTION:
		return put_text(text, key[l->at[f]] <= 2 ? directions[key[l->at[f]]] : "-");
	default:
		return put_text(text, strings_at(strings, get_u32(key + l->at[f])));
	}
}

static bool is_string(enum field f)
{
	return widths[f] == 4 && !field_is_number(f) && f != FIELD_ETHERTYPE;
}

const char *key_text(const struct key_layout *l, const uint8_t *key, enum field f, const struct strings *strings,
		     char scratch[static KEY_TEXT_MAX], size_t *ret_len)
{
	const char *text = scratch;
	size_t len;

	if (is_string(f) && !key_field_is_other(l, key, f)) {
		text = strings_at(strings, get_u32(key + l->at[f]));
		len = strlen(text);
	} else {
		len = key_format(l, key, f, strings, scratch);
	}
	if (ret_len)
		*ret_len = len;
	return text;
}

void key_project(const struct key_layout *to, uint8_t *to_key, const struct key_layout *from,
		 const uint8_t *from_key)
{
	memset(to_key, 0, to->size);
	for (uint64_t both = to->fields & from->fields; both; both &= both - 1) {
		enum field f = (enum field)__builtin_ctzll(both);

		memcpy(to_key + to->at[f], from_key + from->at[f], widths[f]);
	}
}

static int compare_field(const struct key_layout *l, enum field f, const struct strings *strings,
			 const uint8_t *a, const uint8_t *b)
{
	char a_text[KEY_TEXT_MAX], b_text[KEY_TEXT_MAX];

	if (f == FIELD_WINDOW) {
		int64_t x, y;

		memcpy(&x, a + l->at[f], sizeof x);
		memcpy(&y, b + l->at[f], sizeof y);
		return (x > y) - (x < y);
	}
	if (field_is_number(f)) {
		int64_t x = key_field_is_other(l, a, f) ? INT64_MAX : key_get_number(l, a, f);
		int64_t y = key_field_is_other(l, b, f) ? INT64_MAX : key_get_number(l, b, f);

		return (x > y) - (x < y);
	}
	return strcmp(key_text(l, a, f, strings, a_text, NULL), key_text(l, b, f, strings, b_text, NULL));
}

int key_compare(const struct key_layout *l, const enum field *by, size_t by_count,
		const struct strings *strings, const uint8_t *a, const uint8_t *b)
{
	for (size_t i = 0; i < by_count; i++) {
		int c = compare_field(l, by[i], strings, a, b);

		if (c)
			return c;
	}
	return 0;
}
