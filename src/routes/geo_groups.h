/* SPDX-License-Identifier: GPL-2.0-or-later */
/* geo_groups.h -- names for several countries: `eu` (EU and EEA, built in), and those of the config.
 *
 * Data only; the config's loader fills it, later readers share it. Thread: any for reading. */
#ifndef NETTALLY_ROUTES_GEO_GROUPS_H
#define NETTALLY_ROUTES_GEO_GROUPS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define COUNTRY_TEXT_MAX 8 /* "DE"; some files have longer codes */
#define GEO_GROUP_NAME_MAX 33
#define GEO_GROUP_COUNTRIES_MAX 300

struct geo_group {
	char name[GEO_GROUP_NAME_MAX];
	char (*countries)[COUNTRY_TEXT_MAX];
	size_t count;
};

struct geo_groups {
	struct geo_group *at;
	size_t count;
};

/* -EINVAL with a sentence: no such code, twice, a name that is a country's code. A group is made by its first country;
 * of `eu`, that replaces the one that is built in. */
int geo_groups_add(struct geo_groups *g, const char *group, const char *country, struct err *e);
/* The countries of a group, NULL: there is none of that name. `g` may be NULL. */
const struct geo_group *geo_groups_find(const struct geo_groups *g, const char *name);
bool geo_group_has(const struct geo_group *g, const char *country);
void geo_groups_free(struct geo_groups *g);

/* Two letters become upper case; others must be short and printable. False: no code. */
bool country_code_clean(char ret[COUNTRY_TEXT_MAX], const char *text);

#endif
