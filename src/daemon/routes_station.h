/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_station.h -- routes and countries as a part of the daemon: their threads, reloads, facts, and what the control
 * socket is asked of them. Thread: the main loop's. */
#ifndef NETTALLY_DAEMON_ROUTES_STATION_H
#define NETTALLY_DAEMON_ROUTES_STATION_H

#include "daemon/control.h"
#include "daemon/parts.h"
#include "routes/routes.h"

extern const struct part_ops routes_part;

/* The rest is for parts_find(parts, "routes"). */
struct routes_station;

struct routes *routes_station_routes(struct routes_station *s);
/* The control socket's requests "routes lookup [VIEW] ADDRESS" and "routes dump [VIEW]". */
extern const struct control_words routes_words;

#endif
