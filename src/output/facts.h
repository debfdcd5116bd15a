/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts.h -- what the parts of the daemon say of themselves, in the three forms of `status`. */
#ifndef NETTALLY_OUTPUT_FACTS_H
#define NETTALLY_OUTPUT_FACTS_H

#include "model/facts.h"
#include "output/json.h"

#include <stdbool.h>

/* "sinks": [{...}, ...] inside the object that is open. */
void facts_json(struct json *j, const struct facts *f);
/* Lines of at most 80 columns, some per part. */
void facts_page(FILE *to, const struct facts *f, bool colour);
/* All samples of a family together. */
void facts_metrics(struct buffer *b, const struct facts *f);

#endif
