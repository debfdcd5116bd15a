/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rib_internal.h -- inside rib*.c: an index by prefix, a node per prefix, and from each node the list of its routes, one per
 * peer and path id. Nodes and routes lie in arrays and name one another by number: 24 and 16 bytes each. */
#ifndef NETTALLY_ROUTES_RIB_INTERNAL_H
#define NETTALLY_ROUTES_RIB_INTERNAL_H

#include "routes/paths.h"
#include "routes/rib.h"

#define ATTRIBUTE_WORDS 3u /* before the path: LOCAL_PREF, MED, length of the path << 8 | ORIGIN */

struct node {
	uint64_t high, low; /* the address as it lies in struct addr */
	uint32_t first;     /* route; of a free node: the next free one */
	uint8_t bits, family;
	uint16_t zero;
};

struct stored {
	uint32_t attributes; /* id in paths; 0 = free */
	uint32_t path_id;
	uint32_t next;       /* 0 = the last; of a free one: the next free one */
	uint16_t peer;
	uint8_t generation;  /* of the peer, when it was told */
	uint8_t zero;
};

struct peer {
	struct rib_peer told;
	uint8_t generation;
};

struct slot {
	uint32_t hash, node; /* node 0 = free */
};

struct rib {
	struct rib_limits limits;
	struct rib_counters counters;
	uint64_t seed, version;
	struct paths *attributes;
	struct peer *peers;
	uint16_t peer_count;
	struct node *nodes; /* [0] is not used; the same for routes */
	uint32_t node_last, node_room, node_free, prefixes;
	struct stored *routes;
	uint32_t route_last, route_room, route_free, route_count;
	struct slot *index;
	uint32_t mask;
	uint32_t scratch[ATTRIBUTE_WORDS + AS_PATH_WORDS_MAX];
};

#endif
