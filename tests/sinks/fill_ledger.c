/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fill_ledger -- books made-up windows into a ledger while no daemon has it, for the tests and benches of sinks.
 *
 *   fill_ledger LEDGER NAME BY EVERY START WINDOWS KEYS SEED
 *
 * Account NAME by the fields BY (of mac, host, service, src_port, proto), WINDOWS windows of EVERY seconds from START on
 * (seconds UTC), KEYS records each, with counters from SEED; what is there already is added to. Devices are seen, too. */
#include "ledger/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint64_t next_random(void) /* xorshift64* */
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(2685821657736338717);
}

static uint64_t mac_of(uint32_t n)
{
	return UINT64_C(1) << 48 | UINT64_C(0x020000000000) | n;
}

static void addr_of(uint32_t n, struct addr *ret)
{
	char text[32];

	if (n % 4 == 3)
		snprintf(text, sizeof text, "2001:db8::%x:%x", n >> 16, n & 0xffff);
	else
		snprintf(text, sizeof text, "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
	addr_parse(ret, text);
}

/* Services are awkward on purpose: their texts go through every escape there is. */
static uint32_t service_of(uint32_t n, struct strings *strings)
{
	static const char *const names[] = { "https", "a b", "a,b=c", "back\\slash\\", "\"quoted\"", "tab\there", "grün",
			"no\xffutf8" };
	char text[64];

	snprintf(text, sizeof text, "%s%s%u", names[n % 8], n % 16 < 8 ? "" : "\\,", n);
	return strings_add(strings, text);
}

static void make_key(const struct account *a, uint8_t *key, uint32_t n, struct strings *strings)
{
	const struct key_layout *l = &a->layout;
	struct addr addr;
	uint64_t mac = mac_of(n);
	uint32_t port = 1u << 16 | (n & 0xffff), service = service_of(n, strings);
	uint16_t proto = (uint16_t)(1u << 8 | (n % 3 == 0 ? 6 : 17));

	memset(key, 0, l->size);
	if (n == 0)
		return; /* nothing known */
	addr_of(n, &addr);
	if (key_has(l, FIELD_HOST)) {
		memcpy(key + l->at[FIELD_HOST], addr.bytes, 16);
		key[l->at[FIELD_HOST_FAMILY]] = addr.family;
	}
	if (key_has(l, FIELD_MAC))
		memcpy(key + l->at[FIELD_MAC], &mac, sizeof mac);
	if (key_has(l, FIELD_SRC_PORT))
		memcpy(key + l->at[FIELD_SRC_PORT], &port, sizeof port);
	if (key_has(l, FIELD_SERVICE))
		memcpy(key + l->at[FIELD_SERVICE], &service, sizeof service);
	if (key_has(l, FIELD_PROTO))
		memcpy(key + l->at[FIELD_PROTO], &proto, sizeof proto);
}

static void fill(struct batch *b, uint32_t keys, struct strings *strings)
{
	for (uint32_t i = 0; i < keys; i++) {
		uint8_t *record = b->records + i * record_size(b->account);
		struct party_tally t = { .rx = { next_random() % 1000 + 1 }, .tx = { next_random() % 1000 + 1 } };

		t.rx.l3_bytes = t.rx.packets * (next_random() % 1400 + 40);
		t.rx.l2_bytes = t.rx.l3_bytes + 14 * t.rx.packets;
		t.tx.l3_bytes = t.tx.packets * (next_random() % 1400 + 40);
		t.tx.l2_bytes = t.tx.l3_bytes + 14 * t.tx.packets;
		make_key(b->account, record, i, strings);
		memcpy(record + b->account->layout.size, &t, sizeof t);
	}
	b->count = keys;
}

static struct booking *make_booking(struct account *a, int64_t window, uint32_t keys, struct strings *strings)
{
	struct booking *b = booking_new();

	b->taken_utc_s = window + a->every_s + 5;
	b->batches = calloc(1, sizeof *b->batches);
	b->batches[0] = (struct batch){ .account = account_ref(a), .window_utc_s = window, .room = keys,
					.records = calloc(keys, record_size(a)) };
	b->batch_count = 1;
	fill(b->batches, keys, strings);
	return b;
}

static void add_sightings(struct booking *b, uint32_t keys)
{
	b->sightings = calloc(keys, sizeof *b->sightings);
	for (uint32_t i = 1; i < keys; i++) {
		b->sightings[b->sighting_count].mac = mac_of(i);
		addr_of(i, &b->sightings[b->sighting_count++].addr);
	}
}

static int work(struct ledger *l, struct account *a, char **argv, struct strings *strings, struct err *e)
{
	int64_t start = strtoll(argv[5], NULL, 10);
	uint32_t windows = (uint32_t)strtoul(argv[6], NULL, 10), keys = (uint32_t)strtoul(argv[7], NULL, 10);
	int r = ledger_define(l, &a, 1, e);

	state = strtoull(argv[8], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	start -= start % a->every_s;
	for (uint32_t i = 0; i < windows && r == 0; i++) {
		struct booking *b = make_booking(a, start + (int64_t)i * a->every_s, keys, strings);

		if (i == 0)
			add_sightings(b, keys < 1000 ? keys : 1000);
		r = ledger_book(l, b, e);
		booking_free(&b);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct account *a = account_new();
	struct strings *strings;
	struct ledger *l = NULL;
	struct err e = { 0 };

	if (argc != 9 || !a || strings_new(&strings) < 0) {
		fprintf(stderr, "usage: fill_ledger LEDGER NAME BY EVERY START WINDOWS KEYS SEED\n");
		return 2;
	}
	snprintf(a->name, sizeof a->name, "%s", argv[2]);
	a->every_s = (uint32_t)strtoul(argv[4], NULL, 10);
	int r = field_list_parse(a->by, &a->by_count, argv[3], &e);
	if (r == 0)
		r = account_finish(a, &e);
	if (r == 0)
		r = ledger_open(&l, argv[1], &(struct ledger_options){ .strings = strings }, &e);
	if (r == 0)
		r = work(l, a, argv, strings, &e);
	if (r < 0)
		fprintf(stderr, "fill_ledger: %s\n", e.msg);
	ledger_close(&l);
	account_unref(&a);
	strings_free(&strings);
	return r < 0;
}
