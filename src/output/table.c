/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c -- the format for people: columns aligned, numbers to the right, human units. Its rows
 * stay in memory until the end, one after the other as NUL-terminated cells. */
#include "output/formats.h"
#include "output/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct table {
	char *cells;
	size_t used, room;
	unsigned width[OUTPUT_COLUMNS_MAX];
	bool colour;
};

static unsigned text_width(const char *text)
{
	unsigned width = 0;
	uint32_t code;

	while (*text) {
		unsigned len = utf8_take(text, &code);

		width += len && utf8_is_printable(code) ? utf8_width(code) : 1; /* else it shows as '?' */
		text += len ? len : 1;
	}
	return width;
}

static int table_add_cell(struct table *t, unsigned column, const char *text)
{
	size_t size = strlen(text) + 1;
	unsigned width = text_width(text);

	if (size > t->room - t->used) {
		size_t room = t->room * 2 > t->used + size ? t->room * 2 : t->used + size + 4096;
		char *cells = realloc(t->cells, room);

		if (!cells)
			return -ENOMEM;
		t->cells = cells;
		t->room = room;
	}
	memcpy(t->cells + t->used, text, size);
	t->used += size;
	if (width > t->width[column])
		t->width[column] = width;
	return 0;
}

static int table_columns(struct output *o)
{
	const char *no_colour = getenv("NO_COLOR"); /* no-color.org: set and not empty */

	o->table = calloc(1, sizeof *o->table);
	if (!o->table)
		return -ENOMEM;
	o->table->colour = isatty(fileno(o->buffer.to)) && !(no_colour && *no_colour);
	for (unsigned i = 0; i < o->column_count; i++)
		o->table->width[i] = text_width(o->columns[i].name);
	return 0;
}

static const char *cell_text(struct output *o, unsigned column, const struct cell *c, char buf[static 32])
{
	switch (o->columns[column].kind) {
	case COLUMN_TIME:
		return output_time(o, c->time_utc_s);
	case COLUMN_TEXT:
		return c->text ? c->text : "-";
	default:
		break;
	}
	if (c->text)
		return c->text;
	if (o->columns[column].kind == COLUMN_BYTES)
		return human_bytes(c->number, buf, 32);
	if (o->columns[column].kind == COLUMN_COUNT)
		return human_count(c->number, buf, 32);
	snprintf(buf, 32, "%llu", (unsigned long long)c->number);
	return buf;
}

static int table_row(struct output *o, const struct cell *cells)
{
	size_t before = o->table->used;
	char buf[32];

	for (unsigned i = 0; i < o->column_count; i++)
		if (table_add_cell(o->table, i, cell_text(o, i, &cells[i], buf)) < 0) {
			o->table->used = before; /* whole rows only */
			return -ENOMEM;
		}
	return 0;
}

static void put_cell(struct output *o, unsigned column, const char *text)
{
	enum column_kind kind = o->columns[column].kind;
	bool right = kind != COLUMN_TEXT && kind != COLUMN_TIME;
	unsigned pad = o->table->width[column] - text_width(text);

	if (column)
		buffer_spaces(&o->buffer, 2);
	if (right)
		buffer_spaces(&o->buffer, pad);
	buffer_printable(&o->buffer, text);
	if (!right && column + 1 < o->column_count) /* no blanks at the end of a line */
		buffer_spaces(&o->buffer, pad);
}

static void table_end(struct output *o)
{
	struct table *t = o->table;
	const char *at;

	if (!t)
		return;
	at = t->cells;
	buffer_puts(&o->buffer, t->colour ? "\033[1m" : "");
	for (unsigned i = 0; i < o->column_count; i++)
		put_cell(o, i, o->columns[i].name);
	buffer_puts(&o->buffer, t->colour ? "\033[0m\n" : "\n");
	for (uint64_t row = 0; row < o->rows; row++) {
		for (unsigned i = 0; i < o->column_count; i++) {
			put_cell(o, i, at);
			at += strlen(at) + 1;
		}
		buffer_char(&o->buffer, '\n');
	}
}

void table_free(struct output *o)
{
	if (o->table)
		free(o->table->cells);
	free(o->table);
	o->table = NULL;
}

const struct format_ops format_table = {
	.name = "table", .columns = table_columns, .row = table_row, .end = table_end,
};
