/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/line_protocol.h"

#include <string.h>

/* In a name or a tag ',' '=' and ' ' are escaped by '\'. A '\' itself has no escape, and one that stands before such a
 * character, or at the end, would take its meaning: there it becomes '/'. A line end would end the line: '?'. No tag is
 * empty. */
static void put_name(struct bytes *to, const char *text, size_t len, const char *special)
{
	if (len == 0)
		bytes_char(to, '-');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			c = '?';
		else if (c == '\\' && (i + 1 == len || strchr(",= \\", text[i + 1])))
			c = '/';
		else if (strchr(special, c))
			bytes_char(to, '\\');
		bytes_char(to, (char)c);
	}
}

static void put_tag(struct bytes *to, const struct column_map *m, const struct sink_cell *cell)
{
	bytes_char(to, ',');
	bytes_puts(to, m->alias); /* a word: columns.h */
	bytes_char(to, '=');
	if (cell->text)
		put_name(to, cell->text, cell->len, ",= ");
	else
		bytes_number(to, cell->number);
}

static void put_string(struct bytes *to, const char *text, size_t len)
{
	bytes_char(to, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			bytes_char(to, '\\');
		bytes_char(to, text[i]);
	}
	bytes_char(to, '"');
}

static bool is_field(const struct column_map *m, const struct sink_cell *cell)
{
	return m->of == COLUMN_OF_COUNTER || ((m->of == COLUMN_OF_IPV4 || m->of == COLUMN_OF_IPV6) && cell->text);
}

static bool put_field(struct bytes *to, const struct column_map *m, const struct sink_cell *cell, bool is_first)
{
	bytes_char(to, is_first ? ' ' : ',');
	bytes_puts(to, m->alias);
	bytes_char(to, '=');
	if (m->of == COLUMN_OF_COUNTER) {
		bytes_number(to, cell->number > INT64_MAX ? INT64_MAX : cell->number);
		bytes_char(to, 'i');
	} else {
		put_string(to, cell->text, cell->len);
	}
	return false;
}

void line_protocol_row(struct bytes *to, const struct sink_row *row)
{
	const struct sink_table *t = row->window->table;
	const struct columns *c = &t->columns;
	size_t before = to->len;
	bool is_first = true;

	put_name(to, t->name, strlen(t->name), ", ");
	for (size_t i = 0; i < c->count; i++)
		if (column_is_key(&c->at[i]))
			put_tag(to, &c->at[i], &row->cells[i]);
	for (size_t i = 0; i < c->count; i++)
		if (is_field(&c->at[i], &row->cells[i]))
			is_first = put_field(to, &c->at[i], &row->cells[i], is_first);
	if (is_first) {
		to->len = before;
		return;
	}
	bytes_char(to, ' ');
	bytes_signed(to, row->time_utc_s);
	bytes_char(to, '\n');
}
