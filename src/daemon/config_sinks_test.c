/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_sinks_test.c -- sections of sinks: what they mean, and which mistakes are said with which words and lines. */
#include "daemon/config_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ACCOUNTS                                                                                                     \
	"account devices { by = { mac } every = 1s }\n"                                                              \
	"account clients { by = { host, service } }\n"
#define URL "url = \"http://127.0.0.1:8086\" "

/* The problems as lines, free() them; *ret NULL where there are some. */
static char *load(const char *text, struct config **ret)
{
	char *problems = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&problems, &len);

	*ret = NULL;
	config_load_bytes(ret, text, strlen(text), to, NULL);
	fclose(to);
	return problems;
}

static const struct {
	const char *why, *text, *says;
} wrong[] = {
	{ "no url", "influxdb home { database = x }", "-:3: influxdb home needs url" },
	{ "an url of another kind", "influxdb home { url = \"ftp://x\" database = x }", "-:3: url = \"ftp://x\": write http://" },
	{ "a secret in the url", "influxdb home { url = \"http://me:secret@x\" database = x }", "no user or password in it" },
	{ "user without password", "influxdb home { " URL "database = x user = me }", "user and password belong together" },
	{ "neither database nor bucket", "influxdb home { " URL "}", "either database = NAME" },
	{ "both", "influxdb home { " URL "database = x bucket = y }", "either database = NAME" },
	{ "an unknown option", "influxdb home { " URL "database = x\ncolour = red }", "-:4: unknown key 'colour'" },
	{ "a password in the open", "influxdb home { " URL "database = x password = x }", "unknown key 'password'" },
	{ "no such file", "influxdb home { " URL "database = x user = a\npassword_file = \"/nowhere\" }",
	  "-:4: password_file: /nowhere: No such file" },
	{ "no such variable", "influxdb home { " URL "database = x user = a password_env = NT_NOT_SET }",
			"no environment variable NT_NOT_SET" },
	{ "both of them", "influxdb home { " URL "database = x user = a password_env = HOME password_file = \"/dev/null\" }",
	  "write password_file or password_env, not both" },
	{ "no yes or no", "influxdb home { " URL "database = x insecure = maybe }", "insecure = 'maybe': write yes or no" },
	{ "no duration", "influxdb home { " URL "database = x\nhold = long }", "-:4: hold: " },
	{ "an unknown account", "influxdb home { " URL "database = x\ntable t {\naccount = nobody } }",
			"-:5: table t: there is no account nobody" },
	{ "no account", "influxdb home { " URL "database = x\ntable t { columns = { mac } } }",
			"-:4: table t: write account = NAME, or devices" },
	{ "account and devices", "influxdb home { " URL "database = x table t { account = devices devices = yes } }",
			"write account = NAME, or devices" },
	{ "an unknown column",
			"influxdb home { " URL "database = x table t { account = devices\ncolumns = { \"mac\", \"x=in\" } } }",
	  "-:4: columns: unknown column \"in\"; there are: " },
	{ "a key of another account",
			"influxdb home { " URL "database = x table t { account = devices columns = { \"host\" } } }",
	  "account devices has no key \"host\"" },
	{ "a column twice",
			"influxdb home { " URL "database = x "
			"table t { account = devices columns = { \"mac\", \"mac=rx_bytes\" } } }",
	  "column \"mac\" is there twice" },
	{ "a key is missing",
			"influxdb home { " URL "database = x "
			"table t { account = clients columns = { \"host\", \"rx_bytes\" } } }",
	  "columns lack the key \"service\" of account clients" },
	{ "one name twice", "influxdb home { " URL "database = x }\nwebhook home { " URL "}",
			"-:4: webhook home: another sink has this name" },
	{ "a name that is none", "webhook \"a b\" { " URL "}", "a name is a-z" },
	{ "a topic that is none", "kafka bus { brokers = x table \"a b\" { account = devices } }", "make a topic" },
	{ "an unknown format", "file out { directory = \"/tmp\" format = xml }", "format = xml: write ndjson or csv" },
	{ "an unknown kind", "carbon x { }", "unknown key 'carbon'" },
};

static void mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		char text[1024];
		struct config *c;

		snprintf(text, sizeof text, ACCOUNTS "%s\n", wrong[i].text);
		char *problems = load(text, &c);
		if (c || !strstr(problems, wrong[i].says))
			fail_msg("%s: %s", wrong[i].why, problems);
		assert_null(strstr(problems, "secret@"));
		free(problems);
	}
}

static struct config *load_right(const char *text)
{
	struct config *c;
	char *problems = load(text, &c);

	if (!c)
		fail_msg("%s", problems);
	free(problems);
	return c;
}

static void what_it_means(void **state)
{
	struct config *c;

	(void)state;
	setenv("NT_TEST_SECRET", "s3cret", 1);
	c = load_right(ACCOUNTS "influxdb home { " URL "database = speedy node = here hold = 2d hold_size = 1GiB "
				"batch = 7 timeout = 3s "
				"user = me password_env = NT_TEST_SECRET\n"
				"table measures { account = devices columns = { \"mac\", \"download=rx_l3_bytes\" } }\n"
				"table seen { devices = yes } }\n"
				"webhook other { " URL "}\n");
	assert_int_equal(c->sinks->count, 2);
	const struct sink_config *s = &c->sinks->at[0];
	assert_string_equal(s->name, "home");
	assert_string_equal(s->node, "here");
	assert_int_equal(s->hold_s, 2 * 86400);
	assert_int_equal(s->hold_bytes, 1 << 30);
	assert_int_equal(s->batch_records, 7);
	assert_int_equal(s->timeout_s, 3);
	assert_string_equal(sink_text(s, "password"), "s3cret");
	assert_string_equal(sink_text(s, "database"), "speedy");
	assert_null(sink_text(s, "bucket"));
	assert_int_equal(sink_number(s, "insecure"), 0);
	assert_int_equal(s->table_count, 2);
	assert_string_equal(s->tables[0].name, "measures");
	assert_ptr_equal(s->tables[0].account, c->accounts[0]);
	assert_int_equal(s->tables[0].columns.count, 2);
	assert_null(s->tables[1].account);
	s = &c->sinks->at[1]; /* no table: every account */
	assert_int_equal(s->table_count, 2);
	assert_string_equal(s->tables[1].name, "clients");
	assert_int_equal(s->hold_s, 7 * 86400);
	config_free(&c);
}

static void the_default_accounts_are_tables_too(void **state)
{
	struct config *c = load_right("webhook all { " URL "}\n");

	(void)state;
	assert_true(c->account_count > 1);
	assert_int_equal(c->sinks->at[0].table_count, c->account_count);
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes), cmocka_unit_test(what_it_means),
				cmocka_unit_test(the_default_accounts_are_tables_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
