/* SPDX-License-Identifier: GPL-2.0-or-later */
/* geo_file.h -- an MMDB file (MaxMind DB format 2.0) as networks, each with the place of its record.
 *
 * The file is copied into memory first: what happens to it later, a truncation even, changes nothing here. The walk is
 * bounded whatever the file says: a tree that is deeper than its addresses, or that comes back to the same nodes more
 * often than the known aliases of IPv4 explain, is damaged. Thread: any, one at a time. Limit: GEO_FILE_BYTES_MAX. */
#ifndef NETTALLY_ROUTES_GEO_FILE_H
#define NETTALLY_ROUTES_GEO_FILE_H

#include "base/err.h"
#include "base/prefix.h"
#include "base/slice.h"

#define GEO_FILE_BYTES_MAX (1u << 30)

struct geo_file;

int geo_file_open(struct geo_file **ret, const char *path, struct err *e);
/* The same of bytes, which are copied; `name` is for messages. */
int geo_file_open_bytes(struct geo_file **ret, struct slice bytes, const char *name, struct err *e);
void geo_file_close(struct geo_file **f); /* accepts NULL */

struct geo_walk {
	/* Every network that has a record, in the order of addresses, those of IPv4 as such. 0 goes on, negative ends the
	 * walk with that error. */
	int (*network)(void *arg, const struct prefix *p, uint32_t record, struct err *e);
	/* An IPv6 prefix behind which the IPv4 tree stands again, such as ::/96 or 2002::/16; NULL: nobody asks. */
	int (*alias)(void *arg, const struct prefix *p, struct err *e);
	void *arg;
};

int geo_file_walk(struct geo_file *f, const struct geo_walk *w, struct err *e);

/* A member of a record, by its keys (`path` ends with NULL). 1 it is in *ret, 0 it is not there or of another type,
 * negative: the record is damaged. Text is cut to what `size` has room for. */
int geo_file_text(struct geo_file *f, uint32_t record, const char *const *path, char *ret, size_t size, struct err *e);
int geo_file_number(struct geo_file *f, uint32_t record, const char *const *path, uint32_t *ret, struct err *e);

#endif
