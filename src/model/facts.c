/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/facts.h"

#include <stdio.h>
#include <stdlib.h>

struct fact_row *facts_add(struct facts *f, const char *part, const char *metric, const char *label, const char *name)
{
	if (f->count == f->room) {
		size_t room = f->room ? f->room * 2 : 8;
		struct fact_row *grown = realloc(f->rows, room * sizeof *grown);

		if (!grown)
			return NULL;
		f->rows = grown;
		f->room = room;
	}
	struct fact_row *r = &f->rows[f->count++];
	*r = (struct fact_row){ .part = part, .metric = metric, .label = label };
	snprintf(r->name, sizeof r->name, "%s", name ? name : "");
	return r;
}

void fact_label2(struct fact_row *r, const char *label, const char *name)
{
	if (!r)
		return;
	r->label2 = label;
	snprintf(r->name2, sizeof r->name2, "%s", name);
}

static struct fact *add(struct fact_row *r, const char *name, enum fact_kind kind)
{
	if (!r || r->count == FACTS_PER_ROW_MAX)
		return NULL;
	r->at[r->count] = (struct fact){ .name = name, .kind = kind };
	return &r->at[r->count++];
}

void fact_number(struct fact_row *r, const char *name, enum fact_kind kind, uint64_t number, const char *help)
{
	struct fact *f = add(r, name, kind);

	if (!f)
		return;
	f->number = number;
	f->help = help;
}

void fact_text(struct fact_row *r, const char *name, const char *text)
{
	struct fact *f = add(r, name, FACT_TEXT);

	if (f)
		snprintf(f->text, sizeof f->text, "%s", text);
}

void facts_free(struct facts *f)
{
	free(f->rows);
	*f = (struct facts){ 0 };
}
