/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and holders with their time. A row that is in force has until NULL; there is at most one for a key. */
#include "ledger/names.h"

#include "ledger/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Table and column of what is in force for a key. */
struct period {
	const char *now, *end, *begin;
};

static const struct period name_period = {
	.now = "SELECT since, name, source FROM name WHERE key = ?1 AND until IS NULL ORDER BY since DESC LIMIT 1",
	.end = "UPDATE name SET until = max(since, ?2) WHERE key = ?1 AND until IS NULL",
	.begin = "REPLACE INTO name(key, since, until, name, source) VALUES(?1, ?2, NULL, ?3, ?4)",
};

static const struct period held_period = {
	.now = "SELECT since, mac FROM held WHERE host = ?1 AND until IS NULL ORDER BY since DESC LIMIT 1",
	.end = "UPDATE held SET until = max(since, ?2) WHERE host = ?1 AND until IS NULL",
	.begin = "REPLACE INTO held(host, since, until, mac) VALUES(?1, ?2, NULL, ?3)",
};

static int prepare_period(struct ledger *l, struct period_statements *ret, const struct period *p, struct err *e)
{
	int r = ret->now ? 0 : sql_prepare(l->db, &ret->now, e, "%s", p->now);

	if (r == 0 && !ret->end)
		r = sql_prepare(l->db, &ret->end, e, "%s", p->end);
	if (r == 0 && !ret->begin)
		r = sql_prepare(l->db, &ret->begin, e, "%s", p->begin);
	return r;
}

static int prepare(struct ledger *l, struct err *e)
{
	int r = prepare_period(l, &l->names, &name_period, e);

	if (r == 0)
		r = prepare_period(l, &l->holders, &held_period, e);
	if (r == 0 && !l->put_source)
		r = sql_prepare(l->db, &l->put_source, e, "UPDATE name SET source = ?2 WHERE key = ?1 AND until IS NULL");
	if (r == 0 && !l->put_vendor)
		r = sql_prepare(l->db, &l->put_vendor, e, "INSERT INTO vendor VALUES(?1, ?2) ON CONFLICT DO UPDATE SET "
			    "vendor = excluded.vendor WHERE vendor IS NOT excluded.vendor");
	return r;
}

static void close_period(struct period_statements *p)
{
	sqlite3_finalize(p->now);
	sqlite3_finalize(p->end);
	sqlite3_finalize(p->begin);
	*p = (struct period_statements){ 0 };
}

void names_close_statements(struct ledger *l)
{
	close_period(&l->names);
	close_period(&l->holders);
	sqlite3_finalize(l->put_source);
	sqlite3_finalize(l->put_vendor);
	l->put_source = l->put_vendor = NULL;
}

/* What is in force of a key: `text` and `source` are cut to their room, and compare as cut. */
struct in_force {
	bool found;
	int64_t since_utc_s;
	char text[512], source[8];
};

static void copy_column(sqlite3_stmt *s, int at, char *ret, size_t size)
{
	const char *text = at < sqlite3_column_count(s) ? (const char *)sqlite3_column_text(s, at) : NULL;

	snprintf(ret, size, "%s", text ? text : "");
}

static int find_in_force(sqlite3_stmt *s, const char *key, struct in_force *ret, struct err *e)
{
	int r;

	*ret = (struct in_force){ 0 };
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	r = sql_step(s, e);
	if (r == 1) {
		ret->found = true;
		ret->since_utc_s = sqlite3_column_int64(s, 0);
		copy_column(s, 1, ret->text, sizeof ret->text);
		copy_column(s, 2, ret->source, sizeof ret->source);
		r = 0;
	}
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return r;
}

static int run_with(sqlite3_stmt *s, const char *key, int64_t at_utc_s, const struct learnt *l, const char *text, struct err *e)
{
	int r;

	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, at_utc_s);
	if (text)
		sqlite3_bind_text(s, 3, text, -1, SQLITE_STATIC);
	if (text && sqlite3_bind_parameter_count(s) > 3)
		sqlite3_bind_text(s, 4, l->source, -1, SQLITE_STATIC);
	r = sql_run(s, e);
	sqlite3_clear_bindings(s);
	return r;
}

/* `text` NULL: nothing is in force from now on. A clock that went back does not put a new one before the old. */
static int book_period(struct period_statements *p, const char *key, const struct learnt *l, const char *text, struct err *e)
{
	struct in_force old;
	int64_t since = l->since_utc_s;
	int r = find_in_force(p->now, key, &old, e);

	if (r < 0 || (!old.found && !text) || (old.found && text && strcmp(old.text, text) == 0))
		return r;
	if (old.found && since < old.since_utc_s)
		since = old.since_utc_s;
	if (old.found)
		r = run_with(p->end, key, since, l, NULL, e);
	if (r == 0 && text)
		r = run_with(p->begin, key, since, l, text, e);
	return r;
}

static int book_name(struct ledger *l, const char *key, const struct learnt *n, struct err *e)
{
	struct in_force old;
	int r = find_in_force(l->names.now, key, &old, e);

	if (r < 0 || !old.found || !n->text || strcmp(old.text, n->text) != 0)
		return r < 0 ? r : book_period(&l->names, key, n, n->text, e);
	if (strcmp(old.source, n->source) == 0)
		return 0;
	sqlite3_bind_text(l->put_source, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(l->put_source, 2, n->source, -1, SQLITE_STATIC);
	r = sql_run(l->put_source, e);
	sqlite3_clear_bindings(l->put_source);
	return r;
}

static void mac_text(uint64_t mac, char ret[static MAC_TEXT_MAX])
{
	uint8_t bytes[6];

	for (unsigned i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
	mac_format(bytes, ret);
}

static int book_one(struct ledger *l, const struct learnt *n, struct err *e)
{
	char key[ADDR_TEXT_MAX], mac[MAC_TEXT_MAX];
	int r;

	mac_text(n->mac, mac);
	if (n->host.family != ADDR_NONE)
		addr_format(&n->host, key);
	else
		memcpy(key, mac, sizeof mac);
	switch (n->what) {
	case LEARNT_NAME: return book_name(l, key, n, e);
	case LEARNT_HOLDER: return book_period(&l->holders, key, n, n->mac ? mac : NULL, e);
	default: break;
	}
	if (!n->text)
		return 0;
	sqlite3_bind_text(l->put_vendor, 1, mac, -1, SQLITE_STATIC);
	sqlite3_bind_text(l->put_vendor, 2, n->text, -1, SQLITE_STATIC);
	r = sql_run(l->put_vendor, e);
	sqlite3_clear_bindings(l->put_vendor);
	return r;
}

int names_book(struct ledger *l, const struct booking *b, struct err *e)
{
	int r = b->learnt_count ? prepare(l, e) : 0;

	for (size_t i = 0; i < b->learnt_count && r == 0; i++)
		r = book_one(l, &b->learnt[i], e);
	return r;
}

/* "aa:bb:..." or an address; false: neither. */
static bool parse_key(const char *text, struct learnt *ret)
{
	uint8_t mac[6];

	if (mac_parse(mac, text) < 0)
		return addr_parse(&ret->host, text) == 0;
	ret->mac = 1;
	for (unsigned i = 0; i < 6; i++)
		ret->mac = ret->mac << 8 | mac[i];
	return true;
}

static void hear_row(sqlite3_stmt *s, bool holder, void (*hear)(void *arg, const struct learnt *l), void *arg)
{
	const char *key = (const char *)sqlite3_column_text(s, 0), *text = (const char *)sqlite3_column_text(s, 1);
	struct learnt l = { .what = holder ? LEARNT_HOLDER : LEARNT_NAME }, device = { 0 };
	char name[512];

	if (!key || !text || !parse_key(key, &l))
		return;
	if (holder && (!parse_key(text, &device) || !device.mac))
		return;
	if (holder)
		l.mac = device.mac;
	snprintf(name, sizeof name, "%s", text);
	l.text = holder ? NULL : name;
	copy_column(s, 2, l.source, sizeof l.source);
	hear(arg, &l);
}

int ledger_names(struct ledger *l, void (*hear)(void *arg, const struct learnt *l), void *arg, struct err *e)
{
	static const char *const all[] = { /* the newest come last: they stay where not all have room */
		"SELECT * FROM (SELECT key, name, source, since FROM name WHERE until IS NULL ORDER BY since DESC LIMIT %d) "
		"ORDER BY since",
		"SELECT * FROM (SELECT host, mac, '', since FROM held WHERE until IS NULL ORDER BY since DESC LIMIT %d) "
		"ORDER BY since",
	};
	int r = ledger_ready(l, e);

	for (unsigned i = 0; i < 2 && r == 0; i++) {
		sqlite3_stmt *s;

		r = sql_prepare(l->db, &s, e, all[i], LEDGER_NAMES_MAX);
		if (r < 0)
			return r;
		while ((r = sql_step(s, e)) == 1)
			hear_row(s, i == 1, hear, arg);
		sqlite3_finalize(s);
	}
	return r;
}

void names_append_expression(sqlite3_str *s, const char *prefix, const char *key)
{
	sqlite3_str_appendf(s,
			    "CASE WHEN %s\"%w\" IN ('-', 'other') THEN %s\"%w\" ELSE coalesce("
			    "(SELECT iif(name.until IS NULL OR name.until > %s\"window\", name.name, '-') FROM name "
			    "WHERE name.key = %s\"%w\" AND name.since < %s\"window\" + %s\"length\" "
			    "ORDER BY name.since DESC LIMIT 1), "
			    "(SELECT name.name FROM name WHERE name.key = %s\"%w\" ORDER BY name.since LIMIT 1), '-') END",
			    prefix, key, prefix, key, prefix, prefix, key, prefix, prefix, prefix, key);
}
