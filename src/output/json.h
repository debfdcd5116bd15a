/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h -- one JSON document into a buffer: commas and line breaks in the right places.
 *
 * `name` is NULL for the elements of an array. Thread: one. */
#ifndef NETTALLY_OUTPUT_JSON_H
#define NETTALLY_OUTPUT_JSON_H

#include "output/buffer.h"

#include <stdbool.h>

struct json {
	struct buffer *to;
	unsigned depth;
	unsigned lines; /* so many outer levels stand on lines of their own; set by the first bracket */
	bool comma; /* something stands before, in the same object or array */
};

void json_begin(struct json *j, const char *name, char bracket); /* '{' or '[' */
void json_end(struct json *j, char bracket);                     /* '}' or ']' */
void json_text(struct json *j, const char *name, const char *value);
void json_number(struct json *j, const char *name, uint64_t value);
void json_signed(struct json *j, const char *name, int64_t value);
void json_bool(struct json *j, const char *name, bool value);
void json_time(struct json *j, const char *name, int64_t utc_s); /* RFC 3339 */

#endif
