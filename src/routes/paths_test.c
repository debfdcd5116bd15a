/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paths_test.c -- strings of words, held, found again and forgotten, beside a plain list. */
#include "routes/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void held_once(void **state)
{
	static const uint32_t a[] = { 1, 2, 3 }, b[] = { 1, 2 };
	struct paths *p;
	uint32_t first, second, empty, count;

	(void)state;
	assert_int_equal(paths_new(&p), 0);
	first = paths_hold(p, a, 3);
	second = paths_hold(p, b, 2);
	empty = paths_hold(p, NULL, 0);
	assert_true(first && second && empty && first != second && second != empty && first != empty);
	assert_int_equal(paths_hold(p, a, 3), first);
	assert_int_equal(paths_hold(p, NULL, 0), empty);
	assert_int_equal(paths_count(p), 3);
	assert_memory_equal(paths_at(p, first, &count), a, sizeof a);
	assert_int_equal(count, 3);
	paths_release(p, first);
	assert_int_equal(paths_count(p), 3);
	paths_release(p, first);
	assert_int_equal(paths_count(p), 2);
	assert_int_equal(paths_last(p), 3);
	assert_int_equal(paths_hold(p, b + 1, 1), first); /* the id is used again */
	assert_int_equal(paths_hold(p, b, 2), second);
	paths_free(&p);
	paths_free(&p);
}

#define IDS 3000u

static void text_of(uint32_t n, uint32_t words[40], uint32_t *ret_count)
{
	*ret_count = n % 40;
	for (uint32_t i = 0; i < *ret_count; i++)
		words[i] = n * 40 + i;
	if (*ret_count == 0)
		words[(*ret_count)++] = UINT32_MAX - n;
}

static void many_come_and_go(void **state)
{
	uint32_t *ids = calloc(IDS, sizeof *ids), *held = calloc(IDS, sizeof *held), words[40], count, in_use = 0;
	struct paths *p;

	(void)state;
	assert_non_null(ids);
	assert_non_null(held);
	assert_int_equal(paths_new(&p), 0);
	srand(1);
	for (unsigned step = 0; step < 400000; step++) {
		uint32_t n = (uint32_t)rand() % IDS;

		text_of(n, words, &count);
		if (held[n] && rand() % 2) {
			paths_release(p, ids[n]);
			in_use -= --held[n] == 0;
			continue;
		}
		if (held[n])
			assert_int_equal(paths_hold(p, words, count), ids[n]);
		else
			ids[n] = paths_hold(p, words, count);
		in_use += held[n]++ == 0;
		if (step % 1000 == 0)
			for (uint32_t i = 0; i < IDS; i++) {
				uint32_t have;

				if (!held[i])
					continue;
				text_of(i, words, &count);
				assert_memory_equal(paths_at(p, ids[i], &have), words, count * sizeof *words);
				assert_int_equal(have, count);
			}
	}
	assert_int_equal(paths_count(p), in_use);
	assert_true(paths_last(p) <= IDS);
	assert_true(paths_bytes(p) < 4u << 20); /* what was released is used again */
	paths_free(&p);
	free(ids);
	free(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_once),
		cmocka_unit_test(many_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
