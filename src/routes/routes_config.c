/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/routes_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void routes_config_free(struct routes_config *c)
{
	for (size_t i = 0; i < c->view_count; i++)
		prefix_set_free(&c->views[i].serves);
	free(c->views);
	free(c->interfaces);
	geo_groups_free(&c->groups);
	*c = (struct routes_config){ 0 };
}

static int copy_view(struct routes_view *to, const struct routes_view *from)
{
	int r = 0;

	*to = *from;
	to->serves = (struct prefix_set){ 0 };
	for (size_t i = 0; i < from->serves.count && r == 0; i++)
		r = prefix_set_add(&to->serves, &from->serves.at[i]);
	return r;
}

int routes_config_copy(struct routes_config *ret, const struct routes_config *c)
{
	struct routes_config copy = *c;
	struct err e;
	int r = 0;

	copy.groups = (struct geo_groups){ 0 };
	copy.view_count = 0;
	copy.views = calloc(c->view_count + 1, sizeof *copy.views);
	copy.interfaces = calloc(c->interface_count + 1, sizeof *copy.interfaces);
	if (!copy.views || !copy.interfaces) {
		free(copy.views);
		free(copy.interfaces);
		return -ENOMEM;
	}
	if (c->interface_count)
		memcpy(copy.interfaces, c->interfaces, c->interface_count * sizeof *c->interfaces);
	for (size_t i = 0; i < c->view_count && r == 0; i++)
		r = copy_view(&copy.views[copy.view_count++], &c->views[i]);
	for (size_t g = 0; g < c->groups.count; g++)
		for (size_t i = 0; i < c->groups.at[g].count && r == 0; i++)
			r = geo_groups_add(&copy.groups, c->groups.at[g].name, c->groups.at[g].countries[i], &e);
	if (r < 0) {
		routes_config_free(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

const struct routes_view *routes_config_find(const struct routes_config *c, const char *name)
{
	for (size_t i = 0; i < c->view_count; i++)
		if (strcmp(c->views[i].name, name) == 0)
			return &c->views[i];
	return NULL;
}
