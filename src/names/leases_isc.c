/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcpd.leases(5): statements of words and strings, in blocks `lease ADDRESS { ... }` and, of DHCPv6, `iaaddr ADDRESS { ... }`.
 * The file is a journal: the last block for an address counts. */
#include "names/host_files.h"
#include "names/name_text.h"

#include <string.h>
#include <time.h>

#define WORDS_MAX 8
#define DEPTH_MAX 16

/* A statement's words, up to its ';', '{' or '}'. Strings are without their quotes; `raw` has their bytes. */
struct statement {
	struct slice words[WORDS_MAX];
	unsigned count;
	uint8_t raw[512];
	size_t raw_used;
	char end;              /* ; { } or 0: the text is over */
};

static bool is_octal(struct slice s, size_t at)
{
	for (size_t i = at; i < at + 3; i++)
		if (i >= s.len || s.at[i] < '0' || s.at[i] > '7')
			return false;
	return true;
}

/* Behind the opening quote; bytes that do not fit are left out, and so is the name. */
static void take_string(struct slice *rest, struct statement *st)
{
	size_t begin = st->raw_used, i = 0;

	for (; i < rest->len && rest->at[i] != '"'; i++) {
		uint8_t byte = rest->at[i];

		if (byte == '\\' && is_octal(*rest, i + 1)) {
			byte = (uint8_t)((rest->at[i + 1] - '0') << 6 | (rest->at[i + 2] - '0') << 3 | (rest->at[i + 3] - '0'));
			i += 3;
		} else if (byte == '\\' && i + 1 < rest->len) {
			byte = rest->at[++i];
		}
		if (st->raw_used < sizeof st->raw)
			st->raw[st->raw_used++] = byte;
	}
	if (st->count < WORDS_MAX)
		st->words[st->count++] = (struct slice){ st->raw + begin, st->raw_used - begin };
	i += i < rest->len;
	rest->at += i;
	rest->len -= i;
}

static void take_plain(struct slice *rest, struct statement *st)
{
	size_t len = 0;

	while (len < rest->len && !strchr(" \t\r\n\f\v;{}\"#", rest->at[len]))
		len++;
	if (len == 0)
		len = 1; /* a byte 0: strchr() finds it */
	if (st->count < WORDS_MAX)
		st->words[st->count++] = (struct slice){ rest->at, len };
	rest->at += len;
	rest->len -= len;
}

static void skip(struct slice *rest, size_t count)
{
	rest->at += count;
	rest->len -= count;
}

static void take_statement(struct slice *rest, struct statement *st)
{
	st->count = 0;
	st->raw_used = 0;
	st->end = 0;
	while (rest->len && !st->end) {
		uint8_t c = *rest->at;

		if (c == '#') {
			slice_line(rest);
		} else if (c == '"') {
			skip(rest, 1);
			take_string(rest, st);
		} else if (c == ';' || c == '{' || c == '}') {
			st->end = (char)c;
			skip(rest, 1);
		} else if (c == ' ' || (c >= '\t' && c <= '\r')) {
			skip(rest, 1);
		} else {
			take_plain(rest, st);
		}
	}
}

/* "2026/11/22", "10:00:00" in UTC. */
static bool parse_time(struct slice day, struct slice clock, int64_t *ret_utc_s)
{
	char text[48];
	struct tm tm = { 0 };
	size_t n = day.len;

	if (n + clock.len + 2 > sizeof text || !slice_text(day, text, n + 1))
		return false;
	text[n] = ' ';
	if (!slice_text(clock, text + n + 1, sizeof text - n - 1))
		return false;
	const char *end = strptime(text, "%Y/%m/%d %H:%M:%S", &tm);
	if (!end || *end)
		return false;
	*ret_utc_s = timegm(&tm);
	return true;
}

/* `ends 4 2026/11/22 10:00:00`, `ends never`, `ends epoch 1700000000`. */
static void read_ends(const struct statement *st, struct known_row *row)
{
	int64_t at;

	if (st->count == 2 && slice_is(st->words[1], "never"))
		row->until_utc_s = INT64_MAX;
	else if (st->count == 3 && slice_is(st->words[1], "epoch") && slice_number(st->words[2], &at))
		row->until_utc_s = at;
	else if (st->count == 4 && parse_time(st->words[2], st->words[3], &at))
		row->until_utc_s = at;
}

struct lease {
	struct known_row row;
	struct name_text client, given; /* what the client says; what the server put into DNS */
	bool active;
};

static void read_statement(const struct statement *st, struct lease *l)
{
	char text[MAC_TEXT_MAX];
	uint8_t mac[6];

	if (st->count >= 2 && slice_is(st->words[0], "ends")) {
		read_ends(st, &l->row);
	} else if (st->count == 3 && slice_is(st->words[0], "binding") && slice_is(st->words[1], "state")) {
		l->active = slice_is(st->words[2], "active");
	} else if (st->count == 3 && slice_is(st->words[0], "hardware") && slice_is(st->words[1], "ethernet")) {
		if (slice_text(st->words[2], text, sizeof text) && mac_parse(mac, text) == 0)
			l->row.mac = mac_key_of(mac);
	} else if (st->count == 2 && slice_is(st->words[0], "client-hostname")) {
		name_text_of(&l->client, st->words[1]);
	} else if (st->count == 4 && slice_is(st->words[0], "set") && slice_is(st->words[1], "ddns-fwd-name")) {
		name_text_of(&l->given, st->words[3]);
	}
}

static int close_lease(struct known *k, struct lease *l, struct host_file_counts *counts)
{
	counts->rows++;
	if (!l->active) {
		known_remove(k, &l->row.host);
		return 0;
	}
	l->row.name = l->client.used ? l->client.at : l->given.at;
	return known_add(k, &l->row, false);
}

static bool open_lease(const struct statement *st, struct lease *l)
{
	char text[ADDR_TEXT_MAX];

	*l = (struct lease){ .active = true, .row = { .name = "", .until_utc_s = INT64_MAX } };
	return st->count == 2 && (slice_is(st->words[0], "lease") || slice_is(st->words[0], "iaaddr")) &&
	       slice_text(st->words[1], text, sizeof text) && addr_parse(&l->row.host, text) == 0;
}

int leases_isc_parse(struct known *k, struct slice text, struct host_file_counts *counts)
{
	unsigned depth = 0, lease_depth = 0; /* 0: in no lease */
	struct statement st;
	struct lease l = { 0 };
	int r = 0;

	do {
		take_statement(&text, &st);
		if (st.end == '{') {
			depth += depth < UINT32_MAX;
			if (!lease_depth && depth < DEPTH_MAX && open_lease(&st, &l))
				lease_depth = depth;
			else if (st.count && (slice_is(st.words[0], "lease") || slice_is(st.words[0], "iaaddr")))
				counts->left_out++;
		} else if (st.end == '}') {
			if (lease_depth && depth == lease_depth) {
				r = close_lease(k, &l, counts);
				lease_depth = 0;
			}
			depth -= depth > 0;
		} else if (lease_depth == depth && lease_depth) {
			read_statement(&st, &l);
		}
	} while (st.end && r == 0);
	return r;
}
