/* SPDX-License-Identifier: GPL-2.0-or-later */
/* read_stream.h -- windows of a live stream are printed as they close.
 *
 * `tcpdump -w - | nettally read --every 1s -`: a window is over when the packets' clock and the wall clock have left it. A stream
 * whose packets are not of now (a file that is piped in) is never cut: packets out of order must not split a record. */
#ifndef NETTALLY_CLI_READ_STREAM_H
#define NETTALLY_CLI_READ_STREAM_H

#include "count/count.h"

#define STREAM_IDLE_MS 200

struct read_stream {
	int64_t newest_utc_ns;     /* latest packet */
	int64_t printed_before_s;  /* windows that start before are out */
};

void read_stream_see(struct read_stream *s, const struct packet *packets, unsigned n);
/* The start of the first window that is still open; INT64_MIN = nothing is ready. */
int64_t read_stream_boundary(const struct read_stream *s, uint32_t window_s, int64_t now_utc_ns);
/* Moves the records of windows before `boundary_s` into *ret_closed, a new count. */
int read_stream_take(struct count *c, int64_t boundary_s, struct count *ret_closed, struct err *e);

#endif
