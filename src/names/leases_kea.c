/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leases of Kea (memfile backend): CSV, appended to; the last line for an address counts. Columns are found by their names
 * in the first line, because versions differ. A comma inside a field is written "&#x2c". */
#include "names/host_files.h"
#include "names/name_text.h"

#include <string.h>

enum column { ADDRESS, HWADDR, LIFETIME, EXPIRE, LEASE_TYPE, HOSTNAME, STATE, COLUMNS };

static const char *const names[COLUMNS] = {
	[ADDRESS] = "address", [HWADDR] = "hwaddr", [LIFETIME] = "valid_lifetime", [EXPIRE] = "expire",
	[LEASE_TYPE] = "lease_type", [HOSTNAME] = "hostname", [STATE] = "state",
};

static struct slice take_field(struct slice *line, bool *more)
{
	const uint8_t *comma = line->len ? memchr(line->at, ',', line->len) : NULL;
	struct slice field = { line->at, comma ? (size_t)(comma - line->at) : line->len };
	size_t taken = field.len + (comma != NULL);

	line->at += taken;
	line->len -= taken;
	*more = comma != NULL;
	return field;
}

static void read_header(struct slice line, int at[static COLUMNS])
{
	bool more = true;

	for (int c = 0; c < COLUMNS; c++)
		at[c] = -1;
	for (int i = 0; more && i < 64; i++) {
		struct slice field = take_field(&line, &more);

		for (int c = 0; c < COLUMNS; c++)
			if (slice_is(field, names[c]))
				at[c] = i;
	}
}

static void split(struct slice line, const int at[static COLUMNS], struct slice ret[static COLUMNS])
{
	bool more = true;

	memset(ret, 0, COLUMNS * sizeof *ret);
	for (int i = 0; more && i < 64; i++) {
		struct slice field = take_field(&line, &more);

		for (int c = 0; c < COLUMNS; c++)
			if (at[c] == i)
				ret[c] = field;
	}
}

static int hex_digit(uint8_t c)
{
	const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* "&#x2c" */
static bool is_escape(const uint8_t *at, size_t left)
{
	return left >= 5 && memcmp(at, "&#x", 3) == 0 && hex_digit(at[3]) >= 0 && hex_digit(at[4]) >= 0;
}

/* Into `buf`; a name is far shorter than that. */
static struct slice unescape(struct slice s, uint8_t *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < s.len && used < size; i++) {
		if (is_escape(s.at + i, s.len - i)) {
			buf[used++] = (uint8_t)(hex_digit(s.at[i + 3]) << 4 | hex_digit(s.at[i + 4]));
			i += 4;
		} else {
			buf[used++] = s.at[i];
		}
	}
	return (struct slice){ buf, used };
}

static int add_line(struct known *k, const struct slice f[static COLUMNS], struct host_file_counts *counts)
{
	struct known_row row = { .name = "", .until_utc_s = INT64_MAX };
	char address[ADDR_TEXT_MAX], hwaddr[MAC_TEXT_MAX];
	int64_t lifetime = 1, state = 0, type = 0;
	uint8_t mac[6], raw[NAME_TEXT_MAX];
	struct name_text name;

	if (!slice_text(f[ADDRESS], address, sizeof address) || addr_parse(&row.host, address) < 0 ||
	    !slice_number(f[EXPIRE], &row.until_utc_s)) {
		counts->left_out++;
		return 0;
	}
	slice_number(f[LIFETIME], &lifetime);
	slice_number(f[STATE], &state);
	slice_number(f[LEASE_TYPE], &type);
	counts->rows++;
	if (lifetime == 0 || state != 0 || type == 2) { /* released; declined, expired; a prefix is no host */
		if (type != 2)
			known_remove(k, &row.host);
		return 0;
	}
	if (slice_text(f[HWADDR], hwaddr, sizeof hwaddr) && mac_parse(mac, hwaddr) == 0)
		row.mac = mac_key_of(mac);
	if (name_text_of(&name, unescape(f[HOSTNAME], raw, sizeof raw)))
		row.name = name.at;
	return known_add(k, &row, false);
}

int leases_kea_parse(struct known *k, struct slice text, struct host_file_counts *counts)
{
	struct slice fields[COLUMNS];
	int at[COLUMNS], r = 0;

	read_header(slice_line(&text), at);
	while (text.len && r == 0) {
		struct slice line = slice_line(&text);

		if (line.len == 0)
			continue;
		split(line, at, fields);
		if (!slice_is(fields[ADDRESS], "address")) /* files of two versions, one behind the other */
			r = add_line(k, fields, counts);
		else
			read_header(line, at);
	}
	return r;
}
