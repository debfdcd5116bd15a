/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The series of an account as last booked, back from their columns into keys. */
#include "ledger/account_row.h"
#include "ledger/internal.h"
#include "model/attribution.h"

#include <errno.h>
#include <stdlib.h>

/* A field's value in key form (model/key.h), of `width` bytes, host order. */
static void set_value(uint8_t *at, uint8_t width, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;
	uint16_t v16 = (uint16_t)v;

	switch (width) {
	case 1: *at = (uint8_t)v; break;
	case 2: memcpy(at, &v16, sizeof v16); break;
	case 4: memcpy(at, &v32, sizeof v32); break;
	default: memcpy(at, &v, sizeof v); break;
	}
}

static enum field family_of(enum field host)
{
	return host == FIELD_HOST ? FIELD_HOST_FAMILY : host == FIELD_SRC_HOST ? FIELD_SRC_FAMILY : FIELD_DST_FAMILY;
}

static bool is_host(enum field f)
{
	return f == FIELD_HOST || f == FIELD_SRC_HOST || f == FIELD_DST_HOST;
}

static uint64_t mac_value(const char *text)
{
	uint8_t mac[6];
	uint64_t v = 1;

	if (mac_parse(mac, text) < 0)
		return 0;
	for (unsigned i = 0; i < 6; i++)
		v = v << 8 | mac[i];
	return v;
}

static uint64_t field_value(enum field f, const char *text, struct strings *strings)
{
	switch (f) {
	case FIELD_MAC:
	case FIELD_SRC_MAC:
	case FIELD_DST_MAC:
		return mac_value(text);
	case FIELD_SRC_PORT:
	case FIELD_DST_PORT:
	case FIELD_ETHERTYPE:
		return UINT64_C(1) << 16 | (strtoul(text, NULL, 0) & 0xffff);
	case FIELD_VLAN:
		return UINT64_C(1) << 12 | (strtoul(text, NULL, 10) & 0xfff);
	case FIELD_PROTO:
		return UINT64_C(1) << 8 | (strtoul(text, NULL, 10) & 0xff);
	case FIELD_ORIGIN_AS:
	case FIELD_NEIGHBOUR_AS:
	case FIELD_TRANSIT_AS:
		return text[0] == '{' ? UINT64_C(2) << 32 | strings_add(strings, text) : AS_KEY(strtoul(text, NULL, 10));
	case FIELD_DIRECTION:
		return strcmp(text, "ingress") == 0 ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	default:
		return strings_add(strings, text);
	}
}

static void set_field(const struct key_layout *l, uint8_t *key, enum field f, const char *text, struct strings *strings)
{
	struct addr a;

	/* A rule may be called so; rules are never unknown, and their accounts have no `other`. */
	if (strcmp(text, "-") == 0 && f != FIELD_RULE)
		return;
	if (strcmp(text, "other") == 0 && f != FIELD_RULE) {
		memset(key + l->at[f], 0xff, field_width(f));
		if (is_host(f))
			key[l->at[family_of(f)]] = 0xff;
	} else if (!is_host(f)) {
		set_value(key + l->at[f], field_width(f), field_value(f, text, strings));
	} else if (addr_parse(&a, text) == 0) {
		memcpy(key + l->at[f], a.bytes, sizeof a.bytes);
		key[l->at[family_of(f)]] = a.family;
	}
}

static void read_tally(sqlite3_stmt *s, int at, struct tally *ret)
{
	ret->packets = (uint64_t)sqlite3_column_int64(s, at);
	ret->l2_bytes = (uint64_t)sqlite3_column_int64(s, at + 1);
	ret->l3_bytes = (uint64_t)sqlite3_column_int64(s, at + 2);
}

static void read_series(struct ledger *l, struct account *a, sqlite3_stmt *s, struct series_state *ret)
{
	int at = (int)a->stored_count;

	*ret = (struct series_state){ .account = a };
	for (size_t i = 0; i < a->stored_count; i++)
		set_field(&a->layout, ret->key, a->stored[i], (const char *)sqlite3_column_text(s, (int)i),
			  l->options.strings);
	for (unsigned i = 0; i < counter_count(a); i++)
		counter_set(a, i, &ret->total, (uint64_t)sqlite3_column_int64(s, at + (int)i));
	if (account_has_rules(a))
		ret->expression = (uint64_t)sqlite3_column_int64(s, at + (int)counter_count(a));
}

static int read_all(struct ledger *l, struct account *a, sqlite3_stmt *s, struct series_state **ret, size_t *ret_count,
		    struct err *e)
{
	struct series_state *all = NULL;
	size_t count = 0, room = 0;
	int r;

	while ((r = sql_step(s, e)) == 1) {
		if (count == room) {
			struct series_state *more = realloc(all, (room = room ? room * 2 : 64) * sizeof *more);

			if (!more) {
				free(all);
				return err_set(e, -ENOMEM, "the ledger: out of memory");
			}
			all = more;
		}
		read_series(l, a, s, &all[count++]);
	}
	if (r < 0) {
		free(all);
		return r;
	}
	*ret = all;
	*ret_count = count;
	return 0;
}

static int read_total(struct ledger *l, int64_t account, struct party_tally *ret, struct err *e)
{
	sqlite3_stmt *s;
	int r = sql_prepare(l->db, &s, e,
			    "SELECT rx_packets, rx_l2_bytes, rx_l3_bytes, tx_packets, tx_l2_bytes, tx_l3_bytes "
			    "FROM total WHERE account = %lld", (long long)account);

	if (r < 0)
		return r;
	*ret = (struct party_tally){ 0 };
	r = sql_step(s, e);
	if (r == 1) {
		read_tally(s, 0, &ret->rx);
		read_tally(s, 3, &ret->tx);
	}
	sqlite3_finalize(s);
	return r < 0 ? r : 0;
}

int ledger_series(struct ledger *l, struct account *a, struct series_state **ret_series, size_t *ret_count,
		  struct party_tally *ret_total, struct err *e)
{
	struct party_tally total;
	struct ledger_table *t;
	sqlite3_stmt *s = NULL;
	int r = ledger_ready(l, e);

	if (r == 0)
		r = ledger_table_of(l, a, &t, e);
	if (r == 0)
		r = read_total(l, t->id, &total, e);
	if (r < 0)
		return r;
	sqlite3_str *text = sqlite3_str_new(l->db);
	sqlite3_str_appendall(text, "SELECT ");
	append_keys(text, a, "\"%w\"");
	sqlite3_str_appendall(text, ", ");
	append_counters(text, a, "\"%w\"");
	if (account_has_rules(a))
		sqlite3_str_appendf(text, ", (SELECT x.sum FROM expression x WHERE x.account = %lld AND x.rule = s.rule)",
				    (long long)t->id);
	sqlite3_str_appendf(text, " FROM \"%w\" s", t->series);
	r = sql_prepare_str(l->db, &s, text, e);
	if (r == 0)
		r = read_all(l, a, s, ret_series, ret_count, e);
	sqlite3_finalize(s);
	if (r == 0)
		*ret_total = total;
	return r;
}
