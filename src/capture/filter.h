/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter.h -- a pcap filter expression, compiled once per link type by libpcap and run on frames.
 *
 * libpcap's compiler keeps global state: compile on one thread at a time. Running is for any thread. */
#ifndef NETTALLY_CAPTURE_FILTER_H
#define NETTALLY_CAPTURE_FILTER_H

#include "base/err.h"
#include "model/frame.h"

#include <stdbool.h>

struct filter;

/* Checks the expression for `linktype`. -EINVAL with libpcap's message. An expression that libpcap says rejects all packets is valid: it matches nothing. */
int filter_open(struct filter **ret, const char *expression, uint16_t linktype, struct err *e);
bool filter_match(const struct filter *f, const struct frame *frame);
/* The classic BPF program for SO_ATTACH_FILTER: a struct sock_fprog's parts, owned by the filter. */
const void *filter_program(const struct filter *f, unsigned *ret_count);
void filter_close(struct filter **f);

#endif
