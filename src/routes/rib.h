/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rib.h -- the routes that peers told, as they change: what BMP sessions and MRT updates write into, and tables are made of.
 *
 * Of several routes to a prefix the best is, in this order (RFC 4271 9.1.2.2, as far as a listener can know): the highest
 * LOCAL_PREF (100 where missing), the shortest AS path (a set counts one, a confederation nothing), the lowest ORIGIN, the
 * lowest MED (0 where missing; compared whatever the neighbour), the lowest BGP identifier of the peer, its lowest address,
 * the lowest path identifier. The order is total, so that the same routes give the same table in whatever order they came.
 * Owner: one thread. Limits: rib_limits; what finds no room is refused and counted. */
#ifndef NETTALLY_ROUTES_RIB_H
#define NETTALLY_ROUTES_RIB_H

#include "routes/bgp.h"
#include "routes/route_table.h"

#define RIB_COUNTERS(X)                                                      \
	X(inserted, "routes that are new")                                   \
	X(replaced, "routes told again, with other attributes or the same")  \
	X(withdrawn, "routes taken back")                                    \
	X(withdrawn_unknown, "withdrawals of routes that were not there")    \
	X(refused, "routes without room (the limit of routes or paths)")

struct rib_counters {
#define X(name, help) uint64_t name;
	RIB_COUNTERS(X)
#undef X
};

struct rib_limits {
	uint32_t routes; /* 0 = 16 million */
	uint32_t peers;  /* 0 = 4096; at most 65535 */
};

struct rib_peer {
	struct addr addr;
	uint32_t as;
	uint32_t bgp_id;         /* 0 = not known */
	uint64_t distinguisher;  /* BMP's peer distinguisher and what else tells equal addresses apart; 0 in MRT */
	/* told by the rib */
	uint32_t routes;
	uint32_t stale;          /* of them: not told again since rib_peer_stale() */
};

struct rib;
int rib_new(struct rib **ret, const struct rib_limits *limits);
void rib_free(struct rib **r);
const struct rib_counters *rib_counters(const struct rib *r);

/* Finds the peer by addr and distinguisher, or adds it; -ENOSPC, -ENOMEM. `as` and `bgp_id` are taken over
 * where they are not 0. */
int rib_peer(struct rib *r, const struct rib_peer *p, uint16_t *ret_peer);
uint16_t rib_peers(const struct rib *r);
const struct rib_peer *rib_peer_at(const struct rib *r, uint16_t peer); /* borrowed until the next rib_peer() */

/* Puts the route in the place of the one with the same peer, prefix and path id. 0, -ENOSPC (counted), -ENOMEM. */
int rib_insert(struct rib *r, uint16_t peer, const struct bgp_nlri *n, const struct bgp_attributes *a);
bool rib_withdraw(struct rib *r, uint16_t peer, const struct bgp_nlri *n); /* whether it was there */

/* A session that ended for good, or a peer that is down: all its routes go. Returns how many. */
uint32_t rib_peer_drop(struct rib *r, uint16_t peer);
/* A session that may come back: the routes stay, marked; rib_peer_sweep() after its End-of-RIB (or a timeout) takes those
 * of `family` (ADDR_NONE: both) away that were not told again. */
void rib_peer_stale(struct rib *r, uint16_t peer);
uint32_t rib_peer_sweep(struct rib *r, uint16_t peer, enum addr_family family);

uint32_t rib_prefixes(const struct rib *r);
uint32_t rib_routes(const struct rib *r);
size_t rib_bytes(const struct rib *r);
/* Counts every change that may alter a table made of it. */
uint64_t rib_version(const struct rib *r);

/* Hands out every route (for a snapshot, `dump`, a comparison with the router); in no order. */
typedef void rib_visit(void *arg, uint16_t peer, const struct bgp_nlri *n, const struct bgp_attributes *a, bool stale);
void rib_each(const struct rib *r, rib_visit *visit, void *arg);
/* The best route of each prefix into a builder: a copy, so that the table can be built on another thread while the rib
 * changes. 0.2 to 0.4 s for a million prefixes. 0, -ENOMEM, -ENOSPC. */
int rib_collect(const struct rib *r, struct route_builder *to);

/* The order above: negative where the first is better. */
struct rib_candidate {
	const struct bgp_attributes *attributes;
	uint32_t path_length; /* as_path_length() */
	const struct rib_peer *peer;
	uint32_t path_id;
};
int rib_compare(const struct rib_candidate *a, const struct rib_candidate *b);

#endif
