/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rib.c -- what changes the routes; rib_best.c reads them. */
#include "routes/rib_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROUTES_DEFAULT (16u << 20)
#define PEERS_DEFAULT 4096u

int rib_new(struct rib **ret, const struct rib_limits *limits)
{
	struct rib *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	if (limits)
		r->limits = *limits;
	if (!r->limits.routes || r->limits.routes > UINT32_MAX / 2)
		r->limits.routes = ROUTES_DEFAULT;
	if (!r->limits.peers || r->limits.peers > UINT16_MAX)
		r->limits.peers = PEERS_DEFAULT;
	r->seed = paths_seed();
	r->mask = 255;
	r->index = calloc(r->mask + 1, sizeof *r->index);
	if (!r->index || paths_new(&r->attributes) < 0) {
		rib_free(&r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void rib_free(struct rib **r)
{
	if (*r) {
		paths_free(&(*r)->attributes);
		free((*r)->peers);
		free((*r)->nodes);
		free((*r)->routes);
		free((*r)->index);
	}
	free(*r);
	*r = NULL;
}

const struct rib_counters *rib_counters(const struct rib *r)
{
	return &r->counters;
}

uint16_t rib_peers(const struct rib *r)
{
	return r->peer_count;
}

const struct rib_peer *rib_peer_at(const struct rib *r, uint16_t peer)
{
	return &r->peers[peer].told;
}

uint32_t rib_prefixes(const struct rib *r)
{
	return r->prefixes;
}

uint32_t rib_routes(const struct rib *r)
{
	return r->route_count;
}

uint64_t rib_version(const struct rib *r)
{
	return r->version;
}

size_t rib_bytes(const struct rib *r)
{
	return sizeof *r + paths_bytes(r->attributes) + r->peer_count * sizeof *r->peers +
	       (size_t)r->node_room * sizeof *r->nodes + (size_t)r->route_room * sizeof *r->routes +
	       ((size_t)r->mask + 1) * sizeof *r->index;
}

int rib_peer(struct rib *r, const struct rib_peer *p, uint16_t *ret_peer)
{
	struct peer *peers;
	uint16_t i;

	for (i = 0; i < r->peer_count; i++)
		if (r->peers[i].told.distinguisher == p->distinguisher && addr_equal(&r->peers[i].told.addr, &p->addr))
			break;
	if (i == r->peer_count) {
		if (i >= r->limits.peers)
			return -ENOSPC;
		peers = realloc(r->peers, ((size_t)i + 1) * sizeof *peers);
		if (!peers)
			return -ENOMEM;
		r->peers = peers;
		r->peers[i] = (struct peer){ .told = { .addr = p->addr, .distinguisher = p->distinguisher } };
		r->peer_count++;
	}
	if (p->bgp_id && r->peers[i].told.bgp_id != p->bgp_id) {
		r->peers[i].told.bgp_id = p->bgp_id;
		r->version++; /* the order of routes may change */
	}
	if (p->as)
		r->peers[i].told.as = p->as;
	*ret_peer = i;
	return 0;
}

/* --- prefixes --- */

static struct node node_of(const struct prefix *p)
{
	struct node n = { .bits = p->bits, .family = p->addr.family };

	memcpy(&n.high, p->addr.bytes, 8);
	memcpy(&n.low, p->addr.bytes + 8, 8);
	return n;
}

static uint32_t hash_of(const struct rib *r, const struct node *n)
{
	uint64_t h = paths_mix(r->seed ^ n->bits ^ (uint64_t)n->family << 8, n->high);

	return (uint32_t)paths_mix(paths_mix(h, n->low), r->seed);
}

static bool same_prefix(const struct node *a, const struct node *b)
{
	return a->high == b->high && a->low == b->low && a->bits == b->bits && a->family == b->family;
}

/* Where the prefix is in the index, or the free slot where it would be. */
static uint32_t find(const struct rib *r, const struct node *n, uint32_t hash)
{
	uint32_t at = hash & r->mask;

	while (r->index[at].node && (r->index[at].hash != hash || !same_prefix(&r->nodes[r->index[at].node], n)))
		at = (at + 1) & r->mask;
	return at;
}

static int grow_index(struct rib *r)
{
	uint32_t mask = r->mask * 2 + 1;
	struct slot *index = calloc((size_t)mask + 1, sizeof *index);

	if (!index)
		return -ENOMEM;
	for (uint32_t i = 0; i <= r->mask; i++) {
		uint32_t at = r->index[i].hash & mask;

		if (!r->index[i].node)
			continue;
		while (index[at].node)
			at = (at + 1) & mask;
		index[at] = r->index[i];
	}
	free(r->index);
	r->index = index;
	r->mask = mask;
	return 0;
}

static void index_take(struct rib *r, uint32_t at)
{
	for (uint32_t next = (at + 1) & r->mask; r->index[next].node; next = (next + 1) & r->mask) {
		if (((next - r->index[next].hash) & r->mask) >= ((next - at) & r->mask)) {
			r->index[at] = r->index[next];
			at = next;
		}
	}
	r->index[at].node = 0;
}

static uint32_t room_after(uint32_t room)
{
	return room ? room + room / 2 : 256;
}

/* The number of a node that is free, taken out of the list of free ones; 0 = no memory. */
static uint32_t new_node(struct rib *r)
{
	uint32_t id = r->node_free;

	if (id) {
		r->node_free = r->nodes[id].first;
		return id;
	}
	if (r->node_last + 1 >= r->node_room) {
		struct node *nodes = realloc(r->nodes, room_after(r->node_room) * sizeof *nodes);

		if (!nodes)
			return 0;
		r->nodes = nodes;
		r->node_room = room_after(r->node_room);
	}
	return ++r->node_last;
}

static uint32_t new_route(struct rib *r)
{
	uint32_t id = r->route_free;

	if (r->route_count >= r->limits.routes)
		return 0;
	if (id) {
		r->route_free = r->routes[id].next;
		return id;
	}
	if (r->route_last + 1 >= r->route_room) {
		struct stored *routes = realloc(r->routes, room_after(r->route_room) * sizeof *routes);

		if (!routes)
			return 0;
		r->routes = routes;
		r->route_room = room_after(r->route_room);
	}
	return ++r->route_last;
}

static void forget_node(struct rib *r, uint32_t at)
{
	uint32_t id = r->index[at].node;

	index_take(r, at);
	r->nodes[id] = (struct node){ .first = r->node_free };
	r->node_free = id;
	r->prefixes--;
}

static void forget_route(struct rib *r, uint32_t id)
{
	struct stored *s = &r->routes[id];
	struct peer *peer = &r->peers[s->peer];

	paths_release(r->attributes, s->attributes);
	peer->told.routes--;
	peer->told.stale -= s->generation != peer->generation;
	*s = (struct stored){ .next = r->route_free };
	r->route_free = id;
	r->route_count--;
	r->version++;
}

/* --- routes --- */

static uint32_t hold_attributes(struct rib *r, const struct bgp_attributes *a)
{
	r->scratch[0] = a->local_pref;
	r->scratch[1] = a->med;
	r->scratch[2] = as_path_length(&a->path) << 8 | a->origin;
	if (a->path.count)
		memcpy(r->scratch + ATTRIBUTE_WORDS, a->path.words, a->path.count * sizeof *r->scratch);
	return paths_hold(r->attributes, r->scratch, ATTRIBUTE_WORDS + a->path.count);
}

static uint32_t route_of(const struct rib *r, uint32_t first, uint16_t peer, uint32_t path_id)
{
	while (first && (r->routes[first].peer != peer || r->routes[first].path_id != path_id))
		first = r->routes[first].next;
	return first;
}

static void replace(struct rib *r, struct stored *s, uint32_t attributes)
{
	struct peer *peer = &r->peers[s->peer];

	r->version += s->attributes != attributes;
	paths_release(r->attributes, s->attributes);
	s->attributes = attributes;
	peer->told.stale -= s->generation != peer->generation;
	s->generation = peer->generation;
	r->counters.replaced++;
}

static int refuse(struct rib *r, uint32_t attributes)
{
	if (attributes)
		paths_release(r->attributes, attributes);
	r->counters.refused++;
	return r->route_count >= r->limits.routes || paths_count(r->attributes) >= PATHS_MAX ? -ENOSPC : -ENOMEM;
}

/* A free node takes the prefix and stands in the index; a free route must be there for it. */
static uint32_t add_node(struct rib *r, struct node n, uint32_t at, uint32_t hash)
{
	uint32_t id = new_node(r);

	if (!id)
		return 0;
	r->nodes[id] = n;
	r->index[at] = (struct slot){ hash, id };
	r->prefixes++;
	return id;
}

int rib_insert(struct rib *r, uint16_t peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	struct node wanted = node_of(&n->prefix);
	uint32_t hash = hash_of(r, &wanted), attributes = hold_attributes(r, a), at, id, route;

	if (!attributes || (r->prefixes >= (r->mask + 1) / 4 * 3 && grow_index(r) < 0))
		return refuse(r, attributes);
	at = find(r, &wanted, hash);
	id = r->index[at].node;
	route = id ? route_of(r, r->nodes[id].first, peer, n->path_id) : 0;
	if (route) {
		replace(r, &r->routes[route], attributes);
		return 0;
	}
	route = new_route(r);
	if (!route)
		return refuse(r, attributes);
	if (!id && !(id = add_node(r, wanted, at, hash))) {
		r->routes[route] = (struct stored){ .next = r->route_free };
		r->route_free = route;
		return refuse(r, attributes);
	}
	r->routes[route] = (struct stored){ attributes, n->path_id, r->nodes[id].first, peer, r->peers[peer].generation, 0 };
	r->nodes[id].first = route;
	r->peers[peer].told.routes++;
	r->route_count++;
	r->counters.inserted++;
	r->version++;
	return 0;
}

/* Takes the route out of its node's list. */
static void unlink_route(struct rib *r, uint32_t node, uint32_t route)
{
	uint32_t *at = &r->nodes[node].first;

	while (*at != route)
		at = &r->routes[*at].next;
	*at = r->routes[route].next;
}

bool rib_withdraw(struct rib *r, uint16_t peer, const struct bgp_nlri *n)
{
	struct node wanted = node_of(&n->prefix);
	uint32_t at = find(r, &wanted, hash_of(r, &wanted)), id = r->index[at].node;
	uint32_t route = id ? route_of(r, r->nodes[id].first, peer, n->path_id) : 0;

	if (!route) {
		r->counters.withdrawn_unknown++;
		return false;
	}
	unlink_route(r, id, route);
	forget_route(r, route);
	if (!r->nodes[id].first)
		forget_node(r, at);
	r->counters.withdrawn++;
	return true;
}

/* Takes the peer's routes out of one node's list: all, or those that are stale. */
static uint32_t sweep_node(struct rib *r, uint32_t node, uint16_t peer, bool all)
{
	uint32_t *at = &r->nodes[node].first, gone = 0;

	while (*at) {
		uint32_t route = *at;
		const struct stored *s = &r->routes[route];

		if (s->peer != peer || (!all && s->generation == r->peers[peer].generation)) {
			at = &r->routes[route].next;
			continue;
		}
		*at = s->next;
		forget_route(r, route);
		gone++;
	}
	return gone;
}

static uint32_t sweep(struct rib *r, uint16_t peer, enum addr_family family, bool all)
{
	uint32_t gone = 0;

	for (uint32_t id = 1; id <= r->node_last; id++) {
		struct node n = r->nodes[id];

		if (!n.family || (family != ADDR_NONE && n.family != family))
			continue;
		gone += sweep_node(r, id, peer, all);
		if (!r->nodes[id].first)
			forget_node(r, find(r, &n, hash_of(r, &n)));
	}
	return gone;
}

uint32_t rib_peer_drop(struct rib *r, uint16_t peer)
{
	return r->peers[peer].told.routes ? sweep(r, peer, ADDR_NONE, true) : 0;
}

uint32_t rib_peer_sweep(struct rib *r, uint16_t peer, enum addr_family family)
{
	return r->peers[peer].told.stale ? sweep(r, peer, family, false) : 0;
}

void rib_peer_stale(struct rib *r, uint16_t peer)
{
	struct peer *p = &r->peers[peer];

	for (uint32_t id = 1; p->told.stale && id <= r->route_last; id++) /* lost again before all was told */
		if (r->routes[id].attributes && r->routes[id].peer == peer)
			r->routes[id].generation = p->generation;
	p->generation++;
	p->told.stale = p->told.routes;
}
