/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes.c -- see routes.h. What is in force is here; who loads it is in routes_worker.c, who talks to routers in
 * bmp_station.c. */
#include "routes/routes_internal.h"

#include "routes/routes_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void routes_say(struct routes *r, bool warning, const char *fmt, ...)
{
	size_t at = (r->first_line + r->line_count) % LINES_MAX;
	va_list ap;

	if (r->line_count == LINES_MAX) /* nobody reads them: the oldest goes */
		r->first_line = (r->first_line + 1) % LINES_MAX;
	else
		r->line_count++;
	va_start(ap, fmt);
	vsnprintf(r->lines[at], sizeof r->lines[at], fmt, ap);
	va_end(ap);
	r->warnings[at] = warning;
}

bool routes_said(struct routes *r, char text[static 512], bool *ret_warning)
{
	if (r->line_count == 0)
		return false;
	memcpy(text, r->lines[r->first_line], sizeof r->lines[0]);
	*ret_warning = r->warnings[r->first_line];
	r->first_line = (r->first_line + 1) % LINES_MAX;
	r->line_count--;
	return true;
}

/* ---- views ---- */

size_t routes_view_named(const struct routes *r, const char *name)
{
	for (size_t i = 0; i < r->view_count; i++)
		if (strcmp(r->views[i].config->name, name) == 0)
			return i;
	return NO_VIEW;
}

static bool same_source(const struct routes_view *a, const struct routes_view *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->mrt, b->mrt) == 0 && addr_equal(&a->router, &b->router) &&
	       a->table == b->table;
}

static void view_free(struct view *v)
{
	view_table_unref(&v->table);
}

/* The views of a new config; those that come from where they came keep their table. Nothing can fail any more. */
static void take_views(struct routes *r, struct view *fresh, const struct routes_config *c)
{
	for (size_t i = 0; i < c->view_count; i++) {
		fresh[i].config = &c->views[i];
		for (size_t k = 0; k < r->view_count; k++) {
			if (!r->views[k].table || !same_source(r->views[k].config, &c->views[i]))
				continue;
			fresh[i] = r->views[k];
			fresh[i].config = &c->views[i];
			r->views[k].table = NULL;
		}
		fresh[i].name = strings_add(r->strings, c->views[i].name);
	}
	for (size_t k = 0; k < r->view_count; k++)
		view_free(&r->views[k]);
	free(r->views);
	r->views = fresh;
	r->view_count = c->view_count;
	r->default_view = c->view_count == 1 ? 0 : NO_VIEW;
	for (size_t i = 0; i < c->view_count; i++)
		if (c->views[i].is_default)
			r->default_view = i;
}

static void take_interfaces(struct routes *r, uint32_t *ids, size_t *views)
{
	for (size_t i = 0; i < r->config.interface_count; i++) {
		ids[i] = strings_add(r->strings, r->config.interfaces[i].interface);
		views[i] = routes_view_named(r, r->config.interfaces[i].view);
	}
	free(r->interface_ids);
	free(r->interface_views);
	r->interface_ids = ids;
	r->interface_views = views;
}

/* Puts a config in force, or changes nothing. */
static int set_config(struct routes *r, const struct routes_config *c, struct err *e)
{
	struct view *fresh = calloc(c->view_count + 1, sizeof *fresh);
	uint32_t *ids = calloc(c->interface_count + 1, sizeof *ids);
	size_t *views = calloc(c->interface_count + 1, sizeof *views);
	struct routes_config copy, old = r->config;

	if (!fresh || !ids || !views || routes_config_copy(&copy, c) < 0) {
		free(fresh);
		free(ids);
		free(views);
		return err_set(e, -ENOMEM, "routes: out of memory");
	}
	r->config = copy;
	take_views(r, fresh, &r->config);
	take_interfaces(r, ids, views);
	routes_config_free(&old);
	return 0;
}

static size_t view_of(const struct routes *r, uint32_t router)
{
	for (size_t i = 0; router && i < r->view_count; i++)
		if (r->views[i].name == router)
			return i;
	for (size_t i = 0; router && i < r->config.interface_count; i++)
		if (r->interface_ids[i] == router)
			return r->interface_views[i];
	return r->default_view;
}

uint32_t routes_router_of(const struct routes *r, const struct addr *server)
{
	uint32_t found = 0;
	int longest = -1;

	for (size_t i = 0; i < r->view_count; i++) {
		const struct prefix_set *serves = &r->views[i].config->serves;

		for (size_t k = 0; k < serves->count; k++) {
			if (serves->at[k].bits > longest && prefix_contains(&serves->at[k], server)) {
				longest = serves->at[k].bits;
				found = r->views[i].name;
			}
		}
	}
	return found;
}

void routes_attribute(struct routes *r, uint32_t router, const struct addr *a, uint64_t wanted, struct attribution *ret)
{
	size_t view;

	if (a->family == ADDR_NONE)
		return;
	if (wanted & FIELD_BIT(FIELD_COUNTRY) && r->geo)
		ret->country = r->country_ids[geo_find(r->geo, a)];
	if (!(wanted & FIELDS_OF_ROUTES & ~FIELD_BIT(FIELD_COUNTRY)))
		return;
	view = view_of(r, router);
	if (view != NO_VIEW && r->views[view].table)
		view_attribute(r->views[view].table, r->texts, a, wanted, ret);
}

const char *routes_as_name(const struct routes *r, uint32_t as)
{
	return asnames_find(r->names, as);
}

const struct routes_config *routes_config(const struct routes *r)
{
	return &r->config;
}

void routes_tick(struct routes *r)
{
	struct worker_result x;
	char text[256];

	while (r->worker && worker_take(r->worker, &x)) {
		routes_take(r, &x);
		worker_result_free(&x);
	}
	while (r->station && bmp_station_event(r->station, text))
		routes_say(r, false, "%s", text);
}

bool routes_is_loaded(struct routes *r)
{
	struct bmp_station_facts facts = { .restored = true };

	if (r->station)
		bmp_station_facts(r->station, &facts);
	return !r->worker || (facts.restored && worker_has_tried_all(r->worker));
}

/* ---- life ---- */

static int give_files(struct routes *r, struct err *e)
{
	struct worker_file files[ROUTES_VIEWS_MAX + 2];
	size_t count = 0;

	memset(files, 0, sizeof files);
	/* What is small comes first: it is there while a table is read. */
	if (r->config.country[0]) {
		files[count].work = WORK_COUNTRY;
		memcpy(files[count++].path, r->config.country, ROUTES_PATH_MAX);
	}
	if (r->config.as_names[0]) {
		files[count].work = WORK_AS_NAMES;
		memcpy(files[count++].path, r->config.as_names, ROUTES_PATH_MAX);
	}
	for (size_t i = 0; i < r->view_count && count < sizeof files / sizeof *files; i++) {
		const struct routes_view *v = r->views[i].config;

		if (!v->mrt[0])
			continue;
		files[count].work = WORK_FILE_TABLE;
		memcpy(files[count].view, v->name, sizeof files[count].view);
		memcpy(files[count++].path, v->mrt, ROUTES_PATH_MAX);
	}
	return worker_set_files(r->worker, files, count) < 0 ? err_set(e, -ENOMEM, "routes: out of memory") : 0;
}

static int routes_new(struct routes **ret, struct strings *s, struct err *e)
{
	struct routes *r = calloc(1, sizeof *r);

	if (!r || view_texts_new(&r->texts, s) < 0) {
		free(r);
		return err_set(e, -ENOMEM, "routes: out of memory");
	}
	r->strings = s;
	r->clock = clock_system();
	r->default_view = NO_VIEW;
	*ret = r;
	return 0;
}

int routes_open(struct routes **ret, const struct routes_config *c, struct strings *s, const char *state_path, struct err *e)
{
	struct routes *routes = NULL;
	int r = routes_new(&routes, s, e);

	if (r < 0)
		return r;
	snprintf(routes->state_path, sizeof routes->state_path, "%s", state_path);
	r = set_config(routes, c, e);
	if (r == 0 && c->bmp.on)
		r = bmp_station_open(&routes->station, c, routes->state_path, e);
	if (r < 0) {
		routes_close(&routes);
		return r;
	}
	*ret = routes;
	return 0;
}

/* The thread comes with the first file or router. */
static int need_worker(struct routes *r, const struct routes_config *c, struct err *e)
{
	if (r->worker || !r->started || (!c->view_count && !c->bmp.on && !c->country[0] && !c->as_names[0]))
		return 0;
	return worker_start(&r->worker, e);
}

int routes_start(struct routes *r, struct err *e)
{
	int x;

	r->started = true;
	x = need_worker(r, &r->config, e);
	if (x == 0 && r->worker)
		x = give_files(r, e);
	if (x == 0 && r->station)
		x = bmp_station_start(r->station, r->worker, e);
	return x;
}

/* The station follows the new config first: it alone can be refused (a port that is taken). */
static int change_station(struct routes *r, const struct routes_config *c, struct err *e)
{
	int x;

	if (r->station && c->bmp.on)
		return bmp_station_change(r->station, c, e);
	if (!c->bmp.on) {
		bmp_station_close(&r->station);
		return 0;
	}
	x = bmp_station_open(&r->station, c, r->state_path, e);
	if (x == 0 && r->worker)
		x = bmp_station_start(r->station, r->worker, e);
	return x;
}

static void forget_files(struct routes *r, const struct routes_config *c)
{
	if (strcmp(r->config.country, c->country) != 0) {
		geo_free(&r->geo);
		r->geo_part = (struct part){ 0 };
	}
	if (strcmp(r->config.as_names, c->as_names) != 0) {
		asnames_free(&r->names);
		r->names_part = (struct part){ 0 };
	}
}

int routes_change(struct routes *r, const struct routes_config *c, struct err *e)
{
	int x = need_worker(r, c, e);

	if (x == 0)
		x = change_station(r, c, e);
	if (x < 0)
		return x;
	if (!c->country[0] || !c->as_names[0])
		forget_files(r, c);
	x = set_config(r, c, e);
	return x == 0 && r->worker ? give_files(r, e) : x;
}

void routes_close(struct routes **pr)
{
	struct routes *r = *pr;

	*pr = NULL;
	if (!r)
		return;
	bmp_station_close(&r->station);
	worker_stop(&r->worker);
	for (size_t i = 0; i < r->view_count; i++)
		view_free(&r->views[i]);
	free(r->views);
	free(r->interface_ids);
	free(r->interface_views);
	geo_free(&r->geo);
	free(r->country_ids);
	asnames_free(&r->names);
	view_texts_free(&r->texts);
	routes_config_free(&r->config);
	free(r);
}

static int load_table(struct routes *r, const char *path, char warning[static 512], struct err *e)
{
	struct routes_file_result file;
	int x = routes_file_load(&file, path, e);

	if (x < 0)
		return x;
	if (file.warning[0])
		snprintf(warning, 512, "%s: %s", path, file.warning);
	return view_table_new(&r->views[0].table, &file.table) < 0 ? err_set(e, -ENOMEM, "%s: out of memory", path) : 0;
}

int routes_open_files(struct routes **ret, const struct routes_files *f, struct strings *s, char warning[static 512],
		      struct err *e)
{
	struct routes_view view = { .name = "file" };
	struct routes_config c = { .views = &view, .view_count = 1 };
	struct routes *r = NULL;
	int x = routes_new(&r, s, e);

	warning[0] = '\0';
	if (x == 0)
		x = set_config(r, &c, e);
	if (x == 0 && f->mrt)
		x = load_table(r, f->mrt, warning, e);
	if (x == 0 && f->country)
		x = geo_load(&r->geo, f->country, e);
	if (x == 0 && r->geo && routes_intern_countries(r, r->geo) < 0)
		x = err_set(e, -ENOMEM, "%s: out of memory", f->country);
	if (x == 0 && f->as_names)
		x = asnames_load(&r->names, f->as_names, e);
	if (x < 0)
		routes_close(&r);
	else
		*ret = r;
	return x;
}
