/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h -- what a web server tells of its deliveries: the contents of one datagram, of either
 * protocol. Data only; host order. Thread: the listener's. */
#ifndef NETTALLY_REPORTS_REPORT_H
#define NETTALLY_REPORTS_REPORT_H

#include "base/addr.h"
#include "base/slice.h"

#include <stdint.h>

struct report_server {
	struct addr addr;
	uint16_t port;          /* 0 = not told */
};

/* One delivery to a client, or the sum of some. */
struct report {
	struct addr client;
	uint64_t bytes;         /* payload */
	uint64_t packets;       /* segments that carried it, sent again ones included */
	uint64_t retransmits, requests;
	uint64_t duration_us;
	uint64_t rtt_us;        /* smoothed round-trip time; 0 = not told */
	uint8_t type, server;   /* index into the batch's */
};

/* The reports of one datagram. Everything is borrowed and valid until the callback returns. */
struct report_batch {
	struct slice sender;                 /* its name, or the address of a sender of the old protocol */
	const struct slice *types;           /* short texts; of length 0: not told */
	unsigned type_count;
	const struct report_server *servers;
	unsigned server_count;
	const struct report *reports;
	unsigned count;
	int64_t heard_utc_us;                /* when they came */
};

#endif
