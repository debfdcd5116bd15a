/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mrt.h -- records of MRT files (RFC 6396, 6397, 8050) to routes. Foreign bytes: all of it.
 *
 * A reader is fed record by record (mrt_file.h cuts a file into them) and hands routes to a handler: rows of TABLE_DUMP and
 * TABLE_DUMP_V2, updates of BGP4MP. Peers get numbers. Thread: one. */
#ifndef NETTALLY_ROUTES_MRT_H
#define NETTALLY_ROUTES_MRT_H

#include "routes/bgp.h"

#define MRT_COUNTERS(X)                                                                 \
	X(records, "records")                                                           \
	X(rows, "rows of tables")                                                       \
	X(updates, "BGP messages")                                                      \
	X(state_changes, "session state changes")                                       \
	X(peer_tables, "peer index tables")                                             \
	X(unsupported, "records of a type that holds no routes we know: passed over")   \
	X(malformed, "records that could not be read: passed over")                     \
	X(malformed_rows, "rows whose attributes are damaged: passed over")             \
	X(unknown_peers, "rows of a peer that the peer index table lacks: passed over") \
	X(too_long, "records longer than the limit: passed over")

struct mrt_counters {
#define X(name, help) uint64_t name;
	MRT_COUNTERS(X)
#undef X
};

#define MRT_HEADER_BYTES 12u
#define MRT_RECORD_MAX (4u << 20) /* RouteViews' largest rows are under 100 KB */

struct mrt_peer {
	struct addr addr;
	uint32_t as;
	uint32_t bgp_id; /* 0 = not known */
};

/* After all that one record of a table says of a prefix comes row_end, so that the best can be chosen at once. */
struct mrt_handler {
	void (*row)(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a);
	void (*row_end)(void *arg, const struct bgp_nlri *n); /* the last route of this record was told */
	void (*announce)(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a);
	void (*withdraw)(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n);
	/* RFC 6396 4.4.1: 1 idle .. 6 established */
	void (*state)(void *arg, const struct mrt_peer *peer, uint16_t from, uint16_t to);
	void *arg;
};

struct mrt_reader;
int mrt_reader_new(struct mrt_reader **ret, const struct mrt_handler *h);
void mrt_reader_free(struct mrt_reader **m);
/* A record with its header of 12 bytes. 0, or -EBADMSG with a sentence: the record was damaged and is counted; what it said
 * before the damage was handed out. The next one can be read all the same. */
int mrt_record_read(struct mrt_reader *m, struct slice record, struct err *e);
const struct mrt_counters *mrt_reader_counters(const struct mrt_reader *m);
const struct bgp_counters *mrt_reader_messages(const struct mrt_reader *m);
uint32_t mrt_reader_peers(const struct mrt_reader *m); /* of the last peer index table */
uint32_t mrt_record_time(struct slice record);

#endif
