/* SPDX-License-Identifier: GPL-2.0-or-later */
/* read_rules.h -- `read --rules`: every rule of a file, in its order, zeros too. */
#ifndef NETTALLY_CLI_READ_RULES_H
#define NETTALLY_CLI_READ_RULES_H

#include "cli/read_report.h"
#include "rules/rule_counts.h"

#define READ_LINKTYPES_MAX 32 /* link types of one run that can have rules, or a filter */

struct read_rules {
	struct rule_file *file;
	struct rule_counts counts;
	uint32_t window_s;         /* 0 = none */
	struct {
		uint16_t linktype;
		struct rule_counter *counter;
	} of[READ_LINKTYPES_MAX];
	unsigned count;
};

/* -EINVAL: the rules are wrong, and all mistakes were printed. */
int read_rules_open(struct read_rules *r, const char *path, uint32_t window_s, struct err *e);
void read_rules_close(struct read_rules *r);
/* Rules that can match nothing on a link type are said when its first frame comes. */
int read_rules_add(struct read_rules *r, const struct frame *frames, const struct packet *packets, unsigned n,
		   struct err *e);
/* Writes the rows of windows before `before_s` and forgets them; INT64_MAX = all. */
int read_rules_rows(struct read_rules *r, const struct read_report *report, int64_t before_s, struct output *out,
		    struct err *e);

#endif
