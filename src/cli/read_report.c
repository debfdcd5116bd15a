/* SPDX-License-Identifier: GPL-2.0-or-later */
/* read_report.c -- sorts by a 16-byte prefix that orders as the text does, and asks the whole keys
 * only where two prefixes are equal: a million rows are not formatted for every comparison. */
#include "cli/read_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define IN_OTHERS 0x80000000u

struct row_ref {
	uint64_t high, low; /* orders as the rows do, as far as 16 bytes tell */
	uint32_t slot;      /* of the table; IN_OTHERS: of the table of `other` */
};

struct shape {
	struct column columns[OUTPUT_COLUMNS_MAX];
	unsigned count;
	enum field order[FIELDS_PER_KEY_MAX + 1]; /* window, then the keys: the default order */
	unsigned keys;                            /* of them */
};

struct sorter {
	const struct read_report *report;
	struct count *count;
	const struct shape *shape;
	unsigned column;     /* sorted by this first */
	bool by_column, descending;
};

static const char *const party_columns[] = { "rx_packets", "rx_bytes", "tx_packets", "tx_bytes" };
static const char *const plain_columns[] = { "packets", "bytes" };

static void add_column(struct shape *s, const char *name, enum column_kind kind)
{
	s->columns[s->count++] = (struct column){ name, kind };
}

static void make_shape(const struct account *a, bool windows, struct shape *s)
{
	const char *const *counters = a->party ? party_columns : plain_columns;

	*s = (struct shape){ 0 };
	if (windows) {
		s->order[s->keys++] = FIELD_WINDOW;
		add_column(s, "window", COLUMN_TIME);
	}
	for (size_t i = 0; i < a->by_count; i++) {
		s->order[s->keys++] = a->by[i];
		add_column(s, field_name(a->by[i]), field_is_number(a->by[i]) ? COLUMN_NUMBER : COLUMN_TEXT);
	}
	for (unsigned i = 0; i < (a->party ? 4 : 2); i++)
		add_column(s, counters[i], i & 1 ? COLUMN_BYTES : COLUMN_COUNT);
}

static int find_column(const struct shape *s, const char *name, unsigned *ret, struct err *e)
{
	char known[256];
	size_t used = 0;

	for (unsigned i = 0; i < s->count; i++) {
		if (strcmp(s->columns[i].name, name) == 0) {
			*ret = i;
			return 0;
		}
		if (used < sizeof known)
			used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
						 s->columns[i].name);
	}
	return err_set(e, -EINVAL, "--sort: no column \"%.60s\"; there are: %s", name, known);
}

int read_report_check(const struct read_report *r, bool windows, struct err *e)
{
	struct shape s;
	unsigned column;

	if (!r->sort)
		return 0;
	make_shape(r->account, windows, &s);
	return find_column(&s, r->sort + (r->sort[0] == '-'), &column, e);
}

static uint8_t *row_slot(struct count *c, const struct row_ref *row)
{
	return row->slot & IN_OTHERS ? table_slot(&c->others, row->slot & ~IN_OTHERS) :
				       table_slot(&c->table, row->slot);
}

static uint64_t counter_of(const struct sorter *s, uint8_t *slot, unsigned which)
{
	struct party_tally t;

	count_get(&s->count->grain, slot_counters(&s->count->table, slot), &t);
	switch (which) {
	case 0: return t.rx.packets;
	case 1: return tally_bytes(&t.rx, s->report->basis);
	case 2: return t.tx.packets;
	default: return tally_bytes(&t.tx, s->report->basis);
	}
}

static uint64_t text_word(const char *text, unsigned len)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | (i < len ? (uint8_t)text[i] : 0);
	return v;
}

/* 64 bits of one key field that order as the field does. */
static void field_prefix(const struct sorter *s, const uint8_t *key, enum field f, uint64_t *high, uint64_t *low)
{
	const struct key_layout *l = &s->count->grain.layout;
	char text[KEY_TEXT_MAX];
	unsigned len;

	*low = 0;
	if (f == FIELD_WINDOW) {
		int64_t start;

		memcpy(&start, key + l->at[f], sizeof start);
		*high = (uint64_t)start ^ UINT64_C(1) << 63;
		return;
	}
	if (field_is_number(f)) {
		*high = key_field_is_other(l, key, f) ? UINT64_MAX : (uint64_t)(key_get_number(l, key, f) + 1);
		return;
	}
	len = key_format(l, key, f, s->report->strings, text);
	*high = text_word(text, len);
	*low = len > 8 ? text_word(text + 8, len - 8) : 0;
}

static void row_prefix(const struct sorter *s, struct row_ref *row)
{
	uint8_t *slot = row_slot(s->count, row);
	uint64_t unused;

	if (s->by_column && s->column >= s->shape->keys) {
		row->high = counter_of(s, slot, s->column - s->shape->keys);
		row->low = 0;
	} else {
		enum field f = s->shape->order[s->by_column ? s->column : 0];

		field_prefix(s, slot, f, &row->high, &row->low);
		if (f == FIELD_WINDOW && s->shape->keys > 1 && !s->descending)
			field_prefix(s, slot, s->shape->order[1], &row->low, &unused);
	}
	if (s->descending) {
		row->high = ~row->high;
		row->low = ~row->low;
	}
}

static int compare_rows(const void *x, const void *y, void *arg)
{
	const struct row_ref *a = x, *b = y;
	const struct sorter *s = arg;
	const struct key_layout *l = &s->count->grain.layout;
	const uint8_t *a_key, *b_key;
	int c;

	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	a_key = row_slot(s->count, a);
	b_key = row_slot(s->count, b);
	if (s->by_column && s->column < s->shape->keys) {
		c = key_compare(l, &s->shape->order[s->column], 1, s->report->strings, a_key, b_key);
		if (c)
			return s->descending ? -c : c;
	}
	return key_compare(l, s->shape->order, s->shape->keys, s->report->strings, a_key, b_key);
}

static int collect_rows(struct sorter *s, struct row_ref **ret, uint64_t *ret_count, struct err *e)
{
	struct count *c = s->count;
	uint64_t n = c->table.used + c->others.used;
	struct row_ref *rows = malloc((n + 1) * sizeof *rows);

	if (!rows)
		return err_set(e, -ENOMEM, "no memory to sort %llu rows", (unsigned long long)n);
	table_compact(&c->table);
	table_compact(&c->others);
	for (uint64_t i = 0; i < n; i++) {
		rows[i].slot = i < c->table.used ? (uint32_t)i : (uint32_t)(i - c->table.used) | IN_OTHERS;
		row_prefix(s, &rows[i]);
	}
	qsort_r(rows, n, sizeof *rows, compare_rows, s);
	*ret = rows;
	*ret_count = n;
	return 0;
}

static int write_row(const struct sorter *s, const struct row_ref *row, struct output *out)
{
	static const char *const unknown[] = { "-", "other" };
	const struct key_layout *l = &s->count->grain.layout;
	struct cell cells[OUTPUT_COLUMNS_MAX] = { 0 };
	char texts[FIELDS_PER_KEY_MAX + 1][KEY_TEXT_MAX];
	uint8_t *slot = row_slot(s->count, row);
	struct party_tally t;
	unsigned at = s->shape->keys;

	for (unsigned i = 0; i < s->shape->keys; i++) {
		enum field f = s->shape->order[i];

		if (f == FIELD_WINDOW) {
			memcpy(&cells[i].time_utc_s, slot + l->at[f], sizeof cells[i].time_utc_s);
		} else if (field_is_number(f)) {
			int64_t n = key_get_number(l, slot, f);

			if (n < 0)
				cells[i].text = unknown[key_field_is_other(l, slot, f)];
			else
				cells[i].number = (uint64_t)n;
		} else {
			key_format(l, slot, f, s->report->strings, texts[i]);
			cells[i].text = texts[i];
		}
	}
	count_get(&s->count->grain, slot_counters(&s->count->table, slot), &t);
	cells[at].number = t.rx.packets;
	cells[at + 1].number = tally_bytes(&t.rx, s->report->basis);
	if (s->report->account->party) {
		cells[at + 2].number = t.tx.packets;
		cells[at + 3].number = tally_bytes(&t.tx, s->report->basis);
	}
	return output_row(out, cells);
}

int read_report_write(const struct read_report *r, struct count *c, struct output *out, struct err *e)
{
	struct shape shape;
	struct sorter s = { .report = r, .count = c, .shape = &shape };
	struct row_ref *rows = NULL;
	uint64_t count = 0;
	int ret;

	make_shape(r->account, c->grain.window_s != 0, &shape);
	if (r->sort) {
		s.by_column = true;
		s.descending = r->sort[0] == '-';
		ret = find_column(&shape, r->sort + s.descending, &s.column, e);
		if (ret < 0)
			return ret;
	}
	ret = collect_rows(&s, &rows, &count, e);
	if (ret < 0)
		return ret;
	ret = output_columns(out, shape.columns, shape.count);
	if (r->limit >= 0 && (uint64_t)r->limit < count)
		count = (uint64_t)r->limit;
	for (uint64_t i = 0; i < count && ret >= 0; i++)
		ret = write_row(&s, &rows[i], out);
	free(rows);
	return ret < 0 ? err_errno(e, ret, "cannot write") : 0;
}
