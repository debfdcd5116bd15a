/* SPDX-License-Identifier: GPL-2.0-or-later */
/* account_test.c -- what an account may be, and what follows from it. */
#include "model/account.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define DAY 86400u

static struct account *made(const char *name, enum field by, uint32_t every_s)
{
	struct account *a = account_new();

	assert_non_null(a);
	snprintf(a->name, sizeof a->name, "%s", name);
	a->by[a->by_count++] = by;
	a->every_s = every_s;
	return a;
}

static void names(void **state)
{
	static const struct { const char *name; int code; } rows[] = {
		{ "a", 0 }, { "hosts", 0 }, { "hosts_2", 0 }, { "a23456789012345678901234567890123456789012345_7", 0 },
		{ "", -EINVAL }, { "2hosts", -EINVAL }, { "_a", -EINVAL }, { "Hosts", -EINVAL }, { "my-hosts", -EINVAL },
		{ "a b", -EINVAL }, { "a\"b", -EINVAL }, { "h\xc3\xb6st", -EINVAL }, { "a;", -EINVAL },
		{ "a23456789012345678901234567890123456789012345678", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = { 0 };

		print_message("%s\n", rows[i].name);
		assert_int_equal(account_name_check(rows[i].name, &e), rows[i].code);
		assert_int_equal(e.msg[0] != '\0', rows[i].code != 0);
	}
}

/* Whatever divides a day can be counted by without a word about keep. */
static void every_that_divides_a_day(void **state)
{
	unsigned finished = 0;

	(void)state;
	for (uint32_t s = 0; s <= DAY + 1; s++) {
		struct account *a = made("a", FIELD_HOST, s);
		struct err e = { 0 };
		int r = account_finish(a, &e);

		if (s && DAY % s == 0 && r < 0)
			fail_msg("every = %us: %s", s, e.msg);
		if (!s || DAY % s)
			assert_int_equal(r, -EINVAL);
		if (r == 0) {
			finished++;
			assert_int_equal(a->keep[0].window_s, s);
			assert_int_equal(a->keep[a->keep_count - 1].age_s, 0); /* something stays for ever */
			assert_int_equal(a->keep[a->keep_count - 1].window_s, DAY);
		}
		account_unref(&a);
	}
	assert_int_equal(finished, 96); /* divisors of 86400 */
}

static void what_is_kept_by_default(void **state)
{
	static const struct { uint32_t every_s; size_t count; struct keep keep[3]; } rows[] = {
		{ 1, 3, { { 1, 7 * DAY }, { 3600, 90 * DAY }, { DAY, 0 } } },
		{ 60, 3, { { 60, 7 * DAY }, { 3600, 90 * DAY }, { DAY, 0 } } },
		{ 3600, 2, { { 3600, 7 * DAY }, { DAY, 0 } } },
		{ 7200, 2, { { 7200, 7 * DAY }, { DAY, 0 } } },
		{ 2700, 2, { { 2700, 7 * DAY }, { DAY, 0 } } }, /* 45 minutes do not make an hour */
		{ DAY, 1, { { DAY, 0 } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct account *a = made("a", FIELD_HOST, rows[i].every_s);

		assert_int_equal(account_finish(a, NULL), 0);
		assert_int_equal(a->keep_count, rows[i].count);
		for (size_t k = 0; k < a->keep_count; k++) {
			assert_int_equal(a->keep[k].window_s, rows[i].keep[k].window_s);
			assert_int_equal(a->keep[k].age_s, rows[i].keep[k].age_s);
		}
		account_unref(&a);
	}
}

static void what_may_be_kept(void **state)
{
	static const struct { const char *why; int code; size_t count; struct keep keep[3]; } rows[] = {
		{ "as the example", 0, 3, { { 60, DAY }, { 3600, 28 * DAY }, { DAY, 0 } } },
		{ "for ever", 0, 1, { { 60, 0 } } },
		{ "nothing for ever", 0, 2, { { 60, DAY }, { 3600, 28 * DAY } } },
		{ "the same age", 0, 2, { { 60, DAY }, { 3600, DAY } } },
		{ "does not begin with every", -EINVAL, 1, { { 120, 0 } } },
		{ "twice the same", -EINVAL, 2, { { 60, DAY }, { 60, 0 } } },
		{ "finer later", -EINVAL, 3, { { 60, DAY }, { 3600, 2 * DAY }, { 600, 0 } } },
		{ "no multiple", -EINVAL, 2, { { 60, DAY }, { 90, 0 } } },
		{ "does not divide a day", -EINVAL, 2, { { 60, DAY }, { 7 * 60, 0 } } },
		{ "longer than a day", -EINVAL, 2, { { 60, DAY }, { 2 * DAY, 0 } } },
		{ "coarser for a shorter time", -EINVAL, 2, { { 60, 2 * DAY }, { 3600, DAY } } },
		{ "something after for ever", -EINVAL, 2, { { 60, 0 }, { 3600, 0 } } },
		{ "shorter than its window", -EINVAL, 2, { { 60, 30 }, { 3600, 0 } } },
		{ "shorter than its coarse window", -EINVAL, 2, { { 60, 60 }, { 3600, 600 } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct account *a = made("a", FIELD_HOST, 60);
		struct err e = { 0 };

		print_message("%s\n", rows[i].why);
		memcpy(a->keep, rows[i].keep, sizeof rows[i].keep);
		a->keep_count = rows[i].count;
		assert_int_equal(account_finish(a, &e), rows[i].code);
		assert_int_equal(e.msg[0] != '\0', rows[i].code != 0);
		account_unref(&a);
	}
}

static void parties_need_their_key(void **state)
{
	static const struct { enum field by; enum account_of of; bool self, groups; int code; bool party; } rows[] = {
		{ FIELD_HOST, OF_BOTH, true, true, 0, true }, { FIELD_MAC, OF_LOCAL, false, false, 0, true },
		{ FIELD_PROTO, OF_BOTH, true, true, 0, false }, { FIELD_SRC_HOST, OF_BOTH, true, true, 0, false },
		{ FIELD_PROTO, OF_LOCAL, true, true, -EINVAL, false }, { FIELD_PROTO, OF_REMOTE, true, true, -EINVAL, false },
		{ FIELD_SRC_MAC, OF_BOTH, false, true, -EINVAL, false }, { FIELD_VLAN, OF_BOTH, true, false, -EINVAL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct account *a = made("a", rows[i].by, 60);
		struct err e;

		a->of = rows[i].of;
		a->self = rows[i].self;
		a->groups = rows[i].groups;
		assert_int_equal(account_finish(a, &e), rows[i].code);
		if (rows[i].code == 0) {
			assert_int_equal(a->party, rows[i].party);
			assert_true(key_has(&a->layout, rows[i].by));
			assert_false(key_has(&a->layout, FIELD_WINDOW));
		}
		account_unref(&a);
	}
}

static void without_keys(void **state)
{
	struct account *a = made("a", FIELD_HOST, 60);
	struct err e = { 0 };

	(void)state;
	a->by_count = 0;
	assert_int_equal(account_finish(a, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "account a"));
	account_unref(&a);
	account_unref(&a); /* NULL */
}

static void references_and_forms(void **state)
{
	struct account *a = made("a", FIELD_HOST, 60), *b = made("b", FIELD_HOST, 3600), *again;

	(void)state;
	assert_true(account_same_form(a, b));
	b->by[b->by_count++] = FIELD_PROTO;
	assert_false(account_same_form(a, b));
	a->by[a->by_count++] = FIELD_PROTO;
	assert_true(account_same_form(a, b));
	a->by[0] = FIELD_PROTO;
	a->by[1] = FIELD_HOST;
	assert_false(account_same_form(a, b)); /* another order: other columns first */
	again = account_ref(a);
	account_unref(&again);
	assert_null(again);
	assert_string_equal(a->name, "a");
	account_unref(&a);
	account_unref(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(every_that_divides_a_day),
		cmocka_unit_test(what_is_kept_by_default),
		cmocka_unit_test(what_may_be_kept),
		cmocka_unit_test(parties_need_their_key),
		cmocka_unit_test(without_keys),
		cmocka_unit_test(references_and_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
