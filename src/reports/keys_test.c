/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys_test.c -- secrets from files, several at once. */
#include "reports/keys.h"

#include "reports/testing.h"

#include <errno.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int read_text(struct key_secret *ret, const char *text, size_t len, struct err *e)
{
	char path[] = "/tmp/nettally-key-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	r = key_secret_read(ret, path, e);
	unlink(path);
	return r;
}

static void files(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		int want;
		size_t want_len;
	} cases[] = {
		{ "secret", 6, 0, 6 }, { "secret\n", 7, 0, 6 }, { "secret \t\r\n\n", 11, 0, 6 }, { " a b\n", 5, 0, 4 },
		{ "a\0b\0\n", 5, 0, 4 }, { "", 0, -EINVAL, 0 }, { "\n\n", 2, -EINVAL, 0 },
	};
	static char large[KEY_SECRET_MAX];
	static struct key_secret s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_text(&s, cases[i].text, cases[i].len, &e), cases[i].want);
		if (cases[i].want == 0)
			assert_int_equal(s.len, cases[i].want_len);
	}
	memset(large, 'x', sizeof large);
	assert_int_equal(read_text(&s, large, sizeof large, &e), -EFBIG);
	assert_int_equal(read_text(&s, large, sizeof large - 1, &e), 0);
	assert_int_equal(key_secret_read(&s, "/nowhere/key", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/nowhere/key"));
	key_secret_forget(&s);
	assert_int_equal(s.len, 0);
}

static void several_at_once(void **state)
{
	struct keys *k = NULL;
	struct datagram d;
	uint8_t *signature;
	struct slice all;
	struct err e;

	(void)state;
	assert_int_equal(keys_new(&k, &e), 0);
	datagram_make(&d, 1, 0, 1);
	assert_int_equal(keys_find(k, d.bytes + LAYOUT_AT_KEY), -ENOENT);
	assert_int_equal(keys_add(k, "old", (struct slice){ (const uint8_t *)"another one", 11 }, &e), 0);
	assert_int_equal(keys_add(k, "web1", (struct slice){ (const uint8_t *)TEST_SECRET, sizeof TEST_SECRET - 1 }, &e), 0);
	assert_int_equal(keys_add(k, "again", (struct slice){ (const uint8_t *)TEST_SECRET, sizeof TEST_SECRET - 1 }, &e), 0);
	assert_int_equal(keys_count(k), 2);
	assert_int_equal(keys_find(k, d.bytes + LAYOUT_AT_KEY), 1);
	assert_string_equal(keys_name(k, 1), "web1");
	all = (struct slice){ d.bytes, d.len - LAYOUT_SIGNATURE };
	signature = d.bytes + d.len - LAYOUT_SIGNATURE;
	for (unsigned turn = 0; turn < 3; turn++) {
		assert_true(keys_verify(k, 1, all, signature));
		assert_false(keys_verify(k, 0, all, signature));
		signature[turn] ^= 1;
		assert_false(keys_verify(k, 1, all, signature));
		signature[turn] ^= 1;
	}
	assert_null(keys_trafstat(k));
	assert_int_equal(keys_set_trafstat(k, (struct slice){ (const uint8_t *)"secret", 6 }, &e), 0);
	assert_non_null(keys_trafstat(k));
	keys_free(&k);
	keys_free(&k);
}

static void no_more_than_there_is_room_for(void **state)
{
	struct keys *k = NULL;
	struct err e;

	(void)state;
	assert_int_equal(keys_new(&k, &e), 0);
	for (uint32_t i = 0; i < KEYS_MAX; i++)
		assert_int_equal(keys_add(k, "key", (struct slice){ (const uint8_t *)&i, sizeof i }, &e), 0);
	assert_int_equal(keys_add(k, "key", (struct slice){ (const uint8_t *)"more", 4 }, &e), -E2BIG);
	keys_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files), cmocka_unit_test(several_at_once), cmocka_unit_test(no_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
