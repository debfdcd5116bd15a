/* SPDX-License-Identifier: GPL-2.0-or-later */
/* read_report.h -- the counted table of `read` as sorted rows. */
#ifndef NETTALLY_CLI_READ_REPORT_H
#define NETTALLY_CLI_READ_REPORT_H

#include "count/count.h"
#include "output/output.h"

struct read_report {
	const struct account *account;
	enum bytes_basis basis;
	const struct strings *strings;
	const char *sort;   /* "[-]COLUMN", NULL = by the columns from the left */
	int64_t limit;      /* -1 = all */
};

/* -EINVAL where the account has no such column; the sentence lists those there are. */
int read_report_check(const struct read_report *r, bool windows, struct err *e);
int read_report_columns(const struct read_report *r, bool windows, struct output *out, struct err *e);
/* Uses the count up: its table is compacted. Writes the rows; the columns come first. */
int read_report_rows(const struct read_report *r, struct count *c, struct output *out, struct err *e);

#endif
