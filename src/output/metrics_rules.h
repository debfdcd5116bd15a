/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics_rules.h -- the samples of an account by rule: every rule, zeros too, with its own labels where its identifier
 * is made of such, else rule="IDENTIFIER". */
#ifndef NETTALLY_OUTPUT_METRICS_RULES_H
#define NETTALLY_OUTPUT_METRICS_RULES_H

#include "model/snapshot.h"
#include "output/buffer.h"

#include <stdbool.h>

struct metrics_family {
	const char *name; /* behind nettally_ */
	bool bytes;       /* else packets */
};

void metrics_rules(struct buffer *b, const struct snapshot *s, const struct snapshot_account *sa,
		   const struct metrics_family *f);

#endif
