/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/sightings.h"

#include "count/table.h"

#include <errno.h>
#include <stdlib.h>

struct sightings {
	struct table known;      /* mac, address, family -> last told, seconds UTC */
	struct sighting *tell;
	size_t tell_count;
};

struct sighting_key {
	uint64_t mac;
	uint8_t bytes[16];
	uint64_t family;
};

int sightings_new(struct sightings **ret, struct err *e)
{
	struct table_form form = { .key_bytes = sizeof(struct sighting_key), .counters = 1, .limit = SIGHTINGS_KEYS };
	struct sightings *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "no memory");
	s->tell = malloc(SIGHTINGS_PER_TICK * sizeof *s->tell);
	r = s->tell ? table_open(&s->known, &form, e) : err_set(e, -ENOMEM, "no memory");
	if (r < 0) {
		sightings_free(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void sightings_free(struct sightings **s)
{
	if (!*s)
		return;
	table_close(&(*s)->known);
	free((*s)->tell);
	free(*s);
	*s = NULL;
}

static void see(struct sightings *s, uint64_t mac, const struct addr *a, int64_t now_utc_s)
{
	struct sighting_key k = { .mac = mac, .family = a->family };
	uint64_t words[sizeof k / 8], *told;

	if ((!mac && a->family == ADDR_NONE) || s->tell_count == SIGHTINGS_PER_TICK)
		return;
	memcpy(k.bytes, a->bytes, sizeof k.bytes);
	memcpy(words, &k, sizeof k);
	told = table_find_or_add(&s->known, words, table_hash_words(s->known.seed, words, sizeof k / 8));
	if (!told) {
		table_clear(&s->known); /* full: all are told again, as they come */
		return;
	}
	/* A clock that went back must not silence anybody. */
	if (*told && now_utc_s >= (int64_t)*told && now_utc_s - (int64_t)*told < SIGHTINGS_REPEAT_S)
		return;
	*told = now_utc_s > 0 ? (uint64_t)now_utc_s : 1;
	s->tell[s->tell_count++] = (struct sighting){ mac, *a };
}

static bool is_group_mac(uint64_t mac)
{
	return mac >> 40 & 1; /* the lowest bit of the first byte */
}

/* 0.0.0.0 and ::, the senders of who has no address yet. */
static bool is_unspecified(const struct addr *a)
{
	static const uint8_t zeros[16];
	unsigned from = a->family == ADDR_IP4 ? 12 : 0;

	return memcmp(a->bytes + from, zeros, sizeof zeros - from) == 0;
}

void sightings_see(struct sightings *s, const struct key_layout *l, const uint8_t *key, bool sent, int64_t now_utc_s)
{
	static const struct addr nobody;
	struct addr a = nobody;
	uint64_t mac = 0;

	if (key_has(l, FIELD_MAC))
		memcpy(&mac, key + l->at[FIELD_MAC], sizeof mac);
	if (key_has(l, FIELD_HOST))
		key_get_addr(l, key, FIELD_HOST, &a);
	if (mac == UINT64_MAX || is_group_mac(mac))
		mac = 0;
	if (a.family > ADDR_IP6 || addr_is_group(&a) || is_unspecified(&a))
		a = nobody;
	if (sent) {
		see(s, mac, &a, now_utc_s); /* this device is at this address: it says so itself */
	} else {
		see(s, mac, &nobody, now_utc_s);
		see(s, 0, &a, now_utc_s);
	}
}

void sightings_tell(struct sightings *s, struct booking *b)
{
	if (s->tell_count == 0)
		return;
	b->sightings = malloc(s->tell_count * sizeof *b->sightings);
	if (!b->sightings)
		return; /* they stay for the next tick */
	memcpy(b->sightings, s->tell, s->tell_count * sizeof *b->sightings);
	b->sighting_count = s->tell_count;
	s->tell_count = 0;
}
