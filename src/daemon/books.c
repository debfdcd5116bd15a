/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/books.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

/* A tick spans the end of a window, or of two when it comes late. */
#define OPEN_WINDOWS 3

struct open_window {
	struct table keys;              /* -> 1 */
	int64_t window_s;               /* INT64_MIN: none */
	bool seen;                      /* in this tick */
};

#define DELTA_KEYS_MAX (1u << 26) /* of one tick: more than all rings' tables together bring */

struct books {
	struct account *account;
	struct key_layout delta_layout; /* FIELD_WINDOW and the account's key */
	struct table delta;             /* this tick: window and key -> six counters */
	struct open_window open[OPEN_WINDOWS]; /* the newest first */
	uint64_t overflowed, overflowed_tick;
	struct party_tally total;
	struct series *series;
};

void own_addresses_free(struct own_addresses *o)
{
	free(o->addrs);
	free(o->macs);
	prefix_set_free(&o->networks);
	*o = (struct own_addresses){ 0 };
}

static int open_keys(const struct account *a, struct open_window *w, struct err *e)
{
	struct table_form form = { .key_bytes = a->layout.size, .counters = 1, .limit = a->limit };

	*w = (struct open_window){ .window_s = INT64_MIN };
	return table_open(&w->keys, &form, e);
}

static int open_tables(struct books *b, struct err *e)
{
	struct table_form delta = { .counters = 6, .other_used = 3, .limit = DELTA_KEYS_MAX };
	int r = key_layout_make(&b->delta_layout, b->account->layout.fields | FIELD_BIT(FIELD_WINDOW), e);

	if (r < 0)
		return r;
	delta.key_bytes = b->delta_layout.size;
	r = table_open(&b->delta, &delta, e);
	for (unsigned i = 0; i < OPEN_WINDOWS && r == 0; i++)
		r = open_keys(b->account, &b->open[i], e);
	return r;
}

int books_new(struct books **ret, struct account *a, struct err *e)
{
	struct books *b = calloc(1, sizeof *b);
	int r;

	if (!b)
		return err_set(e, -ENOMEM, "no memory");
	b->account = account_ref(a);
	r = open_tables(b, e);
	if (r == 0)
		r = series_new(&b->series, a, e);
	if (r < 0) {
		books_free(&b);
		return r;
	}
	*ret = b;
	return 0;
}

void books_free(struct books **b)
{
	if (!*b)
		return;
	account_unref(&(*b)->account);
	table_close(&(*b)->delta);
	for (unsigned i = 0; i < OPEN_WINDOWS; i++)
		table_close(&(*b)->open[i].keys);
	series_free(&(*b)->series);
	free(*b);
	*b = NULL;
}

struct account *books_account(const struct books *b)
{
	return b->account;
}

struct series *books_series(struct books *b)
{
	return b->series;
}

void books_set_total(struct books *b, const struct party_tally *total)
{
	b->total = *total;
}

/* Another number of series, or other rules: the same totals, in as many. What finds no memory is in the ledger,
 * for the next start. */
static void inherit_series(struct books *b, struct books *from)
{
	struct snapshot_series *have = NULL;
	struct series_state *states = NULL;
	struct series *mine = b->series;
	size_t count = 0;

	if (b->account->series == from->account->series && !account_has_rules(b->account)) {
		b->series = from->series;
		from->series = mine;
		series_set_account(b->series, b->account);
		return;
	}
	if (series_snapshot(from->series, &have, &count) == 0)
		states = calloc(count + 1, sizeof *states);
	for (size_t i = 0; states && i < count; i++) {
		memcpy(states[i].key, have[i].key, sizeof states[i].key);
		states[i].total = have[i].total;
		states[i].expression = series_expression(from->series, have[i].key);
	}
	if (states)
		series_load(mine, states, count);
	free(states);
	free(have);
}

void books_inherit(struct books *b, struct books *from)
{
	b->total = from->total;
	b->overflowed = from->overflowed;
	inherit_series(b, from);
	if (b->account->every_s == from->account->every_s && b->account->limit == from->account->limit) {
		struct open_window mine[OPEN_WINDOWS];

		memcpy(mine, b->open, sizeof mine);
		memcpy(b->open, from->open, sizeof mine);
		memcpy(from->open, mine, sizeof mine);
	}
}

static bool is_own_mac(const struct own_addresses *own, uint64_t mac)
{
	for (size_t i = 0; i < own->mac_count; i++)
		if (own->macs[i] == mac)
			return true;
	return false;
}

static bool is_own_addr(const struct own_addresses *own, const struct addr *a)
{
	for (size_t i = 0; i < own->addr_count; i++)
		if (addr_equal(&own->addrs[i], a))
			return true;
	return false;
}

/* `self` and `groups` look at what the account's keys are, or are derived from: by MAC at the MAC, by host at the address. */
static bool is_wanted_party(const struct account *a, const struct key_layout *l, const struct own_addresses *own,
			    const uint8_t *key)
{
	uint64_t mac = 0;
	struct addr host = { 0 };

	if (a->bases & FIELD_BIT(FIELD_MAC))
		memcpy(&mac, key + l->at[FIELD_MAC], sizeof mac);
	if (a->bases & FIELD_BIT(FIELD_HOST))
		key_get_addr(l, key, FIELD_HOST, &host);
	if (!a->self && (is_own_mac(own, mac) || is_own_addr(own, &host)))
		return false;
	return a->groups || !((mac != UINT64_MAX && mac >> 40 & 1) || addr_is_group(&host) ||
			      prefix_set_is_broadcast(&own->networks, &host));
}

static bool is_wanted(const struct books *b, const struct key_layout *l, const struct own_addresses *own,
		      const uint8_t *key)
{
	const struct account *a = b->account;

	if (!a->party)
		return true;
	if (a->of != OF_BOTH && (key[l->at[FIELD_LOCALITY]] == LOCALITY_LOCAL) != (a->of == OF_LOCAL))
		return false;
	return (a->self && a->groups) || is_wanted_party(a, l, own, key);
}

/* The newest window's place is made by pushing the oldest out. NULL: older than all that are
 * open. */
static struct open_window *open_window(struct books *b, int64_t window_s)
{
	struct open_window *w = b->open, oldest = b->open[OPEN_WINDOWS - 1];
	unsigned i = 0;

	while (i < OPEN_WINDOWS && w[i].window_s > window_s)
		i++;
	if (i == OPEN_WINDOWS)
		return NULL;
	if (w[i].window_s == window_s)
		return &w[i];
	if (i == 0 && w[0].window_s != INT64_MIN)
		series_settle(b->series);
	memmove(&w[i + 1], &w[i], (OPEN_WINDOWS - 1 - i) * sizeof *w);
	w[i] = oldest;
	table_clear(&w[i].keys);
	w[i].window_s = window_s;
	return &w[i];
}

/* A window older than the open ones (a clock that went back) is not limited. */
static bool has_room(struct books *b, int64_t window_s, const uint64_t *key)
{
	struct open_window *w = open_window(b, window_s);
	uint64_t *mark;

	if (!w)
		return true;
	w->seen = true;
	mark = table_find_or_add(&w->keys, key, table_hash_words(w->keys.seed, key, b->account->layout.size / 8));
	if (mark)
		*mark = 1;
	return mark != NULL;
}

/* The clock had stepped forward and is back: windows of a time to come are closed, or none before
 * them would ever count as the newest. */
static void close_future_windows(struct books *b, int64_t now_utc_s)
{
	for (unsigned i = 0; i < OPEN_WINDOWS && b->open[0].window_s > now_utc_s; i++) {
		struct open_window first = b->open[0];

		memmove(&b->open[0], &b->open[1], (OPEN_WINDOWS - 1) * sizeof first);
		table_clear(&first.keys);
		first.window_s = INT64_MIN;
		b->open[OPEN_WINDOWS - 1] = first;
	}
}

/* Gives back the memory of windows that are over; one that is late begins with no keys. */
static void close_old_windows(struct books *b)
{
	for (unsigned i = 0; i < OPEN_WINDOWS; i++) {
		struct open_window *w = &b->open[i], fresh;

		if (i > 0 && !w->seen && w->keys.used && open_keys(b->account, &fresh, NULL) == 0) {
			table_close(&w->keys);
			fresh.window_s = w->window_s;
			*w = fresh;
		}
		w->seen = false;
	}
}

static void add_counters(uint64_t *c, const struct party_tally *t)
{
	c[0] += t->rx.packets;
	c[1] += t->rx.l2_bytes;
	c[2] += t->rx.l3_bytes;
	c[3] += t->tx.packets;
	c[4] += t->tx.l2_bytes;
	c[5] += t->tx.l3_bytes;
}

/* Under the key in the account's own window. */
static void add_entry(struct books *b, uint64_t delta_key[static KEY_WORDS_MAX], int64_t window_s, const struct party_tally *t)
{
	uint64_t own_key[KEY_WORDS_MAX], *counters;

	key_project(&b->account->layout, (uint8_t *)own_key, &b->delta_layout, (uint8_t *)delta_key);
	if (!has_room(b, window_s, own_key)) {
		key_set_other(&b->delta_layout, (uint8_t *)delta_key);
		b->overflowed_tick++;
	}
	counters = table_find_or_add(&b->delta, delta_key,
				     table_hash_words(b->delta.seed, delta_key, b->delta.key_words));
	if (counters)
		add_counters(counters, t);
}

/* An entry on its way through derive_keys(). */
struct derived {
	struct books *books;
	int64_t window_s;
	const struct party_tally *tally;
};

static void add_derived(void *arg, uint64_t key[static KEY_WORDS_MAX])
{
	const struct derived *d = arg;

	add_entry(d->books, key, d->window_s, d->tally);
}

void books_add(struct books *b, const struct books_light *light, const uint8_t *key, const struct party_tally *t)
{
	const struct key_layout *l = &light->grain->layout;
	const struct account *a = b->account;
	uint64_t delta_key[KEY_WORDS_MAX];
	struct party_tally tally = *t;
	int64_t window_s;

	if (!is_wanted(b, l, light->own, key))
		return;
	if (!a->party && !account_has_deliveries(a))
		tally.tx = (struct tally){ 0 }; /* what all received is every packet once */
	if (tally.rx.packets == 0 && tally.tx.packets == 0)
		return;
	memcpy(&window_s, key + l->at[FIELD_WINDOW], sizeof window_s);
	window_s = window_start(window_s, a->every_s);
	key_project(&b->delta_layout, (uint8_t *)delta_key, l, key);
	memcpy((uint8_t *)delta_key + b->delta_layout.at[FIELD_WINDOW], &window_s, sizeof window_s);
	if (!(a->layout.fields & FIELDS_DERIVED)) {
		add_entry(b, delta_key, window_s, &tally);
		return;
	}
	const struct derivation d = {
		.from = l, .to = &b->delta_layout, .bases = a->bases, .attributor = light->attributor, .router = light->interface,
	};
	struct derived entry = { b, window_s, &tally };
	derive_keys(&d, key, delta_key, add_derived, &entry);
}

static struct batch *batch_for(struct booking *booking, struct books *b, int64_t window_s, size_t from)
{
	struct batch *grown;

	for (size_t i = from; i < booking->batch_count; i++)
		if (booking->batches[i].window_utc_s == window_s)
			return &booking->batches[i];
	grown = realloc(booking->batches, (booking->batch_count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	booking->batches = grown;
	grown += booking->batch_count++;
	*grown = (struct batch){ .account = account_ref(b->account), .window_utc_s = window_s };
	return grown;
}

static uint8_t *batch_record(struct batch *batch)
{
	size_t size = record_size(batch->account);

	if (batch->count == batch->room) {
		size_t room = batch->room ? batch->room * 2 : 64;
		uint8_t *grown = realloc(batch->records, room * size);

		if (!grown)
			return NULL;
		batch->records = grown;
		batch->room = room;
	}
	return batch->records + batch->count++ * size;
}

static int book_slot(struct books *b, struct booking *booking, size_t from, uint8_t *slot)
{
	const uint64_t *c = slot_counters(&b->delta, slot);
	struct party_tally t = { { c[0], c[1], c[2] }, { c[3], c[4], c[5] } };
	struct batch *batch;
	uint8_t *record;
	int64_t window_s;

	memcpy(&window_s, slot + b->delta_layout.at[FIELD_WINDOW], sizeof window_s);
	batch = batch_for(booking, b, window_s, from);
	record = batch ? batch_record(batch) : NULL;
	if (!record)
		return -ENOMEM;
	key_project(&b->account->layout, record, &b->delta_layout, slot);
	memcpy(record + b->account->layout.size, &t, sizeof t);
	series_add(b->series, record, &t);
	party_tally_add(&b->total, &t);
	return 0;
}

int books_close_tick(struct books *b, struct booking *booking, struct err *e)
{
	size_t from = booking->batch_count;
	int r = 0;

	for (uint64_t i = 0; i < table_slots(&b->delta) && r == 0; i++)
		if (slot_is_taken(&b->delta, table_slot(&b->delta, i)))
			r = book_slot(b, booking, from, table_slot(&b->delta, i));
	table_clear(&b->delta);
	close_old_windows(b);
	close_future_windows(b, booking->taken_utc_s);
	if (booking->batch_count > from)
		booking->batches[from].overflowed = b->overflowed_tick;
	b->overflowed += b->overflowed_tick;
	b->overflowed_tick = 0;
	if (r == 0)
		r = series_changes(b->series, booking);
	return r < 0 ? err_set(e, r, "account %s: no memory to book a tick", b->account->name) : 0;
}

void books_drop_tick(struct books *b)
{
	table_clear(&b->delta);
	b->overflowed_tick = 0;
}

/* bsearch_r() is not there: the size of the key comes behind it. */
struct wanted {
	const uint8_t *key;
	size_t size;
};

static int compare_wanted(const void *pw, const void *ps)
{
	const struct wanted *w = pw;
	const struct snapshot_series *s = ps;

	return memcmp(w->key, s->key, w->size);
}

static int compare_series(const void *pa, const void *pb, void *size)
{
	const struct snapshot_series *a = pa, *b = pb;

	return memcmp(a->key, b->key, *(const size_t *)size);
}

/* To the key's series, or to `other` where there are as many as may be. A new key that will get a series of its
 * own is not shown yet: a counter never goes back. */
static void add_to_series(struct snapshot_account *s, const uint8_t *key, const struct party_tally *t)
{
	size_t size = s->account->layout.size;
	uint8_t other[KEY_BYTES_MAX] = { 0 };
	struct wanted w = { key, size };
	struct snapshot_series *found = bsearch(&w, s->series, s->series_count, sizeof *s->series, compare_wanted);

	if (!found && s->series_count >= s->account->series) {
		key_set_other(&s->account->layout, other);
		w.key = other;
		found = bsearch(&w, s->series, s->series_count, sizeof *s->series, compare_wanted);
	}
	if (found)
		party_tally_add(&found->total, t);
}

static void add_delta(const struct books *b, struct snapshot_account *s)
{
	size_t size = b->account->layout.size;

	qsort_r(s->series, s->series_count, sizeof *s->series, compare_series, &size);
	for (uint64_t i = 0; i < table_slots(&b->delta); i++) {
		uint8_t *slot = table_slot(&b->delta, i), key[KEY_BYTES_MAX];
		const uint64_t *c = slot_counters(&b->delta, slot);
		struct party_tally t;

		if (!slot_is_taken(&b->delta, slot))
			continue;
		t = (struct party_tally){ { c[0], c[1], c[2] }, { c[3], c[4], c[5] } };
		key_project(&b->account->layout, key, &b->delta_layout, slot);
		party_tally_add(&s->total, &t);
		add_to_series(s, key, &t);
	}
}

int books_snapshot(const struct books *b, struct snapshot_account *ret)
{
	int r;

	*ret = (struct snapshot_account){
		.account = account_ref(b->account),
		.total = b->total,
		.keys = b->open[0].keys.used,
		.window_utc_s = b->open[0].window_s == INT64_MIN ? 0 : b->open[0].window_s,
		.overflowed = b->overflowed,
	};
	r = series_snapshot(b->series, &ret->series, &ret->series_count);
	if (r == 0 && b->delta.used)
		add_delta(b, ret);
	return r;
}
