/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_routes.c -- `nettally routes lookup`: what an address belongs to; `nettally routes dump`: the routes of a file. */
#include "cli/commands.h"
#include "cli/routes_all.h"
#include "cli/routes_ask.h"
#include "output/output.h"
#include "routes/asnames.h"
#include "routes/geo.h"
#include "routes/routes_file.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

struct routes_command {
	const char *word; /* "lookup", "dump" */
	const char *routes_path, *geo_path, *names_path;
	struct place place;        /* of the daemon, where no file is given */
	const char *view;
	bool all;
	enum format format;
	char **addresses;
	int address_count;
	struct route_table *table; /* NULL: no --routes */
	struct geo *geo;           /* NULL: no --geo */
	struct asnames *names;     /* NULL: no --as-names */
	char *text;                /* of a path */
	size_t text_size;
};

static const char help[] =
	"Usage: nettally routes lookup [--routes MRTFILE] [--geo MMDB] [ADDR...]\n"
	"       nettally routes dump [--routes MRTFILE [--all]]\n"
	"lookup: of each address (without one: of each line of standard input) the longest matching prefix, its origin AS, the\n"
	"AS path of its best route, and the country. dump: the best route of each prefix. Without files the running daemon is\n"
	"asked.\n"
	"\n"
	"  --routes MRTFILE     routes: TABLE_DUMP, TABLE_DUMP_V2 or BGP4MP, plain, gz or bz2\n"
	"  --geo MMDB           countries\n"
	"  --as-names FILE      lookup: a last column as_name, of the origin AS: an MMDB file, or lines such as: 64500 Example\n"
	"  --as-names daemon    of the daemon: the same by its own names (geo { as_names = FILE })\n"
	"  --all                dump: every route, withdrawal and session state that the file tells, in its order\n"
	"  --view NAME          of the daemon: by this section `routes` of its config (default: its default)\n"
	"  --control PATH, --ledger FILE, -c FILE   which daemon, as for nettally status\n"
	"  --format table|tsv|csv|json|ndjson\n"
	"\n"
	"A file that ends early gives what was whole, and a warning. Of several routes to a prefix the best is: highest\n"
	"LOCAL_PREF, shortest AS path, lowest ORIGIN, lowest MED, lowest BGP identifier and address of the peer.\n"
	"\n"
	"Examples:\n"
	"  nettally routes lookup --routes rib.20261122.0600.bz2 192.0.2.1 2001:db8::1\n"
	"  cut -f1 hosts.tsv | nettally routes lookup --routes rib.mrt --geo country.mmdb\n"
	"  nettally routes dump --routes rib.mrt --format csv > table.csv\n";

static int load(struct routes_command *c, struct err *e)
{
	struct routes_file_result result;
	int r = 0;

	if (c->routes_path) {
		r = routes_file_load(&result, c->routes_path, e);
		if (r < 0)
			return r;
		c->table = result.table;
		if (*result.warning)
			fprintf(stderr, "nettally: routes: %s: %s\n", c->routes_path, result.warning);
	}
	if (c->names_path)
		r = asnames_load(&c->names, c->names_path, e);
	return r == 0 && c->geo_path ? geo_load(&c->geo, c->geo_path, e) : r;
}

/* The path as text, "-" where it is empty; the buffer grows to the longest. */
static const char *path_text(struct routes_command *c, const struct as_path *p)
{
	size_t len = as_path_format(p, c->text, c->text_size);

	if (len + 1 > c->text_size) {
		char *grown = realloc(c->text, len + 1);

		if (!grown)
			return NULL;
		c->text = grown;
		c->text_size = len + 1;
		as_path_format(p, c->text, c->text_size);
	}
	return len ? c->text : "-";
}

/* An AS number is a number in every format; of a set its text, "-" where nothing is known. The caller frees *ret_text. */
static int origin_cell(struct cell *cell, const struct as_path *p, char **ret_text)
{
	struct as_origin o = as_path_origin(p);
	size_t len = as_origin_format(&o, NULL, 0);

	*ret_text = NULL;
	*cell = (struct cell){ .number = o.as, .text = o.as ? NULL : "-" };
	if (o.set.count == 0)
		return 0;
	*ret_text = malloc(len + 1);
	if (!*ret_text)
		return -ENOMEM;
	as_origin_format(&o, *ret_text, len + 1);
	cell->text = *ret_text;
	return 0;
}

static int write_lookup(struct routes_command *c, struct output *out, const struct addr *a)
{
	char address[ADDR_TEXT_MAX], prefix[PREFIX_TEXT_MAX] = "-", *origin = NULL;
	struct cell cells[6] = { { .text = address }, { .text = prefix }, { .text = "-" }, { .text = "-" }, { .text = "-" },
				 { .text = "-" } };
	struct route route;
	int r = 0;

	addr_format(a, address);
	if (c->table && route_table_find(c->table, a, &route)) {
		struct as_path path = route_table_path(c->table, route.path);

		prefix_format(&route.prefix, prefix);
		r = origin_cell(&cells[2], &path, &origin);
		cells[3].text = path_text(c, &path);
		if (!cells[3].text)
			r = -ENOMEM;
		if (!cells[2].text && asnames_find(c->names, (uint32_t)cells[2].number))
			cells[5].text = asnames_find(c->names, (uint32_t)cells[2].number);
	}
	if (c->geo)
		cells[4].text = geo_country(c->geo, geo_find(c->geo, a));
	if (r == 0)
		r = output_row(out, cells);
	free(origin);
	return r;
}

/* An address a line; what stands behind a blank is not looked at. Returns the number of lines that had none, or negative. */
static int lookup_lines(struct routes_command *c, struct output *out, FILE *from)
{
	char line[LINE_MAX_BYTES];
	bool at_terminal = isatty(fileno(from));
	unsigned number = 0;
	int wrong = 0, r = 0;

	while (r == 0 && fgets(line, sizeof line, from)) {
		struct addr a;

		number++;
		line[strcspn(line, " \t\r\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (addr_parse(&a, line) < 0) {
			fprintf(stderr, "nettally: routes: line %u: \"%.60s\" is no address\n", number, line);
			wrong = 1;
			continue;
		}
		r = write_lookup(c, out, &a);
		if (r == 0 && at_terminal)
			r = output_flush(out);
	}
	return r < 0 ? r : wrong;
}

static int lookup(struct routes_command *c, struct output *out)
{
	static const struct column columns[] = {
		{ "address", COLUMN_TEXT }, { "prefix", COLUMN_TEXT }, { "origin_as", COLUMN_NUMBER }, { "as_path", COLUMN_TEXT },
		{ "country", COLUMN_TEXT }, { "as_name", COLUMN_TEXT },
	};
	int r = output_columns(out, columns, c->names ? 6 : 5);

	if (r == 0 && c->address_count == 0)
		return lookup_lines(c, out, stdin);
	for (int i = 0; i < c->address_count && r == 0; i++) {
		struct addr a;

		r = addr_parse(&a, c->addresses[i]);
		if (r == 0)
			r = write_lookup(c, out, &a);
	}
	return r;
}

static int write_route(struct routes_command *c, struct output *out, const struct route *route)
{
	struct as_path path = route_table_path(c->table, route->path);
	uint32_t neighbour = as_path_neighbour(&path);
	char prefix[PREFIX_TEXT_MAX], *origin;
	struct cell cells[4] = { { .text = prefix } };
	int r = origin_cell(&cells[1], &path, &origin);

	prefix_format(&route->prefix, prefix);
	cells[2] = (struct cell){ .number = neighbour, .text = neighbour ? NULL : "-" };
	cells[3].text = path_text(c, &path);
	if (r == 0)
		r = cells[3].text ? output_row(out, cells) : -ENOMEM;
	free(origin);
	return r;
}

static int dump(struct routes_command *c, struct output *out)
{
	static const struct column columns[] = {
		{ "prefix", COLUMN_TEXT }, { "origin_as", COLUMN_NUMBER }, { "neighbour_as", COLUMN_NUMBER },
		{ "as_path", COLUMN_TEXT },
	};
	static const enum addr_family families[] = { ADDR_IP4, ADDR_IP6 };
	int r = output_columns(out, columns, 4);

	for (unsigned f = 0; f < 2; f++)
		for (size_t i = 0; r == 0 && i < route_table_count(c->table, families[f]); i++) {
			struct route route = route_table_at(c->table, families[f], i);

			r = write_route(c, out, &route);
		}
	return r;
}

static bool asks_daemon(const struct routes_command *c)
{
	return !c->routes_path && !c->geo_path && (!c->names_path || strcmp(c->names_path, "daemon") == 0);
}

static int ask_daemon(struct routes_command *c, struct output *out, struct err *e)
{
	struct routes_question q = {
		.place = c->place, .view = c->view, .addresses = c->addresses, .address_count = c->address_count,
		.names = c->names_path != NULL,
	};

	return strcmp(c->word, "lookup") == 0 ? routes_ask_lookup(&q, out, e) : routes_ask_dump(&q, out, e);
}

static int print(struct routes_command *c, struct err *e)
{
	struct output *out = NULL;
	int r = output_open(&out, stdout, c->format, e), wrong;

	if (r < 0)
		return r;
	if (asks_daemon(c))
		wrong = ask_daemon(c, out, e);
	else if (c->all)
		wrong = routes_all_print(c->routes_path, out, e);
	else
		wrong = strcmp(c->word, "lookup") == 0 ? lookup(c, out) : dump(c, out);
	if (wrong < 0) {
		output_abort(&out);
		return c->all || asks_daemon(c) ? wrong : err_errno(e, wrong, "cannot write");
	}
	r = output_close(&out, e);
	return r < 0 ? r : wrong;
}

/* What the words and options must be together. */
static int judge(struct routes_command *c)
{
	bool is_lookup = strcmp(c->word, "lookup") == 0;
	struct err e = { 0 };
	struct addr a;

	if (!is_lookup && strcmp(c->word, "dump") != 0)
		return usage_error("routes", "write: nettally routes lookup, or: nettally routes dump");
	if (c->all && !c->routes_path)
		return usage_error("routes", "--all needs --routes MRTFILE");
	if (c->view && !asks_daemon(c))
		return usage_error("routes", "--view is for the running daemon: leave --routes and --geo away");
	if (!is_lookup && (c->address_count || c->geo_path))
		return usage_error("routes", "dump takes no address and no --geo");
	if (c->names_path && (!is_lookup || (!asks_daemon(c) && !c->routes_path)))
		return usage_error("routes", "--as-names is for lookup, with --routes or of the daemon");
	if (is_lookup && c->all)
		return usage_error("routes", "--all is for dump");
	for (int i = 0; i < c->address_count; i++)
		if (addr_parse(&a, c->addresses[i]) < 0)
			return usage_error("routes", "\"%.60s\" is no address; write 192.0.2.1 or 2001:db8::1", c->addresses[i]);
	if (asks_daemon(c) && place_find(&c->place, &e) < 0)
		return fail(EXIT_USAGE, "routes", &e);
	return -1;
}

static int take_options(struct routes_command *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "routes", required_argument, NULL, 'r' }, { "geo", required_argument, NULL, 'g' },
		{ "all", no_argument, NULL, 'a' }, { "format", required_argument, NULL, 'f' },
		{ "as-names", required_argument, NULL, 'n' },
		{ "view", required_argument, NULL, 'v' }, { "control", required_argument, NULL, 'C' },
		{ "ledger", required_argument, NULL, 'l' }, { "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' }, { 0 },
	};
	struct err e;
	int id;

	opterr = 0;
	while ((id = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		switch (id) {
		case 'h': fputs(help, stdout); return EXIT_OK;
		case 'r': c->routes_path = optarg; break;
		case 'g': c->geo_path = optarg; break;
		case 'a': c->all = true; break;
		case 'n': c->names_path = optarg; break;
		case 'v': c->view = optarg; break;
		case 'C': c->place.control_option = optarg; break;
		case 'l': c->place.ledger_option = optarg; break;
		case 'c': c->place.config_option = optarg; break;
		case 'f':
			if (format_parse(&c->format, optarg, &e) < 0)
				return usage_error("routes", "%s", e.msg);
			break;
		case ':': return usage_error("routes", "%s needs a value", argv[optind - 1]);
		default: return usage_error("routes", "unknown option %s", argv[optind - 1]);
		}
	}
	c->word = optind < argc ? argv[optind] : "";
	c->addresses = argv + (optind < argc ? optind + 1 : argc);
	c->address_count = optind < argc ? argc - optind - 1 : 0;
	return judge(c);
}

int cmd_routes(int argc, char **argv)
{
	struct routes_command c = { .format = format_default(stdout) };
	struct err e = { 0 };
	int status = take_options(&c, argc, argv), r;

	if (status >= 0)
		return status;
	r = c.all || asks_daemon(&c) ? 0 : load(&c, &e);
	if (r == 0)
		r = print(&c, &e);
	status = r < 0 ? fail(EXIT_FAILED, "routes", &e) : r > 0 ? EXIT_FAILED : EXIT_OK;
	route_table_free(&c.table);
	geo_free(&c.geo);
	asnames_free(&c.names);
	free(c.text);
	return status;
}
