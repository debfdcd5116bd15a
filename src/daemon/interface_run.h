/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interface_run.h -- the books of an interface (model/interface_books.h) from what sources and the kernel say.
 * Thread: the owner's of the books. */
#ifndef NETTALLY_DAEMON_INTERFACE_RUN_H
#define NETTALLY_DAEMON_INTERFACE_RUN_H

#include "capture/netlink.h"
#include "daemon/tables.h"

/* Adds what a handover brought. */
void interface_run_add(struct interface_books *b, const struct tables *t);
/* The interface's own counters since `base`. `ingress_only`: the loopback device, which counts each packet
 * going out and coming in, and is booked once; a mirror port at XDP, whose own sending is not counted. */
void interface_run_set_kernel(struct interface_books *b, const struct interface_stats *now,
			      const struct interface_stats *base, bool ingress_only);
uint64_t interface_run_packets(const struct interface_stats *now, const struct interface_stats *base, bool ingress_only);

#endif
