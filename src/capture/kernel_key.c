/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_key.c -- from the words of a slot (bpf/tally_shared.h) to a key of the model (model/key.h). */
#include "capture/kernel.h"

#include <string.h>

static uint64_t small(const struct kernel_entry *entry, unsigned shift, unsigned bits)
{
	return entry->key[TALLY_SMALL] >> shift & ((UINT64_C(1) << bits) - 1);
}

static void put(const struct key_layout *l, uint8_t *key, enum field f, const void *value, size_t size)
{
	if (key_has(l, f))
		memcpy(key + l->at[f], value, size);
}

static void put_u8(const struct key_layout *l, uint8_t *key, enum field f, uint64_t value)
{
	const uint8_t v = (uint8_t)value;

	put(l, key, f, &v, sizeof v);
}

static void put_u16(const struct key_layout *l, uint8_t *key, enum field f, uint64_t value)
{
	const uint16_t v = (uint16_t)value;

	put(l, key, f, &v, sizeof v);
}

static void put_u32(const struct key_layout *l, uint8_t *key, enum field f, uint64_t value)
{
	const uint32_t v = (uint32_t)value;

	put(l, key, f, &v, sizeof v);
}

static void put_hosts(const struct kernel_entry *entry, const struct key_layout *l, uint8_t *key)
{
	static const uint8_t families[4] = { [TALLY_IP4] = ADDR_IP4, [TALLY_IP6] = ADDR_IP6 };
	const uint8_t family = families[small(entry, TALLY_FAMILY_SHIFT, 2)];

	put(l, key, FIELD_HOST, &entry->key[TALLY_HOST], 16);
	put(l, key, FIELD_SRC_HOST, &entry->key[TALLY_SRC_HOST], 16);
	put(l, key, FIELD_DST_HOST, &entry->key[TALLY_DST_HOST], 16);
	put_u8(l, key, FIELD_HOST_FAMILY, family);
	put_u8(l, key, FIELD_SRC_FAMILY, family);
	put_u8(l, key, FIELD_DST_FAMILY, family);
}

static void put_small(const struct kernel_entry *entry, const struct key_layout *l, uint8_t *key)
{
	put_u16(l, key, FIELD_PROTO, small(entry, TALLY_PROTO_SHIFT, 9));
	put_u16(l, key, FIELD_VLAN, small(entry, TALLY_VLAN_SHIFT, 13));
	put_u32(l, key, FIELD_ETHERTYPE, small(entry, TALLY_ETHERTYPE_SHIFT, 17));
	put_u8(l, key, FIELD_DIRECTION, small(entry, TALLY_DIRECTION_SHIFT, 2));
	put_u8(l, key, FIELD_LOCALITY, small(entry, TALLY_LOCALITY_SHIFT, 2));
}

void kernel_key_unpack(const struct kernel_entry *entry, const struct key_layout *l, const uint32_t *service_ids,
		       size_t service_count, uint8_t *key)
{
	const uint64_t service = small(entry, TALLY_SERVICE_SHIFT, 16);

	memset(key, 0, l->size);
	if (entry->other) {
		key_set_other(l, key);
		put_u32(l, key, FIELD_INTERFACE, 0);
		put_u8(l, key, FIELD_LOCALITY, small(entry, TALLY_LOCALITY_SHIFT, 2));
		return;
	}
	put_small(entry, l, key);
	if (service && service <= service_count)
		put_u32(l, key, FIELD_SERVICE, service_ids[service - 1]);
	put(l, key, FIELD_MAC, &entry->key[TALLY_MAC], 8);
	put(l, key, FIELD_SRC_MAC, &entry->key[TALLY_SRC_MAC], 8);
	put(l, key, FIELD_DST_MAC, &entry->key[TALLY_DST_MAC], 8);
	put_u32(l, key, FIELD_SRC_PORT, entry->key[TALLY_PORTS]);
	put_u32(l, key, FIELD_DST_PORT, entry->key[TALLY_PORTS] >> 32);
	put_hosts(entry, l, key);
}
