/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule_sockets.h -- the sockets of accounts by rule: each connection is told a line `identifier:bytes:packets` per rule,
 * in the file's order, then end of file. What clients may do: control.h. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_RULE_SOCKETS_H
#define NETTALLY_DAEMON_RULE_SOCKETS_H

#include "daemon/config.h"
#include "daemon/control.h"

struct rule_sockets;

int rule_sockets_open(struct rule_sockets **ret, struct loop *loop, struct snapshot_box *box, struct err *e); /* none yet */
/* Opens what a new configuration has more; then one of the other two says what becomes of it. */
int rule_sockets_prepare(struct rule_sockets *r, const struct config *cf, struct err *e);
void rule_sockets_commit(struct rule_sockets *r);  /* closes what it has no more */
void rule_sockets_give_up(struct rule_sockets *r); /* closes what was opened for it */
uint64_t rule_sockets_dropped(const struct rule_sockets *r); /* clients; accepts NULL */
void rule_sockets_close(struct rule_sockets **r); /* accepts NULL */

#endif
