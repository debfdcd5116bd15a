/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_test.c -- configurations that are right, and each mistake with its line. */
#include "daemon/config.h"

#include "capture/kernel.h"
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

/* The problems of a text, as printed; the caller frees. */
static char *problems_of(const char *bytes, size_t len, struct config **ret, int *ret_code)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct err e = { 0 };

	assert_non_null(f);
	*ret = NULL;
	*ret_code = config_load_bytes(ret, bytes, len, f, &e);
	fclose(f);
	assert_int_equal(*ret_code < 0, *ret == NULL);
	assert_int_equal(*ret_code < 0, e.msg[0] != '\0');
	return text;
}

static struct config *load(const char *text)
{
	struct config *c;
	int r;
	char *problems = problems_of(text, strlen(text), &c, &r);

	if (r < 0)
		print_message("%s", problems);
	assert_int_equal(r, 0);
	assert_string_equal(problems, "");
	free(problems);
	return c;
}

static const char example[] =
	"local = { \"192.168.2.0/24\", \"fd00::/8\" }\n"
	"interface eth0 { capture = auto }                      # auto | kernel (tcx) | xdp | socket\n"
	"interface eth1 { capture = socket  mirror = yes  rings = 4  ring_size = 64MiB  snap_len = 256\n"
	"                 promiscuous = no  filter = \"tcp port 80\" } // SPAN\n"
	"service consensus { tcp = { 9981 } }\n"
	"service siamux    { tcp = { 9984, \"8000-8010\" } }\n"
	"service quic      { udp = { 9984 } }\n"
	"account devices { by = { mac }            self = no  groups = no  every = 1s   keep = { \"1s:1d\", "
	  "\"1h:28d\", \"1d:forever\" } }\n"
	"account hosts   { by = { host }           of = local   every = 1min  bytes = l3 }\n"
	"account clients { by = { host, service }  of = remote  every = 1min from = packets limit = 1000 series = 10 }\n"
	"kernel { pins = \"/sys/fs/bpf/elsewhere\"  keys = 1000000 }\n"
	"ledger { path = \"/var/lib/nettally/ledger.db\"  max_size = 10GiB }\n"
	"web { listen = \"127.0.0.1:9390\" }\n"
	"/* where the commands ask\n * and who may */\n"
	"control { socket = \"/run/nettally/control.sock\" group = nettally }\n"
	"user = nettally\n";

static void the_example_is_understood(void **state)
{
	struct config *c = load(example);
	const struct account *a = c->accounts[0];
	struct err e;

	(void)state;
	assert_int_equal(c->local.count, 2);
	assert_int_equal(c->interface_count, 2);
	assert_string_equal(c->interfaces[0].name, "eth0");
	assert_int_equal(c->interfaces[0].rings, 1);
	assert_false(c->interfaces[0].promiscuous);
	assert_null(c->interfaces[0].filter);
	assert_int_equal(c->interfaces[1].capture, CAPTURE_SOCKET);
	assert_true(c->interfaces[1].mirror);
	assert_false(c->interfaces[1].promiscuous);
	assert_int_equal(c->interfaces[1].rings, 4);
	assert_int_equal(c->interfaces[1].ring_bytes, 64 << 20);
	assert_int_equal(c->interfaces[1].snap_len, 256);
	assert_string_equal(c->interfaces[1].filter, "tcp port 80");
	assert_int_equal(c->services.count, 3);
	assert_int_equal(services_add(&c->services, "x", SERVICE_TCP, 8010, &e), -EEXIST);
	assert_int_equal(services_add(&c->services, "x", SERVICE_TCP, 8011, &e), 0);
	assert_int_equal(c->account_count, 3);
	assert_false(c->accounts_default);
	assert_string_equal(a->name, "devices");
	assert_int_equal(a->every_s, 1);
	assert_false(a->self);
	assert_false(a->groups);
	assert_int_equal(a->keep_count, 3);
	assert_int_equal(a->keep[1].window_s, 3600);
	assert_int_equal(a->keep[1].age_s, 28 * 86400);
	assert_int_equal(a->keep[2].age_s, 0);
	assert_int_equal(c->accounts[1]->of, OF_LOCAL);
	assert_int_equal(c->accounts[1]->bytes, BYTES_L3);
	assert_int_equal(c->accounts[2]->by_count, 2);
	assert_int_equal(c->accounts[2]->by[1], FIELD_SERVICE);
	assert_int_equal(c->accounts[2]->limit, 1000);
	assert_int_equal(c->accounts[2]->series, 10);
	assert_true(c->accounts[2]->self);
	assert_string_equal(c->kernel_pins, "/sys/fs/bpf/elsewhere");
	assert_int_equal(c->kernel_keys, 1000000);
	assert_string_equal(c->ledger_path, "/var/lib/nettally/ledger.db");
	assert_true(c->ledger_max_size_bytes == UINT64_C(10) << 30);
	assert_string_equal(c->web.address, "127.0.0.1");
	assert_string_equal(c->control_path, "/run/nettally/control.sock");
	assert_string_equal(c->control_group, "nettally");
	assert_string_equal(c->user, "nettally");
	config_free(&c);
	assert_null(c);
}

static void each_capture_may_be_asked_for(void **state)
{
	static const struct { const char *text; enum capture capture; const char *pins; uint64_t keys; } cases[] = {
		{ "interface a { }", CAPTURE_AUTO, KERNEL_PINS_DEFAULT, KERNEL_KEYS_DEFAULT },
		{ "interface a { capture = kernel mirror = yes } kernel { pins = off }", CAPTURE_KERNEL, "",
		  KERNEL_KEYS_DEFAULT },
		{ "interface a { capture = xdp } kernel { keys = 1024 }", CAPTURE_XDP, KERNEL_PINS_DEFAULT, 1024 },
		{ "interface a { capture = socket filter = tcp } kernel { keys = 67108864 }", CAPTURE_SOCKET,
		  KERNEL_PINS_DEFAULT, 64 << 20 },
		{ "interface a { filter = tcp } kernel { pins = /mnt/bpf/x }", CAPTURE_AUTO, "/mnt/bpf/x",
		  KERNEL_KEYS_DEFAULT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *c = load(cases[i].text);

		assert_int_equal(c->interfaces[0].capture, cases[i].capture);
		assert_string_equal(c->kernel_pins, cases[i].pins);
		assert_int_equal(c->kernel_keys, cases[i].keys);
		config_free(&c);
	}
}

static void nothing_written_means_the_defaults(void **state)
{
	static const char *const texts[] = { "", "\n", "#", "# only a comment\n", "#\n", "// x", "/* a\n b */", "\xef\xbb\xbf",
					     "interface eth0 { }\r\n", "account a { by = mac }",
	  "web { } ledger { } kernel { } control { }" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct config *c = load(texts[i]);
		bool written = strstr(texts[i], "account") != NULL;

		assert_int_equal(c->account_count, written ? 1 : 4);
		assert_int_equal(c->accounts_default, !written);
		assert_true(c->services.count > 20);
		assert_string_equal(c->kernel_pins, KERNEL_PINS_DEFAULT);
		assert_int_equal(c->kernel_keys, KERNEL_KEYS_DEFAULT);
		assert_string_equal(c->ledger_path, CONFIG_LEDGER_DEFAULT);
		assert_true(c->ledger_max_size_bytes == 0);
		assert_true(c->web.on);
		assert_int_equal(c->web.port, CONFIG_PORT_DEFAULT);
		assert_string_equal(c->control_path, "");
		config_free(&c);
	}
}

/* A line each of `want`: "LINE: " and a part of the message. */
static const struct mistake { const char *text, *want; } mistakes[] = {
	/* keys and sections */
	{ "\n\nfoo = 1\n",
	  "3: unknown key 'foo'; known here: local, interface, service, account, names, reports, " },
	{ "account a { by = host\n evry = 1s }", "2: unknown key 'evry' in account; known here: from, by, of" },
	{ "foo = { a,\n b }\nbar x { y = 1\n z { } }\nbaz { }\nuser = 'a b'",
	  "1: unknown key 'foo'\n3: unknown key 'bar'\n5: unknown key 'baz'\n6: user = 'a b'" },
	{ "/* a comment\n of two lines */ foo = 1", "2: unknown key 'foo'" },
	{ "/* x */\n/* y */\nfoo = 1", "3: unknown key 'foo'" },
	{ "account a { by = mac tcp = 1 } service b { tcp = 2 }", "1: unknown key 'tcp' in account" },
	{ "routes edge1 { mrt = nosuchfile\n serves = { \"192.0.2.0/24\" } }", "1: mrt = nosuchfile: No such file" },
	{ "reports { key k { secret_file = nosuchfile } }\ninfluxdb home {\ntable t { columns = {a} } }",
	  "1: secret_file: nosuchfile\n2: influxdb home needs url\n3: table t: write account" },
	{ "account f { by = { host }\nrules = \"x\"\nsocket = \"y\"\ncolumns = { \"a=b\" } }",
	  "2: rules: only for an account by rule: by = { rule }\n3: socket: only\n4: columns: unknown column \"b\"" },
	{ "account f { by = host\ncolumns = { 'a-b=host', 'm=rx_bytes' } }", "2: columns: 'a-b' is no name in /metrics" },
	{ "account f { by = host\ncolumns = host }", "2: columns: none is a counter" },
	{ "account f { by = host\ncolumns = 'm=rx_bytes' }\naccount g { by = mac\ncolumns = 'm=tx_bytes' }",
	  "4: columns: account f has a metric 'm' already" },
	{ "account f { by = host\ncolumns = { 't=time', 'm=rx_packets' } }", "2: columns: 't'" },
	{ "account f { by = host\n from = x }", "2: from = 'x': write one of packets, reports, sockets" },
	{ "account f { by = { host,\ntype } }", "1: account f: packets have no type; write from = reports" },
	{ "account f { from = reports\nby = { vlan, host } }", "2: account f: deliveries have no vlan; there are: host, name" },
	{ "account f { by = {\nhost,\nnames } }", "3: unknown key \"names\"" },
	{ "include(\"x\")", "1: 'include' has no '='" },
	{ "user = a\n\nuser = b", "3: 'user' is written twice, first in line 1" },
	{ "account a { by = host\n by += mac }", "2: 'by' is written twice, first in line 1" },
	{ "interface eth0 { }\ninterface eth1 { }\ninterface 'eth0' { }",
	  "3: 'interface eth0' is written twice, first in line 1" },
	{ "account a { by = host }\naccount a { by = mac }", "2: 'account a' is written twice, first in line 1" },
	{ "web { }\n\nweb { }", "3: 'web' is written twice, first in line 1" },
	{ "ledger = x", "1: 'ledger' is a section" },
	{ "ledger x { }", "1: 'ledger' is a section" },
	{ "\naccount { by = host }", "2: 'account' needs a name" },
	{ "user { }\n", "1: 'user' is a key and no section" },
	{ "user = { a, b }", "1: user takes one value" },
	/* the form */
	{ "account a {\n by = host\n\n", "1: this section is never closed" },
	{ "user = a\n}\nfoo = 1", "2: '}' out of place" },
	{ "user = 'a b'\nweb {", "1: user = 'a b'\n2: this section is never closed" },
	{ "user a\nledger { }", "1: 'user a': is a '=' missing between them" },
	{ "account a { every 1s }", "1: 'every 1s': is a '=' missing" },
	{ "account a {\n every }", "2: 'every' has no '='" },
	{ "account a {\n every = }", "2: 'every =' has no value" },
	{ "user =", "1: 'user =' has no value" },
	{ "\nuser", "2: 'user': the file ends here" },
	{ "account a { by = { mac\n host } }", "2: the list of 'by' lacks a ','" },
	{ "account a { by = { mac,\n , host } }", "2: in the list of 'by' a value is missing" },
	{ "\nlocal = { a, b", "2: the list of 'local' is never closed" },
	{ "a { b { c { d { e { } } } } }", "1: sections within sections" },
	{ "\"user\" = x", "1: 'user': a key is expected here, without quotes" },
	{ "= x", "1: '=' out of place" },
	{ "\n/* open\n\n", "2: this comment is never closed" },
	{ "\nuser = \"abc\n", "2: this string is not closed in its line: \" is missing" },
	{ "account a { by = host\n every = '1s\n }", "2: this string is not closed in its line: ' is missing" },
	{ "\nuser = \"a\\n\"", "2: in double quotes a backslash" },
	{ "\nuser = \"${HOME}\"", "2: variables are not supported; where ${ is meant\n2: user = '_{HOME}'" },
	{ "\nuser = ${HOME}", "2: variables are not supported" },
	{ "\nuser|a = 1", "2: put what has a '|' in it in quotes\n2: unknown key 'user_a'" },
	{ "user = x*", "1: a '*' out of place" },
	{ "user = x\1", "1: a byte 0x01: this is no text" },
	{ "user = x\rfoo = 1", "1: a byte 0x0d: this is no text\n1: unknown key 'foo'" },
	{ "interface \"a\\\\b\" { }", "1: a name has no backslash" },
	/* local */
	{ "local = { \"10.0.0.0/8\",\n\"10.0.0.0/33\",\n nonsense }", "2: local: \n3: local: \"nonsense\" is no prefix" },
	/* interface */
	{ "\ninterface abcdefghijklmnop { }", "2: interface \"abcdefghijklmnop\": a name has 1 to 15" },
	{ "interface \"a/b\" { }", "1: interface \"a/b\": a name has no '/'" },
	{ "interface \"a b\" { }\ninterface '..' { }\ninterface '' { }\ninterface a:1 { }",
	  "1: interface \"a b\"\n2: interface \"..\"\n3: interface \"\"\n4: interface \"a:1\"" },
	{ "interface a {\ncapture = fast\nmirror = maybe\npromiscuous = 2\nrings = 0\nring_size = 1KiB\nsnap_len = 10\n}",
	  "2: capture = 'fast': write one of auto, kernel, xdp, socket\n3: mirror = 'maybe': write yes or no\n"
	  "4: promiscuous = '2'\n"
	  "5: rings = '0': write a number from 1 to 64\n6: ring_size = 1KiB: between 256KiB and 1GiB\n"
	  "7: snap_len = 10: headers" },
	{ "interface a { rings = 65\nring_size = big\nsnap_len = 65536\nfilter = \"no such thing\" }",
	  "1: rings\n2: ring_size: 'big' is no size\n3: snap_len\n4: filter: " },
	{ "interface a {\nfilter = \"\" }", "2: filter is empty" },
	{ "interface 'a/b' {\nrings = x }", "1: interface\n2: rings = 'x'" },
	/* service */
	{ "service a { tcp = { 80, \"90-80\",\n0,\n65536, http } }",
	  "1: '90-80' is no port\n2: '0' is\n3: '65536' is\n3: 'http' is" },
	{ "service a { tcp = 80 }\nservice b { udp = 80\n tcp = { \"70-90\" } }",
	  "3: service \"b\": tcp port 80 belongs to service \"a\"" },
	{ "service a { }", "1: service a has no port" },
	{ "\nservice 'a b' { tcp = 80 }", "2: service \"a b\": a name is" },
	/* account */
	{ "account Hosts { by = host }\naccount 9a { by = host }\naccount a-b { by = host }",
	  "1: account \"Hosts\"\n2: account \"9a\"\n3: account \"a-b\"" },
	{ "\naccount a { }", "2: account a: by what?" },
	{ "account a { by = { } }", "1: account a: by what?" },
	{ "account a {\nby = { mac,\nhots,\nmac } }",
	  "3: unknown key \"hots\"; there are: mac, host\n4: key \"mac\" is given twice" },
	{ "account a { by = { mac, host, src_mac, dst_mac, src_host, dst_host, src_port, dst_port, interface, "
	  "direction, vlan,\n ethertype, proto, service, mac } }",
	  "2: key \"mac\" is given twice" },
	{ "account a { by = host\nevery = 7s\n}", "2: every = 7s does not divide a day" },
	{ "account a { by = host\nevery = 2d\n}", "2: every = 2d does not divide a day" },
	{ "account a { by = host\nevery = soon\n}", "2: every: 'soon' is no duration" },
	{ "account a { by = host\nof = us\nbytes = l4\nself = x\nlimit = -1\nseries = 1x }",
	  "2: of = 'us': write one of local, remote, both\n3: bytes = 'l4'\n4: self\n5: limit\n6: series" },
	{ "account a { by = vlan\nof = local\nself = no }", "2: of says which parties\n3: self says" },
	{ "account a { by = host\nkeep = { \"1min:1d\",\n\"90s:2d\" } }", "3: keep = '90s:2d': each window must be" },
	{ "account a { by = host\nkeep = { \"1h:1d\" } }", "2: keep = '1h:1d': the first window must be" },
	{ "account a { by = host\nkeep = { \"1min:1d\", \"1min:2d\" } }", "2: keep = '1min:2d': each window" },
	{ "account a { by = host\nkeep = { \"1min:1d\", \"7min:2d\" } }", "2: keep = '7min:2d': a window must divide" },
	{ "account a { by = host\nkeep = { \"1min:30s\" } }", "2: keep = '1min:30s': a record is kept" },
	{ "account a { by = host\nkeep = { \"1min:forever\",\n\"1h:1d\" } }", "3: keep = '1h:1d': the entry before" },
	{ "account a { by = host\nkeep = { \"1min:7d\",\n\"1h:1d\" } }", "3: keep = '1h:1d': longer windows" },
	{ "account a { by = host\nkeep = { \"1min\" } }", "2: keep: '1min': write WINDOW:AGE" },
	{ "account a { by = host\nkeep = { \"1min:\" } }", "2: keep: '' is no duration" },
	{ "account a { by = host\nkeep = { \":1d\" } }", "2: keep: '' is no duration" },
	{ "account a { by = host every = 1s\n"
	  "keep = {'1s:1d','2s:1d','4s:1d','8s:1d','16s:1d','32s:1d','96s:1d','288s:1d','864s:1d'} }",
	  "2: keep = '864s:1d': more entries" },
	/* kernel */
	{ "kernel {\npins = here\nkeys = 1023 }",
	  "2: pins = 'here': write a directory in a bpffs\n3: keys = 1023: at least 1024" },
	{ "kernel {\npins = ''\nkeys = 67108865 }",
	  "2: pins is empty\n3: keys = '67108865': write a number from 1 to 67108864" },
	{ "kernel a { }", "1: 'kernel' is a section" },
	{ "kernel { pin = off }", "1: unknown key 'pin' in kernel; known here: pins, keys" },
	/* places */
	{ "web {\nlisten = \"localhost:80\" }", "2: listen = 'localhost:80': write ADDRESS:PORT" },
	{ "web {\nlisten = \"127.0.0.1:65536\" }", "2: listen = '127.0.0.1:65536': a port is" },
	{ "ledger {\npath = \"\"\nmax_size = 10 }", "2: path is empty\n3: max_size = 10: between 1MiB" },
	{ "control {\n"
	  "socket = "
	  "\"/a123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\"\n"
	  "group = \"1a\" }", "2: socket has 110 characters; at most 107\n3: group = '1a': a name is" },
	{ "user = a12345678901234567890123456789012", "1: user has 33 characters" },
};

/* Each line begins as wanted, and there are no others. */
static bool are_wanted(const char *problems, const char *want)
{
	while (*want) {
		size_t len = strcspn(want, "\n"), line = strcspn(problems, "\n");

		if (strncmp(problems, "-:", 2) != 0 || line < len + 2 || memcmp(problems + 2, want, len) != 0)
			return false;
		want += len + (want[len] == '\n');
		problems += line + (problems[line] == '\n');
	}
	return *problems == '\0';
}

static void each_mistake_has_its_line(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		struct config *c;
		int r;
		char *problems = problems_of(mistakes[i].text, strlen(mistakes[i].text), &c, &r);

		if (r != -EINVAL || !are_wanted(problems, mistakes[i].want)) {
			print_error("of\n%s\n  want:\n%s\n  have:\n%s\n", mistakes[i].text, mistakes[i].want, problems);
			wrong++;
		}
		free(problems);
	}
	assert_int_equal(wrong, 0);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char nul[] = "user = a\nuser\0 = b\n";
	struct config *c;
	char *problems;
	int r;

	(void)state;
	problems = problems_of(nul, sizeof nul - 1, &c, &r);
	assert_int_equal(r, -EINVAL);
	assert_non_null(strstr(problems, "-:2: a byte 0x00"));
	free(problems);
}

/* Every beginning of a good file: an answer, never a crash. */
static void a_file_cut_anywhere_has_an_answer(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof example; len++) {
		struct config *c;
		int r;
		char *problems = problems_of(example, len, &c, &r);

		assert_int_equal(r < 0, problems[0] != '\0');
		free(problems);
		config_free(&c);
	}
}

static void long_lists_end_somewhere(void **state)
{
	static const struct { int values; int code; } cases[] = {
		{ CONFIG_LIST_MAX, 0 }, { CONFIG_LIST_MAX + 1, -EINVAL }, { 100000, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = NULL, *problems;
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);
		struct config *c;
		int r;

		fputs("user = a\nservice s { tcp = {\n", f);
		for (int k = 0; k < cases[i].values; k++)
			fputs("1-9,", f);
		fputs("} }\n", f);
		fclose(f);
		problems = problems_of(text, size, &c, &r);
		assert_int_equal(r, cases[i].code);
		assert_true(r == 0 || strcmp(problems, "-:3: the list of 'tcp' has more than 1024 values\n") == 0);
		config_free(&c);
		free(problems);
		free(text);
	}
}

static void many_mistakes_end_somewhere(void **state)
{
	char *text = NULL, *problems;
	size_t size = 0, lines = 0;
	FILE *f = open_memstream(&text, &size);
	struct config *c;
	int r;

	(void)state;
	for (int i = 0; i < 3000; i++)
		fprintf(f, "key%d = 1\n", i);
	fclose(f);
	problems = problems_of(text, size, &c, &r);
	for (const char *p = problems; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, CONFIG_PROBLEMS_MAX + 1);
	assert_non_null(strstr(problems, "more mistakes"));
	free(problems);
	free(text);
}

static void lists_may_be_written_in_all_ways(void **state)
{
	struct config *c = load("account a { by = { \"mac\", 'host', } every=1s bytes=l2 }\n"
				"account b { by = host } account c{by={vlan}} local = 10.1.2.3\n"
			"interface 'eth0.100' { filter = 'host 10.0.0.1 or ether host 00:11:22:33:44:55 and (not port 22)' "
	  "}\n"
				"service web { tcp = 80 udp = { 80, 443 } } ledger { path = dir//l.db }\n");

	(void)state;
	assert_int_equal(c->account_count, 3);
	assert_int_equal(c->accounts[0]->by_count, 2);
	assert_int_equal(c->local.count, 1);
	assert_int_equal(c->local.at[0].bits, 32);
	assert_string_equal(c->ledger_path, "dir//l.db");
	config_free(&c);
	c = load("ledger { path = '/a ${b}\\c' }"); /* single quotes take everything as it is */
	assert_string_equal(c->ledger_path, "/a ${b}\\c");
	config_free(&c);
}

/* The text of packaging/nettally.conf; NULL where the sources are elsewhere. */
static char *default_config(void)
{
	static const char here[] = "src/daemon/config_test.c";
	char path[4096], *text;
	size_t top = strlen(__FILE__) - strlen(here), len;
	FILE *f;

	snprintf(path, sizeof path, "%.*spackaging/nettally.conf", (int)top, __FILE__);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	text = calloc(1, 1 << 16);
	assert_non_null(text);
	len = fread(text, 1, (1 << 16) - 1, f);
	assert_true(len > 100);
	fclose(f);
	return text;
}

/* "PATH" in `text` becomes "NAME" and blanks: the files that it shows need not be on this machine. */
static void rename_file(char *text, const char *path, const char *name)
{
	char *at = strstr(text, path);
	size_t len = strlen(path), name_len = strlen(name);

	assert_non_null(at);
	assert_true(at[len] == '"' && name_len < len);
	memset(at, ' ', len + 1);
	memcpy(at, name, name_len);
	at[name_len] = '"';
}

/* The file that is installed works as it is, and so does each setting that it shows behind a
 * '#'. */
static void the_default_file_is_right(void **state)
{
	char *text = default_config(), dir[] = "/tmp/config_test.XXXXXX";
	struct config *c;
	FILE *f;

	(void)state;
	if (!text)
		skip();
	c = load(text);
	assert_true(c->accounts_default);
	config_free(&c);
	for (char *line = text; *line; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL))
		if (line[0] == '#' && (line[1] != ' ' || strncmp(line + 1, "    ", 4) == 0))
			line[0] = ' ';
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_non_null(f = fopen("eth0.filters", "w"));
	fputs("all;\n", f);
	fclose(f);
	rename_file(text, "/var/lib/misc/dnsmasq.leases", "eth0.filters");
	rename_file(text, "/usr/share/ieee-data", "eth0.filters");
	rename_file(text, "/usr/share/GeoIP/country.mmdb", "eth0.filters");
	rename_file(text, "/etc/nettally/web1.key", "eth0.filters");
	c = load(text);
	unlink("eth0.filters");
	assert_int_equal(chdir("/"), 0);
	rmdir(dir);
	assert_int_equal(c->interface_count, 1);
	assert_int_equal(c->interfaces[0].ring_bytes, 32 << 20);
	assert_string_equal(c->kernel_pins, KERNEL_PINS_DEFAULT);
	assert_int_equal(c->kernel_keys, KERNEL_KEYS_DEFAULT);
	assert_int_equal(c->account_count, 3);
	assert_int_equal(c->rules_count, 1);
	assert_string_equal(c->rules[0].socket_group, "adm");
	assert_int_equal(c->names.lease_count, 1);
	assert_int_equal(c->sinks->count, 1);
	assert_int_equal(c->services.count, 2);
	assert_string_equal(c->user, "nettally");
	config_free(&c);
	free(text);
}

static void listen_addresses_are_parsed(void **state)
{
	static const struct { const char *text; bool on; const char *address; unsigned port; } good[] = {
		{ "127.0.0.1:9390", true, "127.0.0.1", 9390 }, { "[::1]:9390", true, "::1", 9390 },
		{ ":80", true, "127.0.0.1", 80 }, { "9390", true, "127.0.0.1", 9390 }, { "0.0.0.0:0", true, "0.0.0.0", 0 },
		{ "[::]:65535", true, "::", 65535 }, { "off", false, "", 0 },
	};
	static const char *const bad[] = { "", ":", "::", "::1", "::1:80", "[::1]", "[::1]80", "[127.0.0.1]:80",
	  "127.0.0.1", "127.0.0.1:",
					   "127.0.0.1:x", "127.0.0.1:80x", "127.0.0.1:-1", "127.0.0.1:65536",
	  "127.0.0.1:9999999999",
					   "host:80", "on", "OFF", "[]:80", "[:80", "256.0.0.1:80", " 80",
					   "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80" };
	struct config_listen l;
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(config_listen_parse(&l, good[i].text, &e), 0);
		assert_int_equal(l.on, good[i].on);
		assert_string_equal(l.address, good[i].address);
		assert_int_equal(l.port, good[i].port);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(config_listen_parse(&l, bad[i], &e), -EINVAL);
	}
}

static void files_that_cannot_be_read_are_problems(void **state)
{
	char dir[] = "/tmp/config_test.XXXXXX", big[64], fifo[64], good[64];
	const struct { const char *path, *want; } cases[] = {
		{ "/nonexistent/x.conf", ":1: cannot be read: No such file" }, { dir, ":1: this is a directory" },
		{ fifo, ":1: this is no regular file" }, { big, ":1: is over 1 MiB" }, { good, ":2: unknown key" },
	};
	struct config *c = NULL;
	struct err e;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(big, sizeof big, "%s/big", dir);
	snprintf(fifo, sizeof fifo, "%s/fifo", dir);
	snprintf(good, sizeof good, "%s/x.conf", dir);
	assert_non_null(f = fopen(big, "w"));
	for (int i = 0; i < (1 << 20) + 1; i++)
		putc('\n', f);
	fclose(f);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_non_null(f = fopen(good, "w"));
	fputs("\nfoo = 1\n", f);
	fclose(f);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(config_load(&c, cases[i].path, NULL, &e), -EINVAL);
		assert_non_null(strstr(e.msg, cases[i].want));
		assert_int_equal(strncmp(e.msg, cases[i].path, strlen(cases[i].path)), 0);
		assert_null(c);
	}
	assert_int_equal(truncate(big, 1 << 20), 0);
	assert_int_equal(config_load(&c, big, NULL, &e), 0);
	assert_string_equal(c->path, big);
	config_free(&c);
	assert_int_equal(config_load(&c, "/dev/null", NULL, &e), 0);
	config_free(&c);
	unlink(big);
	unlink(fifo);
	unlink(good);
	rmdir(dir);
}

static void the_command_line_adds_to_the_default(void **state)
{
	struct config *c = NULL;
	struct err e;

	(void)state;
	assert_int_equal(config_default(&c, &e), 0);
	assert_int_equal(c->account_count, 4);
	assert_int_equal(c->interface_count, 0);
	assert_string_equal(c->path, "");
	assert_int_equal(config_add_interface(c, "eth0", &e), 0);
	assert_int_equal(config_add_interface(c, "eth0", &e), -EEXIST);
	assert_int_equal(config_add_interface(c, "a/b", &e), -EINVAL);
	assert_int_equal(c->interface_count, 1);
	for (int i = 1; i < CONFIG_INTERFACES_MAX; i++) {
		char name[16];

		snprintf(name, sizeof name, "v%d", i);
		assert_int_equal(config_add_interface(c, name, &e), 0);
	}
	assert_int_equal(config_add_interface(c, "one", &e), -ENOSPC);
	config_clear_interfaces(c);
	assert_int_equal(config_add_interface(c, "one", &e), 0);
	assert_int_equal(c->interface_count, 1);
	config_free(&c);
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_is_understood),
		cmocka_unit_test(each_capture_may_be_asked_for),
		cmocka_unit_test(nothing_written_means_the_defaults),
		cmocka_unit_test(each_mistake_has_its_line),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(a_file_cut_anywhere_has_an_answer),
		cmocka_unit_test(long_lists_end_somewhere),
		cmocka_unit_test(many_mistakes_end_somewhere),
		cmocka_unit_test(lists_may_be_written_in_all_ways),
		cmocka_unit_test(the_default_file_is_right),
		cmocka_unit_test(listen_addresses_are_parsed),
		cmocka_unit_test(files_that_cannot_be_read_are_problems),
		cmocka_unit_test(the_command_line_adds_to_the_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
