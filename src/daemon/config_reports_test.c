/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_reports_test.c -- the section `reports`: what is right, and each mistake with its line. */
#include "daemon/config_reports.h"

#include "daemon/config_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ACCOUNT "account a { from = reports  by = { host } }\n"

static char folder[] = "/tmp/nettally-reports-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static int make_files(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	write_file("one", "0123456789abcdef\n");
	write_file("two", "fedcba9876543210");
	write_file("empty", "\n");
	write_file("old", "12345678901234567890\n");
	write_file("long", "123456789012345678901\n");
	return 0;
}

static int remove_files(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return system(command);
}

/* "@" in a text stands for the folder. The problems are the caller's to free. */
static char *load(const char *with_at, struct config **ret)
{
	char text[1000], *to = text, *problems = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&problems, &size);
	struct err e;

	for (const char *c = with_at; *c; c++)
		to += *c == '@' ? sprintf(to, "%s", folder) : sprintf(to, "%c", *c);
	*ret = NULL;
	(void)config_load_bytes(ret, text, (size_t)(to - text), f, &e);
	fclose(f);
	return problems;
}

static void right_ones(void **state)
{
	static const struct {
		const char *text, *address;
		uint16_t port;
		size_t secrets;
		bool trafstat;
		unsigned keys;
	} cases[] = {
		{ ACCOUNT "reports { key web1 { secret_file = \"@/one\" } }\n", "", 8789, 1, false, 1 },
		{ ACCOUNT "reports {\n listen = \"0.0.0.0:1234\"\n key web { secret_file = { \"@/one\", \"@/two\" } }\n}\n",
		  "0.0.0.0", 1234, 2, false, 2 },
		{ ACCOUNT "reports { listen = \"[::1]:0\" key a { secret_file = \"@/one\" } key b { secret_file = @/one } }\n",
		  "::1", 0, 2, false, 1 },
		{ ACCOUNT "reports { listen = 5000 trafstat_secret_file = \"@/old\" }\n", "", 5000, 0, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config *c;
		struct keys *keys = NULL;
		char *problems = load(cases[i].text, &c);
		struct err e;

		assert_string_equal(problems, "");
		assert_non_null(c->reports);
		assert_string_equal(c->reports->address, cases[i].address);
		assert_int_equal(c->reports->port, cases[i].port);
		assert_int_equal(c->reports->secret_count, cases[i].secrets);
		assert_int_equal(c->reports->trafstat != NULL, cases[i].trafstat);
		assert_int_equal(config_reports_keys(&keys, c->reports, &e), 0);
		assert_int_equal(keys_count(keys), cases[i].keys);
		assert_int_equal(keys_trafstat(keys) != NULL, cases[i].trafstat);
		keys_free(&keys);
		config_free(&c);
		free(problems);
	}
}

static void mistakes(void **state)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "reports { }\n", ":1: reports have no key" },
		{ "reports {\n listen = \"0.0.0.0:x\"\n key a { secret_file = \"@/one\" } }\n", ":2: listen = '0.0.0.0:x'" },
		{ "reports { listen = off key a { secret_file = \"@/one\" } }\n", "listen = 'off'" },
		{ "reports {\n key a { secret_file = \"@/nowhere\" } }\n", ":2: secret_file: " },
		{ "reports {\n key a {\n secret_file = \"@/empty\" } }\n", "openssl rand -hex 32" },
		{ "reports {\n key a { } }\n", "key a has no secret" },
		{ "reports { trafstat_secret_file = \"@/long\" }\n", "at most 20 bytes, this one 21" },
		{ "reports { trafstat_secret_file = \"@/nowhere\" }\n", "No such file" },
		{ "reports { key a { secret_file = \"@/one\" color = red } }\n", "unknown key 'color' in key" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config *c;
		char *problems = load(cases[i].text, &c);

		assert_null(c);
		if (!strstr(problems, cases[i].says))
			print_message("%s\n%s", cases[i].text, problems);
		assert_non_null(strstr(problems, cases[i].says));
		free(problems);
	}
}

static void none_is_no_listener(void **state)
{
	struct config *c;
	char *problems = load(ACCOUNT, &c);

	(void)state;
	assert_string_equal(problems, "");
	assert_null(c->reports);
	config_free(&c);
	free(problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_ones), cmocka_unit_test(mistakes), cmocka_unit_test(none_is_no_listener),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
