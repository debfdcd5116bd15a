/* SPDX-License-Identifier: GPL-2.0-or-later */
/* geo_groups.c -- see geo_groups.h. */
#include "routes/geo_groups.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The 27 member states of the European Union, and Iceland, Liechtenstein and Norway. */
static char eu_countries[][COUNTRY_TEXT_MAX] = {
	"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE",
	"IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
};
static const struct geo_group eu = { "eu", eu_countries, sizeof eu_countries / sizeof *eu_countries };

bool country_code_clean(char ret[COUNTRY_TEXT_MAX], const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= COUNTRY_TEXT_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
		ret[i] = (char)toupper((unsigned char)text[i]);
	}
	memset(ret + len, 0, COUNTRY_TEXT_MAX - len);
	return strcmp(ret, "-") != 0;
}

static struct geo_group *own_group(const struct geo_groups *g, const char *name)
{
	for (size_t i = 0; i < g->count; i++)
		if (strcmp(g->at[i].name, name) == 0)
			return &g->at[i];
	return NULL;
}

static struct geo_group *add_group(struct geo_groups *g, const char *name)
{
	struct geo_group *more = reallocarray(g->at, g->count + 1, sizeof *more);

	if (!more)
		return NULL;
	g->at = more;
	more += g->count++;
	memset(more, 0, sizeof *more);
	memcpy(more->name, name, strlen(name) + 1);
	return more;
}

static int check_name(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len >= GEO_GROUP_NAME_MAX ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
		return err_set(e, -EINVAL, "group '%.40s': a name is small letters, digits and '_', at most %d", name,
			       GEO_GROUP_NAME_MAX - 1);
	return 0;
}

int geo_groups_add(struct geo_groups *g, const char *name, const char *country, struct err *e)
{
	struct geo_group *group = own_group(g, name);
	char code[COUNTRY_TEXT_MAX];
	void *more;

	if (check_name(name, e) < 0)
		return -EINVAL;
	if (strlen(country) != 2 || !country_code_clean(code, country))
		return err_set(e, -EINVAL, "group %s: '%.40s' is no country: write two letters, such as DE", name, country);
	if (group && geo_group_has(group, code))
		return err_set(e, -EINVAL, "group %s: %s is given twice", name, code);
	if (!group)
		group = add_group(g, name);
	if (group && group->count == GEO_GROUP_COUNTRIES_MAX)
		return err_set(e, -EINVAL, "group %s: more than %d countries", name, GEO_GROUP_COUNTRIES_MAX);
	more = group ? reallocarray(group->countries, group->count + 1, sizeof *group->countries) : NULL;
	if (!more)
		return err_set(e, -ENOMEM, "group %s: out of memory", name);
	group->countries = more;
	memcpy(group->countries[group->count++], code, sizeof code);
	return 0;
}

const struct geo_group *geo_groups_find(const struct geo_groups *g, const char *name)
{
	const struct geo_group *own = g ? own_group(g, name) : NULL;

	return own ? own : strcmp(name, eu.name) == 0 ? &eu : NULL;
}

bool geo_group_has(const struct geo_group *g, const char *country)
{
	for (size_t i = 0; i < g->count; i++)
		if (strcmp(g->countries[i], country) == 0)
			return true;
	return false;
}

void geo_groups_free(struct geo_groups *g)
{
	for (size_t i = 0; i < g->count; i++)
		free(g->at[i].countries);
	free(g->at);
	*g = (struct geo_groups){ 0 };
}
