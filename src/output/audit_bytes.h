/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit_bytes.h -- inside output/: an interface's own byte counters against the bytes booked.
 *
 * Drivers disagree on what a byte counter counts (the Ethernet header, the checksum, VLAN tags), so
 * this informs and never decides whether the books close: packets do. Thread: any. */
#ifndef NETTALLY_OUTPUT_AUDIT_BYTES_H
#define NETTALLY_OUTPUT_AUDIT_BYTES_H

#include "model/interface_books.h"

#include <stddef.h>

#define BYTE_REASONS_MAX 2

struct byte_reason {
	char what[128];
	int64_t bytes;        /* of the difference */
};

/* Of one direction. */
struct byte_balance {
	bool is_known;        /* false: nothing to compare, as in books of an older version */
	uint64_t booked;      /* on the basis on which the interface counts: super-packets or the wire */
	int64_t difference;   /* kernel's less booked = sum of the reasons + unexplained */
	struct byte_reason reasons[BYTE_REASONS_MAX];
	size_t reason_count;
	int64_t unexplained;
};

enum byte_side { BYTES_RX, BYTES_TX };

void audit_bytes(const struct interface_books *b, enum byte_side side, struct byte_balance *ret);

#endif
