/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layout.h -- the form of a report datagram, version 2 (docs/report-protocol.md). Included by both ends: sender.c, which
 * needs nothing else of nettally, and wire.c. Numbers are big-endian. */
#ifndef NETTALLY_REPORTS_LAYOUT_H
#define NETTALLY_REPORTS_LAYOUT_H

#define LAYOUT_MAGIC "NTLY"
#define LAYOUT_VERSION 2
#define LAYOUT_PORT 8789

/* Where a field begins; what follows the head are the sender's name, the types, the servers, the records, the signature. */
enum {
	LAYOUT_AT_MAGIC = 0,
	LAYOUT_AT_VERSION = 4,
	LAYOUT_AT_FLAGS = 5,
	LAYOUT_AT_RECORDS = 6,         /* u16: how many */
	LAYOUT_AT_KEY = 8,             /* which secret: the first bytes of HMAC-SHA-256(secret, LAYOUT_KEY_LABEL) */
	LAYOUT_AT_TIME = 16,           /* u64: microseconds since 1970, UTC, when it was sent */
	LAYOUT_AT_BEGAN = 24,          /* u64: the same, when the session began */
	LAYOUT_AT_SEQUENCE = 32,       /* u64: 1 for the session's first datagram */
	LAYOUT_AT_BEFORE = 40,         /* u64: records in all datagrams of the session before this one */
	LAYOUT_AT_NONCE = 48,          /* u32: random, of the session */
	LAYOUT_AT_SENDER_LENGTH = 52,  /* u8: 1..32 */
	LAYOUT_AT_TYPES = 53,          /* u8: how many types follow */
	LAYOUT_AT_SERVERS = 54,        /* u8: how many servers follow */
	LAYOUT_AT_ZERO = 55,
	LAYOUT_HEAD = 56
};

#define LAYOUT_FLAG_LAST 1         /* the session's last datagram */
#define LAYOUT_KEY_LABEL "nettally report key"
#define LAYOUT_KEY_ID 8
#define LAYOUT_SIGNATURE 32        /* HMAC-SHA-256 over everything before it */
#define LAYOUT_DATAGRAM_MAX 9000   /* of a jumbo frame; over Ethernet senders stay below 1,472 */
#define LAYOUT_NAME_MAX 32         /* bytes of a sender's name and of a type */
/* A record: u8 type, u8 server, u8 4 or 6, the client's address, then six varints. */
#define LAYOUT_VARINTS 6
#define LAYOUT_VARINT_MAX 8        /* bytes, so 56 bits */
#define LAYOUT_RECORD_LEAST (3 + 4 + LAYOUT_VARINTS)
#define LAYOUT_RECORDS_MAX ((LAYOUT_DATAGRAM_MAX - LAYOUT_HEAD - LAYOUT_SIGNATURE) / LAYOUT_RECORD_LEAST)
#define LAYOUT_LEAST (LAYOUT_HEAD + 1 + LAYOUT_SIGNATURE)

#endif
