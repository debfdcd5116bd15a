/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leftovers.h -- what an earlier run left counted in the kernel: booked into the ledger by the description that
 * its tables carry, each epoch once, then removed.
 *
 * The note of a generation (capture/kernel.h) is text: a line `ledger PATH`, then a line per account with its
 * definition, so that tables are booked as they were meant to be, whatever the configuration says by now.
 * Thread: whoever owns the ledger. */
#ifndef NETTALLY_DAEMON_LEFTOVERS_H
#define NETTALLY_DAEMON_LEFTOVERS_H

#include "capture/kernel.h"
#include "daemon/config.h"
#include "ledger/ledger.h"

#define LEFTOVERS_PATH_MAX 512

/* The note for tables that are counted by this configuration; free() it. NULL: no memory. */
char *leftovers_note(const struct config *cf);
/* The ledger that a note names; false: none that can be read. */
bool leftovers_ledger_path(const char *note, char ret[static LEFTOVERS_PATH_MAX]);
/* The accounts of a note: a configuration with nothing else in it. */
int leftovers_config(const struct kernel_description *d, struct config **ret, struct err *e);

/* The path as every process sees it, also while the file does not exist yet. */
int leftovers_whole_path(const char *path, char ret[static LEFTOVERS_PATH_MAX], struct err *e);
/* PINS/TAG: where the pins of the daemon with this ledger are. The tag is made of the file's name and a number
 * from its whole path: the same path, the same tag. */
int leftovers_directory(const char *pins, const char *ledger_path, char ret[static LEFTOVERS_PATH_MAX], struct err *e);

struct leftovers_sum {
	uint64_t epochs;                /* that held something */
	uint64_t packets, l2_bytes;     /* booked */
	uint64_t given_up_packets;      /* removed without being booked */
};

/* Books the epochs of a closed generation that the ledger does not know yet, one transaction, and adds to *sum.
 * Removes nothing. On failure nothing is booked and it may be tried again. */
int leftovers_book(struct ledger *l, struct strings *strings, struct netlink *n, const struct kernel_generation *g,
		   struct leftovers_sum *sum, struct err *e);

/* Ends counting at an interface that has pins below `dir`, books what it had (`l` NULL: gives it up), removes
 * it all. On failure to book, the programs are off their hooks but the tables stay, for another try. */
int leftovers_detach(const char *dir, const char *interface, struct ledger *l, struct strings *strings,
		     struct netlink *n, struct leftovers_sum *sum, struct err *e);

#endif
