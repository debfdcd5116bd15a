/* SPDX-License-Identifier: GPL-2.0-or-later */
/* problems.h -- what is wrong now, as sentences that say what to do. What was lost or overflowed
 * once is a counter, not a problem. Thread: any. */
#ifndef NETTALLY_OUTPUT_PROBLEMS_H
#define NETTALLY_OUTPUT_PROBLEMS_H

#include "model/snapshot.h"

#include <stddef.h>

#define PROBLEMS_MAX 16

struct problems {
	size_t count, shown; /* shown <= PROBLEMS_MAX have their text */
	char text[PROBLEMS_MAX][640];
};

void problems_find(struct problems *ret, const struct snapshot *s);
const char *ledger_state_name(enum ledger_state state);

#endif
