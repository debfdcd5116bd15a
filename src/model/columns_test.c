/* SPDX-License-Identifier: GPL-2.0-or-later */
/* columns_test.c -- `columns`: what may be written, what it means, what is refused with which words. */
#include "model/columns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct account *account(enum account_from from, const char *by, enum bytes_basis bytes)
{
	struct account *a = account_new();

	assert_non_null(a);
	snprintf(a->name, sizeof a->name, "things");
	assert_int_equal(field_list_parse(a->by, &a->by_count, by, NULL), 0);
	a->bytes = bytes;
	assert_int_equal(account_finish(a, NULL), 0);
	a->from = from; /* behind the check: this build may not count deliveries yet */
	return a;
}

#define RX_L2 (1 << COUNTER_RX_L2_BYTES)
#define RX_L3 (1 << COUNTER_RX_L3_BYTES)
#define TX_L3 (1 << COUNTER_TX_L3_BYTES)
#define TX_L2 (1 << COUNTER_TX_L2_BYTES)
#define TX_PACKETS (1 << COUNTER_TX_PACKETS)
#define RX_PACKETS (1 << COUNTER_RX_PACKETS)

static const struct {
	const char *why;
	enum account_from from;
	const char *by;
	enum bytes_basis bytes;
	const char *text, *alias;
	enum column_of of;
	unsigned detail; /* field, or counters */
} good[] = {
	{ "a key by its own name", FROM_PACKETS, "mac", BYTES_L2, "mac", "mac", COLUMN_OF_KEY, FIELD_MAC },
	{ "a key by another", FROM_PACKETS, "host,proto", BYTES_L2, "protocol=proto", "protocol", COLUMN_OF_KEY, FIELD_PROTO },
	{ "speedy's download", FROM_PACKETS, "mac", BYTES_L2, "download=rx_l3_bytes", "download", COLUMN_OF_COUNTER, RX_L3 },
	{ "blanks", FROM_PACKETS, "mac", BYTES_L2, " download = rx_l3_bytes ", "download", COLUMN_OF_COUNTER, RX_L3 },
	{ "bytes in the account's basis", FROM_PACKETS, "mac", BYTES_L2, "rx_bytes", "rx_bytes", COLUMN_OF_COUNTER, RX_L2 },
	{ "the other basis", FROM_PACKETS, "mac", BYTES_L3, "rx_bytes", "rx_bytes", COLUMN_OF_COUNTER, RX_L3 },
	{ "a sum", FROM_PACKETS, "host", BYTES_L3, "all=rx_bytes+tx_bytes", "all", COLUMN_OF_COUNTER, RX_L3 | TX_L3 },
	{ "a plain record's", FROM_PACKETS, "proto", BYTES_L2, "bytes", "bytes", COLUMN_OF_COUNTER, RX_L2 },
	{ "a delivery's requests", FROM_REPORTS, "host", BYTES_L2, "requests", "requests", COLUMN_OF_COUNTER, RX_PACKETS },
	{ "lost packets", FROM_REPORTS, "host", BYTES_L2, "lost=retransmits", "lost", COLUMN_OF_COUNTER, TX_L2 },
	{ "payload bytes", FROM_SOCKETS, "host", BYTES_L2, "bytes", "bytes", COLUMN_OF_COUNTER, RX_L2 },
	{ "the window", FROM_PACKETS, "mac", BYTES_L2, "window", "window", COLUMN_OF_TIME, 0 },
	{ "its other name", FROM_PACKETS, "mac", BYTES_L2, "at=time", "at", COLUMN_OF_TIME, 0 },
	{ "the node", FROM_PACKETS, "mac", BYTES_L2, "server=node", "server", COLUMN_OF_NODE, 0 },
	{ "a constant", FROM_PACKETS, "mac", BYTES_L2, "router='edge 1=a'", "router", COLUMN_OF_CONSTANT, 0 },
};

static void what_may_be_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct account *a = account(good[i].from, good[i].by, good[i].bytes);
		struct columns c = { 0 };
		struct err e = { 0 };

		if (columns_add(&c, a, good[i].text, &e) < 0)
			fail_msg("%s: %s", good[i].why, e.msg);
		assert_int_equal(c.count, 1);
		assert_string_equal(c.at[0].alias, good[i].alias);
		assert_int_equal(c.at[0].of, good[i].of);
		if (good[i].of == COLUMN_OF_KEY)
			assert_int_equal(c.at[0].field, good[i].detail);
		if (good[i].of == COLUMN_OF_COUNTER)
			assert_int_equal(c.at[0].counters, good[i].detail);
		if (good[i].of == COLUMN_OF_CONSTANT)
			assert_string_equal(c.at[0].constant, "edge 1=a");
		account_unref(&a);
	}
}

static const struct {
	const char *why, *text, *says;
} bad[] = {
	{ "nothing", "", "unknown column \"\"" },
	{ "no field", "a=", "unknown column \"\"" },
	{ "no alias", "=mac", "can be no column" },
	{ "an unknown field", "x=hosts", "unknown column \"hosts\"; there are: window, length, account, node, mac, rx_packets" },
	{ "a key that the account has not", "host", "account things has no key \"host\"" },
	{ "a counter of other records", "packets", "unknown column \"packets\"" },
	{ "a sum with a key", "x=mac+rx_bytes", "unknown column" },
	{ "a sum of one twice", "x=rx_bytes+rx_bytes", "unknown column" },
	{ "a sum that ends early", "x=rx_bytes+", "unknown column" },
	{ "an alias with a blank", "a b=mac", "can be no column" },
	{ "an alias with a quote", "a\"b=mac", "can be no column" },
	{ "an alias that begins with a digit", "1a=mac", "can be no column" },
	{ "an alias that is too long", "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaa=mac",
			"can be no column" },
	{ "an open quote", "x='a", "unknown column" },
	{ "twice", "there=rx_bytes", "column \"there\" is there twice" },
};

static void what_is_refused(void **state)
{
	struct account *a = account(FROM_PACKETS, "mac", BYTES_L2);

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct columns c = { 0 };
		struct err e = { 0 };

		assert_int_equal(columns_add(&c, a, "there=tx_bytes", NULL), 0);
		assert_int_equal(columns_add(&c, a, bad[i].text, &e), -EINVAL);
		if (!strstr(e.msg, bad[i].says))
			fail_msg("%s: %s", bad[i].why, e.msg);
		assert_int_equal(c.count, 1);
	}
	account_unref(&a);
}

static void the_defaults_are_whole(void **state)
{
	static const struct {
		enum account_from from;
		const char *by, *names;
	} cases[] = {
		{ FROM_PACKETS, "host,service",
		  "window length node host service rx_packets rx_l2_bytes rx_l3_bytes tx_packets tx_l2_bytes tx_l3_bytes " },
		{ FROM_PACKETS, "proto", "window length node proto packets l2_bytes l3_bytes " },
		{ FROM_REPORTS, "host", "window length node host requests packets bytes retransmits " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct account *a = account(cases[i].from, cases[i].by, BYTES_L2);
		struct columns c = { 0 };
		char names[512] = "";

		assert_int_equal(columns_default(&c, a, NULL), 0);
		assert_int_equal(columns_check_whole(&c, a, NULL), 0);
		for (size_t k = 0; k < c.count; k++)
			snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", c.at[k].alias);
		assert_string_equal(names, cases[i].names);
		account_unref(&a);
	}
}

static void devices(void **state)
{
	struct columns c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(columns_add(&c, NULL, "host", &e), -EINVAL);
	assert_int_equal(columns_add(&c, NULL, "ipv4", &e), 0);
	assert_int_equal(columns_check_whole(&c, NULL, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "mac"));
	assert_int_equal(columns_add(&c, NULL, "device=mac", &e), 0);
	assert_int_equal(columns_check_whole(&c, NULL, &e), 0);
	c.count = 0;
	assert_int_equal(columns_default(&c, NULL, &e), 0);
	assert_int_equal(c.count, 5);
}

static void records_stay_apart(void **state)
{
	struct account *a = account(FROM_PACKETS, "host,service", BYTES_L2);
	struct columns c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(columns_add(&c, a, "host", &e), 0);
	assert_int_equal(columns_add(&c, a, "rx_bytes", &e), 0);
	assert_int_equal(columns_check_whole(&c, a, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "lack the key \"service\" of account things"));
	c.count = 1;
	assert_int_equal(columns_add(&c, a, "service", &e), 0);
	assert_int_equal(columns_check_whole(&c, a, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "no counter"));
	account_unref(&a);
}

static void sums(void **state)
{
	struct party_tally t = { .rx = { 1, 2, 3 }, .tx = { 10, 20, 30 } }, big = { .rx = { UINT64_MAX, 0, 0 }, .tx = { 1,
			0, 0 } };
	struct column_map m = { .of = COLUMN_OF_COUNTER, .counters = RX_L3 | TX_L3 };

	(void)state;
	assert_int_equal(column_counter(&m, &t), 33);
	m.counters = RX_PACKETS | TX_PACKETS;
	assert_true(column_counter(&m, &big) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_be_written), cmocka_unit_test(what_is_refused),
		cmocka_unit_test(the_defaults_are_whole), cmocka_unit_test(devices),
		cmocka_unit_test(records_stay_apart), cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
