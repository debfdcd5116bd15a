/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule_counts.h -- what the rules of one file counted, by window and direction, whoever counted it.
 *
 * A row is there for each window in which a frame was seen, also where no rule matched. Thread: one at a time. */
#ifndef NETTALLY_RULES_RULE_COUNTS_H
#define NETTALLY_RULES_RULE_COUNTS_H

#include "model/packet.h"
#include "rules/rule_set.h"

#include <stdbool.h>

struct rule_counts_row {
	int64_t window_s;      /* start, seconds UTC */
	uint8_t direction;     /* enum direction; 0 where directions are not told apart */
	struct tally *tallies; /* one per rule, in the file's order */
};

/* A zeroed one with its number of rules is empty. */
struct rule_counts {
	size_t rules;
	struct rule_counts_row *rows;
	size_t row_count, row_room;
};

/* The tallies of a window and direction, zeros where they are new. NULL: no memory. */
struct tally *rule_counts_row(struct rule_counts *c, int64_t window_s, uint8_t direction);
void rule_counts_remove(struct rule_counts *c, size_t row);
void rule_counts_clear(struct rule_counts *c); /* no rows; gives back their memory */

/* Rules that are run on frames: a rule set for each direction that is told apart. As for rule_set_open(): opened by
 * one thread of the process at a time, then its owner's. */
struct rule_counter;

struct rule_counter_config {
	const struct rule_file *file;
	uint16_t linktype;
	uint32_t window_s;     /* 0 = none: one row, of window 0 */
	bool by_direction;
	const uint8_t *only;   /* by rule of the file: 0 = is not run, and counts zero; NULL = all are. Borrowed for the call */
};

int rule_counter_open(struct rule_counter **ret, const struct rule_counter_config *cf, struct rule_mistakes *mistakes,
		      struct err *e);
void rule_counter_close(struct rule_counter **c); /* accepts NULL */
const struct rule_set *rule_counter_set(const struct rule_counter *c);

/* Frames with their packets, at most FRAME_BATCH. Counts of windows that are left go to `to`. */
void rule_counter_add(struct rule_counter *c, const struct frame *frames, const struct packet *packets, unsigned n,
		      struct rule_counts *to);
/* All that is counted and not in a struct rule_counts yet. Where there is no memory it comes with a later call. */
void rule_counter_flush(struct rule_counter *c, struct rule_counts *to);

#endif
