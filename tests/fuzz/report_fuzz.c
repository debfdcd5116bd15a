/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_fuzz.c -- any bytes as a report datagram: as they come, and signed rightly, to see what lies behind the signature. */
#include "reports/receiver.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "secret"
#define NOW_US INT64_C(1763800000000000)

static uint64_t booked;

static void on_batch(void *arg, const struct report_batch *b)
{
	(void)arg;
	booked += b->count;
	for (unsigned i = 0; i < b->count; i++) {
		const struct report *r = &b->reports[i];

		if (r->type >= b->type_count || r->server >= b->server_count || r->bytes >> 56 || (r->requests | r->packets) == 0)
			abort();
		if (r->client.family != ADDR_IP4 && r->client.family != ADDR_IP6)
			abort();
		if (b->servers[r->server].addr.family == ADDR_NONE || b->types[r->type].len > LAYOUT_NAME_MAX)
			abort();
	}
}

static struct receiver *open_receiver(void)
{
	struct receiver_config cf = { .opened_utc_us = 0, .book = on_batch };
	struct receiver *r = NULL;
	struct keys *k = NULL;
	struct slice secret = { (const uint8_t *)SECRET, sizeof SECRET - 1 };

	if (keys_new(&k, NULL) < 0 || keys_add(k, "k", secret, NULL) < 0 || keys_set_trafstat(k, secret, NULL) < 0 ||
	    receiver_open(&r, &cf, k, NULL) < 0)
		abort();
	return r;
}

/* The key's id, the time and the signature are put right; all else is the fuzzer's. */
static size_t sign(uint8_t *to, const uint8_t *data, size_t size)
{
	static const uint8_t label[] = LAYOUT_KEY_LABEL;
	uint8_t id[32];

	if (size < LAYOUT_HEAD || size > LAYOUT_DATAGRAM_MAX - LAYOUT_SIGNATURE)
		return 0;
	memcpy(to, data, size);
	memcpy(to, LAYOUT_MAGIC, 4);
	HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, label, sizeof label - 1, id, NULL);
	memcpy(to + LAYOUT_AT_KEY, id, LAYOUT_KEY_ID);
	for (unsigned i = 0; i < 8; i++)
		to[LAYOUT_AT_TIME + i] = (uint8_t)((uint64_t)NOW_US >> (56 - 8 * i));
	HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, to, size, to + size, NULL);
	return size + LAYOUT_SIGNATURE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[LAYOUT_DATAGRAM_MAX];
	static struct receiver *r; /* sessions add up, as in a daemon */
	struct addr from = { .family = ADDR_IP4 };
	const struct report_counters *c;
	uint64_t all;
	size_t len = sign(copy, data, size);

	if (!r)
		r = open_receiver();
	receiver_take(r, (struct slice){ data, size }, &from, false, NOW_US);
	if (len)
		receiver_take(r, (struct slice){ copy, len }, &from, false, NOW_US);
	receiver_flush(r);
	c = receiver_counters(r);
	all = c->booked_datagrams;
	for (unsigned i = 0; i < REFUSALS_COUNT; i++)
		all += c->refused[i];
	if (all != c->datagrams || booked != c->booked_records)
		abort();
	return 0;
}
