/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts(5); the leases of dnsmasq, a line each; of which kind a file of leases is. */
#include "names/host_files.h"

#include "names/name_text.h"

#include <string.h>

/* "fe80::1%eth0" is fe80::1. */
static bool parse_addr(struct slice s, struct addr *ret)
{
	const uint8_t *zone = s.len ? memchr(s.at, '%', s.len) : NULL;
	char text[ADDR_TEXT_MAX];

	if (zone)
		s.len = (size_t)(zone - s.at);
	return slice_text(s, text, sizeof text) && addr_parse(ret, text) == 0;
}

int hosts_parse(struct known *k, struct slice text, struct host_file_counts *counts)
{
	while (text.len) {
		struct slice line = slice_line(&text), word;
		const uint8_t *comment = line.len ? memchr(line.at, '#', line.len) : NULL;
		struct known_row row = { .until_utc_s = INT64_MAX };
		struct name_text name;
		int r;

		if (comment)
			line.len = (size_t)(comment - line.at);
		word = slice_word(&line);
		if (word.len == 0)
			continue;
		if (!parse_addr(word, &row.host) || !name_text_of(&name, slice_word(&line))) {
			counts->left_out++;
			continue;
		}
		row.name = name.at;
		r = known_add(k, &row, true);
		if (r < 0)
			return r;
		counts->rows++;
	}
	return 0;
}

/* "aa:bb:cc:dd:ee:ff"; with another type of hardware before it ("06-...") it is no MAC of ours. */
static uint64_t parse_mac(struct slice s)
{
	char text[MAC_TEXT_MAX];
	uint8_t mac[6];

	return slice_text(s, text, sizeof text) && mac_parse(mac, text) == 0 ? mac_key_of(mac) : 0;
}

static bool parse_hex_byte(const uint8_t *at, uint8_t *ret)
{
	unsigned value = 0;

	for (unsigned i = 0; i < 2; i++) {
		uint8_t c = at[i] | 0x20;

		if (at[i] >= '0' && at[i] <= '9')
			value = value << 4 | (unsigned)(at[i] - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (unsigned)(c - 'a' + 10);
		else
			return false;
	}
	*ret = (uint8_t)value;
	return true;
}

/* RFC 8415 11.2, 11.4: a DUID of the types 1 and 3 ends with a link-layer address; hardware type 1 is Ethernet. */
static uint64_t mac_of_duid(struct slice s)
{
	uint8_t bytes[14];
	size_t count = (s.len + 1) / 3;

	if ((count != 10 && count != 14) || s.len != count * 3 - 1)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (!parse_hex_byte(s.at + i * 3, &bytes[i]) || (i + 1 < count && s.at[i * 3 + 2] != ':'))
			return 0;
	if (bytes[0] != 0 || bytes[1] != (count == 14 ? 1 : 3) || bytes[2] != 0 || bytes[3] != 1)
		return 0;
	return mac_key_of(bytes + count - 6);
}

/* EXPIRY MAC ADDRESS NAME CLIENT-ID; behind a line "duid ..." EXPIRY IAID ADDRESS NAME DUID. "*": none. */
static int dnsmasq_line(struct known *k, struct slice line, struct host_file_counts *counts)
{
	struct slice words[5];
	struct known_row row = { .name = "", .until_utc_s = INT64_MAX };
	struct name_text name;

	for (unsigned i = 0; i < 5; i++)
		words[i] = slice_word(&line);
	if (words[0].len == 0 || slice_is(words[0], "duid"))
		return 0;
	if (!slice_number(words[0], &row.until_utc_s) || !parse_addr(words[2], &row.host)) {
		counts->left_out++;
		return 0;
	}
	if (row.until_utc_s == 0)
		row.until_utc_s = INT64_MAX; /* a lease without end */
	row.mac = row.host.family == ADDR_IP4 ? parse_mac(words[1]) : mac_of_duid(words[4]);
	if (!slice_is(words[3], "*") && name_text_of(&name, words[3]))
		row.name = name.at;
	counts->rows++;
	return known_add(k, &row, false);
}

int leases_dnsmasq_parse(struct known *k, struct slice text, struct host_file_counts *counts)
{
	int r = 0;

	while (text.len && r == 0)
		r = dnsmasq_line(k, slice_line(&text), counts);
	return r;
}

int leases_parse(struct known *k, struct slice text, struct host_file_counts *counts)
{
	struct slice rest = text, word = slice_word(&rest);
	int64_t number;

	if (word.len >= 8 && memcmp(word.at, "address,", 8) == 0)
		return leases_kea_parse(k, text, counts);
	if (slice_number(word, &number) || slice_is(word, "duid"))
		return leases_dnsmasq_parse(k, text, counts);
	return leases_isc_parse(k, text, counts);
}
