/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reports/wire.h"

#include <errno.h>
#include <string.h>

static uint64_t be64(const uint8_t *b)
{
	return (uint64_t)be32(b) << 32 | be32(b + 4);
}

bool wire_name_is_fair(struct slice name)
{
	if (name.len == 0 || name.len > LAYOUT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < 0x20 || name.at[i] == 0x7f)
			return false;
	return true;
}

int wire_head(struct wire_head *ret, struct slice datagram)
{
	const uint8_t *at = datagram.at;
	size_t rest, sender;

	if (datagram.len > LAYOUT_AT_VERSION && at[LAYOUT_AT_VERSION] != LAYOUT_VERSION) {
		ret->version = at[LAYOUT_AT_VERSION];
		return -EPROTONOSUPPORT;
	}
	if (datagram.len < LAYOUT_LEAST || datagram.len > LAYOUT_DATAGRAM_MAX)
		return -EMSGSIZE;
	rest = datagram.len - LAYOUT_HEAD - LAYOUT_SIGNATURE;
	sender = at[LAYOUT_AT_SENDER_LENGTH];
	*ret = (struct wire_head){
		.signed_part = { at, datagram.len - LAYOUT_SIGNATURE },
		.signature = { at + datagram.len - LAYOUT_SIGNATURE, LAYOUT_SIGNATURE },
		.time_us = (int64_t)be64(at + LAYOUT_AT_TIME),
		.began_us = (int64_t)be64(at + LAYOUT_AT_BEGAN),
		.sequence = be64(at + LAYOUT_AT_SEQUENCE),
		.before = be64(at + LAYOUT_AT_BEFORE),
		.nonce = be32(at + LAYOUT_AT_NONCE),
		.records = be16(at + LAYOUT_AT_RECORDS),
		.version = LAYOUT_VERSION,
		.types = at[LAYOUT_AT_TYPES],
		.servers = at[LAYOUT_AT_SERVERS],
		.last = at[LAYOUT_AT_FLAGS] & LAYOUT_FLAG_LAST,
	};
	memcpy(ret->key_id, at + LAYOUT_AT_KEY, LAYOUT_KEY_ID);
	if (sender > rest || ret->records > LAYOUT_RECORDS_MAX || (at[LAYOUT_AT_FLAGS] & ~LAYOUT_FLAG_LAST) ||
	    at[LAYOUT_AT_ZERO] != 0 || ret->sequence == 0 || ret->sequence >> 48 || ret->before >> 48 || ret->time_us < 0 ||
	    ret->began_us < 0)
		return -EBADMSG;
	ret->sender = (struct slice){ at + LAYOUT_HEAD, sender };
	ret->body = (struct slice){ at + LAYOUT_HEAD + sender, rest - sender };
	return wire_name_is_fair(ret->sender) ? 0 : -EBADMSG;
}

/* u8 family, the address's bytes. */
static bool read_addr(struct cursor *c, struct addr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t family = cursor_u8(c);
	const uint8_t *bytes;

	if (family != ADDR_IP4 && family != ADDR_IP6)
		return false;
	bytes = cursor_take(c, family == ADDR_IP4 ? 4 : 16);
	if (!bytes)
		return false;
	*ret = (struct addr){ .family = family };
	if (family == ADDR_IP4) {
		memcpy(ret->bytes, mapped, sizeof mapped);
		memcpy(ret->bytes + sizeof mapped, bytes, 4);
	} else {
		memcpy(ret->bytes, bytes, 16);
	}
	return true;
}

/* Seven bits a byte, the lowest first; all but the last byte have the highest bit. */
static inline uint64_t read_varint(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < LAYOUT_VARINT_MAX && i < c->rest.len; i++) {
		uint8_t b = c->rest.at[i];

		value |= (uint64_t)(b & 0x7f) << (7 * i);
		if (!(b & 0x80)) {
			c->rest.at += i + 1;
			c->rest.len -= i + 1;
			return value;
		}
	}
	c->truncated = true;
	c->rest.len = 0;
	return 0;
}

static bool read_types(struct wire_body *body, struct cursor *c, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct slice name = cursor_slice(c, cursor_u8(c));

		if (c->truncated || (name.len > 0 && !wire_name_is_fair(name)))
			return false;
		body->types[i] = name;
	}
	return true;
}

static bool read_servers(struct wire_body *body, struct cursor *c, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct report_server *s = &body->servers[i];
		const uint8_t *port;

		if (c->rest.len > 0 && c->rest.at[0] == ADDR_NONE) {
			s->addr = (struct addr){ .family = ADDR_NONE };
			(void)cursor_u8(c);
		} else if (!read_addr(c, &s->addr)) {
			return false;
		}
		port = cursor_take(c, 2);
		if (!port)
			return false;
		s->port = be16(port);
	}
	return true;
}

static inline bool read_record(struct report *r, struct cursor *c, const struct wire_head *head)
{
	r->type = cursor_u8(c);
	r->server = cursor_u8(c);
	if (r->type >= head->types || r->server >= head->servers || !read_addr(c, &r->client))
		return false;
	r->bytes = read_varint(c);
	r->packets = read_varint(c);
	r->retransmits = read_varint(c);
	r->requests = read_varint(c);
	r->duration_us = read_varint(c);
	r->rtt_us = read_varint(c);
	return !c->truncated && (r->requests | r->packets) != 0;
}

int wire_body(struct wire_body *ret, const struct wire_head *head)
{
	struct cursor c = cursor_of(head->body);

	if (!read_types(ret, &c, head->types) || !read_servers(ret, &c, head->servers))
		return -EBADMSG;
	for (unsigned i = 0; i < head->records; i++)
		if (!read_record(&ret->reports[i], &c, head))
			return -EBADMSG;
	if (c.rest.len != 0)
		return -EBADMSG;
	ret->batch = (struct report_batch){
		.sender = head->sender,
		.types = ret->types, .type_count = head->types,
		.servers = ret->servers, .server_count = head->servers,
		.reports = ret->reports, .count = head->records,
	};
	return 0;
}
