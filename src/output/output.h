/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.h -- rows for people and for programs: table, tsv, csv, json, ndjson.
 *
 * Push interface: open, columns, a row at a time, close. `table` keeps its rows in memory until
 * close (it aligns), the others stream. Text cells are made safe for the format: control
 * characters and bytes that are no UTF-8 become '?' in table and tsv, csv quotes by RFC 4180,
 * json escapes. Thread: the caller's. */
#ifndef NETTALLY_OUTPUT_OUTPUT_H
#define NETTALLY_OUTPUT_OUTPUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum format { FORMAT_TABLE, FORMAT_TSV, FORMAT_CSV, FORMAT_JSON, FORMAT_NDJSON };

/* -EINVAL with the list of formats. */
int format_parse(enum format *ret, const char *name, struct err *e);
/* Table on a terminal, tsv in a pipe. */
enum format format_default(FILE *to);

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER,  /* a plain number; "-" where unknown */
	COLUMN_BYTES,   /* table: "1.2 MB" */
	COLUMN_COUNT,   /* table: grouped by human_count() */
	COLUMN_TIME,    /* seconds UTC in, RFC 3339 out */
};

struct column {
	const char *name; /* borrowed until close */
	enum column_kind kind;
};

struct cell {
	const char *text;  /* COLUMN_TEXT; for a COLUMN_NUMBER: not NULL = print this text ("-", "other") instead */
	uint64_t number;   /* COLUMN_NUMBER, _BYTES, _COUNT */
	int64_t time_utc_s; /* COLUMN_TIME */
};

#define OUTPUT_COLUMNS_MAX 32

struct output;

/* Does not own `to`. Colour only in a table, on a terminal, without NO_COLOR. */
int output_open(struct output **ret, FILE *to, enum format format, struct err *e);
int output_columns(struct output *o, const struct column *columns, unsigned count);
int output_row(struct output *o, const struct cell *cells); /* as many as there are columns */
/* After an error of the producer: frees, writes nothing more; rows that were streamed already
 * stay. */
void output_abort(struct output **o);
/* Hands over what was written so far, for who reads along (a table waits for its end). */
int output_flush(struct output *o);
/* Ends the array, prints the table; says whether all could be written (-EIO, -ENOSPC, -EPIPE). */
int output_close(struct output **o, struct err *e);

#endif
