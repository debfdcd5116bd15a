/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_fuzz.c -- any bytes as a file of rules: with and without an interface. What must hold of every rule that
 * was taken is checked. Expressions are not compiled: that is libpcap's own parser. */
#include "rules/rule_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct slice text, const char *mac)
{
	const struct rule_source from = { "fuzz", mac, NULL };
	struct rule_mistakes mistakes = { 0 };
	struct rule_file *file = NULL;
	struct err e;
	int code = rule_file_parse(&file, &from, text, &mistakes, &e);

	if ((code == 0) != (file != NULL) || (code == 0 && mistakes.count))
		abort();
	if (mistakes.count && (!mistakes.text || strlen(mistakes.text) != mistakes.len))
		abort();
	for (size_t i = 0; file && i < file->count; i++) {
		const struct rule *r = &file->rules[i];

		if (!*r->identifier || strchr(r->identifier, ';') || strchr(r->identifier, '\n') || !r->expression)
			abort();
		if (strlen(r->expression) > RULE_EXPANDED_MAX)
			abort();
	}
	rule_mistakes_free(&mistakes);
	rule_file_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { data, size };

	parse(text, NULL);
	parse(text, "02:00:00:00:00:01");
	return 0;
}
