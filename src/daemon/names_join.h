/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names_join.h -- names/ as a part of the daemon: whoever was seen in a tick is wanted by name, what became known goes into
 * the tick's booking, `vendor` is found for keys. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_NAMES_JOIN_H
#define NETTALLY_DAEMON_NAMES_JOIN_H

#include "daemon/parts.h"
#include "names/names.h"

extern const struct part_ops names_part;

/* Of the part, as parts_find() gives it; its calls for names are for any thread. */
struct names *names_join_names(void *part);

#endif
