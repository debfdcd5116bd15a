/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mrt.c -- the record types of RFC 6396 that carry routes. */
#include "routes/mrt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MRT_TABLE_DUMP = 12, MRT_TABLE_DUMP_V2 = 13, MRT_BGP4MP = 16, MRT_BGP4MP_ET = 17 };

#define NO_MESSAGE 0xff

struct mrt_reader {
	struct mrt_handler handler;
	struct mrt_counters counters;
	struct bgp_parser *parser;
	struct mrt_peer *peers; /* of the last PEER_INDEX_TABLE */
	uint32_t peer_count;
	const struct mrt_peer *speaker; /* of the message that is being read */
};

int mrt_reader_new(struct mrt_reader **ret, const struct mrt_handler *h)
{
	struct mrt_reader *m = calloc(1, sizeof *m);

	if (!m)
		return -ENOMEM;
	m->handler = *h;
	if (bgp_parser_new(&m->parser) < 0) {
		free(m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

void mrt_reader_free(struct mrt_reader **m)
{
	if (*m) {
		bgp_parser_free(&(*m)->parser);
		free((*m)->peers);
	}
	free(*m);
	*m = NULL;
}

const struct mrt_counters *mrt_reader_counters(const struct mrt_reader *m)
{
	return &m->counters;
}

const struct bgp_counters *mrt_reader_messages(const struct mrt_reader *m)
{
	return bgp_parser_counters(m->parser);
}

uint32_t mrt_reader_peers(const struct mrt_reader *m)
{
	return m->peer_count;
}

uint32_t mrt_record_time(struct slice record)
{
	return record.len >= 4 ? be32(record.at) : 0;
}

static struct addr take_addr(struct cursor *c, enum addr_family family)
{
	struct addr a = { .family = (uint8_t)family };
	const uint8_t *from = cursor_take(c, family == ADDR_IP4 ? 4 : 16);

	if (!from)
		return (struct addr){ 0 };
	if (family == ADDR_IP4) {
		a.bytes[10] = a.bytes[11] = 0xff;
		memcpy(a.bytes + 12, from, 4);
	} else {
		memcpy(a.bytes, from, 16);
	}
	return a;
}

static uint32_t take_as(struct cursor *c, bool as4)
{
	return as4 ? cursor_be32(c) : cursor_be16(c);
}

/* Hands out one row, unless its attributes are damaged. */
static void tell_row(struct mrt_reader *m, const struct mrt_peer *peer, const struct bgp_nlri *n, struct slice attributes,
		     bool as4)
{
	const struct bgp_options o = { .as4 = as4 };
	struct bgp_attributes a;

	if (bgp_attributes_read(m->parser, attributes, &o, &a, NULL) < 0) {
		m->counters.malformed_rows++;
		return;
	}
	m->counters.rows++;
	m->handler.row(m->handler.arg, peer, n, &a);
}

/* --- TABLE_DUMP, RFC 6396 4.2: one route a record --- */

/* The address stands with all its bytes, host bits too. */
static void cut_to_prefix(struct prefix *p)
{
	unsigned first = p->addr.family == ADDR_IP4 ? 96 : 0;

	for (unsigned i = (first + p->bits) / 8; i < 16; i++)
		p->addr.bytes[i] &= (uint8_t)(i == (first + p->bits) / 8 ? 0xff00 >> p->bits % 8 : 0);
}

static int read_table_dump(struct mrt_reader *m, uint16_t subtype, struct cursor *c, struct err *e)
{
	/* 3 and 4: AS numbers of 4 octets, as Quagga wrote before TABLE_DUMP_V2 */
	enum addr_family family = subtype == 1 || subtype == 3 ? ADDR_IP4 : ADDR_IP6;
	struct mrt_peer peer = { 0 };
	struct bgp_nlri n = { 0 };
	struct slice attributes;

	(void)cursor_be32(c); /* view and sequence number */
	n.prefix.addr = take_addr(c, family);
	n.prefix.bits = cursor_u8(c);
	(void)cursor_u8(c);   /* status */
	(void)cursor_be32(c); /* when it came */
	peer.addr = take_addr(c, family);
	peer.as = take_as(c, subtype >= 3);
	attributes = cursor_slice(c, cursor_be16(c));
	if (c->truncated || n.prefix.bits > (family == ADDR_IP4 ? 32 : 128))
		return err_set(e, -EBADMSG, "TABLE_DUMP record with a damaged route");
	cut_to_prefix(&n.prefix);
	tell_row(m, &peer, &n, attributes, subtype >= 3);
	if (m->handler.row_end)
		m->handler.row_end(m->handler.arg, &n);
	return 0;
}

/* --- TABLE_DUMP_V2, RFC 6396 4.3, RFC 8050 4 --- */

static int read_peers(struct mrt_reader *m, struct cursor *c, struct err *e)
{
	struct mrt_peer *peers;
	uint32_t count;

	(void)cursor_be32(c); /* the collector */
	(void)cursor_slice(c, cursor_be16(c));
	count = cursor_be16(c);
	if (c->truncated || count > c->rest.len / 11) /* 11 bytes: type, identifier, IPv4 address, AS number of 2 */
		return err_set(e, -EBADMSG, "peer index table of %" PRIu32 " peers is cut short", count);
	peers = calloc(count ? count : 1, sizeof *peers);
	if (!peers)
		return err_set(e, -ENOMEM, "no memory for a peer index table");
	for (uint32_t i = 0; i < count; i++) {
		uint8_t type = cursor_u8(c);

		peers[i].bgp_id = cursor_be32(c);
		peers[i].addr = take_addr(c, type & 1 ? ADDR_IP6 : ADDR_IP4);
		peers[i].as = take_as(c, type & 2);
	}
	if (c->truncated) {
		free(peers);
		return err_set(e, -EBADMSG, "peer index table of %" PRIu32 " peers is cut short", count);
	}
	free(m->peers);
	m->peers = peers;
	m->peer_count = count;
	m->counters.peer_tables++;
	return 0;
}

static int read_entries(struct mrt_reader *m, struct cursor *c, struct bgp_nlri *n, bool add_path, struct err *e)
{
	uint16_t count = cursor_be16(c);

	for (uint16_t i = 0; i < count; i++) {
		uint16_t peer = cursor_be16(c);
		struct slice attributes;

		(void)cursor_be32(c); /* when it came */
		if (add_path)
			n->path_id = cursor_be32(c);
		attributes = cursor_slice(c, cursor_be16(c));
		if (c->truncated)
			break;
		if (peer < m->peer_count)
			tell_row(m, &m->peers[peer], n, attributes, true); /* RFC 6396 4.3.4: always 4 octets */
		else
			m->counters.unknown_peers++;
	}
	if (m->handler.row_end)
		m->handler.row_end(m->handler.arg, n);
	return c->truncated ? err_set(e, -EBADMSG, "table row of %u routes is cut short", count) : 0;
}

static int read_rib(struct mrt_reader *m, struct cursor *c, enum addr_family family, bool add_path, struct err *e)
{
	struct bgp_nlri n;

	(void)cursor_be32(c); /* sequence number */
	if (!bgp_nlri_next(c, family, false, &n))
		return err_set(e, -EBADMSG, "table row with a damaged prefix");
	return read_entries(m, c, &n, add_path, e);
}

/* Whether the entries of a row end where the record does. */
static bool entries_fit(struct cursor c, enum addr_family family, bool nlri_path_id, bool entry_path_id)
{
	struct bgp_nlri n;
	uint16_t count;

	if (!bgp_nlri_next(&c, family, nlri_path_id, &n))
		return false;
	count = cursor_be16(&c);
	while (count-- && !c.truncated) {
		(void)cursor_slice(&c, entry_path_id ? 10 : 6);
		(void)cursor_slice(&c, cursor_be16(&c));
	}
	return !c.truncated && c.rest.len == 0;
}

/* RFC 8050 4.2 puts the path identifier before the prefix; OpenBGPD and GoBGP put it into each entry, as the other subtypes
 * have it. The lengths tell which. */
static int read_rib_generic(struct mrt_reader *m, struct cursor *c, bool add_path, struct err *e)
{
	enum addr_family family;
	bool in_entries;
	struct bgp_nlri n;
	uint16_t afi;
	uint8_t safi;

	(void)cursor_be32(c);
	afi = cursor_be16(c);
	safi = cursor_u8(c);
	if (c->truncated)
		return err_set(e, -EBADMSG, "table row with a damaged head");
	if (safi != BGP_SAFI_UNICAST || (afi != BGP_AFI_IP4 && afi != BGP_AFI_IP6)) {
		m->counters.unsupported++;
		return 0;
	}
	family = afi == BGP_AFI_IP4 ? ADDR_IP4 : ADDR_IP6;
	in_entries = add_path && !entries_fit(*c, family, true, false) && entries_fit(*c, family, false, true);
	if (!bgp_nlri_next(c, family, add_path && !in_entries, &n))
		return err_set(e, -EBADMSG, "table row with a damaged prefix");
	return read_entries(m, c, &n, in_entries, e);
}

static int read_table_dump_v2(struct mrt_reader *m, uint16_t subtype, struct cursor *c, struct err *e)
{
	switch (subtype) {
	case 1: return read_peers(m, c, e);
	case 2: return read_rib(m, c, ADDR_IP4, false, e);
	case 4: return read_rib(m, c, ADDR_IP6, false, e);
	case 6: return read_rib_generic(m, c, false, e);
	case 8: return read_rib(m, c, ADDR_IP4, true, e);
	case 10: return read_rib(m, c, ADDR_IP6, true, e);
	case 12: return read_rib_generic(m, c, true, e);
	default: m->counters.unsupported++; return 0; /* multicast tables, the peers' places */
	}
}

/* --- BGP4MP, RFC 6396 4.4, RFC 8050 3 --- */

static const struct bgp4mp_form {
	uint8_t message; /* NO_MESSAGE: not known; 0: a change of state */
	bool as4, local, add_path;
} bgp4mp_forms[] = {
	[0] = { 0, false, false, false },
	[1] = { 1, false, false, false },
	[2] = { NO_MESSAGE, false, false, false }, /* BGP4MP_ENTRY, _SNAPSHOT: RFC 6396 B.2 */
	[3] = { NO_MESSAGE, false, false, false },
	[4] = { 1, true, false, false },
	[5] = { 0, true, false, false },
	[6] = { 1, false, true, false },
	[7] = { 1, true, true, false },
	[8] = { 1, false, false, true },
	[9] = { 1, true, false, true },
	[10] = { 1, false, true, true },
	[11] = { 1, true, true, true },
};

static void on_announce(void *arg, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	struct mrt_reader *m = arg;

	m->handler.announce(m->handler.arg, m->speaker, n, a);
}

static void on_withdraw(void *arg, const struct bgp_nlri *n)
{
	struct mrt_reader *m = arg;

	m->handler.withdraw(m->handler.arg, m->speaker, n);
}

static int read_message(struct mrt_reader *m, const struct mrt_peer *speaker, const struct bgp4mp_form *form,
			struct slice message, struct err *e)
{
	const struct bgp_options o = { form->as4, form->add_path, form->add_path };
	const struct bgp_handler h = { .announce = on_announce, .withdraw = on_withdraw, .arg = m };

	m->speaker = speaker;
	m->counters.updates++;
	return bgp_message_read(m->parser, message, &o, &h, e);
}

static int read_bgp4mp(struct mrt_reader *m, uint16_t subtype, struct cursor *c, struct err *e)
{
	const struct bgp4mp_form *form = &bgp4mp_forms[subtype];
	struct mrt_peer peer = { 0 }, local = { 0 };
	uint16_t afi, from, to;

	peer.as = take_as(c, form->as4);
	local.as = take_as(c, form->as4);
	(void)cursor_be16(c); /* the interface */
	afi = cursor_be16(c);
	peer.addr = take_addr(c, afi == BGP_AFI_IP6 ? ADDR_IP6 : ADDR_IP4);
	local.addr = take_addr(c, afi == BGP_AFI_IP6 ? ADDR_IP6 : ADDR_IP4);
	if (c->truncated || (afi != BGP_AFI_IP4 && afi != BGP_AFI_IP6))
		return err_set(e, -EBADMSG, "BGP4MP record with a damaged head");
	if (form->message) /* what the collector itself said (_LOCAL) is its own: the speaker is it */
		return read_message(m, form->local ? &local : &peer, form, c->rest, e);
	from = cursor_be16(c);
	to = cursor_be16(c);
	if (c->truncated)
		return err_set(e, -EBADMSG, "BGP4MP state change is cut short");
	m->counters.state_changes++;
	if (m->handler.state)
		m->handler.state(m->handler.arg, &peer, from, to);
	return 0;
}

static int read_body(struct mrt_reader *m, uint16_t type, uint16_t subtype, struct cursor *c, struct err *e)
{
	if (type == MRT_TABLE_DUMP_V2)
		return read_table_dump_v2(m, subtype, c, e);
	if (type == MRT_TABLE_DUMP && subtype >= 1 && subtype <= 4)
		return read_table_dump(m, subtype, c, e);
	if ((type == MRT_BGP4MP || type == MRT_BGP4MP_ET) && subtype < sizeof bgp4mp_forms / sizeof *bgp4mp_forms &&
	    bgp4mp_forms[subtype].message != NO_MESSAGE) {
		if (type == MRT_BGP4MP_ET)
			(void)cursor_be32(c); /* microseconds */
		return read_bgp4mp(m, subtype, c, e);
	}
	m->counters.unsupported++;
	return 0;
}

int mrt_record_read(struct mrt_reader *m, struct slice record, struct err *e)
{
	struct cursor c = cursor_of(record);
	uint16_t type, subtype;
	uint32_t length;
	int r;

	(void)cursor_be32(&c); /* time */
	type = cursor_be16(&c);
	subtype = cursor_be16(&c);
	length = cursor_be32(&c);
	m->counters.records++;
	if (c.truncated || length > c.rest.len) {
		m->counters.malformed++;
		return err_set(e, -EBADMSG, "record is cut short");
	}
	c.rest.len = length;
	r = read_body(m, type, subtype, &c, e);
	m->counters.malformed += r == -EBADMSG;
	return r;
}
