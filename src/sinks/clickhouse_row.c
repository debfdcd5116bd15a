/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/clickhouse_row.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>

/* ---- types ---- */

static const struct {
	const char *name;
	struct ch_type type;
} types[] = {
	{ "String", { CH_STRING, 0, false } },   { "UInt8", { CH_UINT, 1, false } },    { "UInt16", { CH_UINT, 2, false } },
	{ "UInt32", { CH_UINT, 4, false } },     { "UInt64", { CH_UINT, 8, false } },   { "Int8", { CH_INT, 1, false } },
	{ "Int16", { CH_INT, 2, false } },       { "Int32", { CH_INT, 4, false } },     { "Int64", { CH_INT, 8, false } },
	{ "Float32", { CH_FLOAT, 4, false } },   { "Float64", { CH_FLOAT, 8, false } }, { "DateTime", { CH_DATETIME, 4, false } },
	{ "IPv4", { CH_IPV4, 4, false } },       { "IPv6", { CH_IPV6, 16, false } },
};

/* "Name(inner)" -> inner. */
static bool unwrap(const char **at, size_t *len, const char *name)
{
	size_t n = strlen(name);

	if (*len < n + 2 || strncmp(*at, name, n) != 0 || (*at)[n] != '(' || (*at)[*len - 1] != ')')
		return false;
	*at += n + 1;
	*len -= n + 2;
	return true;
}

int ch_type_parse(struct ch_type *ret, const char *text)
{
	size_t len = strlen(text);
	struct ch_type t = { 0 };
	const char *at = text;

	(void)unwrap(&at, &len, "LowCardinality");
	bool nullable = unwrap(&at, &len, "Nullable");
	if (unwrap(&at, &len, "DateTime")) {
		*ret = (struct ch_type){ CH_DATETIME, 4, nullable };
		return 0;
	}
	if (unwrap(&at, &len, "FixedString") || unwrap(&at, &len, "DateTime64")) {
		t.class = at > text + 9 && strncmp(at - 11, "DateTime64(", 11) == 0 ? CH_DATETIME64 : CH_FIXED;
		t.width = (unsigned)strtoul(at, NULL, 10);
		t.is_nullable = nullable;
		if (t.width > (t.class == CH_FIXED ? 65536u : 9u))
			return -ENOTSUP;
		*ret = t;
		return 0;
	}
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strlen(types[i].name) == len && strncmp(types[i].name, at, len) == 0) {
			*ret = types[i].type;
			ret->is_nullable = nullable;
			return 0;
		}
	return -ENOTSUP;
}

static bool is_mac(const struct column_map *m)
{
	return m->of == COLUMN_OF_KEY && (m->field == FIELD_MAC || m->field == FIELD_SRC_MAC || m->field == FIELD_DST_MAC);
}

static bool is_host(const struct column_map *m)
{
	return m->of == COLUMN_OF_IPV4 || m->of == COLUMN_OF_IPV6 ||
	       (m->of == COLUMN_OF_KEY && (m->field == FIELD_HOST || m->field == FIELD_SRC_HOST || m->field == FIELD_DST_HOST));
}

bool ch_fits(const struct column_map *m, const struct ch_type *t)
{
	if (t->class == CH_STRING || t->class == CH_FIXED)
		return true;
	if (m->of == COLUMN_OF_TIME)
		return t->class == CH_DATETIME || t->class == CH_DATETIME64 ||
		       ((t->class == CH_UINT || t->class == CH_INT) && t->width >= 4);
	if (t->class == CH_DATETIME || t->class == CH_DATETIME64)
		return false;
	if (t->class == CH_IPV4 || t->class == CH_IPV6)
		return is_host(m);
	if (is_mac(m))
		return t->class == CH_UINT && t->width == 8; /* MACNumToString() */
	return !is_host(m);
}

/* ---- values ---- */

static bool is_text(const struct sink_cell *c, const char *text, size_t len)
{
	return c->text && c->len == len && memcmp(c->text, text, len) == 0;
}

static void put_little(struct sql_buffer *b, uint64_t v, unsigned width)
{
	v = htole64(v);
	sql_put(b, &v, width);
}

static void put_string(struct sql_buffer *b, const char *text, size_t len)
{
	for (uint64_t n = len;; n >>= 7) {
		sql_put_u8(b, (uint8_t)((n & 0x7f) | (n > 0x7f ? 0x80 : 0)));
		if (n <= 0x7f)
			break;
	}
	sql_put(b, text, len);
}

static bool text_number(const struct sink_cell *c, uint64_t *ret)
{
	uint64_t n = 0;

	if (!c->text) {
		*ret = c->number;
		return true;
	}
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

static int put_number(struct sql_buffer *b, const struct ch_type *t, uint64_t n)
{
	unsigned bits = t->width * 8 - (t->class == CH_INT);

	if (t->class == CH_FLOAT) {
		float f = (float)n;
		double d = (double)n;
		uint32_t bits4;
		uint64_t bits8;

		memcpy(&bits4, &f, sizeof f);
		memcpy(&bits8, &d, sizeof d);
		put_little(b, t->width == 4 ? bits4 : bits8, t->width);
		return 0;
	}
	if (bits < 64 && n >> bits)
		return -ERANGE;
	put_little(b, n, t->width);
	return 0;
}

static int put_mac(struct sql_buffer *b, const struct ch_type *t, const char *text)
{
	uint8_t m[6];
	uint64_t n = 0;

	if (mac_parse(m, text) < 0)
		return -EINVAL;
	if (t->class == CH_FIXED) {
		sql_put(b, m, sizeof m);
		return 0;
	}
	for (unsigned i = 0; i < sizeof m; i++)
		n = n << 8 | m[i];
	put_little(b, n, 8);
	return 0;
}

static int put_address(struct sql_buffer *b, const struct ch_type *t, const char *text)
{
	struct addr a;

	if (addr_parse(&a, text) < 0)
		return -EINVAL;
	if (t->class != CH_IPV4)
		sql_put(b, a.bytes, sizeof a.bytes); /* IPv4 as ::ffff:a.b.c.d, as toIPv6() has it */
	else if (a.family != ADDR_IP4)
		return -EINVAL;
	else
		put_little(b, (uint32_t)addr_ip4_bytes(&a)[0] << 24 | (uint32_t)addr_ip4_bytes(&a)[1] << 16 |
				      (uint32_t)addr_ip4_bytes(&a)[2] << 8 | addr_ip4_bytes(&a)[3], 4);
	return 0;
}

static int put_fixed(struct sql_buffer *b, const struct ch_type *t, const char *text, size_t len)
{
	if (len > t->width)
		return -EINVAL;
	sql_put(b, text, len);
	for (; len < t->width; len++)
		sql_put_u8(b, 0);
	return 0;
}

static int put_time(struct sql_buffer *b, const struct ch_type *t, int64_t utc_s)
{
	if (utc_s < 0 || (t->width == 4 && utc_s > (t->class == CH_INT ? INT32_MAX : UINT32_MAX)))
		return -ERANGE;
	if (t->class == CH_DATETIME64)
		for (unsigned i = 0; i < t->width; i++)
			utc_s *= 10;
	put_little(b, (uint64_t)utc_s, t->class == CH_DATETIME64 ? 8 : t->width);
	return 0;
}

/* Bytes of a column's value that is neither text nor of any length. */
static unsigned width_of(const struct ch_type *t)
{
	return t->class == CH_DATETIME64 ? 8 : t->width;
}

/* FixedString(6) for a MAC and FixedString(16) for an address hold bytes, not text. */
static bool holds_bytes(const struct ch_column *col)
{
	return col->type.class == CH_FIXED &&
	       ((is_mac(col->map) && col->type.width == 6) || (is_host(col->map) && col->type.width == 16));
}

static bool holds_text(const struct ch_column *col)
{
	return col->type.class == CH_STRING || (col->type.class == CH_FIXED && !holds_bytes(col));
}

static void put_nothing(struct sql_buffer *b, const struct ch_type *t, bool is_other)
{
	uint8_t fill = is_other || t->class == CH_INT ? 0xff : 0;

	if (t->class == CH_INT && is_other) {
		put_little(b, (uint64_t)-2, t->width);
		return;
	}
	for (unsigned i = 0; i < width_of(t); i++)
		sql_put_u8(b, fill);
}

static int put_text(struct sql_buffer *b, const struct ch_column *col, const struct sink_cell *c)
{
	char scratch[TIME_TEXT_MAX];
	const char *text = c->text ? c->text : scratch;

	if (!c->text && col->map->of == COLUMN_OF_TIME)
		time_format((int64_t)c->number, scratch, sizeof scratch);
	else if (!c->text && (col->map->of == COLUMN_OF_IPV4 || col->map->of == COLUMN_OF_IPV6))
		scratch[0] = '\0';
	else if (!c->text)
		snprintf(scratch, sizeof scratch, "%" PRIu64, c->number);
	size_t len = c->text ? c->len : strlen(scratch);
	if (col->type.class == CH_FIXED)
		return put_fixed(b, &col->type, text, len);
	put_string(b, text, len);
	return 0;
}

static int put_typed(struct sql_buffer *b, const struct ch_column *col, const struct sink_cell *c)
{
	uint64_t n;

	if (col->map->of == COLUMN_OF_TIME)
		return put_time(b, &col->type, (int64_t)c->number);
	if (is_mac(col->map))
		return put_mac(b, &col->type, c->text);
	if (is_host(col->map))
		return put_address(b, &col->type, c->text);
	if (!text_number(c, &n))
		return -EINVAL;
	return put_number(b, &col->type, n);
}

static int put_cell(struct sql_buffer *b, const struct ch_column *col, const struct sink_cell *c)
{
	bool is_address = col->map->of == COLUMN_OF_IPV4 || col->map->of == COLUMN_OF_IPV6;
	bool unknown = (is_address && !c->text) || is_text(c, "-", 1), other = is_text(c, "other", 5);
	bool null = col->type.is_nullable && (is_address ? !c->text : unknown && !holds_text(col));

	if (col->type.is_nullable)
		sql_put_u8(b, null);
	if (null)
		return 0;
	if (holds_text(col))
		return put_text(b, col, c);
	if (unknown || other) {
		put_nothing(b, &col->type, other);
		return 0;
	}
	return put_typed(b, col, c);
}

static int bad_value(const struct ch_column *col, const struct sink_cell *c, struct err *e)
{
	char shown[64];

	if (c->text)
		snprintf(shown, sizeof shown, "%.*s", (int)(c->len < 60 ? c->len : 60), c->text);
	else
		snprintf(shown, sizeof shown, "%" PRIu64, c->number);
	return err_set(e, -EINVAL, "column %s cannot hold %s; make it %s", col->name, shown, c->text ? "String" : "UInt64");
}

int ch_put_row(struct sql_buffer *b, const struct ch_columns *columns, const struct ch_row *row, struct err *e)
{
	size_t before = b->len;

	for (size_t i = 0; i < columns->count; i++) {
		const struct ch_column *col = &columns->at[i];

		if (col->fill == CH_FILL_NODE) {
			put_string(b, row->node, strlen(row->node));
		} else if (col->fill == CH_FILL_VERSION) {
			put_little(b, row->version, 8);
		} else if (put_cell(b, col, &row->cells[col->cell]) < 0) {
			b->len = before;
			return bad_value(col, &row->cells[col->cell], e);
		}
	}
	return b->failed ? err_set(e, -ENOMEM, "out of memory") : 0;
}
