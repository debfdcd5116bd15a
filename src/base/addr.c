/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.c -- addresses as text, a million of them at a time. inet_ntop(3) is the norm. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static char *put_byte(char *to, unsigned b)
{
	if (b >= 100) {
		*to++ = (char)('0' + b / 100);
		b %= 100;
		*to++ = (char)('0' + b / 10);
		b %= 10;
	} else if (b >= 10) {
		*to++ = (char)('0' + b / 10);
		b %= 10;
	}
	*to++ = (char)('0' + b);
	return to;
}

static char *put_ip4(char *to, const uint8_t *b)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			*to++ = '.';
		to = put_byte(to, b[i]);
	}
	return to;
}

static char *put_hex(char *to, unsigned word)
{
	static const char digits[] = "0123456789abcdef";
	unsigned shift = word >= 0x1000 ? 12 : word >= 0x100 ? 8 : word >= 0x10 ? 4 : 0;

	for (;; shift -= 4) {
		*to++ = digits[word >> shift & 15];
		if (shift == 0)
			return to;
	}
}

struct zero_run {
	unsigned from, count; /* words; count < 2 = none worth "::" */
};

/* The first of the longest runs of zero words (RFC 5952 4.2). */
static struct zero_run longest_run(const unsigned words[8])
{
	struct zero_run best = { 8, 1 }, run = { 0, 0 };

	for (unsigned i = 0; i < 8; i++) {
		if (words[i]) {
			run.count = 0;
			continue;
		}
		if (run.count++ == 0)
			run.from = i;
		if (run.count > best.count)
			best = run;
	}
	return best;
}

/* As inet_ntop(3), which takes ten times as long; a test compares them. */
static char *put_ip6(char *to, const uint8_t *b)
{
	unsigned words[8];
	struct zero_run run;
	bool holds_ip4;

	for (unsigned i = 0; i < 8; i++)
		words[i] = (unsigned)b[2 * i] << 8 | b[2 * i + 1];
	run = longest_run(words);
	holds_ip4 = run.from == 0 && (run.count == 6 || (run.count == 5 && words[5] == 0xffff));
	for (unsigned i = 0; i < 8; i++) {
		if (i == run.from) {
			*to++ = ':';
			i += run.count;
			if (i == 8)
				*to++ = ':';
			if (i == 8)
				break;
		}
		if (i)
			*to++ = ':';
		if (i == 6 && holds_ip4)
			return put_ip4(to, b + 12);
		to = put_hex(to, words[i]);
	}
	return to;
}

unsigned addr_format(const struct addr *a, char text[static ADDR_TEXT_MAX])
{
	char *end = text;

	if (a->family == ADDR_IP4)
		end = put_ip4(text, addr_ip4_bytes(a));
	else if (a->family == ADDR_IP6)
		end = put_ip6(text, a->bytes);
	else
		*end++ = '-';
	*end = '\0';
	return (unsigned)(end - text);
}

int addr_parse(struct addr *ret, const char *text)
{
	struct addr a = { .bytes = { [10] = 0xff, [11] = 0xff } };

	if (inet_pton(AF_INET, text, a.bytes + 12) == 1)
		a.family = ADDR_IP4;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = ADDR_IP6;
	else
		return -EINVAL;
	*ret = a;
	return 0;
}

bool addr_is_group(const struct addr *a)
{
	static const uint8_t all_ones[4] = { 255, 255, 255, 255 };

	if (a->family == ADDR_IP4)
		return (a->bytes[12] & 0xf0) == 0xe0 || memcmp(a->bytes + 12, all_ones, 4) == 0;
	return a->family == ADDR_IP6 && a->bytes[0] == 0xff;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

unsigned mac_format(const uint8_t mac[static 6], char text[static MAC_TEXT_MAX])
{
	static const char digits[] = "0123456789abcdef";
	char *to = text;

	for (unsigned i = 0; i < 6; i++) {
		if (i)
			*to++ = ':';
		*to++ = digits[mac[i] >> 4];
		*to++ = digits[mac[i] & 15];
	}
	*to = '\0';
	return MAC_TEXT_MAX - 1;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(uint8_t ret[static 6], const char *text)
{
	uint8_t mac[6];

	for (unsigned i = 0; i < 6; i++) {
		int high, low;

		if (i && *text != ':' && *text != '-')
			return -EINVAL;
		text += i != 0;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return -EINVAL;
	memcpy(ret, mac, sizeof mac);
	return 0;
}
