/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.h -- what the tests of names share. */
#ifndef NETTALLY_NAMES_TESTING_H
#define NETTALLY_NAMES_TESTING_H

#include "base/addr.h"
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ (const uint8_t *)text, strlen(text) };
}

static inline struct addr addr_of(const char *text)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse(&a, text), 0);
	return a;
}

#endif
