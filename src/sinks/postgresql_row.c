/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/postgresql_row.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>

#define EPOCH_S 946684800 /* PostgreSQL counts from 2000-01-01 UTC */

static bool is_numeric(enum pg_class c)
{
	return c >= PG_INT2 && c <= PG_FLOAT8;
}

/* ---- values ---- */

static bool is_text(const struct sink_cell *c, const char *text, size_t len)
{
	return c->len == len && memcmp(c->text, text, len) == 0;
}

/* NULL of the engine, "-" or "other": no value of a type. */
static bool is_nothing(const struct pg_column *col, const struct sink_cell *c)
{
	if (!c->text)
		return col->value != PG_VALUE_NUMBER && col->value != PG_VALUE_TIME;
	return is_text(c, "-", 1) || is_text(c, "other", 5);
}

static void put_null(struct sql_buffer *b)
{
	sql_put_be32(b, UINT32_MAX);
}

static bool text_number(const struct sink_cell *c, uint64_t *ret)
{
	uint64_t n = 0;

	if (c->len == 0 || c->len > 20)
		return false;
	for (size_t i = 0; i < c->len; i++) {
		unsigned digit = (unsigned)c->text[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, digit, &n))
			return false;
	}
	*ret = n;
	return true;
}

static void put_float8(struct sql_buffer *b, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	sql_put_be32(b, 8);
	sql_put_be64(b, bits);
}

static void put_float4(struct sql_buffer *b, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof bits);
	sql_put_be32(b, 4);
	sql_put_be32(b, bits);
}

/* numeric_recv(): groups of four decimal digits, the weight of the first, sign, scale. */
static void put_numeric(struct sql_buffer *b, uint64_t v)
{
	uint16_t groups[5];
	unsigned count = 0;

	for (; v; v /= 10000)
		groups[count++] = (uint16_t)(v % 10000);
	sql_put_be32(b, 8 + 2 * count);
	sql_put_be16(b, (uint16_t)count);
	sql_put_be16(b, (uint16_t)(count ? count - 1 : 0));
	sql_put_be32(b, 0);
	while (count)
		sql_put_be16(b, groups[--count]);
}

/* 0 or -ERANGE. */
static int put_number(struct sql_buffer *b, enum pg_class class, uint64_t v)
{
	switch (class) {
	case PG_INT2:
		if (v > INT16_MAX)
			return -ERANGE;
		sql_put_be32(b, 2);
		sql_put_be16(b, (uint16_t)v);
		return 0;
	case PG_INT4:
		if (v > INT32_MAX)
			return -ERANGE;
		sql_put_be32(b, 4);
		sql_put_be32(b, (uint32_t)v);
		return 0;
	case PG_INT8:
		if (v > INT64_MAX)
			return -ERANGE;
		sql_put_be32(b, 8);
		sql_put_be64(b, v);
		return 0;
	case PG_FLOAT4:
		put_float4(b, (float)v);
		return 0;
	case PG_FLOAT8:
		put_float8(b, (double)v);
		return 0;
	default:
		put_numeric(b, v);
		return 0;
	}
}

static int put_time(struct sql_buffer *b, enum pg_class class, int64_t utc_s)
{
	if (class == PG_DATE) {
		sql_put_be32(b, 4);
		sql_put_be32(b, (uint32_t)(window_start(utc_s - EPOCH_S, 86400) / 86400));
	} else if (class == PG_TIMESTAMP || class == PG_TIMESTAMPTZ) {
		sql_put_be32(b, 8);
		sql_put_be64(b, (uint64_t)((utc_s - EPOCH_S) * 1000000));
	} else if (utc_s < 0) {
		return -ERANGE;
	} else {
		return put_number(b, class, (uint64_t)utc_s);
	}
	return 0;
}

static int put_mac(struct sql_buffer *b, enum pg_class class, const char *text)
{
	uint8_t m[6];

	if (mac_parse(m, text) < 0)
		return -EINVAL;
	if (class == PG_MACADDR) {
		sql_put_be32(b, 6);
		sql_put(b, m, 6);
	} else { /* EUI-64 from EUI-48, as the server does it: ff:fe in the middle */
		const uint8_t wide[8] = { m[0], m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5] };

		sql_put_be32(b, 8);
		sql_put(b, wide, 8);
	}
	return 0;
}

/* network_recv(): family (2, or 3 for IPv6), bits, is it a cidr, length of the address. */
static void put_address(struct sql_buffer *b, enum pg_class class, const struct addr *a, unsigned bits)
{
	bool is_ip4 = a->family == ADDR_IP4;
	uint8_t len = is_ip4 ? 4 : 16;

	sql_put_be32(b, 4u + len);
	sql_put_u8(b, is_ip4 ? 2 : 3);
	sql_put_u8(b, (uint8_t)bits);
	sql_put_u8(b, class == PG_CIDR);
	sql_put_u8(b, len);
	sql_put(b, is_ip4 ? addr_ip4_bytes(a) : a->bytes, len);
}

/* "192.0.2.1" or "192.0.2.0/24" */
static int put_host(struct sql_buffer *b, enum pg_class class, const struct sink_cell *c)
{
	char text[ADDR_TEXT_MAX];
	const char *slash = memchr(c->text, '/', c->len);
	size_t len = slash ? (size_t)(slash - c->text) : c->len;
	struct sink_cell rest = { .text = slash ? slash + 1 : NULL, .len = slash ? c->len - len - 1 : 0 };
	uint64_t bits;
	struct addr a;

	if (len >= sizeof text)
		return -EINVAL;
	memcpy(text, c->text, len);
	text[len] = '\0';
	if (addr_parse(&a, text) < 0)
		return -EINVAL;
	unsigned most = a.family == ADDR_IP4 ? 32 : 128;
	bits = most;
	if (slash && (!text_number(&rest, &bits) || bits > most))
		return -EINVAL;
	put_address(b, class, &a, (unsigned)bits);
	return 0;
}

/* In place of "-" and "other" where a column allows no NULL. */
static void put_zero(struct sql_buffer *b, enum pg_class class)
{
	static const struct addr unspecified = { .family = ADDR_IP4 };

	switch (class) {
	case PG_MACADDR:
		put_mac(b, class, "00:00:00:00:00:00");
		break;
	case PG_MACADDR8:
		sql_put_be32(b, 8);
		sql_put_be64(b, 0);
		break;
	case PG_INET:
	case PG_CIDR:
		put_address(b, class, &unspecified, 32);
		break;
	default:
		put_number(b, class, 0);
		break;
	}
}

/* Bytes of the UTF-8 character at `at`, 0 where there is none (RFC 3629). */
static size_t utf8_length(const uint8_t *at, size_t len)
{
	size_t n = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
	    (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return n;
}

/* The server takes UTF-8 alone; a key may hold any bytes (the name of an interface): '?' for those that are none. */
static void put_utf8(struct sql_buffer *b, const char *text, size_t len)
{
	const uint8_t *at = (const uint8_t *)text;

	for (size_t n; len; at += n, len -= n) {
		n = utf8_length(at, len);
		if (n)
			sql_put(b, at, n);
		else
			sql_put_u8(b, '?');
		n += n == 0;
	}
}

static void put_text(struct sql_buffer *b, const char *text, size_t len)
{
	size_t before = b->len;
	uint32_t put;

	sql_put_be32(b, 0);
	put_utf8(b, text, len);
	put = htobe32((uint32_t)(b->len - before - sizeof put));
	if (!b->failed)
		memcpy(b->bytes + before, &put, sizeof put);
}

/* What a value looks like to people: for text columns, for COPY as text, and for sentences. */
static void cell_as_text(const struct pg_column *col, const struct sink_cell *c, char scratch[static 32],
			 const char **ret, size_t *ret_len)
{
	*ret = c->text;
	*ret_len = c->len;
	if (c->text)
		return;
	*ret = scratch;
	if (col->value == PG_VALUE_TIME)
		time_format((int64_t)c->number, scratch, TIME_TEXT_MAX);
	else
		snprintf(scratch, 32, "%" PRIu64, c->number);
	*ret_len = strlen(scratch);
}

static void put_as_text(struct sql_buffer *b, const struct pg_column *col, const struct sink_cell *c)
{
	char scratch[TIME_TEXT_MAX];
	const char *text;
	size_t len;

	cell_as_text(col, c, scratch, &text, &len);
	put_text(b, text, len);
}

static int put_typed(struct sql_buffer *b, const struct pg_column *col, const struct sink_cell *c)
{
	uint64_t n = c->number;

	switch (col->class) {
	case PG_MACADDR:
	case PG_MACADDR8:
		return put_mac(b, col->class, c->text);
	case PG_INET:
	case PG_CIDR:
		return put_host(b, col->class, c);
	default:
		break;
	}
	if (col->value == PG_VALUE_TIME)
		return put_time(b, col->class, (int64_t)c->number);
	if (c->text && !text_number(c, &n))
		return -EINVAL;
	return put_number(b, col->class, n);
}

static int put_cell(struct sql_buffer *b, const struct pg_column *col, const struct sink_cell *c)
{
	bool nothing = is_nothing(col, c);

	if (nothing && !c->text) {
		put_null(b);
	} else if (col->class == PG_TEXT) {
		put_as_text(b, col, c);
	} else if (nothing) {
		if (col->not_null)
			put_zero(b, col->class);
		else
			put_null(b);
	} else {
		return put_typed(b, col, c);
	}
	return 0;
}

/* ---- COPY as text ---- */

static void put_escaped(struct sql_buffer *b, const char *text, size_t len)
{
	static const char special[] = "\b\f\n\r\t\v\\", names[] = "bfnrtv\\";

	while (len) {
		const char *at = *text ? strchr(special, *text) : NULL;
		size_t n = utf8_length((const uint8_t *)text, len);

		if (at) {
			sql_put_u8(b, '\\');
			sql_put_u8(b, (uint8_t)names[at - special]);
		} else {
			put_utf8(b, text, n ? n : 1);
		}
		text += n ? n : 1;
		len -= n ? n : 1;
	}
}

static const char *text_zero(enum pg_class class)
{
	switch (class) {
	case PG_MACADDR:
		return "00:00:00:00:00:00";
	case PG_MACADDR8:
		return "00:00:00:00:00:00:00:00";
	case PG_INET:
	case PG_CIDR:
		return "0.0.0.0";
	case PG_OTHER:
		return NULL;
	default:
		return "0";
	}
}

static void put_text_cell(struct sql_buffer *b, const struct pg_column *col, const struct sink_cell *c)
{
	char scratch[TIME_TEXT_MAX];
	const char *text = NULL;
	size_t len = 0;

	if (!is_nothing(col, c) || (c->text && col->class == PG_TEXT)) {
		cell_as_text(col, c, scratch, &text, &len);
		if (col->value == PG_VALUE_TIME && is_numeric(col->class))
			len = (size_t)snprintf(scratch, sizeof scratch, "%" PRId64, (int64_t)c->number);
	} else if (c->text && col->not_null) {
		text = text_zero(col->class);
		len = text ? strlen(text) : 0;
	}
	if (text)
		put_escaped(b, text, len);
	else
		sql_add(b, "\\N");
}

/* ---- rows ---- */

static bool row_is_other(const struct pg_columns *columns, const struct sink_cell *cells)
{
	for (size_t i = 0; i < columns->count; i++) {
		const struct pg_column *col = &columns->at[i];

		if (col->map && col->map->of == COLUMN_OF_KEY && col->class != PG_TEXT) {
			const struct sink_cell *c = &cells[col->cell];

			return c->text && is_text(c, "other", 5);
		}
	}
	return false;
}

static void put_is_other(struct sql_buffer *b, const struct pg_columns *columns, const struct sink_cell *cells)
{
	bool other = row_is_other(columns, cells);

	if (columns->is_binary) {
		sql_put_be32(b, 1);
		sql_put_u8(b, other);
	} else {
		sql_put_u8(b, other ? 't' : 'f');
	}
}

static int bad_value(const struct pg_column *col, const struct sink_cell *c, struct err *e)
{
	char scratch[TIME_TEXT_MAX], shown[64];
	const char *text;
	size_t len;

	cell_as_text(col, c, scratch, &text, &len);
	snprintf(shown, sizeof shown, "%.*s", (int)(len < 60 ? len : 60), text);
	return err_set(e, -EINVAL, "column %s (%s) cannot hold %s; make it %s", col->name, pg_class_name(col->class), shown,
		       col->value == PG_VALUE_NUMBER ? "bigint or numeric" : "text");
}

int pg_row(struct sql_buffer *b, const struct pg_columns *columns, const struct sink_cell *cells, struct err *e)
{
	size_t before = b->len;

	if (columns->is_binary)
		sql_put_be16(b, (uint16_t)columns->count);
	for (size_t i = 0; i < columns->count; i++) {
		const struct pg_column *col = &columns->at[i];

		if (!columns->is_binary && i)
			sql_put_u8(b, '\t');
		if (!col->map) {
			put_is_other(b, columns, cells);
		} else if (!columns->is_binary) {
			put_text_cell(b, col, &cells[col->cell]);
		} else if (put_cell(b, col, &cells[col->cell]) < 0) {
			b->len = before;
			return bad_value(col, &cells[col->cell], e);
		}
	}
	if (!columns->is_binary)
		sql_put_u8(b, '\n');
	return b->failed ? err_set(e, -ENOMEM, "out of memory") : 0;
}

void pg_copy_header(struct sql_buffer *b, bool is_binary)
{
	static const uint8_t header[19] = { 'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n' };

	if (is_binary)
		sql_put(b, header, sizeof header);
}

void pg_copy_trailer(struct sql_buffer *b, bool is_binary)
{
	if (is_binary)
		sql_put_be16(b, UINT16_MAX);
}
