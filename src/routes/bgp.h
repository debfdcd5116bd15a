/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bgp.h -- BGP messages as MRT files and BMP sessions carry them: UPDATEs, path attributes, prefixes.
 *
 * RFC 4271 (UPDATE), 4760 (other families), 6793 (AS numbers of 4 octets, AS4_PATH), 5065 (confederations), 7911 (ADD-PATH),
 * 8654 (long messages), 7606 (what is done with a damaged attribute: the routes count as withdrawn). IPv4 and IPv6 unicast;
 * other families are counted and passed over. Foreign bytes: all of it; no read leaves its slice.
 * What is handed to a handler is borrowed until the handler returns. Thread: a parser is one thread's at a time. */
#ifndef NETTALLY_ROUTES_BGP_H
#define NETTALLY_ROUTES_BGP_H

#include "base/err.h"
#include "base/prefix.h"
#include "base/slice.h"
#include "routes/as_path.h"

enum bgp_message_type { BGP_OPEN = 1, BGP_UPDATE = 2, BGP_NOTIFICATION = 3, BGP_KEEPALIVE = 4, BGP_ROUTE_REFRESH = 5 };
enum bgp_afi { BGP_AFI_IP4 = 1, BGP_AFI_IP6 = 2 };
enum bgp_safi { BGP_SAFI_UNICAST = 1, BGP_SAFI_MULTICAST = 2 };
enum bgp_origin { BGP_ORIGIN_IGP = 0, BGP_ORIGIN_EGP = 1, BGP_ORIGIN_INCOMPLETE = 2 };

#define BGP_HEADER_BYTES 19

#define BGP_COUNTERS(X)                                                                              \
	X(updates, "UPDATE messages")                                                                \
	X(announced, "prefixes announced")                                                           \
	X(withdrawn, "prefixes withdrawn")                                                           \
	X(end_of_rib, "End-of-RIB marks")                                                            \
	X(malformed_attributes, "UPDATEs whose attributes are damaged: their routes were withdrawn") \
	X(malformed_messages, "messages that could not be read")                                     \
	X(malformed_prefixes, "prefixes longer than their family or cut short: the rest was left out") \
	X(unsupported_families, "routes of other families than IPv4 and IPv6 unicast: passed over")  \
	X(other_messages, "messages that carry no routes")

struct bgp_counters {
#define X(name, help) uint64_t name;
	BGP_COUNTERS(X)
#undef X
};

/* How the messages of one session are to be read. */
struct bgp_options {
	bool as4;          /* AS_PATH and AGGREGATOR have AS numbers of 4 octets */
	bool add_path_ip4; /* a path identifier stands before each prefix (RFC 7911 3) */
	bool add_path_ip6;
};

struct bgp_attributes {
	struct as_path path;        /* AS4_PATH is merged in already; in the parser's memory */
	bool has_path;
	uint8_t origin;             /* enum bgp_origin; INCOMPLETE where missing */
	uint32_t local_pref;        /* 100 where missing */
	uint32_t med;               /* 0 where missing (RFC 4271 9.1.2.2 c) */
	struct slice reach;         /* the value of MP_REACH_NLRI; at NULL where missing */
	struct slice unreach;       /* of MP_UNREACH_NLRI */
};

struct bgp_nlri {
	struct prefix prefix;       /* host bits are zero, whatever the message said (RFC 4271 4.3) */
	uint32_t path_id;           /* 0 without ADD-PATH */
};

struct bgp_handler {
	void (*announce)(void *arg, const struct bgp_nlri *n, const struct bgp_attributes *a);
	void (*withdraw)(void *arg, const struct bgp_nlri *n);
	void (*end_of_rib)(void *arg, enum addr_family family); /* may be NULL */
	void *arg;
};

struct bgp_parser;
int bgp_parser_new(struct bgp_parser **ret); /* 0 or -ENOMEM */
void bgp_parser_free(struct bgp_parser **p);
const struct bgp_counters *bgp_parser_counters(const struct bgp_parser *p);

/* One whole BGP message, marker first (RFC 4271 4.1). What is no UPDATE is counted and passed over. Withdrawals are handed
 * out before announcements. 0, or -EBADMSG with a sentence (counted): then nothing further of the message is used. A
 * damaged attribute is no error here: the message's routes are handed out as withdrawn (RFC 7606 2). */
int bgp_message_read(struct bgp_parser *p, struct slice message, const struct bgp_options *o, const struct bgp_handler *h,
		     struct err *e);

/* The path attributes of one route, as MRT tables hold them. -EBADMSG with a sentence. */
int bgp_attributes_read(struct bgp_parser *p, struct slice bytes, const struct bgp_options *o, struct bgp_attributes *ret,
			struct err *e);

/* The next prefix of a list; false at the end, and where `c` is truncated or the length wrong: c->truncated says so. */
bool bgp_nlri_next(struct cursor *c, enum addr_family family, bool add_path, struct bgp_nlri *ret);

/* The length that the header of the message at `bytes` tells (19 to 65535), 0 where that is none. */
uint32_t bgp_message_length(struct slice bytes);
uint8_t bgp_message_type(struct slice message); /* 0 where too short */

/* What an OPEN says of the session (RFC 5492, 6793, 7911). BMP's Peer Up carries both OPENs. */
struct bgp_open {
	uint32_t as;             /* 4 octets where the capability says so */
	uint32_t bgp_id;
	bool as4;
	uint8_t add_path_ip4;    /* 1 = can receive, 2 = can send, 3 = both */
	uint8_t add_path_ip6;
};
int bgp_open_read(struct slice message, struct bgp_open *ret, struct err *e);
/* How UPDATEs from `sender` to `receiver` are to be read. */
struct bgp_options bgp_options_of(const struct bgp_open *sender, const struct bgp_open *receiver);

#endif
