/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_source.h -- a source: the tables in the kernel at one interface (capture/kernel.h).
 *
 * Its thread swaps the tables when the main loop asks, reads the full ones, and empties them only when the
 * ledger has their epoch; until then it does not swap again, and what is counted stays in the kernel
 * (tables.behind). It makes larger tables when they fill. */
#ifndef NETTALLY_DAEMON_KERNEL_SOURCE_H
#define NETTALLY_DAEMON_KERNEL_SOURCE_H

#include "base/clock.h"
#include "daemon/closing.h"
#include "daemon/source.h"

struct kernel_source_config {
	struct kernel_config point;
	uint64_t keys;                 /* that a table grows to */
	uint32_t interface_id;
	struct clock clock;
	struct closing *closing;       /* the main loop's: takes what still waits for the ledger at the end */
	void (*ready)(void *arg);      /* on its thread, after each handover */
	void *arg;
};

/* Counts from its return on. Takes `first`, whose plan says what to count. */
int kernel_source_open(struct source **ret, const struct kernel_source_config *cf, struct tables *first, struct err *e);
/* Marks in `left` (point_rules.h, of `count` rules) those that the kernel refused when it took the plan's rules. Whether
 * that has changed since `*seen`, which is 0 at first. The main loop's. */
bool kernel_source_refused(struct source *s, unsigned *seen, uint8_t *left, size_t count);
/* Before it is started: the point, for what it says of itself and what was left there. */
struct kernel_point *kernel_source_point(struct source *s);

#endif
