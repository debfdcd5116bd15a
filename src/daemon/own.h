/* SPDX-License-Identifier: GPL-2.0-or-later */
/* own.h -- what this machine itself is, as far as the books ask. Thread: the caller's. */
#ifndef NETTALLY_DAEMON_OWN_H
#define NETTALLY_DAEMON_OWN_H

#include "capture/netlink.h"
#include "daemon/books.h"

/* All interfaces' addresses, in the place of what *o has; stays as it is when they cannot be read. */
void own_addresses_read(struct own_addresses *o, struct netlink *n);
/* The inode of this process's network namespace, 0 = unknown. */
uint64_t own_netns(void);

#endif
