/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c -- the formats that stream (tsv, csv, json, ndjson); the table is in table.c. */
#include "output/output.h"

#include "output/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *output_time(struct output *o, int64_t utc_s)
{
	if (o->time_text[0] == '\0' || o->time_utc_s != utc_s) {
		time_format(utc_s, o->time_text, sizeof o->time_text);
		o->time_utc_s = utc_s;
	}
	return o->time_text;
}

/* tsv and csv */

static void put_line(struct output *o, const struct cell *cells, char separator,
		     void (*put_text)(struct buffer *b, const char *text))
{
	for (unsigned i = 0; i < o->column_count; i++) {
		const struct cell *c = &cells[i];

		if (i)
			buffer_char(&o->buffer, separator);
		if (o->columns[i].kind == COLUMN_TIME)
			buffer_puts(&o->buffer, output_time(o, c->time_utc_s));
		else if (o->columns[i].kind == COLUMN_TEXT || c->text)
			put_text(&o->buffer, c->text ? c->text : "-");
		else
			buffer_number(&o->buffer, c->number);
	}
	buffer_char(&o->buffer, '\n');
}

static void put_header(struct output *o, char separator, void (*put_text)(struct buffer *b, const char *text))
{
	for (unsigned i = 0; i < o->column_count; i++) {
		if (i)
			buffer_char(&o->buffer, separator);
		put_text(&o->buffer, o->columns[i].name);
	}
	buffer_char(&o->buffer, '\n');
}

static int tsv_columns(struct output *o)
{
	put_header(o, '\t', buffer_printable);
	return 0;
}

static int tsv_row(struct output *o, const struct cell *cells)
{
	put_line(o, cells, '\t', buffer_printable);
	return 0;
}

static int csv_columns(struct output *o)
{
	put_header(o, ',', buffer_csv);
	return 0;
}

static int csv_row(struct output *o, const struct cell *cells)
{
	put_line(o, cells, ',', buffer_csv);
	return 0;
}

/* json and ndjson */

static void put_object(struct output *o, const struct cell *cells)
{
	for (unsigned i = 0; i < o->column_count; i++) {
		const struct cell *c = &cells[i];

		buffer_char(&o->buffer, i ? ',' : '{');
		buffer_json(&o->buffer, o->columns[i].name);
		buffer_char(&o->buffer, ':');
		if (o->columns[i].kind == COLUMN_TIME)
			buffer_json(&o->buffer, output_time(o, c->time_utc_s));
		else if (o->columns[i].kind == COLUMN_TEXT || c->text)
			buffer_json(&o->buffer, c->text ? c->text : "-");
		else
			buffer_number(&o->buffer, c->number);
	}
	buffer_char(&o->buffer, '}');
}

static int json_row(struct output *o, const struct cell *cells)
{
	buffer_puts(&o->buffer, o->rows ? ",\n" : "[\n");
	put_object(o, cells);
	return 0;
}

static void json_end(struct output *o)
{
	buffer_puts(&o->buffer, o->rows ? "\n]\n" : "[]\n");
}

static int ndjson_row(struct output *o, const struct cell *cells)
{
	put_object(o, cells);
	buffer_char(&o->buffer, '\n');
	return 0;
}

static const struct format_ops format_tsv = { .name = "tsv", .columns = tsv_columns, .row = tsv_row };
static const struct format_ops format_csv = { .name = "csv", .columns = csv_columns, .row = csv_row };
static const struct format_ops format_json = { .name = "json", .row = json_row, .end = json_end };
static const struct format_ops format_ndjson = { .name = "ndjson", .row = ndjson_row };

static const struct format_ops *const formats[] = {
	[FORMAT_TABLE] = &format_table, [FORMAT_TSV] = &format_tsv,       [FORMAT_CSV] = &format_csv,
	[FORMAT_JSON] = &format_json,   [FORMAT_NDJSON] = &format_ndjson,
};

int format_parse(enum format *ret, const char *name, struct err *e)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (strcmp(name, formats[i]->name) == 0) {
			*ret = (enum format)i;
			return 0;
		}
	return err_set(e, -EINVAL, "unknown format '%.40s': use table, tsv, csv, json or ndjson", name);
}

enum format format_default(FILE *to)
{
	return isatty(fileno(to)) ? FORMAT_TABLE : FORMAT_TSV;
}

int output_open(struct output **ret, FILE *to, enum format format, struct err *e)
{
	struct output *o = malloc(sizeof *o);

	if (!o)
		return err_set(e, -ENOMEM, "no memory for the output");
	memset(o, 0, offsetof(struct output, buffer.bytes)); /* not the 64 KiB behind it */
	o->ops = formats[format];
	o->buffer.to = to;
	*ret = o;
	return 0;
}

int output_columns(struct output *o, const struct column *columns, unsigned count)
{
	if (count > OUTPUT_COLUMNS_MAX)
		return -E2BIG;
	if (count)
		memcpy(o->columns, columns, count * sizeof *columns);
	o->column_count = count;
	return o->ops->columns ? o->ops->columns(o) : 0;
}

int output_row(struct output *o, const struct cell *cells)
{
	int rc = o->ops->row(o, cells);

	if (rc < 0)
		return rc;
	o->rows++;
	return o->buffer.failed;
}

void output_abort(struct output **out)
{
	if (*out) {
		table_free(*out);
		free(*out);
	}
	*out = NULL;
}

int output_flush(struct output *o)
{
	buffer_flush(&o->buffer);
	return fflush(o->buffer.to) == 0 ? 0 : -errno;
}

int output_close(struct output **out, struct err *e)
{
	struct output *o = *out;
	int rc;

	if (!o)
		return 0;
	*out = NULL;
	if (o->ops->end)
		o->ops->end(o);
	buffer_flush(&o->buffer);
	rc = o->buffer.failed;
	if (rc == 0 && fflush(o->buffer.to) != 0)
		rc = errno ? -errno : -EIO;
	table_free(o);
	free(o);
	return rc ? err_errno(e, rc, "could not write all of the output") : 0;
}
