/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag_message.h -- answers of sock_diag(7), from bytes to connections.
 *
 * Pure functions over slices; host byte order, as netlink is. Thread: any. */
#ifndef NETTALLY_SOCKETS_DIAG_MESSAGE_H
#define NETTALLY_SOCKETS_DIAG_MESSAGE_H

#include "base/slice.h"
#include "sockets/connections.h"

enum diag_kind { DIAG_CONNECTION, DIAG_OTHER, DIAG_DONE };

/* The next message of a datagram: 1, 0 at its end, -EBADMSG where a length contradicts itself; the negative errno that the
 * kernel answered. DIAG_OTHER: nothing to be told of it (a state we did not ask for, a kernel without counters). */
int diag_message_next(struct cursor *c, enum diag_kind *ret_kind, struct connection *ret);

#endif
