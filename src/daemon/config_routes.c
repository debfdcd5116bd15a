/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_routes.c -- the sections `routes`, `bmp` and `geo`, and which view an interface has. */
#include "daemon/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is read when the daemon runs: it must be there and readable now. */
static void read_path(struct config_loader *l, cfg_t *s, const char *key, char ret[static ROUTES_PATH_MAX])
{
	const struct config_value *v = config_value_at(s, key, 0);
	struct stat st;
	int fd;

	config_read_text(l, s, key, ret, ROUTES_PATH_MAX);
	if (!v || !ret[0])
		return;
	fd = open(ret, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		config_problem(&l->p, v->line, "%s = %s: %s", key, ret, strerror(errno));
	else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		config_problem(&l->p, v->line, "%s = %s: this is no file", key, ret);
	if (fd >= 0)
		close(fd);
}

/* ---- routes NAME { } ---- */

static bool name_is_sound(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < ROUTES_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

static void load_serves(struct config_loader *l, cfg_t *s, struct prefix_set *ret)
{
	const struct config_value *v;

	for (unsigned i = 0; (v = config_value_at(s, "serves", i)); i++) {
		struct prefix p;
		struct err e;

		if (prefix_parse(&p, v->text, &e) < 0)
			config_problem(&l->p, v->line, "serves: %s", e.msg);
		else if (prefix_set_add(ret, &p) < 0)
			config_problem(&l->p, v->line, "serves: out of memory");
	}
}

static void load_router(struct config_loader *l, cfg_t *s, struct routes_view *view)
{
	static const struct config_word tables[] = {
		{ "auto", BMP_TABLE_AUTO }, { "loc-rib", BMP_TABLE_LOC_RIB }, { "post-policy", BMP_TABLE_POST_POLICY },
		{ "pre-policy", BMP_TABLE_PRE_POLICY }, { 0 },
	};
	const struct config_value *v = config_value(s, "bmp", &l->p), *table_value = config_value_at(s, "table", 0);
	int table = BMP_TABLE_AUTO;

	config_read_word(l, s, "table", tables, &table);
	view->table = (enum bmp_table)table;
	if (v && addr_parse(&view->router, v->text) < 0)
		config_problem(&l->p, v->line, "bmp = '%.60s': write the address from which the router connects", v->text);
	if (!v && table_value)
		config_problem(&l->p, table_value->line, "table says which of a BMP router's tables counts: this one has no bmp");
}

static void check_view(struct config_loader *l, cfg_t *s, const struct routes_view *view, unsigned line)
{
	const struct routes_config *c = &l->c->routes;

	if (!name_is_sound(cfg_title(s)))
		config_problem(&l->p, line, "routes '%.60s': a name is letters, digits, '_', '.' and '-', at most %d",
			       cfg_title(s), ROUTES_NAME_MAX - 1);
	if (!config_value_at(s, "mrt", 0) == !config_value_at(s, "bmp", 0))
		config_problem(&l->p, line, "routes %.60s: write either mrt = FILE or bmp = ROUTER-ADDRESS", cfg_title(s));
	for (size_t i = 0; i < c->view_count; i++) {
		if (view->router.family && addr_equal(&c->views[i].router, &view->router))
			config_problem(&l->p, line, "routes %.60s: this router is that of routes %.60s already", view->name,
				       c->views[i].name);
		if (view->is_default && c->views[i].is_default)
			config_problem(&l->p, line, "routes %.60s: routes %.60s is the default already", view->name,
				       c->views[i].name);
	}
}

static void load_view(struct config_loader *l, cfg_t *s, unsigned line)
{
	struct routes_config *c = &l->c->routes;
	struct routes_view view = { 0 }, *more;

	if (c->view_count == ROUTES_VIEWS_MAX) {
		config_problem(&l->p, line, "more than %d sections `routes`", ROUTES_VIEWS_MAX);
		return;
	}
	if (strlen(cfg_title(s)) < sizeof view.name)
		memcpy(view.name, cfg_title(s), strlen(cfg_title(s)) + 1);
	read_path(l, s, "mrt", view.mrt);
	load_router(l, s, &view);
	load_serves(l, s, &view.serves);
	config_read_bool(l, s, "default", &view.is_default);
	check_view(l, s, &view, line);
	more = reallocarray(c->views, c->view_count + 1, sizeof *more);
	if (!more) {
		prefix_set_free(&view.serves);
		config_problem(&l->p, line, "out of memory");
		return;
	}
	c->views = more;
	c->views[c->view_count++] = view;
}

/* ---- bmp { }, geo { } ---- */

static void load_bmp(struct config_loader *l, cfg_t *s)
{
	const struct config_value *v = config_value(s, "listen", &l->p);
	struct routes_config *c = &l->c->routes;
	struct config_listen listen = { 0 };
	bool wanted = false;
	struct err e;

	c->bmp.memory_bytes = BMP_MEMORY_DEFAULT;
	config_read_size(l, s, "memory", 1 << 20, UINT64_C(1) << 40, &c->bmp.memory_bytes);
	if (v && config_listen_parse(&listen, v->text, &e) < 0)
		config_problem(&l->p, v->line, "listen = '%.60s': write ADDRESS:PORT such as 0.0.0.0:11019 or [::]:11019, or off",
			       v->text);
	c->bmp.on = listen.on;
	memcpy(c->bmp.address, listen.address, sizeof c->bmp.address);
	c->bmp.port = listen.port;
	for (size_t i = 0; i < c->view_count; i++)
		wanted |= c->views[i].router.family != ADDR_NONE;
	if (wanted && !v)
		config_problem(&l->p, config_text_line(l->text, NULL, "routes"),
			       "routes by bmp need a place where routers connect: write bmp { listen = \"0.0.0.0:11019\" }");
}

static void load_geo(struct config_loader *l, cfg_t *s)
{
	struct routes_config *c = &l->c->routes;
	const struct config_value *v;
	struct err e;

	read_path(l, s, "country", c->country);
	read_path(l, s, "as_names", c->as_names);
	for (unsigned i = 0; i < cfg_size(s, "group"); i++) {
		cfg_t *group = cfg_getnsec(s, "group", i);

		if (!config_value_at(group, "countries", 0))
			config_problem(&l->p, (unsigned)group->line, "group %.40s: write countries = { \"DE\", \"FR\" }",
				       cfg_title(group));
		for (unsigned k = 0; (v = config_value_at(group, "countries", k)); k++)
			if (geo_groups_add(&c->groups, cfg_title(group), v->text, &e) < 0)
				config_problem(&l->p, v->line, "%s", e.msg);
	}
}

/* ---- interface NAME { routes = VIEW } ---- */

static void load_interface_view(struct config_loader *l, cfg_t *s)
{
	const struct config_value *v = config_value(s, "routes", &l->p);
	struct routes_config *c = &l->c->routes;
	struct routes_interface *more;

	if (!v)
		return;
	if (!routes_config_find(c, v->text)) {
		config_problem(&l->p, v->line, "routes = '%.40s': there is no section routes %.40s", v->text, v->text);
		return;
	}
	more = reallocarray(c->interfaces, c->interface_count + 1, sizeof *more);
	if (!more) {
		config_problem(&l->p, v->line, "out of memory");
		return;
	}
	c->interfaces = more;
	more += c->interface_count++;
	memset(more, 0, sizeof *more);
	snprintf(more->interface, sizeof more->interface, "%s", cfg_title(s));
	snprintf(more->view, sizeof more->view, "%s", v->text);
}

void config_load_routes(struct config_loader *l, cfg_t *top)
{
	for (unsigned i = 0; i < cfg_size(top, "routes") && !l->p.more; i++) {
		const struct config_statement *st = config_text_section(l->text, "routes", i);

		if (st)
			load_view(l, cfg_getnsec(top, "routes", i), st->line);
	}
	load_bmp(l, cfg_getsec(top, "bmp"));
	load_geo(l, cfg_getsec(top, "geo"));
	for (unsigned i = 0; i < cfg_size(top, "interface") && !l->p.more; i++)
		load_interface_view(l, cfg_getnsec(top, "interface", i));
}

void config_free_routes(struct config *c)
{
	routes_config_free(&c->routes);
}
