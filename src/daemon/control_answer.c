/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_answer.c -- see control_answer.h. */
#include "daemon/control_answer.h"

#include "base/text.h"
#include "output/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void status_text(FILE *to, const struct snapshot *s)
{
	status_page(to, s, false);
}

static void status_colour(FILE *to, const struct snapshot *s)
{
	status_page(to, s, true);
}

static void audit_text(FILE *to, const struct snapshot *s)
{
	audit_page(to, s, false);
}

static void audit_colour(FILE *to, const struct snapshot *s)
{
	audit_page(to, s, true);
}

static const struct {
	const char *what, *how;
	void (*answer)(FILE *to, const struct snapshot *s);
} requests[] = {
	{ "status", "json", status_json },     { "status", "text", status_text },
	{ "status", "colour", status_colour }, { "audit", "json", audit_json },
	{ "audit", "text", audit_text },       { "audit", "colour", audit_colour },
};

static bool is_blank(uint8_t b)
{
	return b == ' ' || b == '\t' || b == '\r';
}

/* The next word, empty at the end of the line. */
static struct slice next_word(struct slice *line)
{
	struct slice word;

	while (line->len && is_blank(*line->at)) {
		line->at++;
		line->len--;
	}
	word = *line;
	while (line->len && !is_blank(*line->at)) {
		line->at++;
		line->len--;
	}
	word.len -= line->len;
	return word;
}

static bool word_is(struct slice word, const char *text)
{
	return word.len == strlen(text) && memcmp(word.at, text, word.len) == 0;
}

static void answer_unknown(FILE *to, struct slice line)
{
	char text[64], shown[64];

	snprintf(text, sizeof text, "%.*s", (int)(line.len < 40 ? line.len : 40), line.len ? (const char *)line.at : "");
	fprintf(to, "error: unknown request '%s': ask for status or audit, then json, text or colour\n",
		text_printable(text, shown, sizeof shown));
}

static void answer_line(FILE *to, struct slice line, const struct snapshot *s)
{
	struct slice rest = line, what = next_word(&rest), how = next_word(&rest), more = next_word(&rest);

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		if (more.len || !word_is(what, requests[i].what) || !word_is(how, requests[i].how))
			continue;
		if (s)
			requests[i].answer(to, s);
		else
			fputs("error: the daemon is starting: ask again in a second\n", to);
		return;
	}
	answer_unknown(to, line);
}

int control_answer(char **ret, size_t *ret_len, struct slice line, const struct snapshot *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return -ENOMEM;
	answer_line(to, line, s);
	if (fclose(to) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}
