/* SPDX-License-Identifier: GPL-2.0-or-later */
/* windows.h -- the reading side of what sinks need: windows that changed behind a cursor, and their records, a page at a time.
 *
 * Opens its own read-only connection (WAL: never waits for the writer), and no read transaction outlives a call, so that a slow
 * sink does not keep the WAL from being emptied. Thread: the caller's; one handle, one thread. */
#ifndef NETTALLY_LEDGER_WINDOWS_H
#define NETTALLY_LEDGER_WINDOWS_H

#include "base/err.h"
#include "model/account.h"

#include <stdbool.h>

#define LEDGER_ID_MAX 33

struct windows;

int windows_open(struct windows **ret, const char *path, struct err *e);
void windows_close(struct windows **w); /* accepts NULL */
bool windows_are_current(const struct windows *w); /* false: another file is at the path now */
const char *windows_ledger(const struct windows *w); /* its id, 32 hex digits */

struct windows_cursor {
	uint64_t again, seq;
	uint64_t records, rejected, expired; /* ever */
	uint64_t set_aside;                  /* windows now */
};
/* -ENOENT: the ledger does not know the sink. */
int windows_cursor(struct windows *w, const char *sink, struct windows_cursor *ret, struct err *e);

/* The id of the account's table as it is now. -ENOENT: nothing was ever booked for it in this form. */
int windows_account(struct windows *w, const struct account *a, int64_t *ret, struct err *e);

struct window_change {
	int64_t account; /* id */
	uint32_t length_s;
	int64_t start_utc_s;
	uint64_t seq;
};
/* Changes behind `after`, in their order, at most `room`. *ret_upto: all up to there are in the list. */
int windows_list(struct windows *w, uint64_t after, struct window_change *ret, size_t room, size_t *ret_count, uint64_t *ret_upto,
		 struct err *e);
/* What was set aside for the sink and is to be tried again. */
int windows_rejected(struct windows *w, const char *sink, struct window_change *ret, size_t room, size_t *ret_count,
		struct err *e);
/* Records of a window, counted up to `most`. */
int windows_count(struct windows *w, const struct account *a, const struct window_change *c, uint64_t most, uint64_t *ret,
		  struct err *e);

/* A key, as the ledger has it. */
struct window_key {
	const char *text; /* NULL: `number` */
	size_t len;
	uint64_t number;
};

struct window_record {
	struct window_key keys[FIELDS_PER_KEY_MAX]; /* of account->stored */
	struct window_key name;                     /* where `name` is among the account's keys: "-" where there is none */
	struct party_tally tally;
};

/* Some records of one window, in the order of their keys. Owns their texts. */
struct windows_page {
	struct window_record *records;
	size_t count, room;
	char *texts;
	size_t text_bytes, text_room;
};
void windows_page_free(struct windows_page *p);

/* The first ones where the page is empty, else those behind its last; count 0 = there are no more. -ESTALE: the window is
 * rolled up, or
 * expired. */
int windows_page(struct windows *w, const struct account *a, const struct window_change *c, struct windows_page *p,
		struct err *e);

struct window_device {
	char mac[18], ipv4[16], ipv6[46]; /* "" = none known */
	int64_t changed_utc_s;
	uint64_t seq;
};
/* Devices that changed in (after, upto], in that order; free() the array. */
int windows_devices(struct windows *w, uint64_t after, uint64_t upto, struct window_device **ret, size_t *ret_count,
		struct err *e);

#endif
