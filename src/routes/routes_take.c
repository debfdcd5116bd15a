/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_take.c -- what the worker loaded comes into force, or does not. */
#include "routes/routes_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void fail_part(struct routes *r, struct part *p, const struct worker_result *x)
{
	memcpy(p->problem, x->problem, sizeof p->problem);
	routes_say(r, true, "%.400s%s", x->problem, p->loaded_utc_s ? "; what was loaded before stays" : "");
}

int routes_intern_countries(struct routes *r, const struct geo *g)
{
	uint32_t *ids = calloc((size_t)geo_countries(g) + 1, sizeof *ids);

	if (!ids)
		return -ENOMEM;
	for (uint32_t i = 1; i <= geo_countries(g); i++)
		ids[i] = strings_add(r->strings, geo_country(g, i));
	free(r->country_ids);
	r->country_ids = ids;
	return 0;
}

static void take_geo(struct routes *r, struct worker_result *x)
{
	if (strcmp(x->path, r->config.country) != 0)
		return; /* of a config that has gone */
	if (!x->geo || routes_intern_countries(r, x->geo) < 0) {
		fail_part(r, &r->geo_part, x);
		return;
	}
	geo_free(&r->geo);
	r->geo = x->geo;
	x->geo = NULL;
	r->geo_part = (struct part){ .loaded_utc_s = routes_utc_s(r) };
	routes_say(r, false, "countries: %zu networks of IPv4 and %zu of IPv6 from %s", geo_networks(r->geo, ADDR_IP4),
	    geo_networks(r->geo, ADDR_IP6), x->path);
}

static void take_names(struct routes *r, struct worker_result *x)
{
	if (strcmp(x->path, r->config.as_names) != 0)
		return;
	if (!x->names) {
		fail_part(r, &r->names_part, x);
		return;
	}
	asnames_free(&r->names);
	r->names = x->names;
	x->names = NULL;
	r->names_part = (struct part){ .loaded_utc_s = routes_utc_s(r) };
	routes_say(r, false, "names of AS: %zu from %s", asnames_count(r->names), x->path);
}

static void fail_view(struct routes *r, struct view *v, const struct worker_result *x)
{
	v->failures++;
	memcpy(v->problem, x->problem, sizeof v->problem);
	routes_say(r, true, "routes %s: %.400s%s", v->config->name, x->problem,
	    v->table ? "; the table that was loaded before stays in force" : "");
}

static void swap_table(struct view *v, struct view_table *fresh)
{
	view_table_unref(&v->table);
	v->table = fresh;
	v->loads++;
}

static void take_file_table(struct routes *r, struct view *v, struct worker_result *x)
{
	struct view_table *fresh;
	bool whole = x->problem[0] == '\0';

	if (strcmp(x->path, v->config->mrt) != 0)
		return;
	/* A part of a table is better than nothing, and worse than the whole one of a while ago. */
	if (!x->table || (!whole && v->table && v->whole)) {
		fail_view(r, v, x);
		return;
	}
	if (view_table_new(&fresh, &x->table) < 0)
		return;
	swap_table(v, fresh);
	v->whole = whole;
	v->loaded_utc_s = routes_utc_s(r);
	v->newest_utc_s = x->newest_utc_s;
	v->compile_ns = x->took_ns;
	memcpy(v->problem, x->problem, sizeof v->problem);
	routes_say(r, !whole, "routes %s: %zu routes of IPv4 and %zu of IPv6 from %s%s%.200s", v->config->name,
	    route_table_count(view_table_routes(v->table), ADDR_IP4), route_table_count(view_table_routes(v->table), ADDR_IP6),
	    x->path, whole ? "" : ": ", x->problem);
}

static void take_bmp_table(struct routes *r, struct view *v, struct worker_result *x)
{
	struct view_table *fresh;

	if (r->station)
		bmp_station_built(r->station, v->config->name, x->took_ns);
	if (!x->table) {
		fail_view(r, v, x);
		return;
	}
	if (view_table_new(&fresh, &x->table) < 0)
		return;
	swap_table(v, fresh);
	v->whole = true;
	v->loaded_utc_s = routes_utc_s(r);
	v->compile_ns = x->took_ns;
	v->problem[0] = '\0';
}

void routes_take(struct routes *r, struct worker_result *x)
{
	size_t i = routes_view_named(r, x->view);

	if (x->work == WORK_COUNTRY)
		take_geo(r, x);
	else if (x->work == WORK_AS_NAMES)
		take_names(r, x);
	else if (x->work == WORK_SAVE)
		routes_say(r, true, "routes %s: what the router said could not be saved: %.400s", x->view, x->problem);
	else if (i != NO_VIEW && x->work == WORK_FILE_TABLE)
		take_file_table(r, &r->views[i], x);
	else if (i != NO_VIEW)
		take_bmp_table(r, &r->views[i], x);
}
