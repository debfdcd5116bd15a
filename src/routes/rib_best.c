/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rib_best.c -- the order of routes, and what is read out of a rib. */
#include "routes/rib_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct bgp_attributes attributes_at(const struct rib *r, uint32_t id, uint32_t *ret_length)
{
	uint32_t count;
	const uint32_t *words = paths_at(r->attributes, id, &count);

	*ret_length = words[2] >> 8;
	return (struct bgp_attributes){
		.path = { words + ATTRIBUTE_WORDS, count - ATTRIBUTE_WORDS },
		.has_path = true,
		.local_pref = words[0],
		.med = words[1],
		.origin = (uint8_t)words[2],
	};
}

void rib_each(const struct rib *r, rib_visit *visit, void *arg)
{
	for (uint32_t id = 1; id <= r->node_last; id++) {
		struct bgp_nlri n = { .prefix = { .addr.family = r->nodes[id].family, .bits = r->nodes[id].bits } };

		if (!r->nodes[id].family)
			continue;
		memcpy(n.prefix.addr.bytes, &r->nodes[id].high, 8);
		memcpy(n.prefix.addr.bytes + 8, &r->nodes[id].low, 8);
		for (uint32_t route = r->nodes[id].first; route; route = r->routes[route].next) {
			const struct stored *s = &r->routes[route];
			uint32_t length;
			struct bgp_attributes a = attributes_at(r, s->attributes, &length);

			n.path_id = s->path_id;
			visit(arg, s->peer, &n, &a, s->generation != r->peers[s->peer].generation);
		}
	}
}

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_peers(const struct rib_peer *a, const struct rib_peer *b)
{
	int c = compare_numbers(a->bgp_id, b->bgp_id);

	if (c == 0)
		c = compare_numbers(a->addr.family, b->addr.family);
	if (c == 0)
		c = memcmp(a->addr.bytes, b->addr.bytes, sizeof a->addr.bytes);
	return c ? c : (a->distinguisher > b->distinguisher) - (a->distinguisher < b->distinguisher);
}

int rib_compare(const struct rib_candidate *a, const struct rib_candidate *b)
{
	int c = compare_numbers(b->attributes->local_pref, a->attributes->local_pref);

	if (c == 0)
		c = compare_numbers(a->path_length, b->path_length);
	if (c == 0)
		c = compare_numbers(a->attributes->origin, b->attributes->origin);
	if (c == 0)
		c = compare_numbers(a->attributes->med, b->attributes->med);
	if (c == 0 && a->peer != b->peer)
		c = compare_peers(a->peer, b->peer);
	return c ? c : compare_numbers(a->path_id, b->path_id);
}

/* The best of a node's routes. */
static uint32_t best_of(const struct rib *r, uint32_t first)
{
	struct bgp_attributes best_attributes, attributes;
	struct rib_candidate best = { &best_attributes, 0, NULL, 0 }, one = { &attributes, 0, NULL, 0 };
	uint32_t best_route = first;

	if (!r->routes[first].next)
		return first;
	for (uint32_t route = first; route; route = r->routes[route].next) {
		const struct stored *s = &r->routes[route];

		attributes = attributes_at(r, s->attributes, &one.path_length);
		one.peer = &r->peers[s->peer].told;
		one.path_id = s->path_id;
		if (best.peer && rib_compare(&one, &best) >= 0)
			continue;
		best_attributes = attributes;
		best = one;
		best.attributes = &best_attributes;
		best_route = route;
	}
	return best_route;
}

/* Attributes' ids to the builder's path ids: each path is looked up there once. */
static uint32_t builder_path(const struct rib *r, struct route_builder *to, uint32_t *known, uint32_t attributes)
{
	uint32_t length;

	if (!known[attributes]) {
		struct bgp_attributes a = attributes_at(r, attributes, &length);

		known[attributes] = route_builder_path(to, &a.path);
	}
	return known[attributes];
}

int rib_collect(const struct rib *r, struct route_builder *to)
{
	uint32_t *known = calloc((size_t)paths_last(r->attributes) + 1, sizeof *known);
	int error = known ? 0 : -ENOMEM;

	for (uint32_t id = 1; id <= r->node_last && error == 0; id++) {
		const struct node *n = &r->nodes[id];
		struct prefix p = { .addr.family = n->family, .bits = n->bits };
		uint32_t path;

		if (!n->family)
			continue;
		memcpy(p.addr.bytes, &n->high, 8);
		memcpy(p.addr.bytes + 8, &n->low, 8);
		path = builder_path(r, to, known, r->routes[best_of(r, n->first)].attributes);
		error = path ? route_builder_add(to, &p, path) : -ENOSPC;
	}
	free(known);
	return error;
}
