/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule_file_test.c -- lines, what is put into expressions, mistakes, limits. */
#include "rules/rule_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int parse(struct rule_file **ret, const char *text, size_t len, const char *mac, struct rule_mistakes *m)
{
	const struct rule_source from = { "f", mac, NULL };
	struct err e;

	return rule_file_parse(ret, &from, (struct slice){ (const uint8_t *)text, len }, m, &e);
}

/* As "identifier=expression|identifier=expression|" */
static char *shown(const struct rule_file *file)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	for (size_t i = 0; i < file->count; i++)
		fprintf(to, "%s=%s|", file->rules[i].identifier, file->rules[i].expression);
	fclose(to);
	return text;
}

static void good_files(void **state)
{
	static const struct { const char *why, *text, *want; } cases[] = {
		{ "empty", "", "" },
		{ "one", "a;ip", "a=ip|" },
		{ "two", "a;ip\nb;arp\n", "a=ip|b=arp|" },
		{ "comments and empty lines", "# c;x\n\n  \t\r\na;ip\n#\n", "a=ip|" },
		{ "labels of Prometheus", "type=\"arp\",subtype=\"request\";arp[6:2] == 1\n",
		  "type=\"arp\",subtype=\"request\"=arp[6:2] == 1|" },
		{ "the first ; separates", "a;b;c", "a=b;c|" },
		{ "blanks stay in an identifier", " a b ;ip", " a b =ip|" },
		{ "any byte in an identifier", "\xff\x01$#:\\;ip", "\xff\x01$#:\\=ip|" },
		{ "an expression may be empty", "a;", "a=|" },
		{ "MAC", "me;arp and ether src $MAC or ether dst $MAC", "me=arp and ether src 02:00:00:00:00:01 or ether dst "
		  "02:00:00:00:00:01|" },
		{ "an earlier rule", "a;ip or arp\nb;not ${a}\n", "a=ip or arp|b=not (ip or arp)|" },
		{ "through two", "a;ip\nb;not ${a}\nc;${b} or ${a}", "a=ip|b=not (ip)|c=(not (ip)) or (ip)|" },
		{ "MAC through another", "a;ether src $MAC\nb;not ${a}",
		  "a=ether src 02:00:00:00:00:01|b=not (ether src 02:00:00:00:00:01)|" },
		{ "} in an identifier", "a}b;ip\nc;${a}b}", "a}b=ip|c=(ip)|" },
		{ "the shortest name", "a;ip\na}b;arp\nc;${a}b}", "a=ip|a}b=arp|c=(ip)b}|" },
		{ "quotes in a name", "t=\"x\";ip\nb;${t=\"x\"} and len > 3", "t=\"x\"=ip|b=(ip) and len > 3|" },
		{ "a plain $", "a;ip $ M$MA", "a=ip $ M$MA|" },
		{ "CR LF", "a;ip\r\nb;arp\r\n", "a=ip\r|b=arp\r|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rule_file *file = NULL;
		struct rule_mistakes m = { 0 };
		char *got;

		if (parse(&file, cases[i].text, strlen(cases[i].text), "02:00:00:00:00:01", &m) < 0)
			fail_msg("%s: %s", cases[i].why, m.text);
		got = shown(file);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].why, got);
		free(got);
		rule_file_free(&file);
	}
}

static void bad_files(void **state)
{
	static const struct { const char *why, *text, *want; } cases[] = {
		{ "no ;", "ip\n", "f:1: ip: no ';': write identifier;expression\n" },
		{ "no identifier", "a;ip\n;ip\n", "f:2: ;ip: no identifier before the ';'\n" },
		{ "twice", "a;ip\n\na;arp\n", "f:3: a: line 1 has this identifier already\n" },
		{ "unknown name", "a;${b} or ip", "f:1: a: ${b}: no earlier rule has this identifier\n" },
		{ "itself", "a;${a}", "f:1: a: ${a}: no earlier rule has this identifier\n" },
		{ "a later one", "a;${b}\nb;ip", "f:1: a: ${b}: no earlier rule has this identifier\n" },
		{ "no }", "a;ip\nb;${a or arp", "f:2: b: '${' without a '}'\n" },
		{ "no interface", "a;ether src $MAC", "f:1: a: $MAC: there is no interface here, write its address\n" },
		{ "all at once", "a\nb;${x}\nc;ip\nc;ip\n", "f:1: a: no ';': write identifier;expression\n"
		  "f:2: b: ${x}: no earlier rule has this identifier\nf:4: c: line 3 has this identifier already\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rule_file *file = NULL;
		struct rule_mistakes m = { 0 };

		assert_int_equal(parse(&file, cases[i].text, strlen(cases[i].text), NULL, &m), -EINVAL);
		assert_null(file);
		if (strcmp(m.text, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].why, m.text);
		rule_mistakes_free(&m);
	}
}

static void a_nul_byte_is_a_mistake(void **state)
{
	struct rule_file *file = NULL;
	struct rule_mistakes m = { 0 };

	(void)state;
	assert_int_equal(parse(&file, "a\0b;ip", 6, NULL, &m), -EINVAL);
	assert_non_null(strstr(m.text, "a NUL byte"));
	rule_mistakes_free(&m);
	assert_int_equal(parse(&file, "a;ip\0", 5, NULL, NULL), -EINVAL);
}

static void doubling_ends(void **state)
{
	struct rule_file *file = NULL;
	struct rule_mistakes m = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	fprintf(to, "r0;ip\n");
	for (int i = 1; i < 64; i++)
		fprintf(to, "r%d;${r%d} or ${r%d}\n", i, i - 1, i - 1);
	fclose(to);
	assert_int_equal(parse(&file, text, len, NULL, &m), -EINVAL);
	assert_non_null(strstr(m.text, ": more than 1 MiB with all ${...} put in\n"));
	rule_mistakes_free(&m);
	free(text);
}

static void limits(void **state)
{
	struct rule_file *file = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	for (unsigned i = 0; i <= RULES_MAX; i++)
		fprintf(to, "%u;ip\n", i);
	fclose(to);
	assert_int_equal(parse(&file, text, len, NULL, NULL), -EFBIG);
	assert_int_equal(parse(&file, text, RULE_FILE_MAX + 1u, NULL, NULL), -EFBIG); /* looks at the length alone */
	len = (size_t)(strstr(text, "60000;") - text);
	assert_int_equal(parse(&file, text, len, NULL, NULL), 0);
	assert_int_equal(file->count, 60000);
	assert_int_equal(file->rules[59999].line, 60000);
	rule_file_free(&file);
	free(text);
}

static void long_lines(void **state)
{
	struct rule_file *file = NULL;
	size_t len = 300000;
	char *text = malloc(2 * len + 2);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	text[len] = ';';
	memset(text + len + 1, ' ', len);
	assert_int_equal(parse(&file, text, 2 * len + 1, NULL, NULL), 0);
	assert_int_equal(strlen(file->rules[0].identifier), len);
	assert_int_equal(strlen(file->rules[0].expression), len);
	rule_file_free(&file);
	free(text);
}

static void files_are_read(void **state)
{
	char path[] = "/tmp/nettally-rules-XXXXXX";
	struct rule_source from = { path, NULL, NULL };
	struct rule_file *file = NULL;
	int fd = mkstemp(path);
	struct err e;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a;ip\n", 5), 5);
	close(fd);
	assert_int_equal(rule_file_read(&file, &from, NULL, &e), 0);
	assert_int_equal(file->count, 1);
	rule_file_free(&file);
	unlink(path);
	assert_int_equal(rule_file_read(&file, &from, NULL, &e), -ENOENT);
	from.path = "/";
	assert_int_equal(rule_file_read(&file, &from, NULL, &e), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_files),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(a_nul_byte_is_a_mistake),
		cmocka_unit_test(doubling_ends),
		cmocka_unit_test(limits),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(files_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
