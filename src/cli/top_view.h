/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_view.h -- one account as `nettally top` sees it: its keys with what they moved, second by second for the last minute.
 * Rows are found by their key's text, the fields separated by tabs. At most TOP_ROWS_MAX; others are counted. */
#ifndef NETTALLY_CLI_TOP_VIEW_H
#define NETTALLY_CLI_TOP_VIEW_H

#include "model/account.h"

#define TOP_ROWS_MAX 200000u
#define TOP_SECONDS 64u       /* remembered; a power of two */
#define TOP_NAME_MAX 48

struct top_row {
	char *key;
	struct top_row *next;     /* in the bucket */
	uint32_t hash;
	uint64_t counters[ACCOUNT_COUNTERS_MAX];
	int64_t last_s;           /* second of the newest entry of `moved` */
	float moved[2][TOP_SECONDS]; /* bytes in second s % TOP_SECONDS: received (or all), sent */
	double order;             /* by what it is sorted now */
};

struct top_view {
	char name[TOP_NAME_MAX];
	char keys[256];           /* "src_host,dst_host" */
	char counters[128];       /* "rx_packets,rx_bytes,tx_packets,tx_bytes" */
	unsigned key_count, counter_count;
	int bytes_at[2], packets_at[2]; /* which counters: received (or all), sent; -1 = none */
	uint64_t since;           /* of the source: what was told last */
	bool begun;               /* the first answer is what was before */
	int64_t now_s;
	struct top_row **buckets;
	size_t bucket_count, row_count;
	uint64_t left_out;        /* keys beyond TOP_ROWS_MAX, or that the source had no room for */
	struct top_row **shown;   /* sorted, filtered */
	size_t shown_count;
};

enum top_order { TOP_BY_KEY, TOP_BY_1, TOP_BY_10, TOP_BY_60, TOP_BY_RX, TOP_BY_TX, TOP_ORDERS };

/* -EINVAL where there are no bytes among the counters. */
int top_view_open(struct top_view *ret, const char *name, const char *keys, const char *counters);
void top_view_close(struct top_view *v);
bool top_view_has_key(const struct top_view *v, const char *field);

/* The counters of a key as they are at v->now_s. 0 or -ENOMEM. */
int top_view_set(struct top_view *v, const char *key, const uint64_t counters[static ACCOUNT_COUNTERS_MAX]);
/* Adds to them. */
int top_view_add(struct top_view *v, const char *key, const uint64_t counters[static ACCOUNT_COUNTERS_MAX]);

/* Bytes a second over the last `seconds`, both sides together (side -1) or one. */
double top_row_rate(const struct top_view *v, const struct top_row *r, int side, unsigned seconds);
uint64_t top_row_bytes(const struct top_view *v, const struct top_row *r, int side);
/* Fills v->shown: rows whose key has `filter` in it (any case; "" = all), the largest first, keys from a to z; `turned`: the
 * other way round. 0 or -ENOMEM. */
int top_view_sort(struct top_view *v, enum top_order order, bool turned, const char *filter);
/* The field of a key, into `text`. */
const char *top_key_field(const char *key, unsigned field, char *text, size_t size);

#endif
