/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_rules.h -- the programs that are made of rules and of the pre-filter: loaded, and put where the counting
 * programs find them (bpf/rules_shared.h).
 *
 * A PROG_ARRAY is emptied when nobody has it open or pinned (kernel/bpf/arraymap.c, prog_array_map_clear()): it is
 * pinned with the generation, and open as long as that is. Thread: any. */
#ifndef NETTALLY_CAPTURE_KERNEL_RULES_H
#define NETTALLY_CAPTURE_KERNEL_RULES_H

#include "capture/kernel_description.h"

/* As loaded for a generation. */
struct kernel_rules_loaded {
	int counters;         /* the map; -1 = no rules */
	int tc, xdp;          /* PROG_ARRAYs; -1 = not used */
	bool *left_out;       /* [count]: no program counts it; owned */
};

/* What is there when the counting programs are loaded. */
struct kernel_rules_place {
	int scratch, sums, tc, xdp;                    /* maps of the object */
	bool at_tc[TALLY_HOOKS], at_xdp;               /* which hooks there are */
	int count_tc[TALLY_HOOKS], count_xdp;          /* the counting programs behind a pre-filter; -1 */
	uint32_t cpus;
};

/* *ret is to be closed also when it fails. -ENOTSUP: the pre-filter cannot be translated or loaded. */
int kernel_rules_load(struct kernel_rules_loaded *ret, const struct kernel_rules *rules, const struct kernel_rules_place *p,
		      struct err *e);
void kernel_rules_close(struct kernel_rules_loaded *l);

/* A deep copy; also when it fails it is to be freed. Accepts NULL. */
int kernel_rules_copy(const struct kernel_rules **ret, const struct kernel_rules *rules);
void kernel_rules_free(const struct kernel_rules *rules);

#endif
