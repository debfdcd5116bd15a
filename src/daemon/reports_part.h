/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reports_part.h -- web servers' reports as a row of the table of parts. */
#ifndef NETTALLY_DAEMON_REPORTS_PART_H
#define NETTALLY_DAEMON_REPORTS_PART_H

#include "daemon/parts.h"

extern const struct part_ops reports_part;

#endif
