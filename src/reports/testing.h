/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.h -- datagrams made by hand for the unit tests, right or wrong in any place. */
#ifndef NETTALLY_REPORTS_TESTING_H
#define NETTALLY_REPORTS_TESTING_H

#include "reports/layout.h"
#include "reports/trafstat.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define TEST_SECRET "0123456789abcdef0123456789abcdef"
#define TEST_NOW_US INT64_C(1763800000000000)

struct datagram {
	size_t len;
	uint8_t bytes[LAYOUT_DATAGRAM_MAX + 100];
};

static inline struct slice datagram_slice(const struct datagram *d)
{
	return (struct slice){ d->bytes, d->len };
}

static inline void put_number(uint8_t *to, unsigned bytes, uint64_t value)
{
	while (bytes-- > 0) {
		to[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static inline void datagram_put(struct datagram *d, const void *bytes, size_t len)
{
	memcpy(d->bytes + d->len, bytes, len);
	d->len += len;
}

/* A head with the sender's name "web1", without types, servers and records. */
static inline void datagram_head(struct datagram *d, uint64_t sequence, uint64_t before)
{
	uint8_t id[32];

	*d = (struct datagram){ .len = LAYOUT_HEAD };
	HMAC(EVP_sha256(), TEST_SECRET, sizeof TEST_SECRET - 1, (const uint8_t *)LAYOUT_KEY_LABEL,
	     sizeof LAYOUT_KEY_LABEL - 1, id, NULL);
	memcpy(d->bytes, LAYOUT_MAGIC, 4);
	d->bytes[LAYOUT_AT_VERSION] = LAYOUT_VERSION;
	memcpy(d->bytes + LAYOUT_AT_KEY, id, LAYOUT_KEY_ID);
	put_number(d->bytes + LAYOUT_AT_TIME, 8, TEST_NOW_US);
	put_number(d->bytes + LAYOUT_AT_BEGAN, 8, TEST_NOW_US - 1000000);
	put_number(d->bytes + LAYOUT_AT_SEQUENCE, 8, sequence);
	put_number(d->bytes + LAYOUT_AT_BEFORE, 8, before);
	put_number(d->bytes + LAYOUT_AT_NONCE, 4, 0x12345678);
	d->bytes[LAYOUT_AT_SENDER_LENGTH] = 4;
	datagram_put(d, "web1", 4);
}

/* One type "video", one server 192.0.2.1 port 443. Before any record. */
static inline void datagram_tables(struct datagram *d)
{
	d->bytes[LAYOUT_AT_TYPES] = 1;
	d->bytes[LAYOUT_AT_SERVERS] = 1;
	datagram_put(d, "\5video" "\4\xc0\0\2\1\1\xbb", 6 + 7);
}

/* 198.51.100.LAST: 300 bytes, 2 packets, 1 retransmit, 1 request, 1000 us, 500 us. */
static inline void datagram_record(struct datagram *d, uint8_t last)
{
	uint8_t record[] = { 0, 0, 4, 198, 51, 100, last, 0xac, 2, 2, 1, 1, 0xe8, 7, 0xf4, 3 };

	datagram_put(d, record, sizeof record);
	d->bytes[LAYOUT_AT_RECORDS + 1]++;
}

static inline void datagram_sign(struct datagram *d)
{
	HMAC(EVP_sha256(), TEST_SECRET, sizeof TEST_SECRET - 1, d->bytes, d->len, d->bytes + d->len, NULL);
	d->len += LAYOUT_SIGNATURE;
}

/* A right one with `records` records. */
static inline void datagram_make(struct datagram *d, uint64_t sequence, uint64_t before, unsigned records)
{
	datagram_head(d, sequence, before);
	datagram_tables(d);
	for (unsigned i = 0; i < records; i++)
		datagram_record(d, (uint8_t)i);
	datagram_sign(d);
}

/* The old protocol's, from numbers in their order. */
struct old_report {
	uint64_t time_s, bytes;
	uint32_t type, seconds, retransmits, mss;
	const char *ip;
};

static inline void put_little(uint8_t *to, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static inline void old_make(uint8_t d[static TRAFSTAT_LENGTH], const struct old_report *r, const char *secret)
{
	memset(d, 0, TRAFSTAT_LENGTH);
	put_little(d, 8, r->time_s);
	put_little(d + 8, 8, r->bytes);
	put_little(d + 16, 4, r->type);
	put_little(d + 20, 4, r->seconds);
	put_little(d + 24, 4, r->retransmits);
	put_little(d + 28, 4, r->mss);
	snprintf((char *)d + 32, 256, "%s", r->ip);
	memcpy(d + TRAFSTAT_SIGNED_AT, secret, strlen(secret));
	SHA1(d, TRAFSTAT_LENGTH, d + TRAFSTAT_SIGNED_AT);
}

#endif
