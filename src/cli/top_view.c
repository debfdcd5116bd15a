/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/top_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define BUCKETS_FIRST 1024u

static unsigned count_words(const char *list)
{
	unsigned n = 1;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

static int find_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	int at = 0;

	for (;; at++) {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, word, len) == 0)
			return at;
		if (!list[n])
			return -1;
		list += n + 1;
	}
}

int top_view_open(struct top_view *ret, const char *name, const char *keys, const char *counters)
{
	struct top_view v = { .bucket_count = BUCKETS_FIRST };
	bool sides = find_word(counters, "rx_bytes") >= 0;

	snprintf(v.name, sizeof v.name, "%s", name);
	snprintf(v.keys, sizeof v.keys, "%s", keys);
	snprintf(v.counters, sizeof v.counters, "%s", counters);
	v.key_count = count_words(keys);
	v.counter_count = count_words(counters);
	v.bytes_at[0] = find_word(counters, sides ? "rx_bytes" : "bytes");
	v.bytes_at[1] = sides ? find_word(counters, "tx_bytes") : -1;
	v.packets_at[0] = find_word(counters, sides ? "rx_packets" : "packets");
	v.packets_at[1] = sides ? find_word(counters, "tx_packets") : -1;
	if (v.bytes_at[0] < 0 || v.counter_count > ACCOUNT_COUNTERS_MAX)
		return -EINVAL;
	v.buckets = calloc(v.bucket_count, sizeof *v.buckets);
	if (!v.buckets)
		return -ENOMEM;
	*ret = v;
	return 0;
}

void top_view_close(struct top_view *v)
{
	for (size_t i = 0; v->buckets && i < v->bucket_count; i++)
		for (struct top_row *r = v->buckets[i], *next; r; r = next) {
			next = r->next;
			free(r->key);
			free(r);
		}
	free(v->buckets);
	free(v->shown);
	*v = (struct top_view){ 0 };
}

bool top_view_has_key(const struct top_view *v, const char *field)
{
	return find_word(v->keys, field) >= 0;
}

static uint32_t hash_of(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

/* Twice as many buckets, so that the lists stay short. Without memory they get longer. */
static void grow(struct top_view *v)
{
	size_t count = v->bucket_count * 2;
	struct top_row **buckets = calloc(count, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i < v->bucket_count; i++)
		for (struct top_row *r = v->buckets[i], *next; r; r = next) {
			next = r->next;
			r->next = buckets[r->hash & (count - 1)];
			buckets[r->hash & (count - 1)] = r;
		}
	free(v->buckets);
	v->buckets = buckets;
	v->bucket_count = count;
}

static struct top_row *add_row(struct top_view *v, const char *key, uint32_t hash)
{
	struct top_row *r = calloc(1, sizeof *r);

	if (!r || !(r->key = strdup(key))) {
		free(r);
		return NULL;
	}
	if (v->row_count >= v->bucket_count)
		grow(v);
	r->hash = hash;
	r->last_s = v->now_s;
	r->next = v->buckets[hash & (v->bucket_count - 1)];
	v->buckets[hash & (v->bucket_count - 1)] = r;
	v->row_count++;
	return r;
}

/* NULL: no memory, or no room (counted). */
static struct top_row *row_of(struct top_view *v, const char *key)
{
	uint32_t hash = hash_of(key);

	for (struct top_row *r = v->buckets[hash & (v->bucket_count - 1)]; r; r = r->next)
		if (r->hash == hash && strcmp(r->key, key) == 0)
			return r;
	if (v->row_count >= TOP_ROWS_MAX) {
		v->left_out++;
		return NULL;
	}
	return add_row(v, key, hash);
}

/* Seconds without traffic were not told: they are zero. */
static void move_to_now(const struct top_view *v, struct top_row *r)
{
	int64_t gap = v->now_s - r->last_s;

	if (gap <= 0)
		return;
	for (int64_t s = gap >= (int64_t)TOP_SECONDS ? v->now_s - TOP_SECONDS + 1 : r->last_s + 1; s <= v->now_s; s++)
		r->moved[0][(uint64_t)s % TOP_SECONDS] = r->moved[1][(uint64_t)s % TOP_SECONDS] = 0;
	r->last_s = v->now_s;
}

static uint64_t counter_of(const int at, const uint64_t *counters)
{
	return at < 0 ? 0 : counters[at];
}

static void add_moved(const struct top_view *v, struct top_row *r, const uint64_t *before, const uint64_t *now)
{
	for (unsigned side = 0; side < 2; side++) {
		uint64_t was = counter_of(v->bytes_at[side], before), is = counter_of(v->bytes_at[side], now);

		r->moved[side][(uint64_t)v->now_s % TOP_SECONDS] += is > was ? (float)(is - was) : 0;
	}
}

int top_view_set(struct top_view *v, const char *key, const uint64_t counters[static ACCOUNT_COUNTERS_MAX])
{
	struct top_row *r = row_of(v, key);

	if (!r)
		return v->row_count >= TOP_ROWS_MAX ? 0 : -ENOMEM;
	move_to_now(v, r);
	if (v->begun)
		add_moved(v, r, r->counters, counters);
	memcpy(r->counters, counters, sizeof r->counters);
	return 0;
}

int top_view_add(struct top_view *v, const char *key, const uint64_t counters[static ACCOUNT_COUNTERS_MAX])
{
	struct top_row *r = row_of(v, key);
	static const uint64_t nothing[ACCOUNT_COUNTERS_MAX];

	if (!r)
		return v->row_count >= TOP_ROWS_MAX ? 0 : -ENOMEM;
	move_to_now(v, r);
	add_moved(v, r, nothing, counters);
	for (unsigned i = 0; i < v->counter_count; i++)
		r->counters[i] += counters[i];
	return 0;
}

static double moved_since(const struct top_view *v, const struct top_row *r, unsigned side, unsigned seconds)
{
	double sum = 0;

	for (int64_t s = v->now_s - (int64_t)seconds + 1; s <= r->last_s && s <= v->now_s; s++)
		if (s > r->last_s - (int64_t)TOP_SECONDS)
			sum += (double)r->moved[side][(uint64_t)s % TOP_SECONDS];
	return sum;
}

double top_row_rate(const struct top_view *v, const struct top_row *r, int side, unsigned seconds)
{
	double sum = 0;

	if (side <= 0)
		sum += moved_since(v, r, 0, seconds);
	if (side != 0)
		sum += moved_since(v, r, 1, seconds);
	return sum / seconds;
}

uint64_t top_row_bytes(const struct top_view *v, const struct top_row *r, int side)
{
	uint64_t rx = counter_of(v->bytes_at[0], r->counters), tx = counter_of(v->bytes_at[1], r->counters);

	return side < 0 ? rx + tx : side ? tx : rx;
}

static double order_of(const struct top_view *v, const struct top_row *r, enum top_order order)
{
	switch (order) {
	case TOP_BY_1: return top_row_rate(v, r, -1, 1);
	case TOP_BY_10: return top_row_rate(v, r, -1, 10);
	case TOP_BY_60: return top_row_rate(v, r, -1, 60);
	case TOP_BY_RX: return (double)top_row_bytes(v, r, 0);
	case TOP_BY_TX: return (double)top_row_bytes(v, r, 1);
	default: return 0;
	}
}

/* The largest first; what is equal by totals, then by name, so that nothing jumps about. */
static int compare_rows(const void *pa, const void *pb, void *arg)
{
	const struct top_row *a = *(struct top_row *const *)pa, *b = *(struct top_row *const *)pb;
	const struct top_view *v = arg;
	uint64_t x, y;

	if (a->order > b->order || a->order < b->order)
		return a->order > b->order ? -1 : 1;
	x = top_row_bytes(v, a, -1);
	y = top_row_bytes(v, b, -1);
	return x != y ? (x > y ? -1 : 1) : strcmp(a->key, b->key);
}

static int compare_keys(const void *pa, const void *pb, void *arg)
{
	(void)arg;
	return strcmp((*(struct top_row *const *)pa)->key, (*(struct top_row *const *)pb)->key);
}

static void turn_round(struct top_row **rows, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct top_row *r = rows[i];

		rows[i] = rows[count - 1 - i];
		rows[count - 1 - i] = r;
	}
}

int top_view_sort(struct top_view *v, enum top_order order, bool turned, const char *filter)
{
	struct top_row **shown = realloc(v->shown, (v->row_count + 1) * sizeof(*shown));

	if (!shown)
		return -ENOMEM;
	v->shown = shown;
	v->shown_count = 0;
	for (size_t i = 0; i < v->bucket_count; i++)
		for (struct top_row *r = v->buckets[i]; r; r = r->next) {
			if (*filter && !strcasestr(r->key, filter))
				continue;
			r->order = order_of(v, r, order);
			shown[v->shown_count++] = r;
		}
	qsort_r(shown, v->shown_count, sizeof *shown, order == TOP_BY_KEY ? compare_keys : compare_rows, v);
	if (turned)
		turn_round(shown, v->shown_count);
	return 0;
}

const char *top_key_field(const char *key, unsigned field, char *text, size_t size)
{
	for (; field && *key; key++)
		field -= *key == '\t';
	snprintf(text, size, "%.*s", (int)strcspn(key, "\t"), key);
	return text;
}
