/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/columns.h"

#include <errno.h>
#include <stdio.h>

#define PACKETS(side) (1u << COUNTER_##side##_PACKETS)
#define L2(side) (1u << COUNTER_##side##_L2_BYTES)
#define L3(side) (1u << COUNTER_##side##_L3_BYTES)

struct counter_name {
	const char *name;
	uint8_t l2, l3; /* which counters it is, by the basis of the account */
};

static const struct counter_name party_names[] = {
	{ "rx_packets", PACKETS(RX), PACKETS(RX) }, { "rx_bytes", L2(RX), L3(RX) },
	{ "rx_l2_bytes", L2(RX), L2(RX) },          { "rx_l3_bytes", L3(RX), L3(RX) },
	{ "tx_packets", PACKETS(TX), PACKETS(TX) }, { "tx_bytes", L2(TX), L3(TX) },
	{ "tx_l2_bytes", L2(TX), L2(TX) },          { "tx_l3_bytes", L3(TX), L3(TX) },
	{ 0 },
};

static const struct counter_name plain_names[] = {
	{ "packets", PACKETS(RX), PACKETS(RX) }, { "bytes", L2(RX), L3(RX) },
	{ "l2_bytes", L2(RX), L2(RX) },          { "l3_bytes", L3(RX), L3(RX) },
	{ 0 },
};

static const struct counter_name delivery_names[] = {
	{ "requests", PACKETS(RX), PACKETS(RX) }, /* delivery_tally() */
	{ "packets", PACKETS(TX), PACKETS(TX) },
	{ "bytes", L2(RX), L2(RX) },
	{ "retransmits", L2(TX), L2(TX) },
	{ 0 },
};

static const struct counter_name *names_of(const struct account *a)
{
	if (a->from != FROM_PACKETS)
		return delivery_names;
	return a->party ? party_names : plain_names;
}

uint8_t counter_of_name(const struct account *a, const char *name, size_t len)
{
	for (const struct counter_name *n = names_of(a); n->name; n++)
		if (strlen(n->name) == len && memcmp(n->name, name, len) == 0)
			return a->bytes == BYTES_L3 ? n->l3 : n->l2;
	return 0;
}

/* ---- one "alias=field" ---- */

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static void list_known(const struct account *a, char *to, size_t size)
{
	size_t used = (size_t)snprintf(to, size, "%s", a ? "window, length, account, node" : "time, node, mac, ipv4, ipv6");

	for (size_t i = 0; a && i < a->by_count && used < size; i++)
		used += (size_t)snprintf(to + used, size - used, ", %s", field_name(a->by[i]));
	for (const struct counter_name *n = a ? names_of(a) : NULL; n && n->name && used < size; n++)
		used += (size_t)snprintf(to + used, size - used, ", %s", n->name);
}

static int unknown(const struct account *a, const char *field, size_t len, struct err *e)
{
	char known[320];

	list_known(a, known, sizeof known);
	for (enum field f = 0; f < FIELD_COUNT; f++)
		if (a && field_name(f) && is_word(field, len, field_name(f)))
			return err_set(e, -EINVAL, "account %s has no key \"%s\"; there are: %s", a->name, field_name(f), known);
	return err_set(e, -EINVAL, "unknown column \"%.*s\"; there are: %s", (int)(len < 60 ? len : 60), field, known);
}

static bool read_device_field(struct column_map *m, const char *field, size_t len)
{
	static const struct {
		const char *name;
		enum column_of of;
	} names[] = { { "mac", COLUMN_OF_KEY }, { "ipv4", COLUMN_OF_IPV4 }, { "ipv6", COLUMN_OF_IPV6 } };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (is_word(field, len, names[i].name)) {
			m->of = names[i].of;
			m->field = FIELD_MAC;
			return true;
		}
	return false;
}

static bool read_key(struct column_map *m, const struct account *a, const char *field, size_t len)
{
	for (size_t i = 0; i < a->by_count; i++)
		if (is_word(field, len, field_name(a->by[i]))) {
			m->of = COLUMN_OF_KEY;
			m->field = a->by[i];
			return true;
		}
	return false;
}

/* One counter, or several with '+' between. */
static bool read_counters(struct column_map *m, const struct account *a, const char *field, size_t len)
{
	m->counters = 0;
	m->of = COLUMN_OF_COUNTER;
	for (const char *at = field, *end = field + len;; at++) {
		const char *plus = memchr(at, '+', (size_t)(end - at));
		size_t part = (size_t)((plus ? plus : end) - at);
		uint8_t bit = counter_of_name(a, at, part);

		if (bit == 0 || (m->counters & bit))
			return false;
		m->counters |= bit;
		at += part;
		if (at == end)
			return true;
	}
}

static bool read_common(struct column_map *m, const struct account *a, const char *field, size_t len)
{
	static const struct {
		const char *name;
		enum column_of of;
		bool of_account;
	} names[] = {
		{ "window", COLUMN_OF_TIME, true },   { "time", COLUMN_OF_TIME, false },
		{ "length", COLUMN_OF_LENGTH, true }, { "account", COLUMN_OF_ACCOUNT, true },
		{ "node", COLUMN_OF_NODE, false },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (is_word(field, len, names[i].name) && (a || !names[i].of_account)) {
			m->of = names[i].of;
			return true;
		}
	if (len < 2 || len - 2 >= sizeof m->constant || field[0] != '\'' || field[len - 1] != '\'')
		return false;
	m->of = COLUMN_OF_CONSTANT;
	memcpy(m->constant, field + 1, len - 2);
	m->constant[len - 2] = '\0';
	return true;
}

static int read_field(struct column_map *m, const struct account *a, const char *field, size_t len, struct err *e)
{
	if (read_common(m, a, field, len))
		return 0;
	if (a ? read_key(m, a, field, len) || read_counters(m, a, field, len) : read_device_field(m, field, len))
		return 0;
	return unknown(a, field, len, e);
}

static int read_alias(struct column_map *m, const char *alias, size_t len, struct err *e)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", rest[] = "0123456789.-";
	bool good = len > 0 && len < sizeof m->alias && strchr(first, alias[0]);

	for (size_t i = 1; i < len && good; i++)
		good = strchr(first, alias[i]) || strchr(rest, alias[i]);
	if (!good)
		return err_set(e, -EINVAL,
			       "\"%.*s\" can be no column: a name is up to %d letters, digits, '_', '.' and '-', a letter or '_' "
			       "first; write \"name=field\"", (int)(len < 60 ? len : 60), alias, COLUMN_ALIAS_MAX - 1);
	memcpy(m->alias, alias, len);
	m->alias[len] = '\0';
	return 0;
}

/* Without the blanks around it. */
static size_t trim(const char **text, size_t len)
{
	while (len && (**text == ' ' || **text == '\t'))
		++*text, len--;
	while (len && ((*text)[len - 1] == ' ' || (*text)[len - 1] == '\t'))
		len--;
	return len;
}

int columns_add(struct columns *c, const struct account *a, const char *text, struct err *e)
{
	const char *equal = strchr(text, '='), *field = equal ? equal + 1 : text, *alias = text;
	size_t alias_len = trim(&alias, equal ? (size_t)(equal - text) : strlen(text));
	size_t field_len = trim(&field, strlen(field));
	struct column_map m = { 0 };
	int r = read_field(&m, a, field, field_len, e);

	if (r == 0)
		r = read_alias(&m, alias, alias_len, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->at[i].alias, m.alias) == 0)
			return err_set(e, -EINVAL, "column \"%s\" is there twice", m.alias);
	if (c->count == COLUMNS_MAX)
		return err_set(e, -E2BIG, "more than %d columns", COLUMNS_MAX);
	c->at[c->count++] = m;
	return 0;
}

static int add_all(struct columns *c, const struct account *a, const char *const *names, struct err *e)
{
	int r = 0;

	for (; *names && r == 0; names++)
		r = columns_add(c, a, *names, e);
	return r;
}

int columns_default(struct columns *c, const struct account *a, struct err *e)
{
	static const char *const of_device[] = { "time", "node", "mac", "ipv4", "ipv6", NULL };
	static const char *const of_account[] = { "window", "length", "node", NULL };
	int r = add_all(c, a, a ? of_account : of_device, e);

	for (size_t i = 0; a && i < a->by_count && r == 0; i++)
		r = columns_add(c, a, field_name(a->by[i]), e);
	for (const struct counter_name *n = a ? names_of(a) : NULL; n && n->name && r == 0; n++)
		if (a->from != FROM_PACKETS || n->l2 == n->l3) /* both layers, and not one of them again as `bytes` */
			r = columns_add(c, a, n->name, e);
	return r;
}

int columns_check_whole(const struct columns *c, const struct account *a, struct err *e)
{
	bool has_value = false, has_mac = false;
	uint64_t keys = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct column_map *m = &c->at[i];

		has_value |= m->of == COLUMN_OF_COUNTER || m->of == COLUMN_OF_IPV4 || m->of == COLUMN_OF_IPV6;
		has_mac |= m->of == COLUMN_OF_KEY && m->field == FIELD_MAC;
		if (m->of == COLUMN_OF_KEY)
			keys |= FIELD_BIT(m->field);
	}
	for (size_t i = 0; a && i < a->by_count; i++)
		if (!(keys & FIELD_BIT(a->by[i])))
			return err_set(e, -EINVAL,
				       "columns lack the key \"%s\" of account %s, so several records would become one; add it, "
				       "or make an account without it", field_name(a->by[i]), a->name);
	if (!a && !has_mac)
		return err_set(e, -EINVAL, "columns lack \"mac\", which tells the devices apart");
	if (!has_value)
		return err_set(e, -EINVAL, "columns have no counter, so there is nothing to write");
	return 0;
}

bool column_is_text(const struct column_map *m)
{
	return m->of != COLUMN_OF_TIME && m->of != COLUMN_OF_LENGTH && m->of != COLUMN_OF_COUNTER &&
	       !(m->of == COLUMN_OF_KEY && field_is_number(m->field));
}

bool column_is_key(const struct column_map *m)
{
	return m->of == COLUMN_OF_KEY || m->of == COLUMN_OF_ACCOUNT || m->of == COLUMN_OF_NODE ||
	       m->of == COLUMN_OF_CONSTANT || m->of == COLUMN_OF_LENGTH;
}

uint64_t column_counter(const struct column_map *m, const struct party_tally *t)
{
	const uint64_t all[COUNTER_COUNT] = { t->rx.packets, t->rx.l2_bytes, t->rx.l3_bytes,
					      t->tx.packets, t->tx.l2_bytes, t->tx.l3_bytes };
	uint64_t sum = 0;

	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		if (m->counters & 1u << i)
			sum = sum + all[i] < sum ? UINT64_MAX : sum + all[i];
	return sum;
}
