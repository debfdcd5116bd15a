/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_generation.h -- the tables of a generation: made, pinned, found again, mapped, emptied, removed.
 *
 * A generation is pinned in a directory nID first, which becomes gID when everything is in it, and rID before
 * anything is taken out: what is found under n and r was never counted into, or is booked. Owns maps (as
 * memory) and the descriptors of its programs; the tables' descriptors are closed once they are mapped.
 * Thread: one at a time. */
#ifndef NETTALLY_CAPTURE_KERNEL_GENERATION_H
#define NETTALLY_CAPTURE_KERNEL_GENERATION_H

#include "capture/kernel_description.h"
#include "capture/kernel_program.h"

#include <bpf/rules_shared.h>

struct kernel_generation {
	struct kernel_described about;
	struct tally_control *control;
	struct tally_sums *sums;             /* [TALLY_INDEX] */
	uint8_t **tables[TALLY_GRAINS];      /* [TALLY_INDEX] */
	struct rules_counters *rules;        /* [RULES_INDEX] about.d.rules of each; NULL */
	int programs[KERNEL_PROGRAMS];       /* -1 = none */
	struct kernel_rules_loaded loaded;   /* of one that was made here: what the programs are in, and must stay open */
	char *dir;                           /* where it is pinned; NULL */
};

/* Makes the tables that `loaded` counts into, epoch 1 being open, and pins all below `parent` (NULL: not at all). Takes `about`'s
 * contents and the programs' descriptors, also when it fails. */
int kernel_generation_make(struct kernel_generation **ret, struct kernel_described *about,
			   struct kernel_loaded *loaded, const char *parent, int64_t now_utc_ns, struct err *e);
/* One that was pinned, to read. */
int kernel_generation_open(struct kernel_generation **ret, const char *dir, struct err *e);

/* The epoch slot that is counted into; a relaxed load. */
unsigned kernel_generation_active(const struct kernel_generation *g);
/* Makes the other slot the active one; the caller waits for programs that still run. */
void kernel_generation_switch(struct kernel_generation *g, int64_t now_utc_ns);
/* Zeroes an epoch slot; its number last. */
void kernel_generation_clean(struct kernel_generation *g, unsigned slot);
/* Most slots that any CPU's table of the grain has taken, in both epochs; whether any has overflowed. */
uint64_t kernel_generation_used(const struct kernel_generation *g, unsigned grain);
bool kernel_generation_overflowed(const struct kernel_generation *g, unsigned grain);
uint64_t kernel_generation_frames(const struct kernel_generation *g);

#endif
