/* SPDX-License-Identifier: GPL-2.0-or-later */
/* asnames.h -- names of autonomous systems, from an MMDB file (autonomous_system_number and
 * autonomous_system_organization) or a text table: "64500 Name", "AS64500<tab>Name", '#' begins a comment line.
 *
 * Immutable once loaded. Thread: any. Limits: ASNAMES_MAX names, 255 bytes each (longer ones are cut). */
#ifndef NETTALLY_ROUTES_ASNAMES_H
#define NETTALLY_ROUTES_ASNAMES_H

#include "base/err.h"
#include "base/slice.h"

#define ASNAMES_MAX (4u << 20)
#define ASNAME_TEXT_MAX 256

struct asnames;

int asnames_load(struct asnames **ret, const char *path, struct err *e);
/* Of a text table in memory. */
int asnames_parse(struct asnames **ret, struct slice text, const char *name, struct err *e);
const char *asnames_find(const struct asnames *n, uint32_t as); /* NULL: it has none; `n` may be NULL */
size_t asnames_count(const struct asnames *n);
size_t asnames_bytes(const struct asnames *n);
void asnames_free(struct asnames **n);

#endif
