/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices with what is known of them now; and what an address or a device was called, and who held it, over time. */
#include "ledger/reader.h"

#include <errno.h>

/* 2, 6, a or e as the second digit: locally administered, as phones make up for each network. */
#define IS_RANDOM                                                                                            \
	"iif(v.vendor = '(random)' OR (v.vendor IS NULL AND substr(d.mac, 2, 1) IN ('2', '6', 'a', 'e')), 'yes', 'no')"

static int write_rows(struct sqlite3_stmt *s, const struct column *columns, unsigned count, struct output *out, struct err *e)
{
	struct cell cells[OUTPUT_COLUMNS_MAX];
	int r = output_columns(out, columns, count);

	while (r >= 0 && (r = sql_step(s, e)) == 1) {
		for (unsigned i = 0; i < count; i++) {
			bool is_time = columns[i].kind == COLUMN_TIME && sqlite3_column_type(s, (int)i) == SQLITE_INTEGER;

			cells[i] = is_time ? (struct cell){ .time_utc_s = sqlite3_column_int64(s, (int)i) }
					   : (struct cell){ .text = (const char *)sqlite3_column_text(s, (int)i) };
		}
		r = output_row(out, cells);
		if (r < 0)
			err_errno(e, r, "cannot write the answer");
	}
	return r;
}

int query_devices(struct ledger_reader *r, struct output *out, struct err *e)
{
	static const struct column columns[] = {
		{ "mac", COLUMN_TEXT },   { "name", COLUMN_TEXT }, { "source", COLUMN_TEXT },     { "vendor", COLUMN_TEXT },
		{ "random", COLUMN_TEXT }, { "ipv4", COLUMN_TEXT }, { "ipv6", COLUMN_TEXT },       { "first_seen", COLUMN_TIME },
		{ "last_seen", COLUMN_TIME },
	};
	sqlite3_stmt *s;
	int x = sql_prepare(r->db, &s, e,
			    "SELECT d.mac, ifnull(n.name, '-'), ifnull(n.source, '-'), ifnull(v.vendor, '-'), " IS_RANDOM ", "
			    "ifnull(d.ipv4, '-'), ifnull(d.ipv6, '-'), d.first_seen, d.last_seen FROM device AS d "
			    "LEFT JOIN name AS n ON n.key = d.mac AND n.until IS NULL LEFT JOIN vendor AS v ON v.mac = d.mac "
			    "ORDER BY d.mac");

	if (x < 0)
		return x;
	x = write_rows(s, columns, sizeof columns / sizeof *columns, out, e);
	sqlite3_finalize(s);
	return x;
}

/* An address or a MAC in the form that the ledger has. */
static int make_key(const char *text, char ret[static ADDR_TEXT_MAX], struct err *e)
{
	struct addr a;
	uint8_t mac[6];

	if (mac_parse(mac, text) == 0)
		mac_format(mac, ret);
	else if (addr_parse(&a, text) == 0)
		addr_format(&a, ret);
	else
		return err_set(e, -EINVAL, "'%.60s' is no IP or MAC address", text);
	return 0;
}

int query_history(struct ledger_reader *r, const char *address, struct output *out, struct err *e)
{
	static const struct column columns[] = {
		{ "since", COLUMN_TIME }, { "until", COLUMN_TEXT }, { "what", COLUMN_TEXT }, { "value", COLUMN_TEXT },
		{ "source", COLUMN_TEXT },
	};
	static const char until[] = "ifnull(strftime('%Y-%m-%dT%H:%M:%SZ', until, 'unixepoch'), '-')";
	char key[ADDR_TEXT_MAX];
	sqlite3_stmt *s;
	int x = make_key(address, key, e);

	if (x == 0)
		x = sql_prepare(r->db, &s, e,
				"SELECT since, %s, 'name', name, source FROM name WHERE key = %Q UNION ALL "
				"SELECT since, %s, 'device', mac, '-' FROM held WHERE host = %Q UNION ALL "
				"SELECT since, %s, 'host', host, '-' FROM held WHERE mac = %Q ORDER BY 1, 3, 4",
				until, key, until, key, until, key);
	if (x < 0)
		return x;
	x = write_rows(s, columns, sizeof columns / sizeof *columns, out, e);
	sqlite3_finalize(s);
	return x;
}
