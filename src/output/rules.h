/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.h -- what an account by rule counted, rule by rule in the file's order, zeros too. Thread: any. */
#ifndef NETTALLY_OUTPUT_RULES_H
#define NETTALLY_OUTPUT_RULES_H

#include "model/snapshot.h"

/* One tally per rule, of all interfaces and directions; the caller's to free(). NULL: no memory. */
struct tally *rules_totals(const struct snapshot_account *sa);

/* A line `identifier:bytes:packets` per rule, identifiers byte for byte. 0 or -ENOMEM. */
int rules_lines(FILE *to, const struct snapshot *s, const struct snapshot_account *sa);

/* True where an identifier reads as labels of its own, name="value" with commas between: `type="arp",subtype="request"`.
 * Names that nettally gives itself (rule, interface, direction) and empty values are none. */
bool rules_is_labels(const char *identifier);
/* Per rule: it reads as labels, and no rule before it has the same ones in another order. The caller's to free(). NULL:
 * no memory. */
bool *rules_labels(const struct account *a, const struct strings *strings);

#endif
