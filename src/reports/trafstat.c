/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reports/trafstat.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { AT_TIME = 0, AT_BYTES = 8, AT_TYPE = 16, AT_SECONDS = 20, AT_RETRANSMITS = 24, AT_MSS = 28, AT_IP = 32 };

struct trafstat {
	EVP_MD *sha1;
	EVP_MD_CTX *digest;
	uint8_t secret[TRAFSTAT_SECRET_MAX]; /* padded with zeros */
};

static uint32_t le32(const uint8_t *b)
{
	return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static uint64_t le64(const uint8_t *b)
{
	return (uint64_t)le32(b + 4) << 32 | le32(b);
}

int trafstat_open(struct trafstat **ret, struct slice secret, struct err *e)
{
	struct trafstat *t;

	if (secret.len == 0 || secret.len > TRAFSTAT_SECRET_MAX)
		return err_set(e, -EINVAL, "trafstat's secret has 1 to %d bytes, this one %zu", TRAFSTAT_SECRET_MAX, secret.len);
	t = calloc(1, sizeof *t);
	if (t) {
		t->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
		t->digest = EVP_MD_CTX_new();
	}
	if (!t || !t->sha1 || !t->digest) {
		trafstat_close(&t);
		return err_set(e, -ENOMEM, "libcrypto gives no SHA-1");
	}
	memcpy(t->secret, secret.at, secret.len);
	*ret = t;
	return 0;
}

void trafstat_close(struct trafstat **pt)
{
	struct trafstat *t = *pt;

	if (!t)
		return;
	EVP_MD_CTX_free(t->digest);
	EVP_MD_free(t->sha1);
	OPENSSL_cleanse(t->secret, sizeof t->secret);
	free(t);
	*pt = NULL;
}

bool trafstat_is_signed(struct trafstat *t, const uint8_t *datagram)
{
	uint8_t sign[EVP_MAX_MD_SIZE];

	/* without a digest named, the context goes on with the one it has */
	return EVP_DigestInit_ex2(t->digest, EVP_MD_CTX_get0_md(t->digest) ? NULL : t->sha1, NULL) == 1 &&
	       EVP_DigestUpdate(t->digest, datagram, TRAFSTAT_SIGNED_AT) == 1 &&
	       EVP_DigestUpdate(t->digest, t->secret, sizeof t->secret) == 1 &&
	       EVP_DigestFinal_ex(t->digest, sign, NULL) == 1 &&
	       CRYPTO_memcmp(sign, datagram + TRAFSTAT_SIGNED_AT, sizeof t->secret) == 0;
}

bool trafstat_is_fresh(const uint8_t *datagram, int64_t utc_s)
{
	uint64_t time = le64(datagram + AT_TIME), now = (uint64_t)utc_s;

	return time >= now - TRAFSTAT_TOLERANCE_S && time <= now + TRAFSTAT_TOLERANCE_S;
}

/* inet_pton() is half of a datagram's cost; nearly all addresses are of this form. */
static bool parse_ip4(struct addr *ret, const char *text)
{
	uint8_t *to = ret->bytes + 12;

	for (unsigned i = 0; i < 4; i++) {
		unsigned value = 0, digits = 0;

		for (; *text >= '0' && *text <= '9' && digits < 3; text++, digits++)
			value = value * 10 + (unsigned)(*text - '0');
		if (digits == 0 || value > 255 || (digits == 2 && value < 10) || (digits == 3 && value < 100) ||
		    *text != (i < 3 ? '.' : '\0'))
			return false;
		to[i] = (uint8_t)value;
		text++;
	}
	memset(ret->bytes, 0, 10);
	ret->bytes[10] = ret->bytes[11] = 0xff;
	ret->family = ADDR_IP4;
	memset(ret->zero, 0, sizeof ret->zero);
	return true;
}

int trafstat_read(struct report *ret, uint32_t *ret_type, const uint8_t *datagram)
{
	const char *ip = (const char *)datagram + AT_IP;
	uint32_t mss = le32(datagram + AT_MSS);
	struct addr client;

	if (!memchr(ip, '\0', ADDR_TEXT_MAX) || (!parse_ip4(&client, ip) && addr_parse(&client, ip) < 0))
		return -EBADMSG;
	*ret = (struct report){
		.client = client,
		.bytes = le64(datagram + AT_BYTES),
		.packets = mss ? le64(datagram + AT_BYTES) / mss : 0,
		.retransmits = le32(datagram + AT_RETRANSMITS),
		.requests = 1,
		.duration_us = UINT64_C(1000000) * le32(datagram + AT_SECONDS),
	};
	*ret_type = le32(datagram + AT_TYPE);
	return 0;
}
