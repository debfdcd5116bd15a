/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which types of PostgreSQL are known, and what fits into them. */
#include "sinks/postgresql_row.h"

static const struct {
	uint32_t oid; /* src/include/catalog/pg_type.dat: these never change */
	enum pg_class class;
	const char *name;
} types[] = {
	{ 16, PG_BOOL, "boolean" },           { 20, PG_INT8, "bigint" },         { 21, PG_INT2, "smallint" },
	{ 23, PG_INT4, "integer" },           { 25, PG_TEXT, "text" },           { 1043, PG_TEXT, "varchar" },
	{ 1042, PG_TEXT, "char" },            { 700, PG_FLOAT4, "real" },        { 701, PG_FLOAT8, "double precision" },
	{ 1700, PG_NUMERIC, "numeric" },      { 829, PG_MACADDR, "macaddr" },    { 774, PG_MACADDR8, "macaddr8" },
	{ 869, PG_INET, "inet" },             { 650, PG_CIDR, "cidr" },          { 1082, PG_DATE, "date" },
	{ 1114, PG_TIMESTAMP, "timestamp" },  { 1184, PG_TIMESTAMPTZ, "timestamptz" },
};

enum pg_class pg_class_of(uint32_t type_oid)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].oid == type_oid)
			return types[i].class;
	return PG_OTHER;
}

const char *pg_class_name(enum pg_class c)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].class == c)
			return types[i].name;
	return "a type of its own";
}

enum pg_value pg_value_of(const struct column_map *m)
{
	switch (m->of) {
	case COLUMN_OF_TIME:
		return PG_VALUE_TIME;
	case COLUMN_OF_LENGTH:
	case COLUMN_OF_COUNTER:
		return PG_VALUE_NUMBER;
	case COLUMN_OF_IPV4:
	case COLUMN_OF_IPV6:
		return PG_VALUE_HOST;
	default:
		break;
	}
	if (m->of != COLUMN_OF_KEY)
		return PG_VALUE_TEXT;
	switch (m->field) {
	case FIELD_MAC:
	case FIELD_SRC_MAC:
	case FIELD_DST_MAC:
		return PG_VALUE_MAC;
	case FIELD_HOST:
	case FIELD_SRC_HOST:
	case FIELD_DST_HOST:
	case FIELD_PREFIX:
		return PG_VALUE_HOST;
	default:
		return field_is_number(m->field) ? PG_VALUE_NUMBER : PG_VALUE_TEXT;
	}
}

static bool is_numeric(enum pg_class c)
{
	return c >= PG_INT2 && c <= PG_FLOAT8;
}

bool pg_fits(enum pg_value v, enum pg_class c)
{
	if (c == PG_TEXT || c == PG_OTHER)
		return true;
	switch (v) {
	case PG_VALUE_TIME:
		return c >= PG_INT4 && c < PG_DATE && c != PG_FLOAT4;
	case PG_VALUE_NUMBER:
		return is_numeric(c);
	case PG_VALUE_MAC:
		return c == PG_MACADDR || c == PG_MACADDR8;
	case PG_VALUE_HOST:
		return c == PG_INET || c == PG_CIDR;
	case PG_VALUE_TEXT: /* a text may be a number or an address: each row tells */
		return c != PG_BOOL && c != PG_DATE && c != PG_TIMESTAMP && c != PG_TIMESTAMPTZ;
	}
	return false;
}
