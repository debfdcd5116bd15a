/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line_protocol.h -- a row as a line of the InfluxDB line protocol.
 *
 * Keys become tags, numbers integer fields (at most 2^63 - 1), addresses of devices string fields. The time is the window's
 * start in seconds. Thread: any. */
#ifndef NETTALLY_SINKS_LINE_PROTOCOL_H
#define NETTALLY_SINKS_LINE_PROTOCOL_H

#include "sinks/bytes.h"
#include "sinks/sink.h"

/* Nothing is written where the row has no field (a device without an address). */
void line_protocol_row(struct bytes *to, const struct sink_row *row);

#endif
