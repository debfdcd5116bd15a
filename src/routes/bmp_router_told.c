/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_router_told.c -- what a router's messages come to: the table that counts, facts for `status`, every route for a
 * snapshot. */
#include "routes/bmp_router_internal.h"

#include <errno.h>
#include <stdlib.h>

static const char *const table_names[] = { "loc-rib", "post-policy", "pre-policy", "auto" };

const char *bmp_table_name(enum bmp_table t)
{
	return table_names[t];
}

static uint32_t stale_in(const struct rib *rib)
{
	uint32_t stale = 0;

	for (uint16_t i = 0; rib && i < rib_peers(rib); i++)
		stale += rib_peer_at(rib, i)->stale;
	return stale;
}

static enum bmp_table counting(const struct bmp_router *r, unsigned family)
{
	for (unsigned t = 0; t < BMP_TABLES; t++)
		if (r->told[t][family] || r->told_before[t][family])
			return (enum bmp_table)t;
	return BMP_TABLES;
}

uint64_t bmp_router_version(const struct bmp_router *r)
{
	uint64_t version = r->changes;

	for (unsigned t = 0; t < BMP_TABLES; t++)
		for (unsigned f = 0; f < FAMILIES; f++)
			version += r->ribs[t][f] ? rib_version(r->ribs[t][f]) : 0;
	return version;
}

int bmp_router_collect(const struct bmp_router *r, struct route_builder *to)
{
	int x = 0;

	for (unsigned f = 0; f < FAMILIES && x == 0; f++) {
		enum bmp_table t = counting(r, f);

		if (t < BMP_TABLES && r->ribs[t][f])
			x = rib_collect(r->ribs[t][f], to);
	}
	return x;
}

void bmp_router_facts(const struct bmp_router *r, struct bmp_router_facts *ret)
{
	*ret = r->facts;
	ret->peers = r->peer_count;
	ret->bytes = sizeof *r + r->peer_room * sizeof *r->peers + INDEX_SLOTS * sizeof *r->index +
		     AS_PATH_WORDS_MAX * sizeof *r->scratch;
	for (unsigned f = 0; f < FAMILIES; f++) {
		enum bmp_table counts = counting(r, f);

		ret->counts[f] = counts;
		for (unsigned t = 0; t < BMP_TABLES; t++)
			ret->bytes += r->ribs[t][f] ? rib_bytes(r->ribs[t][f]) : 0;
		if (counts == BMP_TABLES || !r->ribs[counts][f])
			continue;
		ret->routes += rib_routes(r->ribs[counts][f]);
		ret->stale += stale_in(r->ribs[counts][f]);
	}
	ret->messages = *bgp_parser_counters(r->parser);
}

void bmp_router_peer(const struct bmp_router *r, size_t i, struct bmp_peer_facts *ret)
{
	const struct router_peer *p = &r->peers[i];

	*ret = (struct bmp_peer_facts){
		.addr = p->head.addr, .as = p->head.as, .bgp_id = p->head.bgp_id, .type = p->head.type, .up = p->up,
		.since_utc_s = p->since_utc_s, .down_reason = p->down_reason,
	};
	for (unsigned t = 0; t < BMP_TABLES; t++) {
		for (unsigned f = 0; f < FAMILIES; f++) {
			if (p->in_rib[t][f] == NO_RIB_PEER)
				continue;
			const struct rib_peer *rp = rib_peer_at(r->ribs[t][f], p->in_rib[t][f]);

			ret->routes[t] += rp->routes;
			ret->stale += rp->stale;
		}
	}
}

/* ---- for a snapshot ---- */

struct visiting {
	const struct bmp_router *r;
	struct bmp_route route;
	uint16_t *numbers; /* of peers, by their number in the rib */
	void (*visit)(void *arg, const struct bmp_route *route);
	void *arg;
};

static void visit_route(void *arg, uint16_t peer, const struct bgp_nlri *n, const struct bgp_attributes *a, bool stale)
{
	struct visiting *v = arg;

	(void)stale;
	v->route.peer_number = v->numbers[peer];
	v->route.peer = &v->r->peers[v->numbers[peer]].head;
	v->route.nlri = n;
	v->route.attributes = a;
	v->visit(v->arg, &v->route);
}

void bmp_router_each(const struct bmp_router *r, void (*visit)(void *arg, const struct bmp_route *route), void *arg)
{
	struct visiting v = { .r = r, .visit = visit, .arg = arg, .numbers = calloc(r->peer_count + 1, sizeof *v.numbers) };

	for (unsigned t = 0; v.numbers && t < BMP_TABLES; t++) {
		for (unsigned f = 0; f < FAMILIES; f++) {
			if (!r->ribs[t][f])
				continue;
			for (size_t i = 0; i < r->peer_count; i++)
				if (r->peers[i].in_rib[t][f] != NO_RIB_PEER)
					v.numbers[r->peers[i].in_rib[t][f]] = (uint16_t)i;
			v.route.table = (enum bmp_table)t;
			rib_each(r->ribs[t][f], visit_route, &v);
		}
	}
	free(v.numbers);
}

int bmp_router_restore(struct bmp_router *r, const struct bmp_route *route)
{
	struct router_peer *p = bmp_router_find_peer(r, route->peer);

	if (!p)
		return -ENOSPC;
	if (r->table != BMP_TABLE_AUTO && r->table != route->table)
		return 0; /* the config changed */
	return bmp_router_insert(r, p, route) ? 0 : -ENOSPC;
}
