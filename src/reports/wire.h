/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h -- report datagrams of version 2 as bytes, read.
 *
 * In two steps, so that a forged datagram costs no more than its head and one HMAC: wire_head()
 * before the signature is checked, wire_body() after. Thread: any; nothing is owned. */
#ifndef NETTALLY_REPORTS_WIRE_H
#define NETTALLY_REPORTS_WIRE_H

#include "reports/layout.h"
#include "reports/report.h"

#include <stdbool.h>

struct wire_head {
	struct slice signed_part, signature;
	struct slice body;              /* behind the sender's name, before the signature */
	struct slice sender;
	uint8_t key_id[LAYOUT_KEY_ID];
	int64_t time_us, began_us;
	uint64_t sequence, before;
	uint32_t nonce;
	uint16_t records;
	uint8_t version, types, servers;
	bool last;
};

/* Room for the contents of one datagram. */
struct wire_body {
	struct slice types[UINT8_MAX + 1];
	struct report_server servers[UINT8_MAX];
	struct report reports[LAYOUT_RECORDS_MAX];
	struct report_batch batch;      /* points into the others */
};

static inline bool wire_is_ours(struct slice datagram)
{
	return datagram.len >= 4 && be32(datagram.at) == 0x4e544c59; /* LAYOUT_MAGIC */
}

/* Of bytes that wire_is_ours(). -EMSGSIZE: no datagram is so short or so long; -EPROTONOSUPPORT: another version
 * (ret->version is set); -EBADMSG: the head contradicts itself. */
int wire_head(struct wire_head *ret, struct slice datagram);
/* -EBADMSG: malformed; nothing of it may be used. A record
 * has a request or a packet at least. A server may have no address: it is the one the datagram came from. */
int wire_body(struct wire_body *ret, const struct wire_head *head);

/* A name: 1 to LAYOUT_NAME_MAX bytes, UTF-8 not demanded, but no control character. */
bool wire_name_is_fair(struct slice name);

#endif
