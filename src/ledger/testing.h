/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.h -- what the ledger's unit tests share: a directory of their own, accounts, bookings. */
#ifndef NETTALLY_LEDGER_TESTING_H
#define NETTALLY_LEDGER_TESTING_H

#include "ledger/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct bench {
	char dir[64], path[96];
	struct strings *strings;
	struct prefix_set local;
	struct ledger *ledger;
	uint64_t max_size_bytes;
};

static inline int bench_set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	snprintf(b->dir, sizeof b->dir, "/tmp/ledger-test-XXXXXX");
	if (!mkdtemp(b->dir) || strings_new(&b->strings) < 0)
		return -1;
	snprintf(b->path, sizeof b->path, "%s/ledger.db", b->dir);
	*state = b;
	return 0;
}

static inline int bench_tear_down(void **state)
{
	struct bench *b = *state;
	char command[128];

	ledger_close(&b->ledger);
	strings_free(&b->strings);
	prefix_set_free(&b->local);
	snprintf(command, sizeof command, "rm -rf %s", b->dir);
	int r = system(command);
	free(b);
	return r;
}

#define ledger_test(f) cmocka_unit_test_setup_teardown(f, bench_set_up, bench_tear_down)

static inline int bench_try_open(struct bench *b, struct err *e)
{
	struct ledger_options o = { .max_size_bytes = b->max_size_bytes, .strings = b->strings, .local = &b->local };

	return ledger_open(&b->ledger, b->path, &o, e);
}

static inline void bench_open(struct bench *b)
{
	struct err e = { 0 };
	int r = bench_try_open(b, &e);

	if (r < 0)
		fail_msg("%s", e.msg);
}

#define must(call)                                       \
	do {                                             \
		struct err e = { 0 };                    \
		if ((call) < 0)                          \
			fail_msg("%s: %s", #call, e.msg); \
	} while (0)

static inline struct account *make_account(const char *name, const char *by, uint32_t every_s)
{
	struct account *a = account_new();
	struct err e = { 0 };

	snprintf(a->name, sizeof a->name, "%s", name);
	a->every_s = every_s;
	if (field_list_parse(a->by, &a->by_count, by, &e) < 0 || account_finish(a, &e) < 0)
		fail_msg("%s", e.msg);
	return a;
}

/* A key of an account by host, mac, src_port or interface from a small number; 0 stays unknown. */
static inline void make_key(const struct account *a, uint8_t *key, uint32_t n, struct strings *strings)
{
	const struct key_layout *l = &a->layout;
	char text[32];

	memset(key, 0, l->size);
	if (key_has(l, FIELD_HOST) && n) {
		uint8_t bytes[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [13] = (uint8_t)(n >> 16),
				      [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n };
		memcpy(key + l->at[FIELD_HOST], bytes, 16);
		key[l->at[FIELD_HOST_FAMILY]] = ADDR_IP4;
	}
	if (key_has(l, FIELD_MAC) && n) {
		uint64_t v = UINT64_C(1) << 48 | n;
		memcpy(key + l->at[FIELD_MAC], &v, sizeof v);
	}
	if (key_has(l, FIELD_SRC_PORT) && n) {
		uint32_t v = 1u << 16 | n;
		memcpy(key + l->at[FIELD_SRC_PORT], &v, sizeof v);
	}
	if (key_has(l, FIELD_SERVICE) && n) {
		snprintf(text, sizeof text, "service%u", n);
		uint32_t v = strings_add(strings, text);
		memcpy(key + l->at[FIELD_SERVICE], &v, sizeof v);
	}
}

/* A batch of `count` records with keys from `first` on, each: rx 1 packet 100 l2 86 l3, tx twice
 * that. */
static inline void fill_batch(struct batch *b, struct account *a, int64_t window_utc_s, uint32_t first, uint32_t count,
			      struct strings *strings)
{
	*b = (struct batch){ .account = account_ref(a), .window_utc_s = window_utc_s, .count = count, .room = count,
			     .records = calloc(count, record_size(a)) };
	for (uint32_t i = 0; i < count; i++) {
		struct party_tally t = { { 1, 100, 86 }, { 2, 200, 172 } };
		uint8_t *record = b->records + i * record_size(a);

		make_key(a, record, first + i, strings);
		memcpy(record + a->layout.size, &t, sizeof t);
	}
}

static inline struct booking *make_booking(struct account *a, int64_t window_utc_s, uint32_t first, uint32_t count,
					   struct strings *strings)
{
	struct booking *b = booking_new();

	b->taken_utc_s = window_utc_s + 1;
	b->batches = calloc(1, sizeof *b->batches);
	b->batch_count = 1;
	fill_batch(b->batches, a, window_utc_s, first, count, strings);
	return b;
}

static inline void book_some(struct bench *bench, struct account *a, int64_t window_utc_s, uint32_t first, uint32_t count)
{
	struct booking *b = make_booking(a, window_utc_s, first, count, bench->strings);

	must(ledger_book(bench->ledger, b, &e));
	booking_free(&b);
}

/* One value, read as anyone's sqlite3 would; text in a buffer of the caller. */
static inline const char *ask_text(const struct bench *b, char *buf, size_t size, const char *sql)
{
	sqlite3_stmt *s = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(b->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	int r = sqlite3_step(s);
	const char *text = r == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : "no row";
	snprintf(buf, size, "%s", r == SQLITE_ROW || r == SQLITE_DONE ? text ? text : "NULL" : sqlite3_errmsg(db));
	sqlite3_finalize(s);
	sqlite3_close(db);
	return buf;
}

static inline int64_t ask(const struct bench *b, const char *sql)
{
	char text[256];

	return strtoll(ask_text(b, text, sizeof text, sql), NULL, 10);
}

#define assert_ask(b, sql, want)                                                          \
	do {                                                                              \
		char got_[256];                                                           \
		assert_string_equal(ask_text((b), got_, sizeof got_, (sql)), (want));     \
	} while (0)

#endif
