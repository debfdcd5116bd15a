/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log_test.c -- what a log line looks like, and how often a repeating one comes. */
#include "base/log.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Sends standard error to a file for one line; gives back what was written. */
static const char *logged(enum log_level level, const char *text, int as_journal)
{
	static char got[4096];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	struct stat st;
	size_t len;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	snprintf(got, sizeof got, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	if (as_journal)
		setenv("JOURNAL_STREAM", got, 1);
	else
		setenv("JOURNAL_STREAM", "1:1", 1);
	dup2(fileno(file), STDERR_FILENO);
	log_line(level, "%s", text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	len = fread(got, 1, sizeof got - 1, file);
	got[len] = '\0';
	fclose(file);
	return got;
}

static void lines(void **state)
{
	static const struct {
		const char *why, *text;
		enum log_level level;
		int as_journal;
		const char *want;
	} cases[] = {
		{ "plain", "eth0: down", LOG_LEVEL_ERROR, 0, "nettally: eth0: down\n" },
		{ "journal", "eth0: down", LOG_LEVEL_WARNING, 1, "<4>eth0: down\n" },
		{ "beyond the level", "detail", LOG_LEVEL_DEBUG, 0, "" },
		{ "control characters", "a\nb\033[2J\x7f", LOG_LEVEL_INFO, 0, "nettally: a?b?[2J?\n" },
		{ "UTF-8 stays", "Gerät", LOG_LEVEL_INFO, 0, "nettally: Gerät\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = logged(cases[i].level, cases[i].text, cases[i].as_journal);

		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: got \"%s\"", cases[i].why, got);
	}
}

static void long_line_is_cut(void **state)
{
	char text[3000];
	const char *got;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	got = logged(LOG_LEVEL_ERROR, text, 0);
	assert_int_equal(strlen(got), 1024);
	assert_int_equal(got[1023], '\n');
}

static void limit(void **state)
{
	struct log_limit l = { 0 };
	uint64_t left_out = 99;

	(void)state;
	assert_true(log_limit_pass(&l, 5, &left_out));
	assert_int_equal(left_out, 0);
	assert_false(log_limit_pass(&l, 6, &left_out));
	assert_false(log_limit_pass(&l, 59 * NS_PER_S, &left_out));
	assert_true(log_limit_pass(&l, 60 * NS_PER_S + 5, &left_out));
	assert_int_equal(left_out, 2);
	assert_false(log_limit_pass(&l, 61 * NS_PER_S, &left_out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(long_line_is_cut),
		cmocka_unit_test(limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
