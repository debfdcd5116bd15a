/* SPDX-License-Identifier: GPL-2.0-or-later */
/* live.h -- what `nettally top` looks at: every key of an account with what it has moved since somebody began to look, and not
 * only the largest ones as in a snapshot.
 *
 * Asked at the control socket:
 *   live accounts         a line "account NAME KEYS COUNTERS" each (tabs between)
 *   live ACCOUNT SINCE    "tick N SECONDS KEYS LEFT_OUT", facts, then a line per key that changed behind tick SINCE: the keys'
 *                         texts, then the counters so far, tabs between
 * In texts \t \n \\ stand for a tab, a line's end, a backslash. The first question begins the watch; an account that is not
 * asked for is forgotten after LIVE_FORGET_S. Costs nothing while nobody looks. A part (parts.h). */
#ifndef NETTALLY_DAEMON_LIVE_H
#define NETTALLY_DAEMON_LIVE_H

#include "daemon/parts.h"

#define LIVE_FORGET_S 15
#define LIVE_KEYS_MAX (1u << 20) /* of an account; what finds no room is told as LEFT_OUT */

extern const struct part_ops live_part;

#endif
