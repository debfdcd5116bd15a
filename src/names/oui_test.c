/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oui_test.c -- lists of MAC addresses' assignments, as ieee-data has them. */
#include "names/testing.h"

#include "names/name_text.h"
#include "names/oui.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const char list[] =
	"OUI/MA-L                                                    Organization                                 \n"
	"company_id                                                  Organization                                 \n"
	"                                                            Address                                      \n\n"
	"00-11-22   (hex)\t\tOne Corp.\n001122     (base 16)\t\tOne Corp.\r\n\t\t\t\tStreet 1\n\t\t\t\tUS\n\n"
	"70-B3-D5   (hex)\t\tRegistration Authority\n70B3D5     (base 16)\t\tRegistration Authority\n"
	"74-1A-E0   (hex)\t\tTwo\n900000-9FFFFF     (base 16)\t\tTwo  \n"
	"70-B3-D5   (hex)\t\tThree\nF2F000-F2FFFF     (base 16)\t\tTh\033ree\n"
	"02-60-8C   (hex)\t\t3COM\n02608C     (base 16)\t\t3COM\n"
	"zz-00-00   (hex)\t\tBad\n123-456     (base 16)\t\tBad\n000001-000003 (base 16)\t\tBad\n";

static void the_longest_counts(void **state)
{
	static const struct { const char *why, *mac, *want; } rows[] = {
		{ "24 bits", "00:11:22:33:44:55", "One Corp." }, { "its first", "00:11:22:00:00:00", "One Corp." },
		{ "its last", "00:11:22:ff:ff:ff", "One Corp." }, { "behind it", "00:11:23:00:00:00", NULL },
		{ "28 bits", "74:1a:e0:9a:bc:de", "Two" }, { "beside it", "74:1a:e0:8f:ff:ff", NULL },
		{ "36 bits in 24", "70:b3:d5:f2:f1:23", "Th?ree" },
		{ "the 24 around", "70:b3:d5:f3:00:00", "Registration Authority" },
		{ "local bit, yet assigned", "02:60:8c:01:02:03", "3COM" }, { "nobody's", "fe:ff:ff:ff:ff:ff", NULL },
	};
	struct oui *o = oui_new();

	(void)state;
	assert_int_equal(oui_parse(o, slice_of(list)), 0);
	oui_sort(o);
	assert_int_equal(oui_count(o), 5);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t mac[6];
		const char *got;

		print_message("%s\n", rows[i].why);
		mac_parse(mac, rows[i].mac);
		got = oui_find(o, mac_key_of(mac));
		if (rows[i].want)
			assert_string_equal(got, rows[i].want);
		else
			assert_null(got);
	}
	oui_free(&o);
	assert_null(o);
}

static void files_that_are_no_list(void **state)
{
	char path[] = "/tmp/oui_test.XXXXXX";
	struct oui *o = NULL;
	struct err e = { 0 };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(oui_read(&o, path, &e), -EINVAL);
	print_message("%s\n", e.msg);
	assert_int_equal(write(fd, list, sizeof list - 1), sizeof list - 1);
	assert_int_equal(oui_read(&o, path, &e), 0);
	assert_int_equal(oui_count(o), 5);
	oui_free(&o);
	close(fd);
	unlink(path);
	assert_int_equal(oui_read(&o, path, &e), -ENOENT);
	assert_int_equal(oui_read(&o, "/dev", &e), -ENOENT);
	print_message("%s\n", e.msg);
	assert_int_equal(oui_read(&o, "/dev/null", &e), -EINVAL);
	assert_null(o);
}

/* The system's own list, where it is. */
static void the_real_list(void **state)
{
	static const struct { const char *mac, *want; } rows[] = {
		{ "00:00:0c:01:02:03", "Cisco" }, { "b8:27:eb:01:02:03", "Raspberry" }, { "00:50:56:00:00:01", "VMware" },
	};
	struct oui *o = NULL;

	(void)state;
	if (access("/usr/share/ieee-data/oui.txt", R_OK) < 0)
		skip();
	assert_int_equal(oui_read(&o, "/usr/share/ieee-data", NULL), 0);
	assert_true(oui_count(o) > 30000);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t mac[6];

		mac_parse(mac, rows[i].mac);
		assert_non_null(oui_find(o, mac_key_of(mac)));
		assert_non_null(strstr(oui_find(o, mac_key_of(mac)), rows[i].want));
	}
	oui_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_counts), cmocka_unit_test(files_that_are_no_list), cmocka_unit_test(the_real_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
