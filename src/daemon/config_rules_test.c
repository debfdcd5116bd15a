/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_rules_test.c -- accounts by rule: what is right, each mistake with its line, and the examples. */
#include "daemon/config_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct fixture {
	char dir[40], conf[64], rules[64];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/config_rules_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->conf, sizeof f->conf, "%s/x.conf", f->dir);
	snprintf(f->rules, sizeof f->rules, "%s/x.filters", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->conf);
	unlink(f->rules);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Loads with what is wrong as text; the caller frees it. */
static char *load(const struct fixture *f, const char *conf, const char *rules, struct config **ret)
{
	char *problems = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&problems, &size);
	struct err e = { 0 };
	int r;

	write_file(f->conf, conf);
	write_file(f->rules, rules);
	*ret = NULL;
	r = config_load(ret, f->conf, to, &e);
	assert_int_equal(r < 0, *ret == NULL);
	fclose(to);
	return problems;
}

static void rules_beside_the_config(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct fixture *f = *state;
	struct config *c;
	char *problems = load(f, "account a { by = host }\naccount f { by = { rule, interface } rules = \"x.filters\" "
			      "socket = \"/run/x.sock\" socket_group = adm limit = 1 series = 1 }",
			      "all;\nmine;ether src $MAC\n", &c);
	struct rule_file *file;
	struct strings *strings;
	struct err e;

	assert_string_equal(problems, "");
	assert_int_equal(c->rules_count, 1);
	assert_ptr_equal(c->rules[0].account, c->accounts[1]);
	assert_string_equal(c->rules[0].socket, "/run/x.sock");
	assert_string_equal(c->rules[0].socket_group, "adm");
	assert_int_equal(config_rules_for(&c->rules[0], mac, &file, &e), 0);
	assert_string_equal(file->rules[1].expression, "ether src 02:00:00:00:00:09");
	rule_file_free(&file);

	assert_int_equal(strings_new(&strings), 0);
	assert_int_equal(config_rules_intern(c, strings, &e), 0);
	assert_int_equal(config_rules_intern(c, strings, &e), 0);
	assert_int_equal(c->accounts[1]->rule_count, 2);
	assert_string_equal(strings_at(strings, c->accounts[1]->rules[1]), "mine");
	assert_true(c->accounts[1]->series >= 3 && c->accounts[1]->limit >= 2);
	strings_free(&strings);
	config_free(&c);
	free(problems);
}

static const struct {
	const char *conf, *rules, *want[4];
} mistakes[] = {
	{ "account f { by = rule }", "", { "x.conf:1: account f: by rule: by which?" } },
	{ "account f { by = host\nrules = \"x.filters\"\nsocket = \"/x\" }", "",
	  { "x.conf:2: rules: only", "x.conf:3: socket: only" } },
	{ "account f { by = { rule, host } rules = \"x.filters\" }", "a;ip\n", { "x.conf:1: account f: beside rule, only" } },
	{ "account f { by = { rule, vlan } rules = \"x.filters\" }", "a;ip\n", { "beside rule, only" } },
	{ "account f { by = rule\nrules = \"none.filters\" }", "", { "x.conf:2: rules: ", "none.filters: No such file" } },
	{ "account f { by = rule rules = \"/dev\" }", "", { "/dev: not a file" } },
	{ "account f { by = rule\nrules = \"x.filters\" }\nfoo = 1", "a;ip\nb;nonsense here\nc\n;ip\n",
	  { "x.filters:2: b: ", "x.filters:3: c: ", "x.conf:2: rules: ", "x.conf:3: unknown key 'foo'" } },
	{ "account f { by = rule rules = \"x.filters\" }", "a;ip\nb;ip\na;arp\n",
	  { "x.filters:3: a: line 1 has this identifier already" } },
	{ "account f { by = rule rules = \"x.filters\" socket = x }", "", { "socket = 'x': write a whole path" } },
	{ "account f { by = rule rules = \"x.filters\" socket_group = adm }", "", { "socket_group: of which socket?" } },
	{ "account f { by = rule rules = \"x.filters\" socket = \"/x\" }\n"
	  "account g { by = rule rules = \"x.filters\"\nsocket = \"/x\" }",
	  "", { "x.conf:3: socket = '/x' is account f's" } },
};

static void each_mistake_has_its_line(void **state)
{
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		struct config *c;
		char *problems = load(*state, mistakes[i].conf, mistakes[i].rules, &c);

		if (c)
			fail_msg("taken: %s", mistakes[i].conf);
		for (size_t k = 0; k < COUNT(mistakes[i].want) && mistakes[i].want[k]; k++)
			if (!strstr(problems, mistakes[i].want[k]))
				fail_msg("%s\nsays:\n%swants: %s", mistakes[i].conf, problems, mistakes[i].want[k]);
		free(problems);
	}
}

static void the_example_is_right(void **state)
{
	static const char here[] = "src/daemon/config_rules_test.c";
	size_t top = strlen(__FILE__) - strlen(here);
	struct config *c = NULL;
	struct err e;
	char path[4096];

	(void)state;
	snprintf(path, sizeof path, "%.*sexamples/bpfcountd.conf", (int)top, __FILE__);
	if (access(path, R_OK) != 0)
		skip();
	if (config_load(&c, path, stderr, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(c->rules_count, 1);
	assert_true(c->rules[0].file->count > 60);
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rules_beside_the_config, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_mistake_has_its_line, set_up, tear_down),
		cmocka_unit_test(the_example_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
