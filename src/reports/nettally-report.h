/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nettally-report.h -- tells a nettally daemon of deliveries to clients, in signed datagrams (docs/report-protocol.md).
 *
 *	struct nettally_report *r;
 *	char why[256];
 *	struct nettally_report_options o = { .to = "192.0.2.9:8789", .key_file = "/etc/nettally/web1.key" };
 *
 *	if (nettally_report_open(&r, &o, why, sizeof why) < 0)
 *		...
 *	nettally_report_add(r, &delivery);       as often as wanted
 *	nettally_report_flush(r);                once a second or so
 *	nettally_report_close(&r);
 *
 * Deliveries gather until a datagram is full or nettally_report_flush() is called. Nothing blocks, nothing waits for an
 * answer; a datagram that the kernel does not take is dropped, and the daemon sees by the numbering that it is missing.
 * Calls return 0 or a negative errno value. Thread: one at a time for each object. After fork(2) only one of the two
 * processes may go on with it. */
#ifndef NETTALLY_REPORTS_NETTALLY_REPORT_H
#define NETTALLY_REPORTS_NETTALLY_REPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NETTALLY_REPORT_API __attribute__((visibility("default")))

struct nettally_report;

struct nettally_report_options {
	const char *to;           /* ADDRESS:PORT, [ADDRESS]:PORT, NAME:PORT; without a port 8789 */
	const char *key_file;     /* the secret: its bytes without blanks and line ends behind them; or instead: */
	const void *secret;
	size_t secret_len;
	const char *sender;       /* at most 32 bytes; NULL = the host's name */
	size_t datagram_max;      /* bytes; 0 = 1400, at most 9000 */
};

struct nettally_delivery {
	const struct sockaddr *client;  /* AF_INET or AF_INET6; its port is of no interest */
	const struct sockaddr *server;  /* with its port; NULL = the address that the datagram comes from */
	const char *type;               /* at most 32 bytes are told; NULL = none */
	uint64_t bytes;                 /* payload; all numbers below 2^56 */
	uint64_t packets;               /* segments sent for it, those sent again included */
	uint64_t retransmits;
	uint64_t requests;              /* 1, of a single one */
	uint64_t duration_us;
	uint64_t rtt_us;                /* smoothed round-trip time; 0 = unknown */
};

struct nettally_report_stats {
	uint64_t records, datagrams;    /* given to the kernel */
	uint64_t lost_records, lost_datagrams; /* that it did not take */
};

/* `why` (may be NULL) has a sentence after a failure. */
NETTALLY_REPORT_API int nettally_report_open(struct nettally_report **ret, const struct nettally_report_options *o, char *why,
					     size_t why_size);
/* -EINVAL: an address that is neither IPv4 nor IPv6, or neither a request nor a packet; -ERANGE: a number that is too
 * large; else what became of a datagram that was full. */
NETTALLY_REPORT_API int nettally_report_add(struct nettally_report *r, const struct nettally_delivery *d);
/* Sends what has gathered; to be called each second or so, even if nothing was added: the first three times with nothing
 * new it says how much there was, so that the loss of the last datagrams shows too. */
NETTALLY_REPORT_API int nettally_report_flush(struct nettally_report *r);
/* Records that wait for nettally_report_flush(). */
NETTALLY_REPORT_API unsigned nettally_report_pending(const struct nettally_report *r);
NETTALLY_REPORT_API void nettally_report_get_stats(const struct nettally_report *r, struct nettally_report_stats *ret);
/* Sends what has gathered and ends the session. Accepts a pointer to NULL. */
NETTALLY_REPORT_API void nettally_report_close(struct nettally_report **r);

/* The secret of a file as nettally_report_open() reads it, for a process that gives up its privileges before it opens.
 * Returns its length, or a negative errno value. */
NETTALLY_REPORT_API int nettally_report_read_key(const char *path, void *secret, size_t size);

#ifdef __cplusplus
}
#endif

#endif
