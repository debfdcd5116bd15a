/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_router.c -- see bmp_router.h: messages to routes. A rib for each table and family, made when the first route comes. */
#include "routes/bmp_router_internal.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the handlers of one message need. */
struct reading {
	struct bmp_router *r;
	struct router_peer *peer;
	enum bmp_table table;
};

int bmp_router_new(struct bmp_router **ret, enum bmp_table table, const struct bmp_limits *limits)
{
	struct bmp_router *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->table = table;
	r->limits = *limits;
	if (r->limits.peers == 0 || r->limits.peers > BMP_PEERS_MAX)
		r->limits.peers = BMP_PEERS_MAX;
	r->index = calloc(INDEX_SLOTS, sizeof *r->index);
	r->scratch = malloc(AS_PATH_WORDS_MAX * sizeof *r->scratch);
	if (!r->index || !r->scratch || bgp_parser_new(&r->parser) < 0) {
		bmp_router_free(&r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void bmp_router_free(struct bmp_router **pr)
{
	struct bmp_router *r = *pr;

	*pr = NULL;
	if (!r)
		return;
	for (unsigned t = 0; t < BMP_TABLES; t++)
		for (unsigned f = 0; f < FAMILIES; f++)
			rib_free(&r->ribs[t][f]);
	bgp_parser_free(&r->parser);
	free(r->peers);
	free(r->index);
	free(r->scratch);
	free(r);
}

/* ---- peers ---- */

static uint64_t distinguisher_of(const struct bmp_peer *p)
{
	return p->distinguisher ^ (uint64_t)p->type << 60;
}

static bool is_peer(const struct router_peer *p, const struct bmp_peer *head)
{
	return p->distinguisher == distinguisher_of(head) && addr_equal(&p->head.addr, &head->addr);
}

/* The slot of this peer, or the free one where it belongs. */
static uint16_t *slot_of(struct bmp_router *r, const struct bmp_peer *head)
{
	uint64_t words[2], hash;
	size_t i;

	memcpy(words, head->addr.bytes, sizeof words);
	hash = (words[0] ^ distinguisher_of(head)) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 29 ^ words[1]) * UINT64_C(0xbf58476d1ce4e5b9);
	i = (size_t)(hash >> 40) % INDEX_SLOTS;
	while (r->index[i] && !is_peer(&r->peers[r->index[i] - 1], head))
		i = (i + 1) % INDEX_SLOTS;
	return &r->index[i];
}

static struct router_peer *add_peer(struct bmp_router *r, const struct bmp_peer *head, uint16_t *slot)
{
	struct router_peer *p;

	if (r->peer_count == r->limits.peers)
		return NULL;
	if (r->peer_count == r->peer_room) {
		size_t room = r->peer_room ? r->peer_room * 2 : 16;
		struct router_peer *more = reallocarray(r->peers, room, sizeof *more);

		if (!more)
			return NULL;
		r->peers = more;
		r->peer_room = room;
	}
	p = &r->peers[r->peer_count++];
	*p = (struct router_peer){ .distinguisher = distinguisher_of(head) };
	memset(p->in_rib, 0xff, sizeof p->in_rib);
	*slot = (uint16_t)r->peer_count;
	return p;
}

struct router_peer *bmp_router_find_peer(struct bmp_router *r, const struct bmp_peer *head)
{
	uint16_t *slot = slot_of(r, head);
	struct router_peer *p = *slot ? &r->peers[*slot - 1] : add_peer(r, head, slot);

	if (!p)
		r->facts.counters.refused_peers++;
	else
		p->head = *head;
	return p;
}

/* ---- routes ---- */

static struct rib *rib_of(struct bmp_router *r, enum bmp_table t, unsigned family)
{
	struct rib_limits limits = { .routes = r->limits.routes, .peers = BMP_PEERS_MAX };

	if (!r->ribs[t][family] && rib_new(&r->ribs[t][family], &limits) < 0)
		return NULL;
	return r->ribs[t][family];
}

/* The peer's number in the rib of this table and family; negative: no room. */
static int in_rib(struct bmp_router *r, struct router_peer *p, enum bmp_table t, unsigned family)
{
	uint16_t *at = &p->in_rib[t][family];
	struct rib *rib = rib_of(r, t, family);
	struct rib_peer rp = {
		.addr = p->head.addr, .as = p->head.as, .bgp_id = p->head.bgp_id, .distinguisher = p->distinguisher,
	};

	if (!rib)
		return -ENOMEM;
	if (*at == NO_RIB_PEER && rib_peer(rib, &rp, at) < 0) {
		*at = NO_RIB_PEER;
		return -ENOSPC;
	}
	return *at;
}

static void note_told(struct bmp_router *r, enum bmp_table t, unsigned family)
{
	if (!r->told[t][family]) {
		r->told[t][family] = true;
		r->changes++;
	}
}

bool bmp_router_insert(struct bmp_router *r, struct router_peer *p, const struct bmp_route *route)
{
	unsigned family = family_index(route->nlri->prefix.addr.family);
	int peer = in_rib(r, p, route->table, family);

	note_told(r, route->table, family);
	if (peer >= 0 && !r->full &&
	    rib_insert(r->ribs[route->table][family], (uint16_t)peer, route->nlri, route->attributes) == 0)
		return true;
	r->facts.counters.refused_routes++;
	return false;
}

static void insert(struct reading *x, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	struct bmp_route route = { .table = x->table, .nlri = n, .attributes = a };

	bmp_router_insert(x->r, x->peer, &route);
}

/* FRR 8.4 puts the router's own AS before each path that an external peer told, as it would when it sends the route on. A
 * path that came from the peer cannot hold it there: the router would have refused it as a loop. */
static bool begins_with_own_as(const struct reading *x, const struct as_path *path)
{
	return x->table != BMP_TABLE_LOC_RIB && x->peer->own_as && x->peer->own_as != x->peer->head.as && path->count >= 2 &&
	       AS_SEGMENT_KIND(path->words[0]) == AS_SEGMENT_SEQUENCE && path->words[1] == x->peer->own_as;
}

static struct as_path without_first(const struct bmp_router *r, const struct as_path *path)
{
	uint32_t count = AS_SEGMENT_COUNT(path->words[0]);

	if (count == 1)
		return (struct as_path){ path->words + 2, path->count - 2 };
	memcpy(r->scratch, path->words + 1, (path->count - 1) * sizeof *r->scratch);
	r->scratch[0] = AS_SEGMENT(AS_SEGMENT_SEQUENCE, count - 1);
	return (struct as_path){ r->scratch, path->count - 1 };
}

static void on_announce(void *arg, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	struct reading *x = arg;
	struct bgp_attributes changed;

	if (!begins_with_own_as(x, &a->path) || a->path.count > AS_PATH_WORDS_MAX) {
		insert(x, n, a);
		return;
	}
	changed = *a;
	changed.path = without_first(x->r, &a->path);
	x->r->facts.counters.own_as_removed++;
	insert(x, n, &changed);
}

static void on_withdraw(void *arg, const struct bgp_nlri *n)
{
	struct reading *x = arg;
	unsigned family = family_index(n->prefix.addr.family);
	uint16_t peer = x->peer->in_rib[x->table][family];

	note_told(x->r, x->table, family);
	if (peer != NO_RIB_PEER)
		rib_withdraw(x->r->ribs[x->table][family], peer, n);
}

static void on_end_of_rib(void *arg, enum addr_family family)
{
	struct reading *x = arg;
	unsigned f = family_index(family);
	uint16_t peer = x->peer->in_rib[x->table][f];

	note_told(x->r, x->table, f);
	if (peer != NO_RIB_PEER)
		rib_peer_sweep(x->r->ribs[x->table][f], peer, family);
}

/* Which of the router's tables a message speaks of; BMP_TABLES: none that we keep. */
static enum bmp_table table_of(struct bmp_router *r, const struct bmp_peer *p)
{
	enum bmp_table t = p->flags & BMP_FLAG_POST_POLICY ? BMP_TABLE_POST_POLICY : BMP_TABLE_PRE_POLICY;

	if (p->type == BMP_PEER_LOC_RIB)
		t = BMP_TABLE_LOC_RIB;
	else if (p->flags & BMP_FLAG_OUT)
		t = BMP_TABLES;
	if (r->table != BMP_TABLE_AUTO && t != r->table)
		t = BMP_TABLES;
	if (t == BMP_TABLES)
		r->facts.counters.other_tables++;
	return t;
}

static bool is_other_instance(const struct bmp_peer *p)
{
	return p->type == BMP_PEER_RD || p->type > BMP_PEER_LOC_RIB || (p->type == BMP_PEER_LOC_RIB && p->distinguisher);
}

static int read_routes(struct bmp_router *r, const struct bmp_message *m, int64_t now_utc_s, struct err *e)
{
	struct reading x = { .r = r };
	struct bgp_handler h = { on_announce, on_withdraw, on_end_of_rib, &x };
	struct bgp_options options;

	if (is_other_instance(&m->peer)) {
		r->facts.counters.other_instances++;
		return 0;
	}
	x.table = table_of(r, &m->peer);
	x.peer = x.table < BMP_TABLES ? bmp_router_find_peer(r, &m->peer) : NULL;
	if (!x.peer)
		return 0;
	r->route_utc_s = now_utc_s;
	r->telling = true;
	if (!x.peer->since_utc_s) /* a Loc-RIB without a Peer Up */
		x.peer->since_utc_s = now_utc_s;
	x.peer->up = true;
	options = x.peer->options;
	options.as4 = x.table == BMP_TABLE_LOC_RIB || !(m->peer.flags & BMP_FLAG_AS2);
	return bgp_message_read(r->parser, m->body, &options, &h, e);
}

/* ---- peers up and down ---- */

static void each_rib_of(struct bmp_router *r, const struct router_peer *p, void (*what)(struct rib *rib, uint16_t peer))
{
	for (unsigned t = 0; t < BMP_TABLES; t++)
		for (unsigned f = 0; f < FAMILIES; f++)
			if (p->in_rib[t][f] != NO_RIB_PEER)
				what(r->ribs[t][f], p->in_rib[t][f]);
}

static void drop(struct rib *rib, uint16_t peer)
{
	rib_peer_drop(rib, peer);
}

static void sweep(struct rib *rib, uint16_t peer)
{
	if (rib_peer_at(rib, peer)->stale)
		rib_peer_sweep(rib, peer, ADDR_NONE);
}

/* A peer that was up all the while tells everything again. */
static void begin_resync(struct bmp_router *r, const struct router_peer *p, int64_t now_utc_s)
{
	each_rib_of(r, p, rib_peer_stale);
	r->facts.resync = r->telling = true;
	r->route_utc_s = now_utc_s;
}

static int read_peer_up(struct bmp_router *r, const struct bmp_message *m, int64_t now_utc_s, struct err *e)
{
	struct bmp_peer_up up;
	struct bgp_open sent, received;
	struct router_peer *p;
	int read = bmp_peer_up_read(&up, m->body, e);

	r->facts.counters.peer_up++;
	if (read == 0)
		read = bgp_open_read(up.sent_open, &sent, e);
	if (read == 0)
		read = bgp_open_read(up.received_open, &received, e);
	if (read < 0 || is_other_instance(&m->peer))
		return read;
	p = bmp_router_find_peer(r, &m->peer);
	if (!p)
		return 0;
	p->options = bgp_options_of(&received, &sent);
	p->own_as = sent.as;
	p->up = true;
	p->down_reason = 0;
	p->since_utc_s = now_utc_s;
	begin_resync(r, p, now_utc_s);
	return 0;
}

static void read_peer_down(struct bmp_router *r, const struct bmp_message *m, int64_t now_utc_s)
{
	uint16_t *slot = slot_of(r, &m->peer);
	struct router_peer *p = *slot ? &r->peers[*slot - 1] : NULL;

	r->facts.counters.peer_down++;
	if (!p)
		return;
	if (p->up) /* FRR says it again with each attempt that fails */
		p->since_utc_s = now_utc_s;
	p->up = false;
	p->down_reason = bmp_peer_down_reason(m->body);
	each_rib_of(r, p, drop);
}

static void copy_text(char *to, size_t size, struct slice from)
{
	char text[256];
	size_t len = from.len < sizeof text ? from.len : sizeof text - 1;

	if (len)
		memcpy(text, from.at, len);
	text[len] = '\0';
	text_printable(text, to, size);
}

static void read_initiation(struct bmp_router *r, struct slice body)
{
	struct cursor c = cursor_of(body);
	struct slice value;
	uint16_t type;

	while (bmp_information_next(&c, &type, &value)) {
		if (type == BMP_INFO_NAME)
			copy_text(r->facts.name, sizeof r->facts.name, value);
		else if (type == BMP_INFO_DESCRIPTION)
			copy_text(r->facts.description, sizeof r->facts.description, value);
	}
}

/* ---- the stream ---- */

void bmp_router_connected(struct bmp_router *r, int64_t now_utc_s)
{
	for (size_t i = 0; i < r->peer_count; i++)
		each_rib_of(r, &r->peers[i], rib_peer_stale);
	for (unsigned t = 0; t < BMP_TABLES; t++)
		for (unsigned f = 0; f < FAMILIES; f++)
			r->told_before[t][f] |= r->told[t][f];
	memset(r->told, 0, sizeof r->told);
	r->changes++;
	r->telling = false;
	r->facts.counters.sessions++;
	r->facts.connected = r->facts.resync = true;
	r->facts.since_utc_s = r->route_utc_s = now_utc_s;
}

void bmp_router_lost(struct bmp_router *r, int64_t now_utc_s)
{
	for (size_t i = 0; i < r->peer_count; i++) {
		each_rib_of(r, &r->peers[i], rib_peer_stale);
		if (r->peers[i].up)
			r->peers[i].since_utc_s = now_utc_s;
		r->peers[i].up = false;
	}
	r->facts.connected = r->facts.resync = false;
	r->facts.since_utc_s = now_utc_s;
}

int bmp_router_read(struct bmp_router *r, struct slice message, int64_t now_utc_s, struct err *e)
{
	struct bmp_message m;
	int read = bmp_message_read(&m, message, e);

	r->facts.counters.messages++;
	r->facts.counters.bytes += message.len;
	r->facts.heard_utc_s = now_utc_s;
	if (read == 0) {
		switch (m.type) {
		case BMP_ROUTE_MONITORING:
			read = read_routes(r, &m, now_utc_s, e);
			break;
		case BMP_PEER_UP:
			read = read_peer_up(r, &m, now_utc_s, e);
			break;
		case BMP_PEER_DOWN:
			read_peer_down(r, &m, now_utc_s);
			break;
		case BMP_STATISTICS:
			r->facts.counters.statistics++;
			break;
		case BMP_INITIATION:
			read_initiation(r, m.body);
			break;
		case BMP_TERMINATION:
			break; /* the end of the stream follows */
		default:
			r->facts.counters.unsupported++;
		}
	}
	if (read < 0)
		r->facts.counters.malformed++;
	return read;
}

void bmp_router_tick(struct bmp_router *r, int64_t now_utc_s)
{
	if (!r->facts.connected || !r->facts.resync)
		return;
	if ((!r->telling || now_utc_s - r->route_utc_s < BMP_QUIET_S) && now_utc_s - r->facts.since_utc_s < BMP_RESYNC_S)
		return;
	for (size_t i = 0; i < r->peer_count; i++)
		each_rib_of(r, &r->peers[i], sweep);
	memset(r->told_before, 0, sizeof r->told_before);
	r->facts.resync = false;
	r->changes++;
}

void bmp_router_set_full(struct bmp_router *r, bool full)
{
	r->full = full;
}
