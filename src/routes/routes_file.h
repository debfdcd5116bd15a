/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_file.h -- a table of routes from an MRT file: plain, gz or bz2. Thread: the caller's; blocks on the disk. */
#ifndef NETTALLY_ROUTES_ROUTES_FILE_H
#define NETTALLY_ROUTES_ROUTES_FILE_H

#include "routes/mrt.h"
#include "routes/rib.h"

struct routes_file_result {
	struct route_table *table;    /* the caller's: route_table_free() */
	struct mrt_counters records;
	struct bgp_counters messages;
	struct rib_counters changes;  /* of a file of updates */
	uint64_t peers;
	uint64_t routes;              /* told, over all peers */
	int64_t newest_utc_s;         /* time of the last record, 0 = none */
	char warning[400];            /* "" = all of it was read; else a sentence, without the file's name */
};

/* Rows of a table (TABLE_DUMP, TABLE_DUMP_V2) and updates (BGP4MP), best path by the order of rib.h; updates that follow
 * a table change it, peer by peer. A file that is damaged or ends early gives what was whole, and a warning. An error: the
 * file cannot be opened, is no MRT file (no whole record that is known), or there is no memory. */
int routes_file_load(struct routes_file_result *ret, const char *path, struct err *e);

#endif
