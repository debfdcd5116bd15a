/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/read_known.h"

#include "names/names.h"
#include "routes/routes_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_TEXT_MAX 4096

static uint32_t path_text(struct read_known *k, uint32_t path)
{
	char text[PATH_TEXT_MAX];
	struct as_path p;

	if (k->path_ids[path])
		return k->path_ids[path] - 1;
	p = route_table_path(k->routes, path);
	if (as_path_format(&p, text, sizeof text) < sizeof text) {
		k->path_ids[path] = strings_add(k->strings, text[0] ? text : "-") + 1;
		return k->path_ids[path] - 1;
	}
	char *whole = malloc(as_path_format(&p, NULL, 0) + 1); /* no path is cut */
	if (!whole)
		return 0;
	as_path_format(&p, whole, as_path_format(&p, NULL, 0) + 1);
	k->path_ids[path] = strings_add(k->strings, whole) + 1;
	free(whole);
	return k->path_ids[path] - 1;
}

static uint64_t origin_key(struct read_known *k, const struct as_path *p)
{
	struct as_origin o = as_path_origin(p);
	char text[PATH_TEXT_MAX];

	if (o.as)
		return AS_KEY(o.as);
	if (!o.set.count)
		return 0;
	as_origin_format(&o, text, sizeof text);
	return UINT64_C(2) << 32 | strings_add(k->strings, text);
}

static void find_route(struct read_known *k, uint64_t fields, const struct addr *host, struct attribution *ret)
{
	char text[PREFIX_TEXT_MAX];
	struct as_path p;
	struct route r;
	uint32_t neighbour;

	if (!route_table_find(k->routes, host, &r))
		return;
	p = route_table_path(k->routes, r.path);
	neighbour = as_path_neighbour(&p);
	prefix_format(&r.prefix, text);
	ret->prefix = strings_add(k->strings, text);
	ret->neighbour_as = neighbour ? AS_KEY(neighbour) : 0;
	ret->origin_as = origin_key(k, &p);
	if (fields & FIELD_BIT(FIELD_AS_PATH))
		ret->as_path = path_text(k, r.path);
	if (fields & FIELD_BIT(FIELD_TRANSIT_AS)) {
		ret->transit = k->transit;
		ret->transit_count = as_path_distinct(&p, k->transit, READ_TRANSIT_MAX);
	}
}

static void find_names(struct read_known *k, uint64_t fields, const struct addr *host, uint64_t mac, struct attribution *ret)
{
	char text[NAME_MAX_TEXT];
	enum name_source source;
	const char *vendor = fields & FIELD_BIT(FIELD_VENDOR) ? names_vendor(k->names, mac) : NULL;

	if (vendor)
		ret->vendor = strings_add(k->strings, vendor);
	if (!(fields & FIELD_BIT(FIELD_NAME)))
		return;
	if (host->family)
		names_of_host(k->names, host, text, &source);
	else
		names_of_mac(k->names, mac, text, &source);
	if (source != NAME_NONE)
		ret->name = strings_add(k->strings, text);
}

static void find(void *arg, uint64_t fields, uint32_t router, const struct addr *host, uint64_t mac, struct attribution *ret)
{
	struct read_known *k = arg;

	(void)router;
	if (k->routes && host->family)
		find_route(k, fields, host, ret);
	if (k->geo && host->family) {
		uint32_t country = geo_find(k->geo, host);

		ret->country = country ? strings_add(k->strings, geo_country(k->geo, country)) : 0;
	}
	if (k->names)
		find_names(k, fields, host, mac, ret);
}

static int open_routes(struct read_known *k, struct err *e)
{
	struct routes_file_result file;
	int r = routes_file_load(&file, k->routes_path, e);

	if (r < 0)
		return r;
	if (file.warning[0])
		fprintf(stderr, "nettally: %s: %s\n", k->routes_path, file.warning);
	k->routes = file.table;
	k->path_ids = calloc((size_t)route_table_paths(k->routes) + 1, sizeof *k->path_ids);
	return k->path_ids ? 0 : err_set(e, -ENOMEM, "no memory");
}

static void say(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "nettally: %s\n", text);
}

/* The hosts file and the list of vendors, where they are; nobody is asked. */
static int open_names(struct read_known *k, struct err *e)
{
	struct names_config cf;

	names_config_default(&cf);
	cf.dns = cf.neighbours = false;
	return names_new(&k->names, &cf, say, NULL, e);
}

int read_known_open(struct read_known *k, uint64_t fields, struct strings *strings, struct err *e)
{
	const uint64_t country = FIELD_BIT(FIELD_COUNTRY), names = FIELD_BIT(FIELD_NAME) | FIELD_BIT(FIELD_VENDOR);
	int r = 0;

	k->strings = strings;
	k->attributor = (struct attributor){ find, k };
	if (fields & FIELDS_OF_ROUTES & ~country && !k->routes_path)
		return err_set(e, -EINVAL, "--by a prefix or an AS: by which routes? add --routes MRTFILE");
	if (fields & country && !k->geo_path)
		return err_set(e, -EINVAL, "--by country: by which file? add --geo MMDB");
	if (fields & FIELDS_OF_ROUTES & ~country)
		r = open_routes(k, e);
	if (r == 0 && fields & country)
		r = geo_load(&k->geo, k->geo_path, e);
	if (r == 0 && fields & names)
		r = open_names(k, e);
	return r;
}

void read_known_close(struct read_known *k)
{
	route_table_free(&k->routes);
	free(k->path_ids);
	geo_free(&k->geo);
	names_stop(&k->names);
}
