/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c -- see json.h. Of an object the two outer levels stand on lines of their own; an array
 * has an element a line. */
#include "output/json.h"

#include "base/text.h"

static void json_name(struct json *j, const char *name)
{
	if (j->comma)
		buffer_char(j->to, ',');
	if (j->depth && j->depth <= j->lines) {
		buffer_char(j->to, '\n');
		buffer_spaces(j->to, 2 * j->depth);
	}
	if (name) {
		buffer_json(j->to, name);
		buffer_char(j->to, ':');
	}
	j->comma = true;
}

void json_begin(struct json *j, const char *name, char bracket)
{
	if (j->depth == 0)
		j->lines = bracket == '[' ? 1 : 2;
	json_name(j, name);
	buffer_char(j->to, bracket);
	j->depth++;
	j->comma = false;
}

void json_end(struct json *j, char bracket)
{
	j->depth--;
	if (j->comma && j->depth < j->lines) {
		buffer_char(j->to, '\n');
		buffer_spaces(j->to, 2 * j->depth);
	}
	buffer_char(j->to, bracket);
	if (j->depth == 0)
		buffer_char(j->to, '\n');
	j->comma = true;
}

void json_text(struct json *j, const char *name, const char *value)
{
	json_name(j, name);
	buffer_json(j->to, value);
}

void json_number(struct json *j, const char *name, uint64_t value)
{
	json_name(j, name);
	buffer_number(j->to, value);
}

void json_signed(struct json *j, const char *name, int64_t value)
{
	json_name(j, name);
	if (value < 0)
		buffer_char(j->to, '-');
	buffer_number(j->to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_bool(struct json *j, const char *name, bool value)
{
	json_name(j, name);
	buffer_puts(j->to, value ? "true" : "false");
}

void json_time(struct json *j, const char *name, int64_t utc_s)
{
	char text[TIME_TEXT_MAX];

	json_text(j, name, time_format(utc_s, text, sizeof text));
}
