/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names/known.h"

#include "names/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct slot {
	struct known_row row;
	char *name;                 /* row.name's, or NULL where that is "" */
	uint32_t next_host, next_mac; /* of a free slot: the next free one */
	uint64_t order;             /* of adding: the newest counts */
};

struct known {
	struct slot *slots;
	uint32_t count, room, heads; /* heads: a power of two */
	uint32_t *hosts, *macs, free_first;
	uint64_t seed, left_out, added;
};

struct known *known_new(void)
{
	struct known *k = calloc(1, sizeof *k);

	if (k) {
		k->seed = hash_seed();
		k->free_first = NONE;
	}
	return k;
}

void known_free(struct known **pk)
{
	struct known *k = *pk;

	if (!k)
		return;
	for (uint32_t i = 0; i < k->count; i++)
		free(k->slots[i].name);
	free(k->slots);
	free(k->hosts);
	free(k->macs);
	free(k);
	*pk = NULL;
}

static void link_slot(struct known *k, uint32_t i)
{
	struct slot *s = &k->slots[i];

	s->next_host = s->next_mac = NONE;
	if (s->row.host.family != ADDR_NONE) {
		uint32_t h = (uint32_t)hash_addr(&s->row.host, k->seed) & (k->heads - 1);

		s->next_host = k->hosts[h];
		k->hosts[h] = i;
	}
	if (s->row.mac) {
		uint32_t h = (uint32_t)hash_number(s->row.mac, k->seed) & (k->heads - 1);

		s->next_mac = k->macs[h];
		k->macs[h] = i;
	}
}

static int grow(struct known *k)
{
	uint32_t room = k->room ? k->room * 2 : 64;
	struct slot *slots = realloc(k->slots, room * sizeof *slots);
	uint32_t *hosts, *macs;

	if (!slots)
		return -ENOMEM;
	k->slots = slots;
	hosts = malloc(room * sizeof *hosts);
	macs = malloc(room * sizeof *macs);
	if (!hosts || !macs) {
		free(hosts);
		free(macs);
		return -ENOMEM;
	}
	free(k->hosts);
	free(k->macs);
	k->hosts = hosts;
	k->macs = macs;
	k->room = k->heads = room;
	memset(hosts, 0xff, room * sizeof *hosts);
	memset(macs, 0xff, room * sizeof *macs);
	for (uint32_t i = 0; i < k->count; i++) /* none is free: there would be no need of more */
		link_slot(k, i);
	return 0;
}

static uint32_t find_host(const struct known *k, const struct addr *host)
{
	uint32_t i = k->heads ? k->hosts[hash_addr(host, k->seed) & (k->heads - 1)] : NONE;

	while (i != NONE && !addr_equal(&k->slots[i].row.host, host))
		i = k->slots[i].next_host;
	return i;
}

static void unlink_mac(struct known *k, uint32_t i)
{
	uint32_t *at;

	if (!k->slots[i].row.mac)
		return;
	at = &k->macs[hash_number(k->slots[i].row.mac, k->seed) & (k->heads - 1)];
	while (*at != i)
		at = &k->slots[*at].next_mac;
	*at = k->slots[i].next_mac;
}

static void unlink_host(struct known *k, uint32_t i)
{
	uint32_t *at = &k->hosts[hash_addr(&k->slots[i].row.host, k->seed) & (k->heads - 1)];

	while (*at != i)
		at = &k->slots[*at].next_host;
	*at = k->slots[i].next_host;
}

/* A journal of leases says the same few addresses a million times: their slots serve again. */
void known_remove(struct known *k, const struct addr *host)
{
	uint32_t i = find_host(k, host);

	if (i == NONE)
		return;
	unlink_host(k, i);
	unlink_mac(k, i);
	free(k->slots[i].name);
	k->slots[i] = (struct slot){ .next_host = k->free_first, .next_mac = NONE, .row = { .name = "" } };
	k->free_first = i;
}

/* NONE: no memory. */
static uint32_t take_slot(struct known *k)
{
	uint32_t i = k->free_first;

	if (i != NONE) {
		k->free_first = k->slots[i].next_host;
		return i;
	}
	return k->count == k->room && grow(k) < 0 ? NONE : k->count++;
}

int known_add(struct known *k, const struct known_row *row, bool keep)
{
	char *name = NULL;
	uint32_t i;

	if (row->host.family != ADDR_NONE) {
		if (keep && find_host(k, &row->host) != NONE)
			return 0;
		known_remove(k, &row->host);
	}
	if (k->count == KNOWN_MAX && k->free_first == NONE) {
		k->left_out++;
		return 0;
	}
	if (row->name[0]) {
		name = strdup(row->name);
		if (!name)
			return -ENOMEM;
	}
	i = take_slot(k);
	if (i == NONE) {
		free(name);
		return -ENOMEM;
	}
	k->slots[i] = (struct slot){ .row = *row, .name = name, .order = ++k->added };
	k->slots[i].row.name = name ? name : "";
	link_slot(k, i);
	return 0;
}

const struct known_row *known_host(const struct known *k, const struct addr *host, int64_t now_utc_s)
{
	uint32_t i = find_host(k, host);

	return i != NONE && k->slots[i].row.until_utc_s > now_utc_s ? &k->slots[i].row : NULL;
}

const struct known_row *known_mac(const struct known *k, uint64_t mac, int64_t now_utc_s)
{
	uint32_t i = k->heads ? k->macs[hash_number(mac, k->seed) & (k->heads - 1)] : NONE;
	const struct known_row *newest = NULL;
	uint64_t order = 0;

	for (; i != NONE; i = k->slots[i].next_mac) {
		const struct known_row *row = &k->slots[i].row;

		if (row->mac == mac && row->name[0] && row->until_utc_s > now_utc_s && k->slots[i].order > order) {
			newest = row;
			order = k->slots[i].order;
		}
	}
	return newest;
}

size_t known_count(const struct known *k)
{
	return k->count;
}

const struct known_row *known_at(const struct known *k, size_t i)
{
	return &k->slots[i].row;
}

uint64_t known_left_out(const struct known *k)
{
	return k->left_out;
}
