/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_told.c -- facts for status, tables for dump and lookup. */
#include "routes/routes_internal.h"

size_t routes_view_count(const struct routes *r)
{
	return r->view_count;
}

void routes_view_facts(struct routes *r, size_t view, struct routes_view_facts *ret)
{
	const struct view *v = &r->views[view];

	*ret = (struct routes_view_facts){
		.view = v->config, .is_default = view == r->default_view, .loaded_utc_s = v->loaded_utc_s,
		.newest_utc_s = v->newest_utc_s, .compile_ns = v->compile_ns, .loads = v->loads, .failures = v->failures,
		.problem = v->problem,
	};
	if (v->table) {
		const struct route_table *t = view_table_routes(v->table);

		ret->ip4 = route_table_count(t, ADDR_IP4);
		ret->ip6 = route_table_count(t, ADDR_IP6);
		ret->paths = route_table_paths(t);
		ret->bytes = view_table_bytes(v->table);
	}
	if (r->station)
		ret->has_router = bmp_station_router(r->station, v->config->name, &ret->router, &ret->peers);
	if (ret->has_router)
		ret->newest_utc_s = ret->router.heard_utc_s;
}

void routes_facts(struct routes *r, struct routes_facts *ret)
{
	struct bmp_station_facts bmp = { 0 };

	if (r->station)
		bmp_station_facts(r->station, &bmp);
	*ret = (struct routes_facts){
		.listen = r->station ? bmp_station_address(r->station) : "",
		.strangers = bmp.strangers, .broken = bmp.broken,
		.as_names_bytes = asnames_bytes(r->names), .as_names = asnames_count(r->names),
		.geo_loaded_utc_s = r->geo_part.loaded_utc_s, .as_names_loaded_utc_s = r->names_part.loaded_utc_s,
		.geo_problem = r->geo_part.problem, .as_names_problem = r->names_part.problem,
	};
	if (r->geo) {
		ret->geo_bytes = geo_bytes(r->geo);
		ret->geo_ip4 = geo_networks(r->geo, ADDR_IP4);
		ret->geo_ip6 = geo_networks(r->geo, ADDR_IP6);
	}
}

struct view_table *routes_table(struct routes *r, const char *view)
{
	size_t i = view ? routes_view_named(r, view) : r->default_view;

	return i != NO_VIEW && r->views[i].table ? view_table_ref(r->views[i].table) : NULL;
}

const char *routes_country(const struct routes *r, const struct addr *a)
{
	return r->geo ? geo_country(r->geo, geo_find(r->geo, a)) : "-";
}
