/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_program.h -- bpf/tally.bpf.c, made into programs for a form: configuration, services, local
 * prefixes, sizes; loaded.
 *
 * Thread: any. Gives descriptors, the caller's to close. */
#ifndef NETTALLY_CAPTURE_KERNEL_PROGRAM_H
#define NETTALLY_CAPTURE_KERNEL_PROGRAM_H

#include "capture/kernel_description.h"
#include "capture/kernel_rules.h"

enum { KERNEL_INGRESS, KERNEL_EGRESS, KERNEL_XDP, KERNEL_PROGRAMS };

struct kernel_build {
	const struct kernel_form *form;
	const struct kernel_described *about;  /* cpus, slots, wide */
	bool raw_ip, drop;
	bool programs[KERNEL_PROGRAMS];        /* which */
};

struct kernel_loaded {
	int programs[KERNEL_PROGRAMS];         /* to put at the hooks; -1 = not asked for */
	int outer[TALLY_GRAINS];               /* the arrays of tables, empty still */
	int sums, control;
	struct kernel_rules_loaded rules;
};

/* -EINVAL: a field that the kernel programs cannot count by; -EPERM; -ENOTSUP: the pre-filter; others with the verifier's
 * last words. */
int kernel_program_load(struct kernel_loaded *ret, const struct kernel_build *b, struct err *e);
void kernel_loaded_close(struct kernel_loaded *l);

/* Whether the slots of such a key are wide; -EINVAL for a field that this grain cannot have. */
int kernel_form_check(const struct kernel_form *form, bool ret_wide[static TALLY_GRAINS], struct err *e);

#endif
