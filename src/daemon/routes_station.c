/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/routes_station.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/pipeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LOAD_MOST_NS (10 * NS_PER_S)
#define PEERS_SHOWN 200

struct routes_station {
	struct routes *routes;
	struct attributor attributor;
	int64_t loading_until_ns; /* for the first time; 0 = that is over */
};

static int64_t monotonic_ns(void)
{
	struct clock c = clock_system();

	return c.monotonic_ns(c.arg);
}

struct routes *routes_station_routes(struct routes_station *s)
{
	return s->routes;
}

static void find(void *arg, uint64_t fields, uint32_t router, const struct addr *host, uint64_t mac, struct attribution *ret)
{
	struct routes_station *s = arg;

	(void)mac;
	if (fields & FIELDS_OF_ROUTES)
		routes_attribute(s->routes, router, host, fields, ret);
}

static void take_over(struct routes_station *s)
{
	char text[512];
	bool warning;

	routes_tick(s->routes);
	while (routes_said(s->routes, text, &warning)) {
		if (warning)
			log_warning("%s", text);
		else
			log_notice("%s", text);
	}
}

static void close_part(void **part)
{
	struct routes_station *s = *part;

	routes_close(&s->routes);
	free(s);
	*part = NULL;
}

static int open_part(void **ret, const struct parts_world *w, const struct config *cf, struct err *e)
{
	struct routes_station *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "routes: out of memory");
	s->attributor = (struct attributor){ find, s };
	r = routes_open(&s->routes, &cf->routes, w->strings, cf->ledger_path, e);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int join_part(void *part, const struct parts_world *w, struct err *e)
{
	struct routes_station *s = part;

	return pipeline_add_attributor(w->pipeline, &s->attributor, e);
}

static int start_part(void *part, const struct parts_world *w, struct err *e)
{
	struct routes_station *s = part;
	struct routes_facts facts;
	int r = routes_start(s->routes, e);

	(void)w;
	if (r < 0)
		return r;
	s->loading_until_ns = monotonic_ns() + FIRST_LOAD_MOST_NS;
	routes_facts(s->routes, &facts);
	if (facts.listen[0])
		log_notice("bmp: routers connect at %s", facts.listen);
	return 0;
}

/* Until every file was tried once, and what routers said before is in force again. */
static bool waits(void *part)
{
	struct routes_station *s = part;

	if (!s->loading_until_ns)
		return false;
	take_over(s);
	if (!routes_is_loaded(s->routes) && monotonic_ns() < s->loading_until_ns)
		return true;
	take_over(s);
	s->loading_until_ns = 0;
	return false;
}

static void reload_part(void **part, const struct parts_world *w, const struct config *cf)
{
	struct routes_station *s = *part;
	struct err e = { 0 };

	(void)w;
	if (s && routes_change(s->routes, &cf->routes, &e) < 0)
		log_error("reload: routes stay as they were: %s", e.msg);
}

static void tick_part(void *part, struct booking *b)
{
	(void)b;
	take_over(part);
}

/* ---- what it says of itself ---- */

static void show_router(struct facts *f, struct fact_row *row, const struct routes_view_facts *v)
{
	const struct bmp_router_facts *r = &v->router;

	if (!r->since_utc_s)
		fact_text(row, "session", "never connected");
	else
		fact_text(row, "session",
			  !r->connected ? "not connected" : r->resync ? "connected, first exchange" : "connected");
	fact_number(row, "connected", FACT_GAUGE, r->connected, "1 while the router's BMP session is there");
	fact_number(row, "since", FACT_TIME, (uint64_t)r->since_utc_s, "when the session began or ended");
	fact_number(row, "stale", FACT_GAUGE, r->stale, "routes that were not told again since the session ended");
	fact_number(row, "messages", FACT_COUNTER, r->counters.messages, "BMP messages of the router");
	fact_number(row, "malformed", FACT_COUNTER, r->counters.malformed, "BMP messages that could not be read");
	fact_number(row, "refused", FACT_COUNTER, r->counters.refused_routes + r->counters.refused_peers,
		    "routes and peers beyond the limits");
	(void)f;
}

static void show_view(struct facts *f, const struct routes_view_facts *v)
{
	struct fact_row *row = facts_add(f, "routes", "routes", "view", v->view->name);
	uint64_t bytes = v->bytes + (v->has_router ? v->router.bytes : 0);

	fact_number(row, "ip4", FACT_GAUGE, v->ip4, "prefixes of IPv4 in force");
	fact_number(row, "ip6", FACT_GAUGE, v->ip6, "prefixes of IPv6 in force");
	fact_number(row, "paths", FACT_GAUGE, v->paths, "different AS paths");
	fact_number(row, "bytes", FACT_GAUGE, bytes, "memory of the table and of what the router told");
	fact_number(row, "loaded", FACT_TIME, (uint64_t)v->loaded_utc_s, "since when the table is in force");
	fact_number(row, "newest", FACT_TIME, (uint64_t)v->newest_utc_s,
		    "time of the newest route: of the file, or the last message");
	fact_number(row, "loads", FACT_COUNTER, v->loads, "tables that came into force");
	fact_number(row, "failures", FACT_COUNTER, v->failures, "tables that could not be loaded");
	fact_text(row, "problem", v->problem);
	if (v->has_router)
		show_router(f, row, v);
}

static void show_peers(struct facts *f, const struct routes_view_facts *v)
{
	for (size_t i = 0; i < v->router.peers && i < PEERS_SHOWN; i++) {
		const struct bmp_peer_facts *p = &v->peers[i];
		struct fact_row *row = facts_add(f, "route_peers", "route_peer", "view", v->view->name);
		char text[ADDR_TEXT_MAX];

		addr_format(&p->addr, text);
		fact_label2(row, "peer", p->type == BMP_PEER_LOC_RIB ? "loc-rib" : text);
		snprintf(text, sizeof text, "AS %" PRIu32, p->as);
		fact_text(row, "as", text);
		fact_number(row, "up", FACT_GAUGE, p->up, "1 while the router's session with the peer is up");
		fact_text(row, "down", p->up || !p->down_reason ? "" : bmp_peer_down_text(p->down_reason));
		fact_number(row, "since", FACT_TIME, (uint64_t)p->since_utc_s, "when it came up or went down");
		fact_number(row, "loc_rib", FACT_GAUGE, p->routes[BMP_TABLE_LOC_RIB], "routes of the router's own table");
		fact_number(row, "post_policy", FACT_GAUGE, p->routes[BMP_TABLE_POST_POLICY], "routes that passed its policy");
		fact_number(row, "pre_policy", FACT_GAUGE, p->routes[BMP_TABLE_PRE_POLICY], "routes as the peer announced them");
		fact_number(row, "stale", FACT_GAUGE, p->stale, "routes not told again since the session ended");
	}
}

static void show_rest(struct facts *f, struct routes *r)
{
	const struct routes_config *c = routes_config(r);
	struct routes_facts facts;
	struct fact_row *row;

	routes_facts(r, &facts);
	if (facts.listen[0]) {
		row = facts_add(f, "bmp", "bmp", NULL, NULL);
		fact_text(row, "listen", facts.listen);
		fact_number(row, "strangers", FACT_COUNTER, facts.strangers, "connections of others than configured routers");
		fact_number(row, "broken", FACT_COUNTER, facts.broken, "sessions whose stream could not be followed");
	}
	if (c->country[0]) {
		row = facts_add(f, "geo", "geo", "file", "country");
		fact_number(row, "ip4", FACT_GAUGE, facts.geo_ip4, "networks of IPv4 in force");
		fact_number(row, "ip6", FACT_GAUGE, facts.geo_ip6, "networks of IPv6 in force");
		fact_number(row, "bytes", FACT_GAUGE, facts.geo_bytes, "memory");
		fact_number(row, "loaded", FACT_TIME, (uint64_t)facts.geo_loaded_utc_s, "since when it is in force");
		fact_text(row, "problem", facts.geo_problem);
	}
	if (c->as_names[0]) {
		row = facts_add(f, "geo", "geo", "file", "as_names");
		fact_number(row, "names", FACT_GAUGE, facts.as_names, "names of AS");
		fact_number(row, "bytes", FACT_GAUGE, facts.as_names_bytes, "memory");
		fact_number(row, "loaded", FACT_TIME, (uint64_t)facts.as_names_loaded_utc_s, "since when it is in force");
		fact_text(row, "problem", facts.as_names_problem);
	}
}

static void show_part(void *part, struct snapshot *s)
{
	struct routes *r = ((struct routes_station *)part)->routes;
	struct routes_view_facts *views = calloc(routes_view_count(r) + 1, sizeof *views);

	if (!views)
		return;
	for (size_t i = 0; i < routes_view_count(r); i++) {
		routes_view_facts(r, i, &views[i]);
		show_view(&s->facts, &views[i]);
	}
	for (size_t i = 0; i < routes_view_count(r); i++) {
		if (views[i].peers)
			show_peers(&s->facts, &views[i]);
		free(views[i].peers);
	}
	free(views);
	show_rest(&s->facts, r);
}

const struct part_ops routes_part = {
	.name = "routes",
	.open = open_part,
	.join = join_part,
	.start = start_part,
	.waits = waits,
	.reload = reload_part,
	.tick = tick_part,
	.show = show_part,
	.close = close_part,
};
