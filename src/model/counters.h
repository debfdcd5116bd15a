/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counters.h -- everything that moves has a counter, declared once: the list makes the struct,
 * /metrics, `status --json` and the manual. Cumulative since the daemon started. */
#ifndef NETTALLY_MODEL_COUNTERS_H
#define NETTALLY_MODEL_COUNTERS_H

#include <stdint.h>

/* name in the struct, metric (after nettally_, _total is added), help */
#define COUNTERS(X)                                                                                          \
	X(capture_packets, "capture_packets", "wire packets seen, super-packets by their segments")           \
	X(capture_bytes, "capture_bytes", "l2 bytes of those packets")                                        \
	X(capture_frames, "capture_frames", "frames handed over by the kernel")                               \
	X(lost_ring, "capture_lost_packets{reason=\"ring_full\"}", "frames dropped in the ring: we were slow") \
	X(lost_reload, "capture_lost_packets{reason=\"reload\"}", "frames that came while rings were exchanged") \
	X(filtered, "capture_filtered_packets", "packets left out by a filter")                               \
	X(rules_missed, "rules_missed_frames", "frames that some rules were not asked about")                 \
	X(malformed, "capture_malformed_packets", "frames with a header cut short or at odds with itself")    \
	X(overflowed, "overflowed_keys", "keys that found no room and were booked under other")               \
	X(clock_steps, "clock_steps", "times that the wall clock stepped")                                    \
	X(interface_lost, "interface_vanished", "times that an interface went away")                          \
	X(interface_found, "interface_found", "times that an interface was taken up") \
	X(kernel_epochs, "kernel_epochs", "epochs of kernel tables booked")                                    \
	X(kernel_renewed, "kernel_renewed_tables", "times that larger kernel tables were made")               \
	X(kernel_left, "kernel_left_epochs", "epochs that an earlier run had left in the kernel, booked at start") \
	X(control_dropped, "control_dropped_clients", "clients of the control socket that were over a limit or went away")

struct counters {
#define X(name, metric, help) uint64_t name;
	COUNTERS(X)
#undef X
};

#endif
