/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err_test.c -- the sentence and the code, together and cut to size. */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_sentence_and_its_code(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, -EINVAL, "%d of %s", 3, "them"), -EINVAL);
	assert_int_equal(e.code, -EINVAL);
	assert_string_equal(e.msg, "3 of them");
	assert_int_equal(err_errno(&e, -ENOENT, "file %s", "x"), -ENOENT);
	assert_int_equal(e.code, -ENOENT);
	assert_string_equal(e.msg, "file x: No such file or directory");
	assert_int_equal(err_prefix(&e, e.code, "ledger %d", 7), -ENOENT);
	assert_string_equal(e.msg, "ledger 7: file x: No such file or directory");
}

static void nobody_listens(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, -EINVAL, "%s", "x"), -EINVAL);
	assert_int_equal(err_errno(NULL, -ENOENT, "%s", "x"), -ENOENT);
	assert_int_equal(err_prefix(NULL, -EIO, "%s", "x"), -EIO);
}

static void long_sentences_are_cut(void **state)
{
	char text[2000];
	struct err e = { 0 };

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_set(&e, -EINVAL, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	err_errno(&e, -ENOENT, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	err_prefix(&e, -ENOENT, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	err_set(&e, -EIO, "short");
	err_prefix(&e, -EIO, "%.505s", text);
	assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
	assert_string_equal(e.msg + 505, ": shor");
}

/* The code is worked out once, whatever stands there. */
static void the_code_is_evaluated_once(void **state)
{
	struct err e;
	int calls = 0;

	(void)state;
	assert_int_equal(err_set(&e, (calls++, -EINVAL), "x"), -EINVAL);
	assert_int_equal(calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_and_its_code),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(long_sentences_are_cut),
		cmocka_unit_test(the_code_is_evaluated_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
