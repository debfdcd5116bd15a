/* SPDX-License-Identifier: GPL-2.0-or-later */
/* row_sort.h -- puts the slots of a counted table in the order in which their rows are to be
 * printed.
 *
 * A row's sort key is read as a sequence of 64-bit words, which order as its columns do: a
 * number by its value, text by its bytes, unknown first. Words are compared by radix, and the
 * next is only looked at where the ones before are equal. So a million rows are put in order
 * without formatting each of them twenty times. */
#ifndef NETTALLY_CLI_ROW_SORT_H
#define NETTALLY_CLI_ROW_SORT_H

#include "count/count.h"

struct row_ref {
	uint64_t word;      /* of the level that is being sorted */
	uint32_t slot;      /* of the table; ROW_IN_OTHERS: of the table of `other` */
};

#define ROW_IN_OTHERS 0x80000000u
#define SORT_COLUMNS_MAX (FIELDS_PER_KEY_MAX + 2)

struct sort_column {
	bool is_counter;
	enum field field;   /* of the key, FIELD_WINDOW too */
	unsigned counter;   /* 0 rx packets, 1 rx bytes, 2 tx packets, 3 tx bytes */
	bool descending;
};

struct row_sorter {
	struct count *count;
	const struct strings *strings;
	enum bytes_basis basis;
	struct sort_column columns[SORT_COLUMNS_MAX];
	unsigned column_count;
};

/* In the grain's layout; may be written to `scratch`. */
const uint8_t *row_key(const struct count *c, const struct row_ref *row, uint64_t scratch[static KEY_WORDS_MAX]);
void row_tally(const struct count *c, const struct row_ref *row, struct party_tally *ret);
void row_prefetch(const struct count *c, const struct row_ref *rows, size_t at, size_t n);
uint64_t row_counter(const struct row_sorter *s, const struct row_ref *row, unsigned counter);

/* Puts the first `wanted` rows in place and in order; the others are left out or lie behind.
 * `spare` has room for `n` too. */
void row_sort(const struct row_sorter *s, struct row_ref *rows, struct row_ref *spare, size_t n, size_t wanted);

#endif
