/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_test.c -- which tables are kept for which accounts. */
#include "daemon/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define ACCOUNTS_MAX 4

struct wish {
	enum field by[3];
	size_t count;
	uint32_t every_s;
	enum account_of of;
};

#define BY1(f, every) { { f }, 1, every, OF_BOTH }
#define BY2(f, g, every) { { f, g }, 2, every, OF_BOTH }

static void make_config(struct config *cf, struct account **accounts, const struct wish *wishes)
{
	*cf = (struct config){ .accounts = accounts };
	for (size_t i = 0; i < ACCOUNTS_MAX && wishes[i].count; i++) {
		struct account *a = accounts[i] = account_new();

		assert_non_null(a);
		snprintf(a->name, sizeof a->name, "a%zu", i);
		memcpy(a->by, wishes[i].by, sizeof wishes[i].by);
		a->by_count = wishes[i].count;
		a->every_s = wishes[i].every_s;
		a->of = wishes[i].of;
		assert_int_equal(account_finish(a, NULL), 0);
		cf->account_count++;
	}
}

static void free_config(struct config *cf)
{
	for (size_t i = 0; i < cf->account_count; i++)
		account_unref(&cf->accounts[i]);
}

static const struct {
	const char *why;
	struct wish wishes[ACCOUNTS_MAX];
	unsigned grains[ACCOUNTS_MAX];
	bool party, plain;
	uint32_t window_s, tick_s;
} cases[] = {
	{ "no account", { { { 0 }, 0, 0, 0 } }, { 0 }, false, false, 0, 10 },
	{ "hosts", { BY1(FIELD_HOST, 60) }, { PLAN_PARTY }, true, false, 60, 10 },
	{ "devices every second", { BY1(FIELD_MAC, 1) }, { PLAN_PARTY }, true, false, 1, 1 },
	{ "protocols alone", { BY1(FIELD_PROTO, 60) }, { PLAN_PLAIN }, false, true, 60, 10 },
	{ "hosts and devices share", { BY1(FIELD_HOST, 60), BY1(FIELD_MAC, 60) }, { PLAN_PARTY, PLAN_PARTY }, true, false, 60,
	  10 },
	{ "services from what hosts by service has", { BY2(FIELD_HOST, FIELD_SERVICE, 60), BY1(FIELD_SERVICE, 60) },
	  { PLAN_PARTY, PLAN_PARTY }, true, false, 60, 10 },
	{ "protocols beside hosts", { BY1(FIELD_HOST, 60), BY1(FIELD_PROTO, 60) }, { PLAN_PARTY, PLAN_PLAIN }, true, true, 60,
	  10 },
	{ "two plain ones share", { BY1(FIELD_PROTO, 60), BY1(FIELD_VLAN, 60) }, { PLAN_PLAIN, PLAN_PLAIN }, false, true, 60,
	  10 },
	{ "the order does not matter", { BY1(FIELD_SERVICE, 60), BY2(FIELD_MAC, FIELD_SERVICE, 60) }, { PLAN_PARTY, PLAN_PARTY },
	  true, false, 60, 10 },
	{ "directed ends are no party", { BY2(FIELD_SRC_HOST, FIELD_DST_HOST, 60) }, { PLAN_PLAIN }, false, true, 60, 10 },
	{ "windows: what divides all", { BY1(FIELD_HOST, 60), BY1(FIELD_MAC, 90), BY1(FIELD_PROTO, 3600) },
	  { PLAN_PARTY, PLAN_PARTY, PLAN_PLAIN }, true, true, 30, 10 },
	{ "windows: 8 s and 12 s", { BY1(FIELD_HOST, 8), BY1(FIELD_MAC, 12) }, { PLAN_PARTY, PLAN_PARTY }, true, false, 4, 8 },
	{ "of = local", { { { FIELD_HOST }, 1, 60, OF_LOCAL } }, { PLAN_PARTY }, true, false, 60, 10 },
};

static void which_grain(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct account *accounts[ACCOUNTS_MAX] = { NULL };
		struct prefix_set local = { 0 };
		struct plan *p = NULL;
		struct config cf;

		print_message("%s\n", cases[i].why);
		make_config(&cf, accounts, cases[i].wishes);
		assert_int_equal(plan_make(&p, &cf, &local, NULL), 0);
		assert_int_equal(p->used[PLAN_PARTY], cases[i].party);
		assert_int_equal(p->used[PLAN_PLAIN], cases[i].plain);
		assert_int_equal(p->window_s, cases[i].window_s);
		assert_int_equal(p->tick_most_s, cases[i].tick_s);
		assert_int_equal(p->account_count, cf.account_count);
		for (size_t a = 0; a < cf.account_count; a++) {
			const struct grain *g = &p->grains[cases[i].grains[a]];

			assert_int_equal(p->grain_of[a], cases[i].grains[a]);
			/* all that it needs is there, and its windows are made of the grain's */
			assert_int_equal(cf.accounts[a]->layout.fields & ~g->layout.fields, 0);
			assert_int_equal(cf.accounts[a]->every_s % g->window_s, 0);
			assert_true(key_has(&g->layout, FIELD_WINDOW));
			if (cf.accounts[a]->party)
				assert_true(g->party);
			if (cf.accounts[a]->of != OF_BOTH)
				assert_true(key_has(&g->layout, FIELD_LOCALITY));
			assert_true(g->both_bases);
			assert_int_equal(g->of, OF_BOTH);
		}
		plan_free(&p);
		assert_null(p);
		free_config(&cf);
	}
}

/* What no account needs is not even read. */
static void only_what_is_needed(void **state)
{
	static const struct wish wishes[ACCOUNTS_MAX] = { BY1(FIELD_HOST, 60), BY1(FIELD_PROTO, 60) };
	struct account *accounts[ACCOUNTS_MAX] = { NULL };
	struct prefix_set local = { 0 };
	struct plan *p = NULL;
	struct config cf;

	(void)state;
	make_config(&cf, accounts, wishes);
	assert_int_equal(plan_make(&p, &cf, &local, NULL), 0);
	assert_int_equal(p->grains[PLAN_PARTY].layout.fields,
			 FIELD_BIT(FIELD_WINDOW) | FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_HOST_FAMILY));
	assert_int_equal(p->grains[PLAN_PLAIN].layout.fields, FIELD_BIT(FIELD_WINDOW) | FIELD_BIT(FIELD_PROTO));
	plan_free(&p);
	plan_free(&p);
	free_config(&cf);
}

/* The plan outlives the set it was made with. */
static void an_own_copy_of_local(void **state)
{
	static const struct wish wishes[ACCOUNTS_MAX] = { { { FIELD_HOST }, 1, 60, OF_LOCAL } };
	struct account *accounts[ACCOUNTS_MAX] = { NULL };
	struct prefix_set local = { 0 };
	struct prefix ten;
	struct plan *p = NULL;
	struct config cf;
	struct addr a;

	(void)state;
	assert_int_equal(prefix_parse(&ten, "10.0.0.0/8", NULL), 0);
	assert_int_equal(prefix_set_add(&local, &ten), 0);
	make_config(&cf, accounts, wishes);
	assert_int_equal(plan_make(&p, &cf, &local, NULL), 0);
	prefix_set_free(&local);
	assert_int_equal(addr_parse(&a, "10.2.3.4"), 0);
	assert_ptr_equal(p->grains[PLAN_PARTY].local, &p->local);
	assert_true(prefix_set_contains(p->grains[PLAN_PARTY].local, &a));
	plan_free(&p);
	free_config(&cf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_grain),
		cmocka_unit_test(only_what_is_needed),
		cmocka_unit_test(an_own_copy_of_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
