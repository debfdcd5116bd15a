/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.h -- a source: one capture thread with a packet-socket ring, decoded and counted into tables of its
 * own. */
#ifndef NETTALLY_DAEMON_RING_H
#define NETTALLY_DAEMON_RING_H

#include "capture/afpacket.h"
#include "capture/filter.h"
#include "daemon/source.h"

struct ring_config {
	struct afpacket_config socket;
	const char *filter;                 /* pcap expression, NULL = all */
	bool rules_only;                    /* beside another source: counts by the rules of its tables, and nothing else */
	void (*ready)(void *arg);           /* called on the ring's thread after each handover; e.g. loop_wake() */
	void *arg;
};

/* Opens the socket (frames gather from now on) but does not read it yet. Takes `first`. */
int ring_open(struct source **ret, const struct ring_config *cf, struct tables *first, struct err *e);

#endif
