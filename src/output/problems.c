/* SPDX-License-Identifier: GPL-2.0-or-later */
/* problems.c -- see problems.h. */
#include "output/problems.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static void __attribute__((format(printf, 2, 3))) add(struct problems *p, const char *fmt, ...)
{
	va_list ap;

	p->count++;
	if (p->shown == PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(p->text[p->shown++], sizeof p->text[0], fmt, ap);
	va_end(ap);
}

static void find_ledger(struct problems *p, const struct snapshot_ledger *l)
{
	char since[TIME_TEXT_MAX];

	if (l->state == LEDGER_FAILING)
		add(p, "the ledger cannot be written: %s (since %s); counting goes on, %" PRIu64
		       " records wait and are booked once it works again",
		    l->problem, time_format(l->failing_since_utc_s, since, sizeof since), l->pending_records);
	if (l->state == LEDGER_BEHIND)
		add(p, "the ledger is behind: %" PRIu64 " records wait%s%s", l->pending_records, l->problem[0] ? ": " : "",
		    l->problem);
}

/* Rules that nobody counts at an interface, told once for it. */
static void find_rules(struct problems *p, const struct snapshot *s)
{
	for (size_t i = 0; i < s->rule_count; i++) {
		const struct snapshot_rule *r = &s->rules[i], *before = i ? r - 1 : NULL;

		if (!r->at_socket && (!before || before->at_socket || strcmp(r->interface, before->interface) != 0))
			add(p, "a rule of account %s is not counted at %s: %s", r->account, r->interface, r->why);
	}
}

/* What a part of the daemon calls a problem is one. */
static void find_parts(struct problems *p, const struct facts *f)
{
	for (size_t i = 0; i < f->count; i++)
		for (size_t k = 0; k < f->rows[i].count; k++) {
			const struct fact *fact = &f->rows[i].at[k];

			if (fact->kind == FACT_TEXT && strcmp(fact->name, "problem") == 0 && fact->text[0])
				add(p, "%s%s%s: %s", f->rows[i].part, f->rows[i].label ? " " : "", f->rows[i].name, fact->text);
		}
}

void problems_find(struct problems *p, const struct snapshot *s)
{
	p->count = p->shown = 0;
	find_ledger(p, &s->ledger);
	for (size_t i = 0; i < s->interface_count; i++)
		if (!s->interfaces[i].up)
			add(p, "interface %s is down or gone: it is counted again once it is back", s->interfaces[i].name);
	find_rules(p, s);
	find_parts(p, &s->facts);
	if (s->reload_problem[0])
		add(p, "the last reload was refused, the configuration before it stays: %s", s->reload_problem);
	if (s->table_limit && s->table_entries >= s->table_limit)
		add(p, "the table is full (%" PRIu64 " keys): new keys are booked under 'other'", s->table_limit);
}
