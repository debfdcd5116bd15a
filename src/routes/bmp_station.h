/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_station.h -- the BMP station: routers connect and stream what they know, each into a struct bmp_router of its own.
 *
 * One thread reads them all and never waits: tables are collected here (a copy), and compiled by the worker, at most one of
 * a router at a time, and not again before five times as long as that took (at least BMP_COLLECT_S). What a router said is
 * written beside the ledger every BMP_SAVE_S and at the end, and read at the start.
 * Foreign bytes: everything that comes in. Who is not a configured router is closed at once; a second session of a router
 * takes the place of the first. Limits: bmp_message.h, bmp_router.h, BMP_STRANGERS_MAX, the config's memory.
 * All calls are the main loop's. */
#ifndef NETTALLY_ROUTES_BMP_STATION_H
#define NETTALLY_ROUTES_BMP_STATION_H

#include "routes/routes_worker.h"

#define BMP_COLLECT_S 1
#define BMP_SAVE_S 600

struct bmp_station;

/* Binds and listens; the thread comes with start(). `state_path` "" or the ledger's path: what is saved is
 * STATE_PATH.VIEW.bmp. -EADDRINUSE and the like with a sentence. */
int bmp_station_open(struct bmp_station **ret, const struct routes_config *c, const char *state_path, struct err *e);
int bmp_station_start(struct bmp_station *s, struct worker *w, struct err *e);
/* Other routers, another place to listen at: sessions and routes of routers that stay stay. */
int bmp_station_change(struct bmp_station *s, const struct routes_config *c, struct err *e);
void bmp_station_close(struct bmp_station **s); /* accepts NULL; saves, if it was started */

const char *bmp_station_address(const struct bmp_station *s); /* "127.0.0.1:11019", with the port that was free */
/* The worker compiled a table of this view. */
void bmp_station_built(struct bmp_station *s, const char *view, int64_t took_ns);

struct bmp_station_facts {
	uint64_t strangers;    /* connections of others than configured routers */
	uint64_t broken;       /* sessions closed because the stream could not be followed */
	uint64_t bytes_max;
	bool restored;         /* what was saved has been read, and its tables are on their way */
};
void bmp_station_facts(struct bmp_station *s, struct bmp_station_facts *ret);
/* As of the last second; false: there is no such router. *ret_peers (facts.peers) is the caller's to free(), NULL without
 * memory. */
bool bmp_station_router(struct bmp_station *s, const char *view, struct bmp_router_facts *ret, struct bmp_peer_facts **ret_peers);
/* What happened, oldest first, a line each; false: nothing more. */
bool bmp_station_event(struct bmp_station *s, char text[static 256]);

#endif
