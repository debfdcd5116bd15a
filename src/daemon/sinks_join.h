/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sinks_join.h -- sinks as a part of the daemon: what they ask of the ledger goes through the ledger's thread. A reload stops
 * them without waiting, and starts the new ones once the old ones have ended. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_SINKS_JOIN_H
#define NETTALLY_DAEMON_SINKS_JOIN_H

#include "daemon/parts.h"

extern const struct part_ops sinks_part;

#endif
