/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics_columns.h -- the samples of an account whose `columns` say how they are called, and of accounts by name, where two
 * keys may have the same labels: samples with equal labels are one, their sum. */
#ifndef NETTALLY_OUTPUT_METRICS_COLUMNS_H
#define NETTALLY_OUTPUT_METRICS_COLUMNS_H

#include "model/snapshot.h"
#include "output/buffer.h"

#include <stdbool.h>

/* True where the records of different keys may have the same labels. */
bool metrics_may_merge(const struct account *a);

/* Every counter of `columns` is a family, named as its alias says. `bare`: without HELP and TYPE. */
void metrics_columns(struct buffer *b, const struct snapshot *s, const struct snapshot_account *sa,
		     const struct columns *columns, bool bare);

#endif
