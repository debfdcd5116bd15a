/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/bmp_station_internal.h"

#include <stdlib.h>
#include <string.h>

const char *bmp_station_address(const struct bmp_station *s)
{
	return s->address;
}

static struct station_router *router_named(const struct bmp_station *s, const char *view)
{
	for (size_t i = 0; i < s->router_count; i++)
		if (strcmp(s->routers[i]->view.name, view) == 0)
			return s->routers[i];
	return NULL;
}

void bmp_station_built(struct bmp_station *s, const char *view, int64_t took_ns)
{
	struct station_router *r = router_named(s, view);

	if (!r)
		return;
	atomic_store(&r->took_ns, took_ns);
	atomic_store(&r->building, false);
}

void bmp_station_facts(struct bmp_station *s, struct bmp_station_facts *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->facts;
	pthread_mutex_unlock(&s->lock);
}

bool bmp_station_router(struct bmp_station *s, const char *view, struct bmp_router_facts *ret, struct bmp_peer_facts **ret_peers)
{
	struct station_router *r = router_named(s, view);

	if (!r)
		return false;
	pthread_mutex_lock(&s->lock);
	*ret = r->shown;
	*ret_peers = calloc(r->shown.peers + 1, sizeof **ret_peers);
	if (*ret_peers && r->shown_peers)
		memcpy(*ret_peers, r->shown_peers, r->shown.peers * sizeof **ret_peers);
	else
		ret->peers = 0;
	pthread_mutex_unlock(&s->lock);
	return true;
}

bool bmp_station_event(struct bmp_station *s, char text[static 256])
{
	bool any;

	pthread_mutex_lock(&s->lock);
	any = s->event_count > 0;
	if (any) {
		memcpy(text, s->events[s->first_event], sizeof s->events[0]);
		s->first_event = (s->first_event + 1) % EVENTS_MAX;
		s->event_count--;
	}
	pthread_mutex_unlock(&s->lock);
	return any;
}
