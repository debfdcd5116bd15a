/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names/ptr_reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_WIRE_MAX 255 /* RFC 1035 2.3.4 */
#define RECORDS_MAX 512   /* of a message that is looked at */

enum { TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, CLASS_IN = 1 };

/* Walks one name; `t` NULL: only over it. A pointer leads backwards only, so that it comes to an end (RFC 1035 4.1.4). */
static void take_name(struct cursor *c, struct slice message, struct name_text *t)
{
	struct cursor at = *c;
	size_t wire = 0, limit = (size_t)(c->rest.at - message.at);
	bool jumped = false, first = true;

	for (;;) {
		uint8_t length = cursor_u8(&at);

		if (at.truncated || (length & 0xc0) == 0x40 || (length & 0xc0) == 0x80) {
			c->truncated = true;
			return;
		}
		if (length >= 0xc0) {
			size_t to = (size_t)(length & 0x3f) << 8 | cursor_u8(&at);

			if (!jumped)
				*c = at;
			if (at.truncated || to >= limit) {
				c->truncated = true;
				return;
			}
			jumped = true;
			limit = to;
			at = cursor_of((struct slice){ message.at + to, message.len - to });
			continue;
		}
		if (length == 0)
			break;
		struct slice label = cursor_slice(&at, length);
		wire += length + 1u;
		if (at.truncated || wire > NAME_WIRE_MAX) {
			c->truncated = true;
			return;
		}
		if (t && !first)
			name_text_dot(t);
		for (size_t i = 0; t && i < label.len; i++)
			name_text_byte(t, label.at[i]);
		first = false;
	}
	if (!jumped)
		*c = at;
}

static uint16_t take_be16(struct cursor *c)
{
	const uint8_t *b = cursor_take(c, 2);

	return b ? be16(b) : 0;
}

/* RFC 2181 8: a TTL with its highest bit is 0. */
static uint32_t sane_ttl(uint32_t ttl_s)
{
	return ttl_s > INT32_MAX ? 0 : ttl_s;
}

static void take_ptr(struct ptr_reply *ret, struct cursor *data, struct slice message)
{
	struct name_text t;

	name_text_start(&t);
	take_name(data, message, &t);
	name_text_end(&t);
	if (!data->truncated && t.used && (!ret->name.used || strcmp(t.at, ret->name.at) < 0))
		ret->name = t;
}

static void take_soa(struct ptr_reply *ret, struct cursor *data, struct slice message, uint32_t ttl_s)
{
	uint32_t minimum;

	take_name(data, message, NULL);
	take_name(data, message, NULL);
	if (!data->truncated)
		cursor_slice(data, 16); /* serial, refresh, retry, expire */
	minimum = cursor_be32(data);
	if (!data->truncated)
		ret->negative_ttl_s = sane_ttl(minimum) < ttl_s ? sane_ttl(minimum) : ttl_s;
}

static void take_record(struct ptr_reply *ret, struct cursor *c, struct slice message, bool answer)
{
	take_name(c, message, NULL);
	uint16_t type = take_be16(c), class = take_be16(c);
	uint32_t ttl_s = sane_ttl(cursor_be32(c));
	uint16_t length = take_be16(c);
	struct cursor data = cursor_of(cursor_slice(c, length));

	if (c->truncated || class != CLASS_IN)
		return;
	if (answer && (type == TYPE_PTR || type == TYPE_CNAME) && ttl_s < ret->ttl_s)
		ret->ttl_s = ttl_s;
	if (answer && type == TYPE_PTR)
		take_ptr(ret, &data, message);
	else if (!answer && type == TYPE_SOA)
		take_soa(ret, &data, message, ttl_s);
	if (data.truncated)
		c->truncated = true;
}

int ptr_reply_parse(struct ptr_reply *ret, struct slice message)
{
	struct cursor c = cursor_of(message);
	uint16_t questions, answers, authorities;
	struct ptr_reply reply = { .ttl_s = INT32_MAX };

	cursor_slice(&c, 4); /* id, flags: the resolver has seen to them */
	questions = take_be16(&c);
	answers = take_be16(&c);
	authorities = take_be16(&c);
	take_be16(&c);
	if (questions > 1 || answers + authorities > RECORDS_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < questions && !c.truncated; i++) {
		take_name(&c, message, NULL);
		cursor_slice(&c, 4);
	}
	for (unsigned i = 0; i < answers && !c.truncated; i++)
		take_record(&reply, &c, message, true);
	for (unsigned i = 0; i < authorities && !c.truncated; i++)
		take_record(&reply, &c, message, false);
	if (c.truncated)
		return -EBADMSG;
	*ret = reply;
	return 0;
}

void ptr_question(const struct addr *a, char text[static PTR_QUESTION_MAX])
{
	unsigned used = 0;

	if (a->family == ADDR_IP4) {
		const uint8_t *b = addr_ip4_bytes(a);

		snprintf(text, PTR_QUESTION_MAX, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
		return;
	}
	for (int i = 15; i >= 0; i--)
		used += (unsigned)snprintf(text + used, PTR_QUESTION_MAX - used, "%x.%x.", a->bytes[i] & 15, a->bytes[i] >> 4);
	snprintf(text + used, PTR_QUESTION_MAX - used, "ip6.arpa");
}
