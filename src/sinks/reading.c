/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/reading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_WINDOWS 1024

/* One of the sink's tables, with what maps the ledger's keys to its columns. */
struct reading_table {
	const struct sink_table *table;
	int64_t id;                 /* the account's in the ledger, -1 = there is nothing yet */
	uint8_t key_at[COLUMNS_MAX]; /* index into account->stored, for COLUMN_OF_KEY; KEY_IS_NAME */
};

#define KEY_IS_NAME 0xff

/* A batch: part or all of the windows that were read. */
struct reading_batch {
	struct sink_batch batch; /* first: next() gets it */
	struct reading *reading;
	size_t at;               /* the window that rows come from */
	size_t record;           /* in its page, or device */
	bool started;            /* a page of it was read */
};

struct reading {
	const struct sink_config *cf;
	struct windows *windows;
	struct reading_table *tables;
	struct window_change changes[BATCH_WINDOWS];
	struct sink_window *made;          /* of the batch */
	const struct window_change **made_of;
	uint32_t *made_by;                 /* index into tables */
	size_t made_count, made_room;
	struct window_device *devices;
	size_t device_count;
	struct windows_page page;
	struct sink_cell cells[COLUMNS_MAX];
	struct reading_batch whole, one;
	bool is_stale;
};

/* ---- rows ---- */

static struct sink_cell text_cell(const char *text)
{
	return (struct sink_cell){ .text = text, .len = strlen(text) };
}

static struct sink_cell key_cell(const struct window_key *k)
{
	return (struct sink_cell){ .text = k->text, .len = k->len, .number = k->number };
}

static struct sink_cell common_cell(const struct reading *r, const struct sink_window *w, const struct column_map *m)
{
	switch (m->of) {
	case COLUMN_OF_LENGTH: return (struct sink_cell){ .number = w->length_s };
	case COLUMN_OF_ACCOUNT: return text_cell(w->table->account ? w->table->account->name : "-"); /* columns.h: never */
	case COLUMN_OF_NODE: return text_cell(r->cf->node);
	default: return text_cell(m->constant);
	}
}

static void make_cells(struct reading *r, const struct sink_window *w, const struct reading_table *t,
		       const struct window_record *rec)
{
	const struct columns *c = &w->table->columns;

	for (size_t i = 0; i < c->count; i++) {
		const struct column_map *m = &c->at[i];

		if (m->of == COLUMN_OF_KEY)
			r->cells[i] = key_cell(t->key_at[i] == KEY_IS_NAME ? &rec->name : &rec->keys[t->key_at[i]]);
		else if (m->of == COLUMN_OF_COUNTER)
			r->cells[i] = (struct sink_cell){ .number = column_counter(m, &rec->tally) };
		else if (m->of == COLUMN_OF_TIME)
			r->cells[i] = (struct sink_cell){ .number = (uint64_t)w->start_utc_s };
		else
			r->cells[i] = common_cell(r, w, m);
	}
}

static struct sink_cell address_cell(const char *text)
{
	return *text ? text_cell(text) : (struct sink_cell){ 0 };
}

static void make_device_cells(struct reading *r, const struct sink_window *w, const struct window_device *d)
{
	const struct columns *c = &w->table->columns;

	for (size_t i = 0; i < c->count; i++) {
		const struct column_map *m = &c->at[i];

		if (m->of == COLUMN_OF_KEY)
			r->cells[i] = text_cell(d->mac);
		else if (m->of == COLUMN_OF_IPV4 || m->of == COLUMN_OF_IPV6)
			r->cells[i] = address_cell(m->of == COLUMN_OF_IPV4 ? d->ipv4 : d->ipv6);
		else if (m->of == COLUMN_OF_TIME)
			r->cells[i] = (struct sink_cell){ .number = (uint64_t)d->changed_utc_s };
		else
			r->cells[i] = common_cell(r, w, m);
	}
}

/* 1 = there is a record at b->record, 0 = the window has no more. */
static int turn_page(struct reading_batch *b, size_t made, struct err *e)
{
	struct reading *r = b->reading;
	const struct sink_window *w = &r->made[made];

	if (b->started && b->record < r->page.count)
		return 1;
	if (!b->started)
		r->page.count = 0;
	int x = windows_page(r->windows, w->table->account, r->made_of[made], &r->page, e);
	if (x < 0) {
		r->is_stale = x == -ESTALE;
		return r->is_stale ? -EAGAIN : x;
	}
	b->started = true;
	b->record = 0;
	return r->page.count > 0;
}

static int next_row(struct sink_batch *batch, struct sink_row *ret, struct err *e)
{
	struct reading_batch *b = (struct reading_batch *)batch;
	struct reading *r = b->reading;

	for (; b->at < batch->window_count; b->at++, b->record = 0, b->started = false) {
		const struct sink_window *w = &batch->windows[b->at];
		size_t made = (size_t)(w - r->made);

		*ret = (struct sink_row){ .window = w, .time_utc_s = w->start_utc_s, .cells = r->cells };
		if (!w->table->account) {
			if (b->record == r->device_count)
				continue;
			ret->time_utc_s = r->devices[b->record].changed_utc_s;
			make_device_cells(r, w, &r->devices[b->record++]);
		} else {
			int x = turn_page(b, made, e);

			if (x < 0)
				return x;
			if (x == 0)
				continue;
			make_cells(r, w, &r->tables[r->made_by[made]], &r->page.records[b->record++]);
		}
		batch->rows++;
		return 1;
	}
	return 0;
}

static void rewind_rows(struct sink_batch *batch)
{
	struct reading_batch *b = (struct reading_batch *)batch;

	b->at = b->record = 0;
	b->started = false;
	batch->rows = 0;
}

/* ---- the life ---- */

static void map_keys(struct reading_table *t)
{
	const struct account *a = t->table->account;

	for (size_t i = 0; a && i < t->table->columns.count; i++) {
		t->key_at[i] = KEY_IS_NAME;
		for (size_t k = 0; k < a->stored_count; k++)
			if (a->stored[k] == t->table->columns.at[i].field)
				t->key_at[i] = (uint8_t)k;
	}
}

int reading_open(struct reading **ret, const struct sink_config *cf, const char *ledger_path, struct err *e)
{
	struct reading *r = calloc(1, sizeof *r);
	int x = r ? 0 : err_set(e, -ENOMEM, "out of memory");

	if (r && !(r->tables = calloc(cf->table_count + 1, sizeof *r->tables)))
		x = err_set(e, -ENOMEM, "out of memory");
	if (x == 0)
		x = windows_open(&r->windows, ledger_path, e);
	if (x < 0) {
		reading_close(&r);
		return x;
	}
	r->cf = cf;
	for (size_t i = 0; i < cf->table_count; i++) {
		r->tables[i] = (struct reading_table){ .table = &cf->tables[i], .id = -1 };
		map_keys(&r->tables[i]);
	}
	r->whole = r->one = (struct reading_batch){ .batch = { .next = next_row, .rewind = rewind_rows }, .reading = r };
	*ret = r;
	return 0;
}

void reading_close(struct reading **pr)
{
	struct reading *r = *pr;

	if (!r)
		return;
	windows_close(&r->windows);
	windows_page_free(&r->page);
	free(r->tables);
	free(r->made);
	free(r->made_of);
	free(r->made_by);
	free(r->devices);
	free(r);
	*pr = NULL;
}

struct windows *reading_windows(struct reading *r)
{
	return r->windows;
}

/* Accounts get their tables when they are defined, or when the first record comes. */
static int find_accounts(struct reading *r, struct err *e)
{
	for (size_t i = 0; i < r->cf->table_count; i++) {
		struct reading_table *t = &r->tables[i];
		int x = t->table->account ? windows_account(r->windows, t->table->account, &t->id, e) : 0;

		if (x == -ENOENT)
			t->id = -1;
		else if (x < 0)
			return x;
	}
	return 0;
}

/* ---- batches ---- */

static int make_room(struct reading *r)
{
	size_t room = r->made_room ? 2 * r->made_room : BATCH_WINDOWS;

	if (r->made_count < r->made_room)
		return 0;
	struct sink_window *made = realloc(r->made, room * sizeof *made);
	if (made)
		r->made = made;
	const struct window_change **of = realloc(r->made_of, room * sizeof *of);
	if (of)
		r->made_of = of;
	uint32_t *by = realloc(r->made_by, room * sizeof *by);
	if (by)
		r->made_by = by;
	if (!made || !of || !by)
		return -ENOMEM;
	r->made_room = room;
	return 0;
}

static int add_window(struct reading *r, size_t table, const struct window_change *c, uint64_t seq, struct err *e)
{
	if (make_room(r) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	r->made[r->made_count] = (struct sink_window){
		.table = r->tables[table].table,
		.start_utc_s = c ? c->start_utc_s : 0,
		.length_s = c ? c->length_s : 0,
		.seq = seq,
	};
	r->made_of[r->made_count] = c;
	r->made_by[r->made_count++] = (uint32_t)table;
	return 0;
}

/* The change in each table of the sink that shows its account; *records grows by what they have. */
static int add_change(struct reading *r, const struct window_change *c, uint64_t *records, struct err *e)
{
	uint64_t most = r->cf->batch_records, count;
	int x = 0;

	for (size_t i = 0; i < r->cf->table_count && x == 0; i++) {
		if (!r->tables[i].table->account || r->tables[i].id != c->account)
			continue;
		x = windows_count(r->windows, r->tables[i].table->account, c, most, &count, e);
		if (x == 0)
			x = add_window(r, i, c, c->seq, e);
		if (x == 0)
			*records += count;
	}
	return x;
}

/* As many as make a batch; returns how many were taken. */
static int add_changes(struct reading *r, size_t count, size_t *ret_taken, struct err *e)
{
	uint64_t records = 0;
	size_t i = 0;
	int x = 0;

	r->made_count = 0;
	r->is_stale = false;
	for (; i < count && x == 0 && records < r->cf->batch_records; i++)
		x = add_change(r, &r->changes[i], &records, e);
	*ret_taken = i;
	return x;
}

static int add_devices(struct reading *r, uint64_t after, uint64_t upto, struct err *e)
{
	bool wanted = false;
	int x = 0;

	free(r->devices);
	r->devices = NULL;
	r->device_count = 0;
	for (size_t i = 0; i < r->cf->table_count; i++)
		wanted |= !r->tables[i].table->account;
	if (wanted)
		x = windows_devices(r->windows, after, upto, &r->devices, &r->device_count, e);
	for (size_t i = 0; i < r->cf->table_count && x == 0 && r->device_count; i++)
		if (!r->tables[i].table->account)
			x = add_window(r, i, NULL, upto, e);
	return x;
}

static int give_batch(struct reading *r, struct sink_cursor cursor, bool is_repeat, struct sink_batch **ret)
{
	struct sink_batch *b = &r->whole.batch;

	b->windows = r->made;
	b->window_count = r->made_count;
	b->cursor = cursor;
	b->is_repeat = is_repeat;
	rewind_rows(b);
	*ret = b;
	return r->made_count > 0;
}

int reading_next(struct reading *r, struct sink_cursor after, struct sink_batch **ret, struct err *e)
{
	size_t count = 0, taken = 0;
	uint64_t upto = after.seq;
	int x = find_accounts(r, e);

	if (x == 0)
		x = windows_list(r->windows, after.seq, r->changes, BATCH_WINDOWS, &count, &upto, e);
	if (x == 0)
		x = add_changes(r, count, &taken, e);
	if (x == 0 && taken < count)
		upto = r->changes[taken - 1].seq;
	if (x == 0)
		x = add_devices(r, after.seq, upto, e);
	return x < 0 ? x : give_batch(r, (struct sink_cursor){ after.again, upto }, false, ret);
}

int reading_rejected(struct reading *r, struct sink_cursor at, struct sink_batch **ret, struct err *e)
{
	size_t count = 0, taken;
	int x = find_accounts(r, e);

	if (x == 0)
		x = windows_rejected(r->windows, r->cf->name, r->changes, BATCH_WINDOWS, &count, e);
	if (x == 0)
		x = add_changes(r, count, &taken, e);
	r->device_count = 0;
	return x < 0 ? x : give_batch(r, at, true, ret);
}

struct sink_batch *reading_one(struct reading *r, size_t i)
{
	struct sink_batch *b = &r->one.batch;
	bool is_last = i + 1 == r->made_count;

	b->windows = &r->made[i];
	b->window_count = 1;
	b->is_repeat = r->whole.batch.is_repeat;
	b->cursor = r->whole.batch.cursor;
	/* several tables may show one change, and devices come at the end */
	if (!b->is_repeat && !is_last)
		b->cursor.seq = r->made[i + 1].seq == r->made[i].seq || !r->made_of[i] ? r->made[i].seq - 1 : r->made[i].seq;
	rewind_rows(b);
	return b;
}

const struct window_change *reading_change(const struct reading *r, const struct sink_window *w)
{
	return r->made_of[w - r->made];
}

int64_t reading_oldest_utc_s(const struct reading *r)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < r->made_count; i++) {
		const struct window_change *c = r->made_of[i];

		if (c && c->start_utc_s + (int64_t)c->length_s < oldest)
			oldest = c->start_utc_s + (int64_t)c->length_s;
	}
	return oldest;
}

bool reading_is_stale(const struct reading *r)
{
	return r->is_stale;
}
