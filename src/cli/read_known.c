/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/read_known.h"

#include "names/names.h"
#include "routes/routes.h"

#include <errno.h>
#include <stdio.h>

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

	if (k->routes && host->family)
		routes_attribute(k->routes, router, host, fields, ret);
	if (k->names)
		find_names(k, fields, host, mac, ret);
}

static int open_routes(struct read_known *k, const struct routes_files *files, struct err *e)
{
	char warning[512];
	int r = routes_open_files(&k->routes, files, k->strings, warning, e);

	if (r == 0 && warning[0])
		fprintf(stderr, "nettally: %s\n", warning);
	return r;
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
	if (fields & FIELDS_OF_ROUTES)
		r = open_routes(k, &(struct routes_files){ .mrt = fields & FIELDS_OF_ROUTES & ~country ? k->routes_path : NULL,
							   .country = fields & country ? k->geo_path : NULL }, e);
	if (r == 0 && fields & names)
		r = open_names(k, e);
	return r;
}

void read_known_close(struct read_known *k)
{
	routes_close(&k->routes);
	names_stop(&k->names);
}
