/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listener.h -- the UDP socket that reports come to, read by many datagrams at a time.
 *
 * The socket's buffer is as large as the kernel lets it be, because a listener that is slow for a moment must not lose
 * reports; what the kernel drops all the same is counted. Nothing is ever sent from it. Thread: one at a time. */
#ifndef NETTALLY_REPORTS_LISTENER_H
#define NETTALLY_REPORTS_LISTENER_H

#include "base/err.h"
#include "reports/receiver.h"

#define LISTENER_BUFFER_BYTES (64u << 20)

struct listener;

/* `address` "" = all, of either family; port 0 = a free one. The clock is the machine's. Reports go to `receiver`, which
 * is borrowed. */
int listener_open(struct listener **ret, const char *address, uint16_t port, struct err *e);
uint16_t listener_port(const struct listener *l);
uint32_t listener_buffer_bytes(const struct listener *l);
/* Hands over what is there, at most some thousands, and returns how many; never waits. Negative errno: the socket is of no
 * use any more. */
int listener_read(struct listener *l, struct receiver *receiver);
int listener_fd(const struct listener *l); /* to wait for */
/* What the kernel dropped since it was opened. */
uint64_t listener_dropped(struct listener *l);
void listener_close(struct listener **l);

#endif
