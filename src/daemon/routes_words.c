/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_words.c -- what the control socket is asked of routes. Answers are lines of tab-separated cells behind a line of
 * names; the last line is "# end N", so that a client knows that it has all. */
#include "daemon/routes_station.h"

#include "base/text.h"
#include "routes/asnames.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_ROUTES 500

struct answer {
	struct view_table *table;  /* of a dump */
	struct routes *routes;     /* of a lookup */
	char *line;                /* what is not yet answered of it */
	char error[256];
	enum addr_family family;
	size_t at;
	uint64_t rows;
	bool begun;
};

static void close_answer(void *arg)
{
	struct answer *a = arg;

	view_table_unref(&a->table);
	free(a->line);
	free(a);
}

static void put_path(FILE *to, const struct as_path *p)
{
	char text[1024], *large = NULL;
	size_t len = as_path_format(p, text, sizeof text);

	if (len >= sizeof text) {
		large = malloc(len + 1);
		if (large)
			as_path_format(p, large, len + 1);
	}
	fputs(len == 0 ? "-" : len < sizeof text ? text : large ? large : "-", to);
	free(large);
}

static void put_origin(FILE *to, const struct as_path *p)
{
	struct as_origin o = as_path_origin(p);
	size_t len = as_origin_format(&o, NULL, 0);
	char *text = malloc(len + 1);

	if (text)
		as_origin_format(&o, text, len + 1);
	fputs(text && len ? text : "-", to);
	free(text);
}

/* ---- dump ---- */

static void put_route(FILE *to, const struct route_table *t, const struct route *r)
{
	struct as_path path = route_table_path(t, r->path);
	uint32_t neighbour = as_path_neighbour(&path);
	char text[PREFIX_TEXT_MAX];

	prefix_format(&r->prefix, text);
	fprintf(to, "%s\t", text);
	put_origin(to, &path);
	if (neighbour)
		fprintf(to, "\t%" PRIu32 "\t", neighbour);
	else
		fputs("\t-\t", to);
	put_path(to, &path);
	fputc('\n', to);
}

static int next_routes(void *arg, FILE *to)
{
	struct answer *a = arg;
	const struct route_table *t;

	if (a->error[0]) {
		fprintf(to, "error: %s\n", a->error);
		return 0;
	}
	t = view_table_routes(a->table);
	if (!a->begun)
		fputs("prefix\torigin_as\tneighbour_as\tas_path\n", to);
	a->begun = true;
	for (unsigned i = 0; i < PIECE_ROUTES; i++) {
		if (a->family == ADDR_IP4 && a->at == route_table_count(t, ADDR_IP4)) {
			a->family = ADDR_IP6;
			a->at = 0;
		}
		if (a->family == ADDR_IP6 && a->at == route_table_count(t, ADDR_IP6)) {
			fprintf(to, "# end %" PRIu64 "\n", a->rows);
			return 0;
		}
		struct route r = route_table_at(t, a->family, a->at++);

		put_route(to, t, &r);
		a->rows++;
	}
	return 1;
}

/* ---- lookup ---- */

/* A table that people write may hold anything. */
static const char *origin_name(const struct routes *r, const struct as_path *p, char buf[static ASNAME_TEXT_MAX])
{
	struct as_origin o = as_path_origin(p);
	const char *name = o.as ? routes_as_name(r, o.as) : NULL;

	return name ? text_printable(name, buf, ASNAME_TEXT_MAX) : "-";
}

static void put_lookup(FILE *to, struct answer *a, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX], prefix[PREFIX_TEXT_MAX], name[ASNAME_TEXT_MAX];
	struct as_path path = { 0 };
	struct route r;
	bool found = a->table && route_table_find(view_table_routes(a->table), addr, &r);

	addr_format(addr, text);
	if (found) {
		prefix_format(&r.prefix, prefix);
		path = route_table_path(view_table_routes(a->table), r.path);
	}
	fprintf(to, "%s\t%s\t", text, found ? prefix : "-");
	put_origin(to, &path);
	fputc('\t', to);
	put_path(to, &path);
	fprintf(to, "\t%s\t%s\n", routes_country(a->routes, addr), origin_name(a->routes, &path, name));
	a->rows++;
}

static int next_lookups(void *arg, FILE *to)
{
	struct answer *a = arg;
	char *rest = a->line, *word;

	if (a->error[0]) {
		fprintf(to, "error: %s\n", a->error);
		return 0;
	}
	fputs("address\tprefix\torigin_as\tas_path\tcountry\tas_name\n", to);
	while ((word = strsep(&rest, " \t\r"))) {
		struct addr addr;

		if (*word && addr_parse(&addr, word) == 0)
			put_lookup(to, a, &addr);
	}
	fprintf(to, "# end %" PRIu64 "\n", a->rows);
	return 0;
}

/* ---- the request ---- */

static void list_views(struct routes *r, char *text, size_t size)
{
	const struct routes_config *c = routes_config(r);
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < c->view_count && used + 1 < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", c->views[i].name);
}

static void say_no_table(struct answer *a, const char *view)
{
	const struct routes_config *c = routes_config(a->routes);
	char views[160], shown[ROUTES_NAME_MAX];

	list_views(a->routes, views, sizeof views);
	if (c->view_count == 0)
		snprintf(a->error, sizeof a->error, "no routes are configured: write routes NAME { mrt = FILE } into the config");
	else if (*view && !routes_config_find(c, view))
		snprintf(a->error, sizeof a->error, "there is no routes %s; there are: %s",
			 text_printable(view, shown, sizeof shown), views);
	else if (!*view && c->view_count > 1)
		snprintf(a->error, sizeof a->error, "none of the views is the default: say which with --view; there are: %s",
			 views);
	else
		snprintf(a->error, sizeof a->error, "nothing is loaded yet: nettally status says why");
}

/* "routes dump [VIEW]", "routes lookup VIEW|- ADDRESS..." */
static void read_request(struct answer *a, bool *ret_dump)
{
	const char *what, *view;
	char *rest = a->line;

	strsep(&rest, " \t\r"); /* routes */
	what = rest ? strsep(&rest, " \t\r") : "";
	view = rest ? strsep(&rest, " \t\r") : "";
	if (strcmp(what, "dump") != 0 && strcmp(what, "lookup") != 0) {
		snprintf(a->error, sizeof a->error, "unknown request: ask for routes dump or routes lookup");
		return;
	}
	*ret_dump = strcmp(what, "dump") == 0;
	if (strcmp(view, "-") == 0)
		view = "";
	a->table = routes_table(a->routes, *view ? view : NULL);
	/* Countries alone can be asked for, too. */
	if (!a->table && (*ret_dump || *view || !routes_config(a->routes)->country[0] ||
			  routes_config(a->routes)->view_count > 0))
		say_no_table(a, view);
	if (rest)
		memmove(a->line, rest, strlen(rest) + 1);
	else
		a->line[0] = '\0';
}

static int ask(void *arg, struct slice line, struct control_stream *ret)
{
	struct answer *a = calloc(1, sizeof *a);
	bool dump = false;

	if (!a)
		return -ENOMEM;
	a->routes = routes_station_routes(arg);
	a->family = ADDR_IP4;
	a->line = strndup((const char *)line.at, line.len);
	if (!a->line) {
		free(a);
		return -ENOMEM;
	}
	read_request(a, &dump);
	*ret = (struct control_stream){ dump ? next_routes : next_lookups, close_answer, a };
	return 0;
}

const struct control_words routes_words = { "routes", ask };
