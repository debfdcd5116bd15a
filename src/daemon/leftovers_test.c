/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leftovers_test.c -- the note of kernel tables, there and back; where pins go. */
#include "daemon/leftovers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct account *make_account(void)
{
	struct account *a = account_new();

	snprintf(a->name, sizeof a->name, "clients");
	a->by[0] = FIELD_HOST;
	a->by[1] = FIELD_SERVICE;
	a->by_count = 2;
	a->of = OF_REMOTE;
	a->self = false;
	a->every_s = 10;
	a->bytes = BYTES_L3;
	a->limit = 1234;
	a->series = 56;
	a->keep[0] = (struct keep){ 10, 86400 };
	a->keep[1] = (struct keep){ 3600, 0 };
	a->keep_count = 2;
	assert_int_equal(account_finish(a, NULL), 0);
	return a;
}

static void test_note_comes_back(void **state)
{
	struct account *a = make_account(), *accounts[] = { a };
	struct config cf = { .accounts = accounts, .account_count = 1, .ledger_path = "/var/x y.db" }, *back;
	char path[LEFTOVERS_PATH_MAX];
	char *note = leftovers_note(&cf);
	struct kernel_description d = { .note = note };
	struct account *b;

	(void)state;
	assert_non_null(note);
	assert_true(leftovers_ledger_path(note, path));
	assert_string_equal(path, "/var/x y.db");
	assert_int_equal(leftovers_config(&d, &back, NULL), 0);
	assert_int_equal(back->account_count, 1);
	b = back->accounts[0];
	assert_string_equal(b->name, a->name);
	assert_true(account_same_form(a, b));
	assert_int_equal(b->of, a->of);
	assert_int_equal(b->self, a->self);
	assert_int_equal(b->groups, a->groups);
	assert_int_equal(b->every_s, a->every_s);
	assert_int_equal(b->bytes, a->bytes);
	assert_int_equal(b->limit, a->limit);
	assert_int_equal(b->series, a->series);
	assert_int_equal(b->keep_count, 2);
	assert_memory_equal(b->keep, a->keep, 2 * sizeof *a->keep);
	config_free(&back);
	account_unref(&a);
	free(note);
}

static const struct {
	const char *why, *note;
	int want;
	size_t accounts;
} notes[] = {
	{ "no note", "", 0, 0 },
	{ "a ledger alone", "ledger\t/x\n", 0, 0 },
	{ "lines of a build to come are skipped", "ledger\t/x\nsink\tinflux\naccount\n", 0, 0 },
	{ "an account", "account\ta\thost\tboth\t1\t1\t60\tl2\t10\t10\t60:0\n", 0, 1 },
	{ "without a newline at the end", "account\ta\thost\tboth\t1\t1\t60\tl2\t10\t10\t60:0", 0, 1 },
	{ "a field that nobody knows", "account\ta\tnonsense\tboth\t1\t1\t60\tl2\t10\t10\t60:0\n", -EINVAL, 0 },
	{ "rules", "account\ta\trule\tboth\t1\t1\t60\tl2\t10\t10\t60:0\nrule\tx\ty\\\nrule\tz\n", 0, 1 },
	{ "rules of nobody", "rule\tx\naccount\ta\thost\tboth\t1\t1\t60\tl2\t10\t10\t60:0\nrule\tz\n", 0, 1 },
	{ "a name that is none", "account\tA b\thost\tboth\t1\t1\t60\tl2\t10\t10\t60:0\n", -EINVAL, 0 },
	{ "a window that divides no day", "account\ta\thost\tboth\t1\t1\t7\tl2\t10\t10\t7:0\n", -EINVAL, 0 },
};

static void test_notes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
		struct kernel_description d = { .note = (char *)(uintptr_t)notes[i].note };
		struct config *c = NULL;
		struct err e = { 0 };
		int r = leftovers_config(&d, &c, &e);

		if (r != notes[i].want || (r == 0 && c->account_count != notes[i].accounts))
			fail_msg("%s: %d (%s)", notes[i].why, r, e.msg);
		if (strcmp(notes[i].why, "rules") == 0) {
			assert_int_equal(c->accounts[0]->rule_count, 2);
			assert_string_equal(c->rules[0].file->rules[0].identifier, "x\ty\\");
			assert_string_equal(c->rules[0].file->rules[1].identifier, "z");
		}
		if (c)
			config_free(&c);
	}
}

static void test_directory(void **state)
{
	char a[LEFTOVERS_PATH_MAX], b[LEFTOVERS_PATH_MAX], c[LEFTOVERS_PATH_MAX];

	(void)state;
	assert_int_equal(leftovers_directory("/p", "/tmp/some.ledger.db", a, NULL), 0);
	assert_int_equal(leftovers_directory("/p", "/tmp/../tmp/some.ledger.db", b, NULL), 0);
	assert_int_equal(leftovers_directory("/p", "/some.ledger.db", c, NULL), 0);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_memory_equal(a, "/p/some_ledger_db-", 18);
	assert_null(strchr(a, '.'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note_comes_back),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
