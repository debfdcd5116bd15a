/* SPDX-License-Identifier: GPL-2.0-or-later */
/* formats.h -- inside output/: what a format is, and what it works on. */
#ifndef NETTALLY_OUTPUT_FORMATS_H
#define NETTALLY_OUTPUT_FORMATS_H

#include "base/text.h"
#include "output/buffer.h"
#include "output/output.h"

struct output {
	const struct format_ops *ops;
	struct column columns[OUTPUT_COLUMNS_MAX];
	unsigned column_count;
	uint64_t rows;
	int64_t time_utc_s;            /* what `time_text` says: many rows have one window */
	char time_text[TIME_TEXT_MAX];
	struct table *table;           /* FORMAT_TABLE only */
	struct buffer buffer;
};

struct format_ops {
	const char *name;
	int (*columns)(struct output *o);
	int (*row)(struct output *o, const struct cell *cells);
	void (*end)(struct output *o);
};

extern const struct format_ops format_table;
void table_free(struct output *o);

const char *output_time(struct output *o, int64_t utc_s);

#endif
