/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_form.h -- a form that outlives its caller's, and how large tables for it are.
 *
 * A table is twice as large as the keys it is for: beyond that, buckets fill. Thread: any. */
#ifndef NETTALLY_CAPTURE_KERNEL_FORM_H
#define NETTALLY_CAPTURE_KERNEL_FORM_H

#include "capture/kernel_description.h"

/* A deep copy; also when it fails it is to be freed. */
int kernel_form_copy(struct kernel_form *ret, const struct kernel_form *form);
void kernel_form_free(struct kernel_form *form); /* of a copy; accepts zeros */

bool kernel_form_has(const struct kernel_form *form, unsigned grain);
/* The services and prefixes of a form, for a description. -ENOMEM */
int kernel_form_describe(struct kernel_described *to, const struct kernel_form *form);

/* Slots of each table at first, 0 for a grain that is not used. */
void kernel_form_slots(const struct kernel_form *form, const struct kernel_described *about,
		       uint32_t ret_slots[static TALLY_GRAINS]);
/* Slots of a table at most. */
uint32_t kernel_form_slots_most(const struct kernel_form *form);

#endif
