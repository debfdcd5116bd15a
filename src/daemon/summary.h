/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary.h -- `summary { every = 1min }`: lines in the log, per account the keys that had traffic in that time, and what they
 * have today, for people.
 *
 * A part (parts.h) with a thread of its own, which reads the ledger over its own connection some seconds after each interval:
 * neither counting nor booking waits for it. "Today" begins at midnight of the machine's time zone. */
#ifndef NETTALLY_DAEMON_SUMMARY_H
#define NETTALLY_DAEMON_SUMMARY_H

#include "daemon/parts.h"

#define SUMMARY_ROWS_DEFAULT 20u

extern const struct part_ops summary_part;

#endif
