/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/text_row.h"

#include "base/text.h"

#include <string.h>

static void put_json_time(struct bytes *to, int64_t utc_s)
{
	char text[TIME_TEXT_MAX];

	time_format(utc_s, text, sizeof text);
	bytes_json(to, text, strlen(text));
}

static void put_json_cell(struct bytes *to, const struct column_map *m, const struct sink_cell *cell)
{
	if (m->of == COLUMN_OF_TIME)
		put_json_time(to, (int64_t)cell->number);
	else if (cell->text)
		bytes_json(to, cell->text, cell->len);
	else if (m->of == COLUMN_OF_IPV4 || m->of == COLUMN_OF_IPV6)
		bytes_puts(to, "null");
	else
		bytes_number(to, cell->number);
}

void text_row_json(struct bytes *to, const struct sink_row *row, bool with_table)
{
	const struct columns *c = &row->window->table->columns;
	bool comma = with_table;

	bytes_char(to, '{');
	if (with_table) {
		bytes_puts(to, "\"table\":");
		bytes_json(to, row->window->table->name, strlen(row->window->table->name));
	}
	for (size_t i = 0; i < c->count; i++, comma = true) {
		if (comma)
			bytes_char(to, ',');
		bytes_json(to, c->at[i].alias, strlen(c->at[i].alias));
		bytes_char(to, ':');
		put_json_cell(to, &c->at[i], &row->cells[i]);
	}
	bytes_char(to, '}');
}

void text_row_key(struct bytes *to, const struct sink_row *row)
{
	const struct columns *c = &row->window->table->columns;

	bytes_char(to, '[');
	bytes_json(to, row->window->table->name, strlen(row->window->table->name));
	bytes_char(to, ',');
	put_json_time(to, row->time_utc_s);
	for (size_t i = 0; i < c->count; i++) {
		if (!column_is_key(&c->at[i]))
			continue;
		bytes_char(to, ',');
		put_json_cell(to, &c->at[i], &row->cells[i]);
	}
	bytes_char(to, ']');
}

/* RFC 4180: quotes where they are needed; control characters but line ends and tabs become '?'. */
static void put_csv_text(struct bytes *to, const char *text, size_t len)
{
	bool quotes = memchr(text, ',', len) || memchr(text, '"', len) || memchr(text, '\n', len) || memchr(text, '\r', len);

	if (quotes)
		bytes_char(to, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"')
			bytes_char(to, '"');
		bytes_char(to, (c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f ? '?' : (char)c);
	}
	if (quotes)
		bytes_char(to, '"');
}

void text_row_csv(struct bytes *to, const struct sink_row *row)
{
	const struct columns *c = &row->window->table->columns;
	char time[TIME_TEXT_MAX];

	for (size_t i = 0; i < c->count; i++) {
		const struct sink_cell *cell = &row->cells[i];

		if (i)
			bytes_char(to, ',');
		if (c->at[i].of == COLUMN_OF_TIME)
			bytes_puts(to, time_format((int64_t)cell->number, time, sizeof time));
		else if (cell->text)
			put_csv_text(to, cell->text, cell->len);
		else if (c->at[i].of != COLUMN_OF_IPV4 && c->at[i].of != COLUMN_OF_IPV6)
			bytes_number(to, cell->number);
	}
	bytes_char(to, '\n');
}

void text_row_csv_header(struct bytes *to, const struct columns *c)
{
	for (size_t i = 0; i < c->count; i++) {
		if (i)
			bytes_char(to, ',');
		bytes_puts(to, c->at[i].alias); /* a word: columns.h */
	}
	bytes_char(to, '\n');
}
