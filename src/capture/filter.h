/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter.h -- a pcap filter expression, compiled once per link type by libpcap and run on
 * frames.
 *
 * Always run here, never by the kernel: libpcap reads a VLAN tag out of the frame's bytes, and
 * the kernel has taken it off. filter_match() puts it back, so that an expression says the same
 * of a live frame as of the same frame in a file. libpcap's compiler keeps global state: compile
 * on one thread at a time. Running is for any thread. */
#ifndef NETTALLY_CAPTURE_FILTER_H
#define NETTALLY_CAPTURE_FILTER_H

#include "base/err.h"
#include "model/frame.h"

#include <stdbool.h>

struct filter;

/* Checks the expression for `linktype`. -EINVAL with libpcap's message. An expression that
 * libpcap says rejects all packets is valid: it matches nothing. */
int filter_open(struct filter **ret, const char *expression, uint16_t linktype, struct err *e);
/* The frame's linktype must be the one given to filter_open(). Of a frame whose tag was taken
 * off, at most the first 2044 bytes are looked at. */
bool filter_match(const struct filter *f, const struct frame *frame);
void filter_close(struct filter **f); /* accepts NULL */

#endif
