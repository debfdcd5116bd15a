/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leases_fuzz.c -- hosts files and leases of any kind: whatever they say, names are printable, rows are whole. */
#include "names/host_files.h"
#include "names/name_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct known *k)
{
	for (size_t i = 0; i < known_count(k); i++) {
		const struct known_row *row = known_at(k, i);

		if (strlen(row->name) >= NAME_TEXT_MAX)
			abort();
		for (const char *c = row->name; *c; c++)
			if (*c <= ' ' || *c > '~' || strchr("\"'<>&;,", *c))
				abort();
		if (row->host.family != ADDR_NONE && known_host(k, &row->host, INT64_MIN) != row)
			abort();
		if (row->mac && row->name[0] && !known_mac(k, row->mac, INT64_MIN))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const parsers[])(struct known *, struct slice, struct host_file_counts *) = {
		hosts_parse, leases_parse, leases_dnsmasq_parse, leases_isc_parse, leases_kea_parse,
	};

	for (size_t i = 0; i < sizeof parsers / sizeof *parsers; i++) {
		struct host_file_counts counts = { 0 };
		struct known *k = known_new();

		if (!k || parsers[i](k, (struct slice){ data, size }, &counts) < 0)
			abort();
		check(k);
		known_free(&k);
	}
	return 0;
}
