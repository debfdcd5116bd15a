/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/attribution.h"

static void put(const struct key_layout *l, uint8_t *key, enum field f, const void *value)
{
	if (key_has(l, f))
		memcpy(key + l->at[f], value, field_width(f));
}

/* What was booked under `other` belongs to none, so what is derived from it is `other` too. */
static bool is_other(const struct derivation *d, const uint8_t *key)
{
	return (d->bases & FIELD_BIT(FIELD_HOST) && key_field_is_other(d->from, key, FIELD_HOST)) ||
	       (d->bases & FIELD_BIT(FIELD_MAC) && key_field_is_other(d->from, key, FIELD_MAC));
}

static void set_other(const struct key_layout *l, uint8_t *key)
{
	for (uint64_t left = l->fields & FIELDS_DERIVED; left; left &= left - 1) {
		enum field f = (enum field)__builtin_ctzll(left);

		memset(key + l->at[f], 0xff, field_width(f));
	}
}

static void find(const struct derivation *d, const uint8_t *key, struct attribution *ret)
{
	uint32_t router = d->router;
	struct addr host = { 0 };
	uint64_t mac = 0;

	*ret = (struct attribution){ 0 };
	if (!d->attributor)
		return;
	if (d->bases & FIELD_BIT(FIELD_HOST))
		key_get_addr(d->from, key, FIELD_HOST, &host);
	if (d->bases & FIELD_BIT(FIELD_MAC))
		memcpy(&mac, key + d->from->at[FIELD_MAC], sizeof mac);
	if (key_has(d->from, FIELD_ROUTER))
		memcpy(&router, key + d->from->at[FIELD_ROUTER], sizeof router);
	d->attributor->find(d->attributor->arg, d->to->fields & FIELDS_DERIVED, router, &host, mac, ret);
}

static void put_all(const struct key_layout *l, uint8_t *key, const struct attribution *at)
{
	put(l, key, FIELD_PREFIX, &at->prefix);
	put(l, key, FIELD_AS_PATH, &at->as_path);
	put(l, key, FIELD_ORIGIN_AS, &at->origin_as);
	put(l, key, FIELD_NEIGHBOUR_AS, &at->neighbour_as);
	put(l, key, FIELD_COUNTRY, &at->country);
	put(l, key, FIELD_VENDOR, &at->vendor);
	put(l, key, FIELD_NAME, &at->name);
}

void derive_keys(const struct derivation *d, const uint8_t *from_key, uint64_t to_key[static KEY_WORDS_MAX],
		 void (*emit)(void *arg, uint64_t key[static KEY_WORDS_MAX]), void *arg)
{
	struct attribution at;

	if (is_other(d, from_key)) {
		set_other(d->to, (uint8_t *)to_key);
		emit(arg, to_key);
		return;
	}
	find(d, from_key, &at);
	put_all(d->to, (uint8_t *)to_key, &at);
	if (!key_has(d->to, FIELD_TRANSIT_AS) || at.transit_count == 0) {
		emit(arg, to_key);
		return;
	}
	for (size_t i = 0; i < at.transit_count; i++) {
		uint64_t one[KEY_WORDS_MAX], as = AS_KEY(at.transit[i]);

		memcpy(one, to_key, sizeof one);
		put(d->to, (uint8_t *)one, FIELD_TRANSIT_AS, &as);
		emit(arg, one);
	}
}
