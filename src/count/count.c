/* SPDX-License-Identifier: GPL-2.0-or-later */
/* count.c -- builds keys, and adds. Works on a batch in three passes, so that the table's cache
 * misses of a whole batch overlap: keys and hashes, prefetch, add. */
#include "count/count.h"

#include "base/clock.h"
#include "model/frame.h"

#include <errno.h>

enum side { SIDE_SRC, SIDE_DST };

#define OTHERS_MAX (1u << 20) /* windows */

/* Two ends of each packet. */
#define PENDING_MAX (2 * FRAME_BATCH)

struct pending {
	uint64_t home[PENDING_MAX];  /* byte offset of the slot where the search begins */
	uint64_t hash[PENDING_MAX];
	const struct packet *packet[PENDING_MAX];
	uint8_t side[PENDING_MAX];
	unsigned count;
	uint64_t keys[PENDING_MAX * KEY_WORDS_MAX]; /* key_words apart */
};

static inline void put(uint8_t *key, const struct key_layout *l, enum field f, const void *value, unsigned width)
{
	memcpy(key + l->at[f], value, width);
}

static enum locality locality_of(const struct grain *g, const struct addr *a)
{
	return g->local && prefix_set_contains(g->local, a) ? LOCALITY_LOCAL : LOCALITY_REMOTE;
}

static inline void put_host(uint8_t *key, const struct key_layout *l, enum field host, enum field family,
			    const struct addr *a)
{
	put(key, l, host, a->bytes, sizeof a->bytes);
	key[l->at[family]] = a->family;
}

static void put_window(const struct grain *g, const struct packet *p, uint8_t *key)
{
	int64_t start = window_start(ns_to_s(p->seen_utc_ns), g->window_s);

	put(key, &g->layout, FIELD_WINDOW, &start, sizeof start);
}

/* Fields of the packet and of its directed ends. */
static void put_packet_fields(const struct grain *g, const struct packet *p, uint8_t *key)
{
	const struct key_layout *l = &g->layout;
	uint32_t service;

	if (key_has(l, FIELD_SRC_MAC))
		put(key, l, FIELD_SRC_MAC, &p->src_mac, 8);
	if (key_has(l, FIELD_DST_MAC))
		put(key, l, FIELD_DST_MAC, &p->dst_mac, 8);
	if (key_has(l, FIELD_SRC_HOST))
		put_host(key, l, FIELD_SRC_HOST, FIELD_SRC_FAMILY, &p->src);
	if (key_has(l, FIELD_DST_HOST))
		put_host(key, l, FIELD_DST_HOST, FIELD_DST_FAMILY, &p->dst);
	if (key_has(l, FIELD_SRC_PORT))
		put(key, l, FIELD_SRC_PORT, &p->src_port, 4);
	if (key_has(l, FIELD_DST_PORT))
		put(key, l, FIELD_DST_PORT, &p->dst_port, 4);
	if (key_has(l, FIELD_ETHERTYPE))
		put(key, l, FIELD_ETHERTYPE, &p->ethertype, 4);
	if (key_has(l, FIELD_INTERFACE))
		put(key, l, FIELD_INTERFACE, &p->interface, 4);
	if (key_has(l, FIELD_VLAN))
		put(key, l, FIELD_VLAN, &p->vlan, 2);
	if (key_has(l, FIELD_PROTO))
		put(key, l, FIELD_PROTO, &p->proto, 2);
	if (key_has(l, FIELD_DIRECTION))
		key[l->at[FIELD_DIRECTION]] = p->direction;
	if (key_has(l, FIELD_SERVICE) && g->services) {
		service = services_find(g->services, p->proto, p->src_port, p->dst_port);
		put(key, l, FIELD_SERVICE, &service, 4);
	}
}

static void put_party_fields(const struct grain *g, const struct packet *p, enum side side, uint8_t *key)
{
	const struct key_layout *l = &g->layout;
	const struct addr *a = side == SIDE_SRC ? &p->src : &p->dst;

	if (key_has(l, FIELD_MAC))
		put(key, l, FIELD_MAC, side == SIDE_SRC ? &p->src_mac : &p->dst_mac, 8);
	if (key_has(l, FIELD_HOST))
		put_host(key, l, FIELD_HOST, FIELD_HOST_FAMILY, a);
	if (key_has(l, FIELD_LOCALITY))
		key[l->at[FIELD_LOCALITY]] = (uint8_t)locality_of(g, a);
}

static void build_key(const struct grain *g, const struct packet *p, enum side side, uint64_t *key)
{
	memset(key, 0, g->layout.size);
	if (g->window_s)
		put_window(g, p, (uint8_t *)key);
	if (g->party)
		put_party_fields(g, p, side, (uint8_t *)key);
	put_packet_fields(g, p, (uint8_t *)key);
}

static bool side_wanted(const struct grain *g, const struct packet *p, enum side side)
{
	const struct addr *a = side == SIDE_SRC ? &p->src : &p->dst;

	return g->of == OF_BOTH || (locality_of(g, a) == LOCALITY_LOCAL) == (g->of == OF_LOCAL);
}

static void pend(struct count *c, struct pending *q, const struct packet *p, enum side side)
{
	unsigned words = c->table.key_words;
	uint64_t *key = q->keys + q->count * words;

	build_key(&c->grain, p, side, key);
	q->hash[q->count] = table_hash_words(c->table.seed, key, words);
	q->home[q->count] = table_home(&c->table, q->hash[q->count]) * c->table.stride;
	__builtin_prefetch(c->table.slots + q->home[q->count], 1);
	q->packet[q->count] = p;
	q->side[q->count++] = (uint8_t)side;
}

static void pend_batch(struct count *c, struct pending *q, const struct packet *p, unsigned n)
{
	q->count = 0;
	for (unsigned i = 0; i < n; i++) {
		if (!c->grain.party) {
			pend(c, q, &p[i], SIDE_DST);
			continue;
		}
		if (side_wanted(&c->grain, &p[i], SIDE_DST))
			pend(c, q, &p[i], SIDE_DST);
		if (side_wanted(&c->grain, &p[i], SIDE_SRC))
			pend(c, q, &p[i], SIDE_SRC);
	}
}

/* Where what found no room is booked: all fields are `other` but the window and the side of
 * `local`, by which accounts choose what is theirs. */
static uint64_t *other_slot(struct count *c, const uint64_t *key)
{
	const struct key_layout *l = &c->grain.layout;
	uint64_t other[KEY_WORDS_MAX];

	memcpy(other, key, l->size);
	key_set_other(l, (uint8_t *)other);
	if (key_has(l, FIELD_LOCALITY))
		((uint8_t *)other)[l->at[FIELD_LOCALITY]] = ((const uint8_t *)key)[l->at[FIELD_LOCALITY]];
	c->overflowed++;
	return table_find_or_add(&c->others, other, table_hash_words(c->others.seed, other, c->others.key_words));
}

static inline void add_packet(const struct count *c, bool both_bases, uint64_t *counters, const struct packet *p,
			      enum side side)
{
	counters += side == SIDE_SRC ? c->others.other_used : 0;
	counters[0] += p->segments;
	if (both_bases) {
		counters[1] += p->l2_bytes;
		counters[2] += p->l3_bytes;
	} else {
		counters[1] += c->grain.basis == BYTES_L2 ? p->l2_bytes : p->l3_bytes;
	}
}

/* The counters of `key`, new or old; NULL where it finds no room. `home` NULL: the table has grown
 * since the place was looked up. */
static inline __attribute__((always_inline)) uint64_t *counters_of(struct table *t, const uint64_t *key, uint64_t hash,
								     uint8_t *home, unsigned words)
{
	uint8_t *slot = home ? table_probe(t, key, home, words) : NULL;

	if (slot && slot_is_taken(t, slot))
		return slot_counters(t, slot);
	if (slot && table_has_room(t))
		return table_fill(t, slot, key);
	return table_find_or_add(t, key, hash);
}

static inline __attribute__((always_inline)) void add_batch_of(struct count *c, const struct pending *q, unsigned words,
								bool both_bases)
{
	uint64_t capacity = c->table.capacity;

	for (unsigned i = 0; i < q->count; i++) {
		const uint64_t *key = q->keys + i * words;
		uint8_t *home = capacity == c->table.capacity ? c->table.slots + q->home[i] : NULL;
		uint64_t *counters = counters_of(&c->table, key, q->hash[i], home, words);

		if (!counters)
			counters = other_slot(c, key);
		if (counters)
			add_packet(c, both_bases, counters, q->packet[i], q->side[i]);
	}
}

/* The commonest key lengths, unrolled. */
static void add_batch(struct count *c, const struct pending *q)
{
	unsigned words = c->table.key_words;
	bool both = c->grain.both_bases;

	if (words == 1 && !both)
		add_batch_of(c, q, 1, false);
	else if (words == 3 && !both)
		add_batch_of(c, q, 3, false);
	else
		add_batch_of(c, q, words, both);
}

struct narrow_pending {
	uint64_t key[NARROW_WORDS], hash;
	uint8_t *home;
};

static inline void narrow_pend(const struct count *c, struct narrow_pending *q, const struct addr *a)
{
	narrow_key(&c->narrow, a, q->key);
	q->hash = table_hash_words(c->table.seed, q->key, NARROW_WORDS);
	q->home = table_slot(&c->table, table_home(&c->table, q->hash));
	__builtin_prefetch(q->home, 1);
	__builtin_prefetch(q->home + c->table.stride, 1); /* the next slot may be another line's */
}

static inline void narrow_book(struct count *c, const struct narrow_pending *q, bool home_holds, unsigned shift,
			       const struct packet *p)
{
	static const uint64_t no_window[KEY_WORDS_MAX];
	uint64_t bytes = c->grain.basis == BYTES_L2 ? p->l2_bytes : p->l3_bytes;
	uint64_t *counters = counters_of(&c->table, q->key, q->hash, home_holds ? q->home : NULL, NARROW_WORDS);

	if (counters)
		narrow_add(&c->narrow, q->key, counters, shift, p->segments, bytes);
	else if ((counters = other_slot(c, no_window)))
		add_packet(c, false, counters, p, shift ? SIDE_SRC : SIDE_DST);
}

static void count_narrow(struct count *c, const struct packet *p, unsigned n)
{
	struct narrow_pending q[PENDING_MAX];
	uint64_t capacity = c->table.capacity;

	for (unsigned i = 0; i < n; i++) {
		narrow_pend(c, &q[2 * i], &p[i].dst);
		narrow_pend(c, &q[2 * i + 1], &p[i].src);
	}
	for (unsigned i = 0; i < n; i++) {
		narrow_book(c, &q[2 * i], capacity == c->table.capacity, 0, &p[i]);
		narrow_book(c, &q[2 * i + 1], capacity == c->table.capacity, 32, &p[i]);
	}
}

static void count_wide(struct count *c, const struct packet *p, unsigned n)
{
	struct pending q;

	pend_batch(c, &q, p, n);
	add_batch(c, &q);
}

void count_packets(struct count *c, const struct packet *p, unsigned n)
{
	if (c->grain.narrow)
		count_narrow(c, p, n);
	else
		count_wide(c, p, n);
	c->frames += n;
	for (unsigned i = 0; i < n; i++) {
		c->packets += p[i].segments;
		c->l2_bytes += p[i].l2_bytes;
		c->malformed += p[i].malformed;
	}
}

static uint64_t *slot_for(struct count *c, const uint64_t *key, bool other)
{
	uint64_t hash = table_hash_words(c->table.seed, key, c->table.key_words);
	uint64_t *counters = other ? NULL : table_find_or_add(&c->table, key, hash);

	return counters ? counters : other_slot(c, key);
}

static void add_tally(const struct grain *g, uint64_t *counters, const struct tally *t)
{
	counters[0] += t->packets;
	if (g->both_bases) {
		counters[1] += t->l2_bytes;
		counters[2] += t->l3_bytes;
	} else {
		counters[1] += g->basis == BYTES_L2 ? t->l2_bytes : t->l3_bytes;
	}
}

void count_tally_in(struct count *c, const uint64_t *key, bool sent, bool other, const struct tally *t)
{
	uint64_t *counters = slot_for(c, key, other);

	if (counters)
		add_tally(&c->grain, counters + (sent ? c->others.other_used : 0), t);
}

static void add_delivery(struct count *c, uint64_t *counters, const struct party_tally *t)
{
	if (!counters)
		return;
	add_tally(&c->grain, counters, &t->rx);
	add_tally(&c->grain, counters + c->others.other_used, &t->tx);
}

void count_delivery(struct count *c, const uint64_t *key, const struct party_tally *t)
{
	add_delivery(c, slot_for(c, key, false), t);
}

void count_deliveries(struct count *c, const uint64_t (*keys)[KEY_WORDS_MAX], const struct party_tally *t, unsigned n)
{
	uint64_t hash[COUNT_DELIVERIES_MAX];

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *home;

		hash[i] = table_hash_words(c->table.seed, keys[i], c->table.key_words);
		home = table_slot(&c->table, table_home(&c->table, hash[i]));
		__builtin_prefetch(home, 1);
		__builtin_prefetch(home + c->table.stride - 1, 1);
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t *counters = table_find_or_add(&c->table, keys[i], hash[i]);

		add_delivery(c, counters ? counters : other_slot(c, keys[i]), &t[i]);
	}
}

bool grain_may_be_narrow(const struct grain *g)
{
	return g->party && !g->both_bases && g->of == OF_BOTH && !g->window_s &&
	       g->layout.fields == (FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_HOST_FAMILY));
}

int count_open(struct count *ret, const struct grain *g, struct err *e)
{
	struct count c = { .grain = *g };
	unsigned per_side = g->both_bases ? 3 : 2;
	struct table_form form = {
		.key_bytes = g->layout.size,
		.counters = g->party ? 2 * per_side : per_side,
		.other_used = g->party ? per_side : 0,
		.limit = g->limit,
	};
	int r = g->narrow ? narrow_open(&c.narrow, &c.table, g->limit, e) : table_open(&c.table, &form, e);

	if (r < 0)
		return r;
	form.limit = OTHERS_MAX;
	r = table_open(&c.others, &form, e);
	if (r < 0) {
		table_close(&c.table);
		narrow_close(&c.narrow);
		return r;
	}
	*ret = c;
	return 0;
}

void count_close(struct count *c)
{
	table_close(&c->table);
	table_close(&c->others);
	narrow_close(&c->narrow);
}

static void get_tally(const struct grain *g, const uint64_t *counters, struct tally *ret)
{
	*ret = (struct tally){ .packets = counters[0] };
	if (g->both_bases) {
		ret->l2_bytes = counters[1];
		ret->l3_bytes = counters[2];
	} else if (g->basis == BYTES_L2) {
		ret->l2_bytes = counters[1];
	} else {
		ret->l3_bytes = counters[1];
	}
}

void count_get(const struct grain *g, const uint64_t *counters, struct party_tally *ret)
{
	get_tally(g, counters, &ret->rx);
	if (g->party)
		get_tally(g, counters + (g->both_bases ? 3 : 2), &ret->tx);
	else
		ret->tx = (struct tally){ 0 };
}

const uint8_t *count_key(const struct count *c, const struct table *t, const uint8_t *slot,
			 uint64_t scratch[static KEY_WORDS_MAX])
{
	const struct key_layout *l = &c->grain.layout;
	struct addr a;

	if (!c->grain.narrow || t != &c->table)
		return slot;
	narrow_addr(&c->narrow, (const uint64_t *)(const void *)slot, &a);
	memset(scratch, 0, l->size);
	put_host((uint8_t *)scratch, l, FIELD_HOST, FIELD_HOST_FAMILY, &a);
	return (const uint8_t *)scratch;
}

void count_tally(const struct count *c, const struct table *t, const uint8_t *slot, struct party_tally *ret)
{
	const uint64_t *words = (const uint64_t *)(const void *)slot;

	if (c->grain.narrow && t == &c->table)
		narrow_get(&c->narrow, words, c->grain.basis, ret);
	else
		count_get(&c->grain, words + t->key_words, ret);
}

void count_clear(struct count *c)
{
	table_clear(&c->table);
	if (c->grain.narrow)
		table_clear(&c->narrow.wide);
	table_clear(&c->others);
	c->overflowed = c->packets = c->l2_bytes = c->frames = c->malformed = 0;
}
