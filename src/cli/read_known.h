/* SPDX-License-Identifier: GPL-2.0-or-later */
/* read_known.h -- what `read` knows of addresses: a routing table, a file of countries, the hosts file, the list of vendors.
 * Only what the asked keys need is opened. */
#ifndef NETTALLY_CLI_READ_KNOWN_H
#define NETTALLY_CLI_READ_KNOWN_H

#include "base/strings.h"
#include "model/attribution.h"

struct routes;
struct names;

struct read_known {
	const char *routes_path, *geo_path; /* NULL = none; set before it is opened */
	struct attributor attributor;
	struct strings *strings;
	struct routes *routes;
	struct names *names;
};

/* -EINVAL where a key needs a file that is not given. */
int read_known_open(struct read_known *k, uint64_t fields, struct strings *strings, struct err *e);
void read_known_close(struct read_known *k);

#endif
