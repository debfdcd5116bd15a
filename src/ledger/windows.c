/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/windows.h"

#include "ledger/account_row.h"
#include "ledger/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_RECORDS 4096

/* What is prepared for one account. */
struct window_table {
	struct window_table *next;
	struct account *account; /* a reference */
	int64_t id;
	sqlite3_stmt *first, *behind, *count; /* a page from the start, and behind a key */
};

struct windows {
	struct ledger_reader *reader;
	struct window_table *tables;
	char ledger[LEDGER_ID_MAX];
	struct stat opened;
};

int windows_open(struct windows **ret, const char *path, struct err *e)
{
	struct windows *w = calloc(1, sizeof *w);
	sqlite3_stmt *s = NULL;
	int r = w ? ledger_reader_open(&w->reader, path, e) : err_set(e, -ENOMEM, "out of memory");

	if (r == 0)
		r = sql_prepare(w->reader->db, &s, e, "SELECT value FROM meta WHERE key = 'id'");
	if (r == 0)
		r = sql_step(s, e);
	if (r == 1)
		snprintf(w->ledger, sizeof w->ledger, "%s", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	if (r == 1 && stat(path, &w->opened) < 0)
		r = err_errno(e, -errno, "%s", path);
	if (r == 0)
		r = err_set(e, -EPROTO, "%s: made by an older nettally; `nettally run` brings it up to date", path);
	if (r < 0) {
		windows_close(&w);
		return r;
	}
	*ret = w;
	return 0;
}

static void close_table(struct window_table **pt)
{
	struct window_table *t = *pt;

	*pt = t->next;
	sqlite3_finalize(t->first);
	sqlite3_finalize(t->behind);
	sqlite3_finalize(t->count);
	account_unref(&t->account);
	free(t);
}

void windows_close(struct windows **pw)
{
	struct windows *w = *pw;

	if (!w)
		return;
	while (w->tables)
		close_table(&w->tables);
	ledger_reader_close(&w->reader);
	free(w);
	*pw = NULL;
}

bool windows_are_current(const struct windows *w)
{
	struct stat st;

	return stat(w->reader->path, &st) < 0 || (st.st_ino == w->opened.st_ino && st.st_dev == w->opened.st_dev);
}

const char *windows_ledger(const struct windows *w)
{
	return w->ledger;
}

int windows_cursor(struct windows *w, const char *sink, struct windows_cursor *ret, struct err *e)
{
	sqlite3_stmt *s;
	int r = sql_prepare(w->reader->db, &s, e,
			    "SELECT again, seq, records, rejected, expired, (SELECT count(*) FROM rejected WHERE sink = name) "
			    "FROM sink WHERE name = %Q", sink);

	if (r < 0)
		return r;
	r = sql_step(s, e);
	if (r == 1) {
		uint64_t *to[] = { &ret->again, &ret->seq, &ret->records, &ret->rejected, &ret->expired, &ret->set_aside };

		for (int i = 0; i < 6; i++)
			*to[i] = (uint64_t)sqlite3_column_int64(s, i);
	}
	sqlite3_finalize(s);
	return r < 0 ? r : r == 1 ? 0 : err_set(e, -ENOENT, "the ledger knows no sink '%.60s'", sink);
}

int windows_account(struct windows *w, const struct account *a, int64_t *ret, struct err *e)
{
	char keys[ACCOUNT_ROW_TEXT_MAX];
	int r = sql_number(w->reader->db, ret, -1, e,
			   "SELECT id FROM account WHERE name = %Q AND source = %Q AND keys = %Q AND is_current", a->name,
			   account_source_text(a->from), account_keys_text(a, keys));

	if (r == 0 && *ret < 0)
		return err_set(e, -ENOENT, "the ledger has nothing of account %s yet", a->name);
	return r;
}

/* ---- changes ---- */

static int list(sqlite3_stmt *s, struct window_change *ret, size_t room, size_t *ret_count, struct err *e)
{
	size_t count = 0;
	int r = 0;

	while (count < room && (r = sql_step(s, e)) == 1)
		ret[count++] = (struct window_change){
			.account = sqlite3_column_int64(s, 0),
			.length_s = (uint32_t)sqlite3_column_int64(s, 1),
			.start_utc_s = sqlite3_column_int64(s, 2),
			.seq = (uint64_t)sqlite3_column_int64(s, 3),
		};
	sqlite3_finalize(s);
	*ret_count = count;
	return r < 0 ? r : 0;
}

int windows_list(struct windows *w, uint64_t after, struct window_change *ret, size_t room, size_t *ret_count, uint64_t *ret_upto,
		 struct err *e)
{
	sqlite3_stmt *s;
	int64_t last = 0;
	/* the last number first: what is committed in between comes next time */
	int r = sql_number(w->reader->db, &last, 0, e, "SELECT value FROM meta WHERE key = 'seq'");

	if (r == 0)
		r = sql_prepare(w->reader->db, &s, e, "SELECT account, length, window, seq FROM changed "
						      "WHERE seq > %lld AND seq <= %lld ORDER BY seq LIMIT %lld",
				(long long)after, (long long)last, (long long)room);
	if (r == 0)
		r = list(s, ret, room, ret_count, e);
	if (r == 0)
		*ret_upto = *ret_count == room ? ret[room - 1].seq : (uint64_t)last;
	return r;
}

int windows_rejected(struct windows *w, const char *sink, struct window_change *ret, size_t room, size_t *ret_count,
		struct err *e)
{
	sqlite3_stmt *s;
	int r = sql_prepare(w->reader->db, &s, e, "SELECT r.account, r.length, r.window, ifnull(c.seq, 0) FROM rejected AS r "
						  "LEFT JOIN changed AS c USING (account, length, window) "
						  "WHERE r.sink = %Q AND r.retry ORDER BY r.window LIMIT %lld", sink,
								(long long)room);

	return r < 0 ? r : list(s, ret, room, ret_count, e);
}

/* ---- records ---- */

static enum field named_by(const struct account *a)
{
	for (size_t i = 0; i < a->stored_count; i++)
		if (a->stored[i] == FIELD_HOST)
			return FIELD_HOST;
	return FIELD_MAC;
}

static bool has_name(const struct account *a)
{
	for (size_t i = 0; i < a->by_count; i++)
		if (a->by[i] == FIELD_NAME)
			return true;
	return false;
}

static void append_keys_of(sqlite3_str *s, const struct account *a)
{
	for (size_t i = 0; i < a->stored_count; i++)
		sqlite3_str_appendf(s, "%s\"%w\"", i ? ", " : "", field_name(a->stored[i]));
}

static int prepare_page(struct windows *w, sqlite3_stmt **ret, const struct account *a, const char *table, bool behind,
			struct err *e)
{
	sqlite3_str *s = sqlite3_str_new(w->reader->db);

	sqlite3_str_appendall(s, "SELECT ");
	append_keys_of(s, a);
	for (unsigned i = 0; i < counter_count(a); i++)
		sqlite3_str_appendf(s, ", \"%w\"", counter_column(a, i));
	if (has_name(a)) /* as it was called in that window, at its end if it changed */
		sqlite3_str_appendf(s, ", (SELECT name FROM name AS n WHERE n.key = \"%w\" AND n.since < r.window + r.length AND "
				       "(n.until IS NULL OR n.until > r.window) ORDER BY n.since DESC LIMIT 1)",
				    field_name(named_by(a)));
	sqlite3_str_appendf(s, " FROM \"%w\" AS r WHERE length = ?1 AND window = ?2", table);
	if (behind) {
		sqlite3_str_appendall(s, " AND (");
		append_keys_of(s, a);
		sqlite3_str_appendall(s, ") > (");
		for (size_t i = 0; i < a->stored_count; i++)
			sqlite3_str_appendf(s, "%s?%d", i ? ", " : "", (int)i + 3);
		sqlite3_str_appendall(s, ")");
	}
	sqlite3_str_appendall(s, " ORDER BY ");
	append_keys_of(s, a);
	sqlite3_str_appendf(s, " LIMIT %d", PAGE_RECORDS);
	return sql_prepare_str(w->reader->db, ret, s, e);
}

static int open_table(struct windows *w, struct window_table **ret, const struct account *a, int64_t id, struct err *e)
{
	struct window_table *t = calloc(1, sizeof *t);
	char table[ACCOUNT_NAME_MAX + 24] = "";
	sqlite3_stmt *s = NULL;
	int r = t ? sql_prepare(w->reader->db, &s, e, "SELECT table_name FROM account WHERE id = %lld", (long long)id)
		  : err_set(e, -ENOMEM, "out of memory");

	if (r < 0) {
		free(t);
		return r;
	}
	*t = (struct window_table){ .next = w->tables, .account = account_ref((struct account *)(uintptr_t)a), .id = id };
	w->tables = t;
	r = sql_step(s, e);
	if (r == 1)
		snprintf(table, sizeof table, "%s", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	r = r == 0 ? err_set(e, -ESTALE, "account %s is not in the ledger any more", a->name) : r < 0 ? r : 0;
	if (r == 0)
		r = prepare_page(w, &t->first, a, table, false, e);
	if (r == 0)
		r = prepare_page(w, &t->behind, a, table, true, e);
	if (r == 0)
		r = sql_prepare(w->reader->db, &t->count, e, "SELECT count(*) FROM (SELECT 1 FROM \"%w\" WHERE length = ?1 "
							     "AND window = ?2 LIMIT ?3)", table);
	if (r < 0)
		close_table(&w->tables);
	else
		*ret = t;
	return r;
}

static int find_table(struct windows *w, struct window_table **ret, const struct account *a, int64_t id, struct err *e)
{
	for (struct window_table *t = w->tables; t; t = t->next)
		if (t->id == id && t->account == a) {
			*ret = t;
			return 0;
		}
	return open_table(w, ret, a, id, e);
}

static void bind_window(sqlite3_stmt *s, const struct window_change *c)
{
	sqlite3_bind_int64(s, 1, c->length_s);
	sqlite3_bind_int64(s, 2, c->start_utc_s);
}

int windows_count(struct windows *w, const struct account *a, const struct window_change *c, uint64_t most, uint64_t *ret,
		  struct err *e)
{
	struct window_table *t;
	int r = find_table(w, &t, a, c->account, e);

	if (r < 0)
		return r;
	bind_window(t->count, c);
	sqlite3_bind_int64(t->count, 3, (int64_t)most);
	r = sql_step(t->count, e);
	if (r == 1)
		*ret = (uint64_t)sqlite3_column_int64(t->count, 0);
	sqlite3_reset(t->count);
	return r < 0 ? r : 0;
}

void windows_page_free(struct windows_page *p)
{
	free(p->records);
	free(p->texts);
	*p = (struct windows_page){ 0 };
}

/* A text's place is an offset until the page is full, as the texts may move. */
static int take_text(struct windows_page *p, struct window_key *k, const char *text, size_t len)
{
	if (p->text_bytes + len + 1 > p->text_room) {
		size_t room = p->text_room ? 2 * p->text_room : 65536;

		while (room < p->text_bytes + len + 1)
			room *= 2;
		char *texts = realloc(p->texts, room);
		if (!texts)
			return -ENOMEM;
		p->texts = texts;
		p->text_room = room;
	}
	memcpy(p->texts + p->text_bytes, text, len);
	p->texts[p->text_bytes + len] = '\0';
	*k = (struct window_key){ .text = "", .len = len, .number = p->text_bytes };
	p->text_bytes += len + 1;
	return 0;
}

static int take_key(struct windows_page *p, struct window_key *k, sqlite3_stmt *s, int column)
{
	if (sqlite3_column_type(s, column) == SQLITE_INTEGER) {
		*k = (struct window_key){ .number = (uint64_t)sqlite3_column_int64(s, column) };
		return 0;
	}
	const char *text = (const char *)sqlite3_column_text(s, column);
	return take_text(p, k, text ? text : "-", text ? strlen(text) : 1);
}

static int take_record(struct windows_page *p, const struct account *a, sqlite3_stmt *s)
{
	struct window_record *rec = &p->records[p->count];
	unsigned counters = counter_count(a);
	int r = 0, at = 0;

	memset(&rec->tally, 0, sizeof rec->tally);
	for (size_t i = 0; i < a->stored_count && r == 0; i++)
		r = take_key(p, &rec->keys[i], s, at++);
	for (unsigned i = 0; i < counters; i++)
		counter_set(a, i, &rec->tally, (uint64_t)sqlite3_column_int64(s, at++));
	rec->name = (struct window_key){ .text = "-", .len = 1 };
	if (r == 0 && has_name(a))
		r = take_key(p, &rec->name, s, at);
	p->count++;
	return r;
}

static void place(struct windows_page *p, struct window_key *k)
{
	if (k->text && k->text[0] == '\0') /* of take_text() */
		*k = (struct window_key){ .text = p->texts + k->number, .len = k->len };
}

static int fill(struct windows_page *p, const struct account *a, sqlite3_stmt *s, struct err *e)
{
	int r;

	p->count = p->text_bytes = 0;
	while (p->count < p->room && (r = sql_step(s, e)) != 0)
		if (r < 0 || take_record(p, a, s) < 0)
			return r < 0 ? r : err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < p->count; i++) {
		for (size_t k = 0; k < a->stored_count; k++)
			place(p, &p->records[i].keys[k]);
		place(p, &p->records[i].name);
	}
	return 0;
}

static int check_whole(struct windows *w, const struct account *a, const struct window_change *c, struct err *e)
{
	int64_t gone;
	int r = sql_number(w->reader->db, &gone, 0, e, "SELECT rolled_until > %lld FROM account WHERE id = %lld",
			   (long long)c->start_utc_s, (long long)c->account);

	if (r == 0 && gone)
		return err_set(e, -ESTALE, "a window of account %s was rolled up or expired before it was sent", a->name);
	return r;
}

static int read_page(struct windows *w, sqlite3_stmt *s, const struct account *a, const struct window_change *c,
		     struct windows_page *p, struct err *e)
{
	int r = sql_exec(w->reader->db, e, "BEGIN");

	if (r < 0)
		return r;
	r = check_whole(w, a, c, e);
	if (r == 0)
		r = fill(p, a, s, e);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	sqlite3_exec(w->reader->db, "COMMIT", NULL, NULL, NULL); /* nothing was written */
	return r;
}

int windows_page(struct windows *w, const struct account *a, const struct window_change *c, struct windows_page *p, struct err *e)
{
	const struct window_record *last = p->count ? &p->records[p->count - 1] : NULL;
	struct window_table *t;
	int r = find_table(w, &t, a, c->account, e);

	if (r < 0)
		return r;
	if (last && p->count < p->room) { /* it was the last one */
		p->count = 0;
		return 0;
	}
	if (!p->records) {
		p->records = malloc(PAGE_RECORDS * sizeof *p->records);
		if (!p->records)
			return err_set(e, -ENOMEM, "out of memory");
		p->room = PAGE_RECORDS;
	}
	sqlite3_stmt *s = last ? t->behind : t->first;
	bind_window(s, c);
	for (size_t i = 0; last && i < a->stored_count; i++)
		if (last->keys[i].text)
			sqlite3_bind_text(s, (int)i + 3, last->keys[i].text, (int)last->keys[i].len, SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(s, (int)i + 3, (int64_t)last->keys[i].number);
	return read_page(w, s, a, c, p, e);
}

/* ---- devices ---- */

static void copy_column(char *to, size_t size, sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	snprintf(to, size, "%s", text ? text : "");
}

int windows_devices(struct windows *w, uint64_t after, uint64_t upto, struct window_device **ret, size_t *ret_count,
		struct err *e)
{
	struct window_device *all = NULL;
	size_t count = 0, room = 0;
	sqlite3_stmt *s;
	int r = sql_prepare(w->reader->db, &s, e,
			"SELECT mac, ipv4, ipv6, changed, seq FROM device WHERE seq > %lld AND seq <= %lld "
						  "ORDER BY seq, mac", (long long)after, (long long)upto);

	if (r < 0)
		return r;
	while ((r = sql_step(s, e)) == 1) {
		if (count == room) {
			struct window_device *grown = realloc(all, (room ? 2 * room : 64) * sizeof *all);

			if (!grown) {
				r = err_set(e, -ENOMEM, "out of memory");
				break;
			}
			all = grown;
			room = room ? 2 * room : 64;
		}
		struct window_device *d = &all[count++];
		copy_column(d->mac, sizeof d->mac, s, 0);
		copy_column(d->ipv4, sizeof d->ipv4, s, 1);
		copy_column(d->ipv6, sizeof d->ipv6, s, 2);
		d->changed_utc_s = sqlite3_column_int64(s, 3);
		d->seq = (uint64_t)sqlite3_column_int64(s, 4);
	}
	sqlite3_finalize(s);
	if (r < 0) {
		free(all);
		return r;
	}
	*ret = all;
	*ret_count = count;
	return 0;
}
