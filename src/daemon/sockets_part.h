/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets_part.h -- `from = sockets` as a part of the daemon: there once an account asks for it. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_SOCKETS_PART_H
#define NETTALLY_DAEMON_SOCKETS_PART_H

#include "daemon/parts.h"

extern const struct part_ops sockets_part;

#endif
