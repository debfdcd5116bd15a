/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bgp.c -- messages and prefixes; the attributes are bgp_attributes.c's. */
#include "routes/bgp_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int bgp_parser_new(struct bgp_parser **ret)
{
	struct bgp_parser *p = malloc(sizeof *p);

	if (!p)
		return -ENOMEM;
	memset(&p->counters, 0, sizeof p->counters);
	*ret = p;
	return 0;
}

void bgp_parser_free(struct bgp_parser **p)
{
	free(*p);
	*p = NULL;
}

const struct bgp_counters *bgp_parser_counters(const struct bgp_parser *p)
{
	return &p->counters;
}

uint32_t bgp_message_length(struct slice bytes)
{
	uint32_t length = bytes.len >= 18 ? be16(bytes.at + 16) : 0;

	return length >= BGP_HEADER_BYTES ? length : 0;
}

uint8_t bgp_message_type(struct slice message)
{
	return message.len >= BGP_HEADER_BYTES ? message.at[18] : 0;
}

bool bgp_nlri_next(struct cursor *c, enum addr_family family, bool add_path, struct bgp_nlri *ret)
{
	unsigned bits_max = family == ADDR_IP4 ? 32 : 128, bits, bytes;
	const uint8_t *from;
	uint8_t *to;

	if (c->rest.len == 0 || c->truncated)
		return false;
	*ret = (struct bgp_nlri){ .path_id = add_path ? cursor_be32(c) : 0 };
	bits = cursor_u8(c);
	bytes = (bits + 7) / 8;
	if (bits > bits_max)
		c->truncated = true;
	from = bytes ? cursor_take(c, bytes) : NULL;
	if (c->truncated)
		return false;
	ret->prefix.addr.family = (uint8_t)family;
	ret->prefix.bits = (uint8_t)bits;
	to = ret->prefix.addr.bytes;
	if (family == ADDR_IP4) {
		to[10] = to[11] = 0xff;
		to += 12;
	}
	if (bytes == 0)
		return true;
	memcpy(to, from, bytes);
	to[bytes - 1] &= (uint8_t)(0xff << (bytes * 8 - bits));
	return true;
}

/* A list of prefixes of one message, and how it is to be read. */
struct nlri_list {
	struct slice bytes;
	enum addr_family family; /* ADDR_NONE: one that we do not know */
	bool add_path;
};

static struct nlri_list list_of(struct slice bytes, enum addr_family family, const struct bgp_options *o)
{
	return (struct nlri_list){ bytes, family, family == ADDR_IP4 ? o->add_path_ip4 : o->add_path_ip6 };
}

static enum addr_family family_of(uint16_t afi, uint8_t safi)
{
	if (safi != BGP_SAFI_UNICAST)
		return ADDR_NONE;
	return afi == BGP_AFI_IP4 ? ADDR_IP4 : afi == BGP_AFI_IP6 ? ADDR_IP6 : ADDR_NONE;
}

/* RFC 4760 3, 4: the list of MP_REACH_NLRI stands behind the next hop and a reserved byte. */
static int read_multi(struct slice value, bool reach, const struct bgp_options *o, struct nlri_list *ret, struct err *e)
{
	struct cursor c = cursor_of(value);
	uint16_t afi = cursor_be16(&c);
	uint8_t safi = cursor_u8(&c);

	if (reach) {
		(void)cursor_slice(&c, cursor_u8(&c));
		(void)cursor_u8(&c);
	}
	if (c.truncated)
		return err_set(e, -EBADMSG, "%s is cut short", reach ? "MP_REACH_NLRI" : "MP_UNREACH_NLRI");
	*ret = list_of(c.rest, family_of(afi, safi), o);
	return 0;
}

static void withdraw_all(struct bgp_parser *p, const struct nlri_list *l, const struct bgp_handler *h)
{
	struct cursor c = cursor_of(l->bytes);
	struct bgp_nlri n;

	if (l->family == ADDR_NONE) {
		p->counters.unsupported_families += l->bytes.len != 0;
		return;
	}
	while (bgp_nlri_next(&c, l->family, l->add_path, &n)) {
		p->counters.withdrawn++;
		h->withdraw(h->arg, &n);
	}
	p->counters.malformed_prefixes += c.truncated;
}

static void announce_all(struct bgp_parser *p, const struct nlri_list *l, const struct bgp_attributes *a,
			 const struct bgp_handler *h)
{
	struct cursor c = cursor_of(l->bytes);
	struct bgp_nlri n;

	if (l->family == ADDR_NONE) {
		p->counters.unsupported_families += l->bytes.len != 0;
		return;
	}
	while (bgp_nlri_next(&c, l->family, l->add_path, &n)) {
		p->counters.announced++;
		h->announce(h->arg, &n, a);
	}
	p->counters.malformed_prefixes += c.truncated;
}

/* The four lists of an UPDATE. */
struct update {
	struct nlri_list withdrawn, unreach, announced, reach;
	struct bgp_attributes attributes;
	bool damaged; /* attributes: RFC 7606 2 */
	bool has_attributes;
};

static int read_update(struct bgp_parser *p, struct slice message, const struct bgp_options *o, struct update *u,
		       struct err *e)
{
	struct cursor c = cursor_of(message);
	struct slice attributes;
	int r = 0;

	(void)cursor_slice(&c, BGP_HEADER_BYTES);
	u->withdrawn = list_of(cursor_slice(&c, cursor_be16(&c)), ADDR_IP4, o);
	attributes = cursor_slice(&c, cursor_be16(&c));
	if (c.truncated)
		return err_set(e, -EBADMSG, "UPDATE whose lists are longer than itself");
	u->announced = list_of(c.rest, ADDR_IP4, o);
	u->has_attributes = attributes.len != 0;
	u->damaged = bgp_attributes_read(p, attributes, o, &u->attributes, e) < 0;
	if (u->attributes.reach.at)
		r = read_multi(u->attributes.reach, true, o, &u->reach, e);
	if (r == 0 && u->attributes.unreach.at)
		r = read_multi(u->attributes.unreach, false, o, &u->unreach, e);
	/* RFC 7606 3 d: a mandatory attribute is missing */
	if ((u->announced.bytes.len || u->reach.bytes.len) && !u->attributes.has_path)
		u->damaged = true;
	return r;
}

/* RFC 4724 2: an UPDATE without any route. */
static bool is_end_of_rib(const struct update *u, enum addr_family *ret)
{
	if (u->damaged || u->withdrawn.bytes.len || u->announced.bytes.len || u->attributes.reach.at || u->unreach.bytes.len)
		return false;
	*ret = u->attributes.unreach.at ? u->unreach.family : ADDR_IP4;
	return (u->attributes.unreach.at || !u->has_attributes) && *ret != ADDR_NONE;
}

static void hand_out(struct bgp_parser *p, const struct update *u, const struct bgp_handler *h)
{
	enum addr_family family;

	if (is_end_of_rib(u, &family)) {
		p->counters.end_of_rib++;
		if (h->end_of_rib)
			h->end_of_rib(h->arg, family);
		return;
	}
	withdraw_all(p, &u->withdrawn, h);
	withdraw_all(p, &u->unreach, h);
	if (u->damaged) {
		p->counters.malformed_attributes++;
		withdraw_all(p, &u->announced, h);
		withdraw_all(p, &u->reach, h);
		return;
	}
	announce_all(p, &u->announced, &u->attributes, h);
	announce_all(p, &u->reach, &u->attributes, h);
}

int bgp_message_read(struct bgp_parser *p, struct slice message, const struct bgp_options *o, const struct bgp_handler *h,
		     struct err *e)
{
	uint32_t length = bgp_message_length(message);
	struct update u = { 0 };
	int r;

	if (length == 0 || length > message.len) {
		p->counters.malformed_messages++;
		return err_set(e, -EBADMSG, "BGP message of %u bytes in %zu", length, message.len);
	}
	if (bgp_message_type(message) != BGP_UPDATE) {
		p->counters.other_messages++;
		return 0;
	}
	message.len = length;
	r = read_update(p, message, o, &u, e);
	if (r < 0) {
		p->counters.malformed_messages++;
		return r;
	}
	p->counters.updates++;
	hand_out(p, &u, h);
	return 0;
}
