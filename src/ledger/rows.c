/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch's keys as the ledger's columns hold them, sorted in the order of its b-tree: a million
 * rows are then appended page by page instead of being scattered over all of them.
 *
 * A key is encoded so that memcmp() orders it as SQLite orders the columns: a number is 1 and
 * eight big-endian bytes; text is 2, the text, 0. SQLite orders numbers before text, and text
 * bytewise. */
#include "ledger/internal.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

enum { ENCODED_NUMBER = 1, ENCODED_TEXT = 2 };

/* For one field, whose text has `len` bytes. */
static int make_room(struct book_rows *r, size_t len)
{
	size_t need = r->used + len + 1 + sizeof(uint64_t), room = r->room ? r->room : 4096;

	if (need <= r->room)
		return 0;
	while (room < need)
		room *= 2;
	uint8_t *keys = realloc(r->keys, room);
	if (!keys)
		return -ENOMEM;
	r->keys = keys;
	r->room = room;
	return 0;
}

int rows_add_key(struct book_rows *r, const struct account *a, const uint8_t *key, const struct strings *strings)
{
	for (size_t i = 0; i < a->stored_count; i++) {
		enum field f = a->stored[i];
		char scratch[KEY_TEXT_MAX];
		const char *text = "";
		size_t len = 0;
		int64_t number = field_is_number(f) ? key_get_number(&a->layout, key, f) : -1;

		if (number < 0)
			text = key_text(&a->layout, key, f, strings, scratch, &len);
		if (make_room(r, len) < 0)
			return -ENOMEM;
		uint8_t *to = r->keys + r->used;
		if (number >= 0) {
			uint64_t big = htobe64((uint64_t)number);

			*to = ENCODED_NUMBER;
			memcpy(to + 1, &big, sizeof big);
			r->used += 1 + sizeof big;
		} else {
			*to = ENCODED_TEXT;
			memcpy(to + 1, text, len + 1);
			r->used += 2 + len;
		}
	}
	return 0;
}

void rows_bind_key(sqlite3_stmt *s, int first, const struct account *a, const uint8_t *key)
{
	for (size_t i = 0; i < a->stored_count; i++) {
		if (*key++ == ENCODED_NUMBER) {
			uint64_t big;

			memcpy(&big, key, sizeof big);
			sqlite3_bind_int64(s, first + (int)i, (int64_t)be64toh(big));
			key += sizeof big;
		} else {
			size_t len = strlen((const char *)key);

			sqlite3_bind_text(s, first + (int)i, (const char *)key, (int)len, SQLITE_STATIC);
			key += len + 1;
		}
	}
}

/* Keys are prefix-free, so they differ before either ends; equal ones end where they are equal.
 * A key's end is found by its own fields only. */
static int compare_rows(const void *pa, const void *pb, void *arg)
{
	const struct book_row *a = pa, *b = pb;
	const struct book_rows *r = arg;

	if (a->head != b->head)
		return a->head < b->head ? -1 : 1;
	size_t a_left = r->used - a->at, b_left = r->used - b->at;
	return memcmp(r->keys + a->at, r->keys + b->at, a_left < b_left ? a_left : b_left);
}

static uint64_t head_of(const struct book_rows *r, size_t at)
{
	uint8_t bytes[8] = { 0 };
	uint64_t big;
	size_t left = r->used - at - 1; /* the first byte tells text from number */

	memcpy(bytes, r->keys + at + 1, left < 8 ? left : 8);
	memcpy(&big, bytes, 8);
	/* numbers before text; within 63 bits the order is kept but for what compare_rows()
	 * settles */
	return be64toh(big) >> 1 | (uint64_t)(r->keys[at] == ENCODED_TEXT) << 63;
}

int rows_make(struct book_rows *ret, const struct batch *b, const struct strings *strings)
{
	struct book_rows r = { .rows = malloc((b->count + 1) * sizeof *r.rows) };
	size_t size = record_size(b->account);

	if (!r.rows)
		return -ENOMEM;
	for (size_t i = 0; i < b->count; i++) {
		const uint8_t *record = b->records + i * size;

		r.rows[i] = (struct book_row){ .at = r.used, .record = record };
		if (rows_add_key(&r, b->account, record, strings) < 0) {
			rows_free(&r);
			return -ENOMEM;
		}
	}
	r.count = b->count;
	for (size_t i = 0; i < r.count; i++)
		r.rows[i].head = head_of(&r, r.rows[i].at);
	qsort_r(r.rows, r.count, sizeof *r.rows, compare_rows, &r);
	*ret = r;
	return 0;
}

void rows_free(struct book_rows *r)
{
	free(r->rows);
	free(r->keys);
	*r = (struct book_rows){ 0 };
}
