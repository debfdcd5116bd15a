/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_router_internal.h -- a monitored router's state: bmp_router.c reads messages into it, bmp_router_told.c says what it
 * comes to. */
#ifndef NETTALLY_ROUTES_BMP_ROUTER_INTERNAL_H
#define NETTALLY_ROUTES_BMP_ROUTER_INTERNAL_H

#include "routes/bmp_router.h"

#define FAMILIES 2u
#define NO_RIB_PEER UINT16_MAX
#define INDEX_SLOTS (BMP_PEERS_MAX * 4u)

struct router_peer {
	struct bmp_peer head;           /* as it was told last */
	uint64_t distinguisher;         /* in a rib: the type with it */
	struct bgp_options options;
	uint32_t own_as;                /* the router's in this session, 0 = not known */
	bool up;
	uint8_t down_reason;
	int64_t since_utc_s;
	uint16_t in_rib[BMP_TABLES][FAMILIES];
};

struct bmp_router {
	enum bmp_table table;
	struct bmp_limits limits;
	struct rib *ribs[BMP_TABLES][FAMILIES];
	bool told[BMP_TABLES][FAMILIES];        /* in this session */
	bool told_before[BMP_TABLES][FAMILIES]; /* in the one before, until this one is complete */
	struct bgp_parser *parser;
	struct router_peer *peers;
	size_t peer_count, peer_room;
	uint16_t *index;                        /* number of a peer + 1, by its address; open addressing */
	uint32_t *scratch;                      /* a path without its first AS */
	bool full;
	uint64_t changes;                       /* besides those of the ribs */
	bool telling;                           /* the router began to tell in this session */
	int64_t route_utc_s;                    /* the last route or Peer Up came */
	struct bmp_router_facts facts;          /* what is not counted elsewhere */
};

static inline unsigned family_index(enum addr_family f)
{
	return f == ADDR_IP6;
}

/* bmp_router.c */
struct router_peer *bmp_router_find_peer(struct bmp_router *r, const struct bmp_peer *head); /* or adds; NULL: no room */
bool bmp_router_insert(struct bmp_router *r, struct router_peer *p, const struct bmp_route *route);

#endif
