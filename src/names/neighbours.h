/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neighbours.h -- the kernel's table of who holds which address on the networks that this machine is in (rtnetlink(7)):
 * whole at the start and after a loss, then each change. Thread: its owner's. */
#ifndef NETTALLY_NAMES_NEIGHBOURS_H
#define NETTALLY_NAMES_NEIGHBOURS_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>

struct neighbour {
	struct addr host;
	uint64_t mac;            /* key form */
};

/* A socket that waits for changes, and has asked for the whole. */
int neighbours_open(int *ret_fd, struct err *e);
/* All that is there now. 0, or -ENOBUFS where some were lost (the whole has been asked for again), or negative errno. */
int neighbours_read(int fd, void (*hear)(void *arg, const struct neighbour *n), void *arg);

/* A datagram: calls `hear` for each neighbour that is known by its MAC. 0 or -EBADMSG. */
int neighbours_parse(struct slice datagram, void (*hear)(void *arg, const struct neighbour *n), void *arg);

#endif
