/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400u

struct account *account_new(void)
{
	struct account *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	atomic_init(&a->refs, 1);
	a->self = a->groups = true;
	a->every_s = ACCOUNT_EVERY_DEFAULT;
	a->limit = ACCOUNT_LIMIT_DEFAULT;
	a->series = ACCOUNT_SERIES_DEFAULT;
	return a;
}

struct account *account_ref(struct account *a)
{
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	return a;
}

static void free_account(struct account *a)
{
	free(a->rules);
	free(a);
}

void account_unref(struct account **pa)
{
	struct account *a = *pa;

	*pa = NULL;
	if (a && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
		free_account(a);
}

int account_name_check(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len >= ACCOUNT_NAME_MAX || name[0] < 'a' || name[0] > 'z' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
		return err_set(e, -EINVAL,
			       "account \"%.60s\": a name is lower-case letters, digits and _, a letter first, "
			       "at most %d characters", name, ACCOUNT_NAME_MAX - 1);
	return 0;
}

static bool divides_a_day(uint32_t s)
{
	return s != 0 && DAY_S % s == 0;
}

static int keep_default(struct account *a)
{
	static const struct keep usual[] = { { 3600, 90 * DAY_S }, { DAY_S, 0 } };

	a->keep[0] = (struct keep){ a->every_s, 7 * DAY_S };
	a->keep_count = 1;
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (usual[i].window_s > a->every_s && usual[i].window_s % a->every_s == 0) /* 45 min make no hour */
			a->keep[a->keep_count++] = usual[i];
	a->keep[a->keep_count - 1].age_s = 0;
	return 0;
}

static int keep_check(const struct account *a, struct err *e)
{
	if (a->keep[0].window_s != a->every_s)
		return err_set(e, -EINVAL, "account %s: keep must begin with the account's own window length (every)",
			       a->name);
	for (size_t i = 1; i < a->keep_count; i++) {
		const struct keep *fine = &a->keep[i - 1], *coarse = &a->keep[i];

		if (coarse->window_s <= fine->window_s || coarse->window_s % fine->window_s ||
		    !divides_a_day(coarse->window_s))
			return err_set(e, -EINVAL, "account %s: each keep must be a multiple of the one before and divide a day",
				       a->name);
		if (fine->age_s == 0 || (coarse->age_s && coarse->age_s < fine->age_s))
			return err_set(e, -EINVAL, "account %s: what is coarser must be kept longer", a->name);
	}
	for (size_t i = 0; i < a->keep_count; i++)
		if (a->keep[i].age_s && a->keep[i].age_s < a->keep[i].window_s)
			return err_set(e, -EINVAL, "account %s: a record is kept at least as long as its window", a->name);
	return 0;
}

int account_finish(struct account *a, struct err *e)
{
	uint64_t fields = 0;
	int r = account_name_check(a->name, e);

	if (r < 0)
		return r;
	if (!divides_a_day(a->every_s))
		return err_set(e, -EINVAL, "account %s: every = %us does not divide a day", a->name, a->every_s);
	if (a->keep_count == 0)
		keep_default(a);
	r = keep_check(a, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->by_count; i++)
		fields |= FIELD_BIT(a->by[i]);
	if (a->by_count == 0)
		return err_set(e, -EINVAL, "account %s: by what? write e.g. by = { host }", a->name);
	if (fields & FIELD_BIT(FIELD_RULE) && fields & ~(FIELD_BIT(FIELD_RULE) | FIELDS_BESIDE_RULE))
		return err_set(e, -EINVAL, "account %s: beside rule, only interface and direction can be keys", a->name);
	a->party = (fields & FIELDS_OF_PARTY) != 0;
	if (!a->party && (a->of != OF_BOTH || !a->self || !a->groups))
		return err_set(e, -EINVAL, "account %s: of, self and groups need a key of a party (mac, host)", a->name);
	return key_layout_make(&a->layout, fields, e);
}

bool account_same_form(const struct account *a, const struct account *b)
{
	return a->from == b->from && a->by_count == b->by_count &&
	       memcmp(a->by, b->by, a->by_count * sizeof *a->by) == 0;
}
