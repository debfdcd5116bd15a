/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/bmp_message.h"

#include "routes/bgp.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BMP_VERSION 3

int64_t bmp_message_length(struct slice bytes, struct err *e)
{
	uint32_t length;

	if (bytes.len >= 1 && bytes.at[0] != BMP_VERSION)
		return err_set(e, -EBADMSG, "version %u: only BMP version 3 is understood", bytes.at[0]);
	if (bytes.len < BMP_HEADER_BYTES)
		return 0;
	length = be32(bytes.at + 1);
	if (length < BMP_HEADER_BYTES || length > BMP_MESSAGE_MAX)
		return err_set(e, -EBADMSG, "a message of %" PRIu32 " bytes: at most %u are sound", length, BMP_MESSAGE_MAX);
	return length;
}

static bool has_peer(uint8_t type)
{
	return type == BMP_ROUTE_MONITORING || type == BMP_STATISTICS || type == BMP_PEER_DOWN || type == BMP_PEER_UP ||
	       type == BMP_ROUTE_MIRRORING;
}

static void read_addr(struct addr *ret, const uint8_t *bytes, bool ip6)
{
	memset(ret, 0, sizeof *ret);
	ret->family = ip6 ? ADDR_IP6 : ADDR_IP4;
	if (ip6) {
		memcpy(ret->bytes, bytes, 16);
	} else { /* RFC 7854 4.2: in the last four bytes */
		ret->bytes[10] = ret->bytes[11] = 0xff;
		memcpy(ret->bytes + 12, bytes + 12, 4);
	}
}

static void read_peer(struct bmp_peer *ret, struct cursor *c)
{
	const uint8_t *addr;

	ret->type = cursor_u8(c);
	ret->flags = cursor_u8(c);
	ret->distinguisher = (uint64_t)cursor_be32(c) << 32;
	ret->distinguisher |= cursor_be32(c);
	addr = cursor_take(c, 16);
	ret->as = cursor_be32(c);
	ret->bgp_id = cursor_be32(c);
	ret->utc_s = cursor_be32(c);
	cursor_be32(c); /* microseconds */
	if (addr)
		read_addr(&ret->addr, addr, ret->type != BMP_PEER_LOC_RIB && (ret->flags & BMP_FLAG_IP6));
}

int bmp_message_read(struct bmp_message *ret, struct slice message, struct err *e)
{
	struct cursor c = cursor_of(message);
	struct bmp_message m = { 0 };

	cursor_take(&c, 5);
	m.type = cursor_u8(&c);
	m.has_peer = has_peer(m.type);
	if (m.has_peer)
		read_peer(&m.peer, &c);
	if (c.truncated)
		return err_set(e, -EBADMSG, "a message of type %u with %zu bytes is cut short", m.type, message.len);
	m.body = c.rest;
	*ret = m;
	return 0;
}

static struct slice take_open(struct cursor *c)
{
	uint32_t length = bgp_message_length(c->rest);

	if (length < BGP_HEADER_BYTES) {
		c->truncated = true;
		return (struct slice){ 0 };
	}
	return cursor_slice(c, length);
}

int bmp_peer_up_read(struct bmp_peer_up *ret, struct slice body, struct err *e)
{
	struct cursor c = cursor_of(body);
	struct bmp_peer_up up;

	cursor_take(&c, 20); /* local address, local and remote port */
	up.sent_open = take_open(&c);
	up.received_open = take_open(&c);
	if (c.truncated)
		return err_set(e, -EBADMSG, "a Peer Up of %zu bytes is cut short", body.len);
	*ret = up;
	return 0;
}

uint8_t bmp_peer_down_reason(struct slice body)
{
	return body.len ? body.at[0] : 0;
}

const char *bmp_peer_down_text(uint8_t reason)
{
	static const char *const texts[] = {
		"for no stated reason", "closed by the router, with a notification", "closed by the router",
		"closed by the peer, with a notification", "closed by the peer", "no longer monitored", "closed by the router",
	};

	return texts[reason < sizeof texts / sizeof *texts ? reason : 0];
}

bool bmp_information_next(struct cursor *c, uint16_t *ret_type, struct slice *ret)
{
	const uint8_t *head = c->rest.len ? cursor_take(c, 4) : NULL;

	if (!head)
		return false;
	*ret_type = be16(head);
	*ret = cursor_slice(c, be16(head + 2));
	return !c->truncated;
}
