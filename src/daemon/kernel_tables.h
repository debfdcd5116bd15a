/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_tables.h -- from the kernel's tables (capture/kernel.h) into tables as every source hands them over.
 *
 * An epoch is in one window: that in which it began. Thread: any, one at a time. */
#ifndef NETTALLY_DAEMON_KERNEL_TABLES_H
#define NETTALLY_DAEMON_KERNEL_TABLES_H

#include "base/strings.h"
#include "capture/kernel.h"
#include "daemon/tables.h"

struct kernel_names {
	uint32_t interface;           /* id in struct strings */
	const uint32_t *service_ids;  /* index -> id in struct strings */
	size_t service_count;
};

/* What to count in the kernel for this plan; borrows from the plan. */
void kernel_tables_form(const struct plan *plan, const struct services *services, uint64_t keys, struct kernel_form *ret);

/* Adds an epoch that is frozen. Returns its packets. */
uint64_t kernel_tables_add(struct tables *t, const struct kernel_generation *g, const struct kernel_epoch *epoch,
			   const struct kernel_names *names);
/* Notes that the ledger has the generation up to this epoch once it has this handover. */
void kernel_tables_note_epoch(struct tables *t, const struct kernel_generation *g, uint64_t number);

#endif
