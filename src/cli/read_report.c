/* SPDX-License-Identifier: GPL-2.0-or-later */
/* read_report.c -- which columns, in which order, and the rows. */
#include "cli/read_report.h"

#include "cli/row_sort.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct shape {
	struct column columns[OUTPUT_COLUMNS_MAX];
	unsigned count;
	enum field order[FIELDS_PER_KEY_MAX + 1]; /* window, then the keys: the default order */
	unsigned keys;                            /* of them */
};

static void add_column(struct shape *s, const char *name, enum column_kind kind)
{
	s->columns[s->count++] = (struct column){ name, kind };
}

static void make_shape(const struct account *a, bool windows, struct shape *s)
{
	unsigned count;
	const struct account_counter *counters = account_counters(a, &count);

	*s = (struct shape){ 0 };
	if (windows) {
		s->order[s->keys++] = FIELD_WINDOW;
		add_column(s, "window", COLUMN_TIME);
	}
	for (size_t i = 0; i < a->by_count; i++) {
		s->order[s->keys++] = a->by[i];
		add_column(s, field_name(a->by[i]), field_is_number(a->by[i]) ? COLUMN_NUMBER : COLUMN_TEXT);
	}
	for (unsigned i = 0; i < count; i++)
		add_column(s, counters[i].name, counters[i].is_bytes ? COLUMN_BYTES : COLUMN_COUNT);
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

/* The asked column first, then the columns from the left. */
static void order_columns(struct row_sorter *s, const struct shape *shape, bool asked, unsigned column, bool descending)
{
	if (asked)
		s->columns[s->column_count++] = (struct sort_column){
			.is_counter = column >= shape->keys,
			.field = column < shape->keys ? shape->order[column] : FIELD_COUNT,
			.counter = column - shape->keys,
			.descending = descending,
		};
	for (unsigned i = 0; i < shape->keys; i++)
		s->columns[s->column_count++] = (struct sort_column){ .field = shape->order[i] };
}

/* At most `limit` rows, in order; -1 = all. */
static int collect_rows(const struct row_sorter *s, int64_t limit, struct row_ref **ret, uint64_t *ret_count,
			struct err *e)
{
	struct count *c = s->count;
	uint64_t n = c->table.used + c->others.used;
	uint64_t wanted = limit >= 0 && (uint64_t)limit < n ? (uint64_t)limit : n;
	struct row_ref *rows = malloc((2 * n + 1) * sizeof *rows);

	if (!rows)
		return err_set(e, -ENOMEM, "no memory to sort %llu rows", (unsigned long long)n);
	table_compact(&c->table);
	table_compact(&c->others);
	for (uint64_t i = 0; i < n; i++)
		rows[i].slot = i < c->table.used ? (uint32_t)i : (uint32_t)(i - c->table.used) | ROW_IN_OTHERS;
	row_sort(s, rows, rows + n, n, wanted);
	*ret = rows;
	*ret_count = wanted;
	return 0;
}

static int write_row(const struct row_sorter *s, const struct shape *shape, const struct row_ref *row,
		     struct output *out)
{
	static const char *const unknown[] = { "-", "other" };
	const struct key_layout *l = &s->count->grain.layout;
	struct cell cells[OUTPUT_COLUMNS_MAX] = { 0 };
	char texts[FIELDS_PER_KEY_MAX + 1][KEY_TEXT_MAX];
	uint64_t scratch[KEY_WORDS_MAX];
	const uint8_t *key = row_key(s->count, row, scratch);
	struct party_tally t;
	unsigned at = shape->keys;

	for (unsigned i = 0; i < shape->keys; i++) {
		enum field f = shape->order[i];

		if (f == FIELD_WINDOW) {
			memcpy(&cells[i].time_utc_s, key + l->at[f], sizeof cells[i].time_utc_s);
		} else if (field_is_number(f)) {
			int64_t n = key_get_number(l, key, f);

			if (n < 0)
				cells[i].text = unknown[key_field_is_other(l, key, f)];
			else
				cells[i].number = (uint64_t)n;
		} else {
			cells[i].text = key_text(l, key, f, s->strings, texts[i], NULL);
		}
	}
	row_tally(s->count, row, &t);
	cells[at].number = t.rx.packets;
	cells[at + 1].number = tally_bytes(&t.rx, s->basis);
	if (s->count->grain.party) {
		cells[at + 2].number = t.tx.packets;
		cells[at + 3].number = tally_bytes(&t.tx, s->basis);
	}
	return output_row(out, cells);
}

int read_report_columns(const struct read_report *r, bool windows, struct output *out, struct err *e)
{
	struct shape shape;
	int ret;

	make_shape(r->account, windows, &shape);
	ret = output_columns(out, shape.columns, shape.count);
	return ret < 0 ? err_errno(e, ret, "cannot write") : 0;
}

int read_report_rows(const struct read_report *r, struct count *c, struct output *out, struct err *e)
{
	struct shape shape;
	struct row_sorter s = { .count = c, .strings = r->strings, .basis = r->basis };
	struct row_ref *rows = NULL;
	unsigned column = 0;
	uint64_t count = 0;
	bool descending = r->sort && r->sort[0] == '-';
	int ret = 0;

	make_shape(r->account, c->grain.window_s != 0, &shape);
	if (r->sort)
		ret = find_column(&shape, r->sort + descending, &column, e);
	if (ret < 0)
		return ret;
	order_columns(&s, &shape, r->sort != NULL, column, descending);
	ret = collect_rows(&s, r->limit, &rows, &count, e);
	if (ret < 0)
		return ret;
	for (uint64_t i = 0; i < count && ret >= 0; i++) {
		row_prefetch(c, rows, i, count);
		ret = write_row(&s, &shape, &rows[i], out);
	}
	free(rows);
	return ret < 0 ? err_errno(e, ret, "cannot write") : 0;
}
