/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_station_internal.h -- the station's state: bmp_station.c (the thread), bmp_station_told.c (what the main loop asks). While
 * the thread runs, all is its own but what is under the lock, and the atomics. */
#ifndef NETTALLY_ROUTES_BMP_STATION_INTERNAL_H
#define NETTALLY_ROUTES_BMP_STATION_INTERNAL_H

#include "base/clock.h"
#include "base/loop.h"
#include "routes/bmp_station.h"

#include <pthread.h>
#include <stdatomic.h>

#define EVENTS_MAX 32

struct station_router {
	struct routes_view view;      /* `serves` is not copied */
	struct bmp_station *station;
	struct bmp_router *router;
	bool restored;
	int fd;                       /* -1 = no session */
	struct loop_io *io;
	uint8_t *bytes;               /* of the session, not yet a whole message */
	size_t len;
	uint64_t collected;           /* version */
	atomic_bool building;
	_Atomic int64_t took_ns;      /* to compile, the last time */
	int64_t next_collect_ns;
	uint64_t saved;               /* version */
	int64_t next_save_ns;
	struct bmp_router_facts shown; /* under the lock */
	struct bmp_peer_facts *shown_peers;
};

struct bmp_station {
	struct clock clock;
	char state_path[ROUTES_PATH_MAX];
	char address[80];
	char listen_at[80];
	uint64_t memory_bytes;
	int fd;
	struct loop *loop;
	struct loop_io *io;
	struct loop_timer *timer;
	struct worker *worker;
	pthread_t thread;
	bool running;
	struct station_router **routers;
	size_t router_count;
	pthread_mutex_t lock;
	struct bmp_station_facts facts;
	char events[EVENTS_MAX][256];
	size_t first_event, event_count;
};

#endif
