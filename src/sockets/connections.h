/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connections.h -- the connections that were seen alive, with their counters as they were then: so that what they move is
 * told once. Pure: what it is told comes from the kernel by sockets.c.
 *
 * A table of open addressing by the two ends, seeded, which grows up to its limit. A connection that finds no room is told
 * whole when it closes, unless it was there before we began. Thread: one at a time. */
#ifndef NETTALLY_SOCKETS_CONNECTIONS_H
#define NETTALLY_SOCKETS_CONNECTIONS_H

#include "sockets/sockets.h"

#include <bpf/sockets_shared.h>
#include <stdbool.h>

struct connections;

struct connections_config {
	uint32_t limit;
	/* Was it accepted since we began? */
	bool (*was_accepted)(void *arg, const struct sockets_ends *ends);
	void *arg;
};

/* A living connection, or one that listens. */
struct connection {
	struct sockets_ends ends;
	struct sockets_counters counters;
	uint64_t cookie;
	uint32_t srtt_us;
	bool listens;
};

int connections_new(struct connections **ret, const struct connections_config *cf, struct err *e);
void connections_free(struct connections **c);
void connections_set_services(struct connections *c, const struct services *services);

/* A look: what is there between begin and end. The first one that is complete tells what was there before we began. */
void connections_begin_look(struct connections *c);
/* True: *ret is to be told. */
bool connections_see(struct connections *c, const struct connection *seen, int64_t now_ns, struct socket_delivery *ret);
void connections_end_look(struct connections *c, bool complete, int64_t now_ns);

bool connections_close(struct connections *c, const struct sockets_closed *e, struct socket_delivery *ret);

/* The kernel may not know of all that were accepted: from now on, one whose port is listened on counts as accepted. */
void connections_doubt(struct connections *c);

/* closed, living, lost, unknown, crowded, looks, looks_failed */
void connections_stats(const struct connections *c, struct sockets_stats *ret);

#endif
