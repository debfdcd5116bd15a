/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/plan.h"

#include "model/attribution.h"

#include <errno.h>
#include <stdlib.h>

#define TICK_MOST_S 10
#define GRAIN_KEYS_MAX (1u << 23) /* keys of one tick, in one ring's table */

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Fields that an account needs counted. */
static uint64_t needs(const struct account *a)
{
	uint64_t fields = (a->layout.fields & ~FIELDS_DERIVED) | a->bases | FIELD_BIT(FIELD_WINDOW);

	if (account_has_deliveries(a) && a->layout.fields & FIELDS_OF_ROUTES)
		fields |= FIELD_BIT(FIELD_ROUTER); /* whose view it is attributed by */

	if (a->of != OF_BOTH)
		fields |= FIELD_BIT(FIELD_LOCALITY);
	return fields;
}

static uint64_t party_fields(const struct config *cf)
{
	uint64_t fields = 0;

	for (size_t i = 0; i < cf->account_count; i++)
		if (cf->accounts[i]->party)
			fields |= needs(cf->accounts[i]);
	/* A device's last addresses are learned from the same entries. */
	return fields & FIELD_BIT(FIELD_MAC) ? fields | FIELD_BIT(FIELD_HOST) : fields;
}

static int make_grain(struct plan *p, unsigned which, uint64_t fields, const struct config *cf, struct err *e)
{
	struct grain *g = &p->grains[which];

	p->used[which] = true;
	g->party = which != PLAN_PLAIN;
	g->both_bases = true;
	g->of = OF_BOTH;
	g->window_s = p->window_s;
	g->limit = GRAIN_KEYS_MAX;
	g->services = &cf->services;
	g->local = &p->local;
	return key_layout_make(&g->layout, fields, e);
}

/* The grain of the deliveries that come from there. */
static int make_deliveries(struct plan *p, const struct config *cf, enum account_from from, struct err *e)
{
	unsigned which = from == FROM_REPORTS ? PLAN_REPORTS : PLAN_SOCKETS;
	uint64_t fields = 0;

	for (size_t i = 0; i < cf->account_count; i++) {
		if (cf->accounts[i]->from != from)
			continue;
		p->grain_of[i] = which;
		fields |= needs(cf->accounts[i]);
	}
	return fields ? make_grain(p, which, fields, cf, e) : 0;
}

static int make_grains(struct plan *p, const struct config *cf, struct err *e)
{
	uint64_t party = party_fields(cf), plain = 0;

	if (party) {
		int r = make_grain(p, PLAN_PARTY, party, cf, e);

		if (r < 0)
			return r;
		party = p->grains[PLAN_PARTY].layout.fields;
	}
	for (size_t i = 0; i < cf->account_count; i++) {
		const struct account *a = cf->accounts[i];
		bool from_party = party && (needs(a) & ~party) == 0;

		if (account_has_deliveries(a))
			continue;
		if (account_has_rules(a)) {
			p->grain_of[i] = PLAN_RULES;
			continue;
		}
		p->grain_of[i] = from_party ? PLAN_PARTY : PLAN_PLAIN;
		if (!from_party)
			plain |= needs(a);
	}
	if (plain) {
		int r = make_grain(p, PLAN_PLAIN, plain, cf, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int make_all_grains(struct plan *p, const struct config *cf, struct err *e)
{
	int r = make_grains(p, cf, e);

	if (r == 0)
		r = make_deliveries(p, cf, FROM_REPORTS, e);
	return r < 0 ? r : make_deliveries(p, cf, FROM_SOCKETS, e);
}

static int plan_rules(struct plan *p, const struct config *cf, struct err *e)
{
	p->rules = calloc(cf->rules_count + 1, sizeof *p->rules);
	if (!p->rules)
		return err_set(e, -ENOMEM, "no memory");
	for (size_t i = 0, k = 0; i < cf->rules_count; i++) {
		const struct account *a = cf->rules[i].account;
		struct plan_rules *r = &p->rules[p->rules_count++];
		int err;

		while (cf->accounts[k] != a)
			k++;
		*r = (struct plan_rules){
			.account = k,
			.rules = &cf->rules[i],
			.window_s = a->every_s,
			.by_direction = key_has(&a->layout, FIELD_DIRECTION),
			.grain = { .both_bases = true, .window_s = a->every_s },
		};
		err = key_layout_make(&r->grain.layout, needs(a), e);
		if (err < 0)
			return err;
	}
	return 0;
}

/* All want the local ends, or all the remote ones; else both. */
static enum account_of ends_wanted(const struct config *cf)
{
	const struct account *first = NULL;

	for (size_t i = 0; i < cf->account_count; i++) {
		const struct account *a = cf->accounts[i];

		if (!a->party)
			continue;
		if (first && first->of != a->of)
			return OF_BOTH;
		first = a;
	}
	return first ? first->of : OF_BOTH;
}

static int copy_local(struct plan *p, const struct prefix_set *local)
{
	for (size_t i = 0; i < local->count; i++)
		if (prefix_set_add(&p->local, &local->at[i]) < 0)
			return -ENOMEM;
	return 0;
}

int plan_make(struct plan **ret, const struct config *cf, const struct prefix_set *local, struct err *e)
{
	struct plan *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return err_set(e, -ENOMEM, "no memory");
	p->account_count = cf->account_count;
	p->grain_of = calloc(cf->account_count + 1, sizeof *p->grain_of);
	p->tick_most_s = TICK_MOST_S;
	p->of = ends_wanted(cf);
	for (size_t i = 0; i < cf->account_count; i++) {
		p->window_s = gcd(p->window_s, cf->accounts[i]->every_s);
		if (cf->accounts[i]->every_s < p->tick_most_s)
			p->tick_most_s = cf->accounts[i]->every_s;
	}
	r = p->grain_of && copy_local(p, local) == 0 ? make_all_grains(p, cf, e) : err_set(e, -ENOMEM, "no memory");
	if (r == 0)
		r = plan_rules(p, cf, e);
	if (r < 0) {
		plan_free(&p);
		return r;
	}
	*ret = p;
	return 0;
}

void plan_free(struct plan **pp)
{
	if (!*pp)
		return;
	free((*pp)->grain_of);
	free((*pp)->note);
	free((*pp)->rules);
	prefix_set_free(&(*pp)->local);
	free(*pp);
	*pp = NULL;
}
