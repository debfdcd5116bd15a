/* SPDX-License-Identifier: GPL-2.0-or-later */
/* field_test.c -- the names of keys, alone and in lists. */
#include "model/field.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void names_there_and_back(void **state)
{
	unsigned named = 0;

	(void)state;
	for (enum field f = 0; f < FIELD_COUNT; f++) {
		enum field again = FIELD_COUNT;
		struct err e = { 0 };
		int r;

		if (!field_name(f))
			continue;
		named++;
		r = field_parse(&again, field_name(f), &e);
		assert_int_equal(r, 0);
		assert_int_equal(again, f);
	}
	assert_int_equal(named, 25); /* as the contract lists them */
	assert_null(field_name(FIELD_WINDOW));
	assert_null(field_name(FIELD_LOCALITY));
}

static void an_unknown_name_lists_the_known(void **state)
{
	static const char *const wrong[] = { "", "hosts", "Host", "host ", "window", "src_family", "%s%n",
		"a name that goes on and on and on and on and on and on and on and on and on and on and on and on" };

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		enum field f = FIELD_COUNT;
		struct err e = { 0 };

		assert_int_equal(field_parse(&f, wrong[i], &e), -EINVAL);
		assert_int_equal(f, FIELD_COUNT);
		for (enum field known = 0; known < FIELD_COUNT; known++)
			if (field_name(known))
				assert_non_null(strstr(e.msg, field_name(known)));
	}
}

static void lists(void **state)
{
	static const struct { const char *text; int code; size_t count; enum field fields[3]; } rows[] = {
		{ "host", 0, 1, { FIELD_HOST } },
		{ "host,service", 0, 2, { FIELD_HOST, FIELD_SERVICE } },
		{ "service,host", 0, 2, { FIELD_SERVICE, FIELD_HOST } },
		{ " host ,\tmac , vlan", 0, 3, { FIELD_HOST, FIELD_MAC, FIELD_VLAN } },
		{ "", -EINVAL, 0, { 0 } }, { " ", -EINVAL, 0, { 0 } }, { ",", -EINVAL, 0, { 0 } }, { "host,", -EINVAL, 0, { 0 } },
		{ ",host", -EINVAL, 0, { 0 } }, { "host,,mac", -EINVAL, 0, { 0 } }, { "host, ,mac", -EINVAL, 0, { 0 } },
		{ "host,host", -EINVAL, 0, { 0 } }, { "host mac", -EINVAL, 0, { 0 } }, { "host;mac", -EINVAL, 0, { 0 } },
		{ "host,nonsense", -EINVAL, 0, { 0 } }, { "host,name", 0, 2, { FIELD_HOST, FIELD_NAME } },
		{ "mac,host,src_mac,dst_mac,src_host,dst_host,src_port,dst_port,interface,direction,vlan,ethertype,"
		  "proto,service", 0, 14, { FIELD_MAC, FIELD_HOST, FIELD_SRC_MAC } }, /* all there are */
		{ "host,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", -EINVAL, 0, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum field fields[FIELDS_PER_KEY_MAX] = { FIELD_COUNT };
		struct err e = { 0 };
		size_t count = 99;

		print_message("\"%s\"\n", rows[i].text);
		assert_int_equal(field_list_parse(fields, &count, rows[i].text, &e), rows[i].code);
		if (rows[i].code) {
			assert_int_equal(count, 99);
			assert_int_equal(fields[0], FIELD_COUNT);
			assert_true(e.msg[0]);
			continue;
		}
		assert_int_equal(count, rows[i].count);
		for (size_t f = 0; f < count && f < 3; f++)
			assert_int_equal(fields[f], rows[i].fields[f]);
	}
}

static void which_are_numbers(void **state)
{
	(void)state;
	for (enum field f = 0; f < FIELD_COUNT; f++)
		assert_int_equal(field_is_number(f), f == FIELD_SRC_PORT || f == FIELD_DST_PORT || f == FIELD_VLAN ||
					f == FIELD_PROTO || f == FIELD_ORIGIN_AS || f == FIELD_NEIGHBOUR_AS ||
							f == FIELD_TRANSIT_AS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_there_and_back),
		cmocka_unit_test(an_unknown_name_lists_the_known),
		cmocka_unit_test(lists),
		cmocka_unit_test(which_are_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
