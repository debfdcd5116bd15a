/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bgp_update_fuzz.c -- the first byte: how the session's messages are read, and whether a table is made at the end, which
 * takes most of the time; the rest: messages behind one another, into a rib. What the rib says of itself must agree
 * with what it holds. */
#include "routes/bgp.h"
#include "routes/rib.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct session {
	struct rib *rib;
	uint16_t peer;
	uint32_t seen;
};

static void on_announce(void *arg, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	struct session *s = arg;
	uint32_t as[16];
	char text[32];

	as_path_format(&a->path, text, sizeof text);
	if (as_path_distinct(&a->path, as, 16) > 16 || rib_insert(s->rib, s->peer, n, a) < 0)
		abort();
}

static void on_withdraw(void *arg, const struct bgp_nlri *n)
{
	struct session *s = arg;

	rib_withdraw(s->rib, s->peer, n);
}

static void on_end_of_rib(void *arg, enum addr_family family)
{
	struct session *s = arg;

	rib_peer_sweep(s->rib, s->peer, family);
	rib_peer_stale(s->rib, s->peer);
}

static void on_route(void *arg, uint16_t peer, const struct bgp_nlri *n, const struct bgp_attributes *a, bool stale)
{
	struct session *s = arg;

	(void)n, (void)a, (void)stale;
	s->seen += peer == s->peer;
}

static void read_messages(struct session *s, struct bgp_parser *parser, struct slice bytes, const struct bgp_options *o)
{
	const struct bgp_handler h = { on_announce, on_withdraw, on_end_of_rib, s };

	while (bytes.len) {
		uint32_t length = bgp_message_length(bytes);
		struct slice message = { bytes.at, length && length < bytes.len ? length : bytes.len };
		struct bgp_open open;
		struct err e;

		(void)bgp_message_read(parser, message, o, &h, &e);
		(void)bgp_open_read(message, &open, &e);
		bytes.at += message.len;
		bytes.len -= message.len;
	}
}

static void make_table(const struct rib *rib)
{
	struct route_builder *builder;
	struct route_table *table;

	if (route_builder_new(&builder) < 0 || rib_collect(rib, builder) < 0 || route_table_build(&table, &builder, NULL) < 0)
		abort();
	if (route_table_count(table, ADDR_IP4) + route_table_count(table, ADDR_IP6) != rib_prefixes(rib))
		abort();
	route_table_free(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bgp_options o = { size && (data[0] & 1), size && (data[0] & 2), size && (data[0] & 4) };
	const struct rib_peer peer = { .addr = { .family = ADDR_IP4 } };
	struct bgp_parser *parser;
	struct session s = { 0 };

	if (bgp_parser_new(&parser) < 0 || rib_new(&s.rib, NULL) < 0 || rib_peer(s.rib, &peer, &s.peer) < 0)
		abort();
	if (size)
		read_messages(&s, parser, (struct slice){ data + 1, size - 1 }, &o);
	rib_each(s.rib, on_route, &s);
	if (s.seen != rib_routes(s.rib) || s.seen != rib_peer_at(s.rib, s.peer)->routes)
		abort();
	if (size && data[0] < 8)
		make_table(s.rib);
	rib_free(&s.rib);
	bgp_parser_free(&parser);
	return 0;
}
