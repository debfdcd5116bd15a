/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket_source.h -- a source: one thread that follows this machine's TCP connections (sockets/sockets.h) and counts what
 * they deliver into counts[PLAN_SOCKETS] of its tables.
 *
 * A connection that closes is in the window of that moment. Those that live are looked at as each window ends, and at least
 * every SOCKET_LOOK_MOST_S, so that no more than that comes to a wrong window when one closes behind a window's end. Without
 * an account that is `from = sockets` they are followed, and nothing is counted. All calls belong to the main loop's thread. */
#ifndef NETTALLY_DAEMON_SOCKET_SOURCE_H
#define NETTALLY_DAEMON_SOCKET_SOURCE_H

#include "base/clock.h"
#include "daemon/source.h"
#include "sockets/sockets.h"

#define SOCKET_LOOK_MOST_S 10

struct socket_source_config {
	struct clock clock;
	void (*ready)(void *arg);         /* on the source's thread, after each handover */
	void *arg;
};

/* As of the last tick. */
struct socket_shown {
	struct sockets_stats stats;
	int failure;                      /* negative errno: of the last look, or for good */
	char problem[160];                /* the sentence of the last look that failed */
};

/* Takes `sockets` and `first` on success. */
int socket_source_open(struct source **ret, const struct socket_source_config *cf, struct sockets *sockets,
		       struct tables *first, struct err *e);
void socket_source_show(struct source *s, struct socket_shown *ret);

#endif
