/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_message.h -- one message of the BGP Monitoring Protocol (RFC 7854, 8671, 9069) to its parts. Foreign bytes: all of it.
 *
 * Nothing is owned or kept: slices point into the message. Thread: any. */
#ifndef NETTALLY_ROUTES_BMP_MESSAGE_H
#define NETTALLY_ROUTES_BMP_MESSAGE_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

#define BMP_HEADER_BYTES 6u
#define BMP_PEER_BYTES 42u
/* A Peer Up has two OPENs (at most 64 KiB each, RFC 8654) and text; nothing sound is longer. */
#define BMP_MESSAGE_MAX (256u << 10)

enum bmp_type { /* RFC 7854 4.1 */
	BMP_ROUTE_MONITORING = 0,
	BMP_STATISTICS = 1,
	BMP_PEER_DOWN = 2,
	BMP_PEER_UP = 3,
	BMP_INITIATION = 4,
	BMP_TERMINATION = 5,
	BMP_ROUTE_MIRRORING = 6,
};

enum bmp_peer_type { /* RFC 7854 4.2, RFC 9069 4.1 */
	BMP_PEER_GLOBAL = 0,
	BMP_PEER_RD = 1,
	BMP_PEER_LOCAL = 2,
	BMP_PEER_LOC_RIB = 3,
};

#define BMP_FLAG_IP6 0x80         /* V; of a Loc-RIB peer: F, the table is filtered */
#define BMP_FLAG_POST_POLICY 0x40 /* L */
#define BMP_FLAG_AS2 0x20         /* A: AS_PATH with numbers of 2 octets */
#define BMP_FLAG_OUT 0x10         /* O: Adj-RIB-Out (RFC 8671) */

struct bmp_peer {
	uint8_t type;  /* enum bmp_peer_type, or a later one */
	uint8_t flags;
	uint64_t distinguisher;
	struct addr addr; /* 0.0.0.0 of a Loc-RIB peer */
	uint32_t as, bgp_id;
	uint32_t utc_s; /* 0 = not known */
};

struct bmp_message {
	uint8_t type;
	bool has_peer;
	struct bmp_peer peer;
	struct slice body; /* behind the headers */
};

/* Of the message that begins at `bytes`: its length; 0 where fewer than 6 bytes are there; -EBADMSG: another version, or
 * shorter than its header or longer than BMP_MESSAGE_MAX: the stream cannot be followed any further. */
int64_t bmp_message_length(struct slice bytes, struct err *e);
/* A whole message. -EBADMSG: cut short; the stream can be followed all the same. */
int bmp_message_read(struct bmp_message *ret, struct slice message, struct err *e);

struct bmp_peer_up {
	struct slice sent_open, received_open; /* whole BGP messages */
};
int bmp_peer_up_read(struct bmp_peer_up *ret, struct slice body, struct err *e);

/* RFC 7854 4.9: 1 and 3 carry a NOTIFICATION, 2 an FSM code; 6 = RFC 9069's information. 0 where the body is empty. */
uint8_t bmp_peer_down_reason(struct slice body);
const char *bmp_peer_down_text(uint8_t reason);

/* The next piece of information of an Initiation or Termination (RFC 7854 4.4); false at the end. */
enum bmp_information { BMP_INFO_TEXT = 0, BMP_INFO_DESCRIPTION = 1, BMP_INFO_NAME = 2 };
bool bmp_information_next(struct cursor *c, uint16_t *ret_type, struct slice *ret);

#endif
