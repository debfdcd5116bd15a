/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag.h -- all TCP connections of this network namespace that live, and the sockets that listen, by sock_diag(7).
 *
 * Every wait has a timeout. Thread: one at a time. */
#ifndef NETTALLY_SOCKETS_DIAG_H
#define NETTALLY_SOCKETS_DIAG_H

#include "sockets/connections.h"

struct diag;

int diag_open(struct diag **ret, struct err *e);
/* Each once, in no order; one that comes or goes meanwhile may be there or not. */
int diag_list(struct diag *d, void (*take)(void *arg, const struct connection *c), void *arg, struct err *e);
void diag_close(struct diag **d);

#endif
