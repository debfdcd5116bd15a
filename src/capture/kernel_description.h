/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_description.h -- what a generation's tables hold, as text that another build can read.
 *
 *	nettally tables 1              the version of this text
 *	layout 1                       TALLY_FORMAT: of keys, slots, sums
 *	id 0123456789abcdef
 *	interface eth0
 *	...                            words below; one that is not known is passed over
 *	note 17                        last: so many bytes follow, of any kind
 *
 * Fields are written by name, not by number. It comes out of a pinned map, so the parser takes nothing for
 * granted. Limits: KERNEL_DESCRIPTION_MAX bytes, 65535 services, 65536 local prefixes. Thread: any. */
#ifndef NETTALLY_CAPTURE_KERNEL_DESCRIPTION_H
#define NETTALLY_CAPTURE_KERNEL_DESCRIPTION_H

#include "base/slice.h"
#include "capture/kernel.h"

#define KERNEL_DESCRIPTION_MAX (16u << 20)
#define KERNEL_CPUS_MAX 8192u
#define KERNEL_SLOTS_MAX (1u << 26)
#define KERNEL_RULES_MAX (1u << 16)

/* A description, and what only this room needs to know. */
struct kernel_described {
	struct kernel_description d;
	char hooks[16];                  /* kernel_hooks() */
	uint32_t cpus;                   /* possible CPUs: one table each */
	uint32_t slots[TALLY_GRAINS];    /* of a table, a power of two; 0 = the grain is not used */
	bool wide[TALLY_GRAINS];
	bool base_is_now;                /* not written: d.base is to be read when the tables are ready */
};

static inline uint32_t kernel_slot_bytes(const struct kernel_described *k, unsigned grain)
{
	return k->wide[grain] ? sizeof(struct tally_wide_slot) : sizeof(struct tally_narrow_slot);
}

/* free() the text. */
int kernel_description_format(const struct kernel_described *k, char **ret, size_t *ret_len, struct err *e);
/* -EBADMSG: damaged; -EPROTONOSUPPORT: another build's, in a layout that this one does not know. */
int kernel_description_parse(struct kernel_described *ret, struct slice text, struct err *e);
/* What is inside; accepts one of zeros. */
void kernel_described_free(struct kernel_described *k);

#endif
