/* SPDX-License-Identifier: GPL-2.0-or-later */
/* read_derive.h -- keys that are derived from a party's host or MAC (prefix, origin_as, country, name ...), for `read`: what
 * was counted by host is summed up by them before it is printed. */
#ifndef NETTALLY_CLI_READ_DERIVE_H
#define NETTALLY_CLI_READ_DERIVE_H

#include "count/count.h"
#include "model/attribution.h"

static inline bool read_is_derived(uint64_t fields)
{
	return (fields & FIELDS_DERIVED) != 0;
}

/* What is to be counted for an account by `fields`. */
uint64_t read_base_fields(uint64_t fields, uint64_t bases);
/* *ret: a new count with the layout of `fields`, of what `c` has. */
int read_derive(const struct count *c, uint64_t fields, uint64_t bases, const struct attributor *attributor, struct count *ret,
		struct err *e);

#endif
