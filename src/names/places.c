/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names/places.h"

#include "names/hash.h"

#include <stdlib.h>

#define NONE UINT32_MAX

struct places {
	struct place *at;
	uint32_t count, room, limit, heads_count;
	uint32_t *heads;
	uint32_t newest, oldest, queue_first, queue_last, queued;
	uint64_t seed, evicted;
};

struct places *places_new(uint32_t limit)
{
	struct places *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->limit = limit < 2 ? 2 : limit;
	p->seed = hash_seed();
	p->newest = p->oldest = p->queue_first = p->queue_last = NONE;
	return p;
}

void places_free(struct places **pp)
{
	struct places *p = *pp;

	if (!p)
		return;
	for (uint32_t i = 0; i < p->count; i++)
		free(p->at[i].dns);
	free(p->at);
	free(p->heads);
	free(p);
	*pp = NULL;
}

struct addr place_device(uint64_t mac)
{
	struct addr key = { .family = PLACE_MAC };

	memcpy(key.bytes + 8, &mac, sizeof mac);
	return key;
}

uint64_t place_device_mac(const struct addr *key)
{
	uint64_t mac = 0;

	if (key->family == PLACE_MAC)
		memcpy(&mac, key->bytes + 8, sizeof mac);
	return mac;
}

static bool same_key(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static uint32_t *head_of(struct places *p, const struct addr *key)
{
	return &p->heads[hash_addr(key, p->seed) & (p->heads_count - 1)];
}

struct place *places_find(struct places *p, const struct addr *key)
{
	uint32_t i = p->heads ? *head_of(p, key) : NONE;

	while (i != NONE && !same_key(&p->at[i].key, key))
		i = p->at[i].next;
	return i == NONE ? NULL : &p->at[i];
}

static void take_out(struct places *p, uint32_t i)
{
	struct place *e = &p->at[i];

	*(e->newer == NONE ? &p->newest : &p->at[e->newer].older) = e->older;
	*(e->older == NONE ? &p->oldest : &p->at[e->older].newer) = e->newer;
}

static void put_newest(struct places *p, uint32_t i)
{
	struct place *e = &p->at[i];

	e->newer = NONE;
	e->older = p->newest;
	*(p->newest == NONE ? &p->oldest : &p->at[p->newest].newer) = i;
	p->newest = i;
}

static void take_from_queue(struct places *p, uint32_t i)
{
	struct place *e = &p->at[i];

	if (!e->queued)
		return;
	*(e->queue_prev == NONE ? &p->queue_first : &p->at[e->queue_prev].queue_next) = e->queue_next;
	*(e->queue_next == NONE ? &p->queue_last : &p->at[e->queue_next].queue_prev) = e->queue_prev;
	e->queued = false;
	p->queued--;
}

static void add_to_table(struct places *p, uint32_t i)
{
	uint32_t *head = head_of(p, &p->at[i].key);

	p->at[i].next = *head;
	*head = i;
}

static bool grow(struct places *p)
{
	uint32_t room = p->room ? p->room * 2 : 256, heads = 1;
	struct place *at;
	uint32_t *h;

	if (room > p->limit)
		room = p->limit;
	while (heads < room)
		heads *= 2;
	at = realloc(p->at, room * sizeof *at);
	if (!at)
		return false;
	p->at = at;
	h = malloc(heads * sizeof *h);
	if (!h)
		return false;
	free(p->heads);
	p->heads = h;
	p->heads_count = heads;
	p->room = room;
	memset(h, 0xff, heads * sizeof *h);
	for (uint32_t i = 0; i < p->count; i++)
		add_to_table(p, i);
	return true;
}

static uint32_t evict(struct places *p)
{
	uint32_t i = p->oldest, *at = head_of(p, &p->at[i].key);

	take_from_queue(p, i);
	take_out(p, i);
	while (*at != i)
		at = &p->at[*at].next;
	*at = p->at[i].next;
	if (p->at[i].key.family != PLACE_MAC)
		places_hold(p, &p->at[i], 0); /* its device knows it by its number, which another gets */
	free(p->at[i].dns);
	p->evicted++;
	return i;
}

struct place *places_want(struct places *p, const struct addr *key)
{
	struct place *e = places_find(p, key);
	uint32_t i;

	if (e) {
		i = places_number(p, e);
		if (p->newest != i) {
			take_out(p, i);
			put_newest(p, i);
		}
		return e;
	}
	if (p->count == p->room && p->room < p->limit && !grow(p) && p->count == 0)
		return NULL;
	i = p->count < p->room ? p->count++ : evict(p);
	p->at[i] = (struct place){ .key = *key };
	add_to_table(p, i);
	put_newest(p, i);
	return &p->at[i];
}

struct place *places_at(struct places *p, uint32_t i)
{
	return &p->at[i];
}

uint32_t places_number(const struct places *p, const struct place *place)
{
	return (uint32_t)(place - p->at);
}

uint32_t places_count(const struct places *p)
{
	return p->count;
}

uint64_t places_evicted(const struct places *p)
{
	return p->evicted;
}

static struct place *device_of(struct places *p, uint64_t mac)
{
	struct addr key = place_device(mac);

	return mac ? places_find(p, &key) : NULL;
}

bool places_hold(struct places *p, struct place *host, uint64_t mac)
{
	struct place *before = device_of(p, host->mac), *now = device_of(p, mac);
	uint32_t number = places_number(p, host) + 1;
	bool news = host->mac != mac;

	if (news && before) {
		before->holds -= before->holds > 0;
		if (before->ip4 == number)
			before->ip4 = 0;
		if (before->ip6 == number)
			before->ip6 = 0;
	}
	if (news && now)
		now->holds++;
	if (now)
		*(host->key.family == ADDR_IP4 ? &now->ip4 : &now->ip6) = number;
	host->mac = mac;
	return news;
}

void places_queue(struct places *p, struct place *place, bool first)
{
	uint32_t i = places_number(p, place);

	if (place->queued)
		return;
	place->queued = true;
	place->queue_next = first ? p->queue_first : NONE;
	place->queue_prev = first ? NONE : p->queue_last;
	*(place->queue_prev == NONE ? &p->queue_first : &p->at[place->queue_prev].queue_next) = i;
	*(place->queue_next == NONE ? &p->queue_last : &p->at[place->queue_next].queue_prev) = i;
	p->queued++;
}

struct place *places_unqueue(struct places *p)
{
	uint32_t i = p->queue_first;

	if (i == NONE)
		return NULL;
	take_from_queue(p, i);
	return &p->at[i];
}

uint32_t places_queued(const struct places *p)
{
	return p->queued;
}
