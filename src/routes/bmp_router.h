/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_router.h -- what one monitored router told by BMP: its peers and their routes, message by message.
 *
 * A router may tell up to three tables: its Loc-RIB (RFC 9069), and what its peers announced after and before its policy.
 * Each is kept apart. Which one attributes addresses: of each family the first of Loc-RIB, post-policy, pre-policy that the
 * router tells at all; or the one that the config names (then the others are passed over). Adj-RIB-Out (RFC 8671) is not
 * what the router itself uses, and VRFs (peer type 1, Loc-RIBs with a distinguisher) are other networks: passed over.
 *
 * A session that ends leaves the routes in force, marked stale. In the next one a peer's stale routes go at its End-of-RIB;
 * what is left goes once the router began to tell and then told no route for BMP_QUIET_S, at the latest after BMP_RESYNC_S.
 * A peer that is down has no routes.
 * Owner: one thread. Foreign bytes: all messages. Limits: bmp_limits. */
#ifndef NETTALLY_ROUTES_BMP_ROUTER_H
#define NETTALLY_ROUTES_BMP_ROUTER_H

#include "routes/bmp_message.h"
#include "routes/rib.h"

#define BMP_QUIET_S 30
#define BMP_RESYNC_S 600
#define BMP_PEERS_MAX 4096u
#define BMP_NAME_MAX 64

enum bmp_table { BMP_TABLE_LOC_RIB, BMP_TABLE_POST_POLICY, BMP_TABLE_PRE_POLICY, BMP_TABLES, BMP_TABLE_AUTO = BMP_TABLES };

const char *bmp_table_name(enum bmp_table t); /* "loc-rib" */

#define BMP_COUNTERS(X)                                                                       \
	X(messages, "BMP messages")                                                           \
	X(bytes, "bytes of BMP messages")                                                     \
	X(sessions, "sessions of routers")                                                    \
	X(peer_up, "Peer Up messages")                                                        \
	X(peer_down, "Peer Down messages")                                                    \
	X(statistics, "statistics messages")                                                  \
	X(malformed, "messages that could not be read: passed over")                          \
	X(unsupported, "messages of an unknown type, and mirrored ones: passed over")         \
	X(other_tables, "routes of tables that do not count (Adj-RIB-Out, or as configured)") \
	X(other_instances, "routes of VRFs: passed over")                                     \
	X(refused_peers, "messages of peers beyond the limit")                                \
	X(refused_routes, "routes beyond the limit of routes or of memory")                   \
	X(own_as_removed, "paths that began with the router's own AS, which was taken off")

struct bmp_counters {
#define X(name, help) uint64_t name;
	BMP_COUNTERS(X)
#undef X
};

struct bmp_limits {
	uint32_t routes; /* of each table and family, 0 = rib.h's */
	uint32_t peers;  /* 0 = BMP_PEERS_MAX */
};

struct bmp_router;

int bmp_router_new(struct bmp_router **ret, enum bmp_table table, const struct bmp_limits *limits);
void bmp_router_free(struct bmp_router **r);

/* A session began, or ended (all routes are stale from now on). */
void bmp_router_connected(struct bmp_router *r, int64_t now_utc_s);
void bmp_router_lost(struct bmp_router *r, int64_t now_utc_s);
/* One whole message. -EBADMSG with a sentence: it was damaged, and is counted; the stream goes on. */
int bmp_router_read(struct bmp_router *r, struct slice message, int64_t now_utc_s, struct err *e);
/* Each second or so: takes away what stayed stale. */
void bmp_router_tick(struct bmp_router *r, int64_t now_utc_s);
/* While true, routes that are new are refused and counted; withdrawals and changes go on. */
void bmp_router_set_full(struct bmp_router *r, bool full);

/* Changes whenever the table may have; then the routes that count go into the builder. 0, -ENOMEM, -ENOSPC. */
uint64_t bmp_router_version(const struct bmp_router *r);
int bmp_router_collect(const struct bmp_router *r, struct route_builder *to);

struct bmp_router_facts {
	char name[BMP_NAME_MAX];        /* as the router calls itself (RFC 7854 4.4), "" = it did not */
	char description[128];
	bool connected, resync;         /* in the first exchange of a session */
	int64_t since_utc_s;            /* of the session, or of its end; 0 = there was none yet */
	int64_t heard_utc_s;            /* the last message */
	enum bmp_table counts[2];       /* of IPv4 and IPv6; BMP_TABLES: none told yet */
	uint64_t routes, stale;         /* of the tables that count, over all peers */
	size_t peers, bytes;
	struct bmp_counters counters;
	struct bgp_counters messages;
};
struct bmp_peer_facts {
	struct addr addr;
	uint32_t as, bgp_id;
	uint8_t type;
	bool up;
	int64_t since_utc_s;
	uint64_t routes[BMP_TABLES], stale;
	uint8_t down_reason;
};
void bmp_router_facts(const struct bmp_router *r, struct bmp_router_facts *ret);
void bmp_router_peer(const struct bmp_router *r, size_t i, struct bmp_peer_facts *ret); /* i < facts.peers */

/* Every route of every table, in no order; and one of them put back. */
struct bmp_route {
	enum bmp_table table;
	size_t peer_number; /* below facts.peers */
	const struct bmp_peer *peer;
	const struct bgp_nlri *nlri;
	const struct bgp_attributes *attributes;
};
void bmp_router_each(const struct bmp_router *r, void (*visit)(void *arg, const struct bmp_route *route), void *arg);
int bmp_router_restore(struct bmp_router *r, const struct bmp_route *route); /* peer_number is not looked at */

#endif
