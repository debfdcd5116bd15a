/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/query_groups.h"

#include "daemon/config.h"
#include "routes/geo_groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_group(const struct query_where *w)
{
	return w->field == FIELD_COUNTRY && w->value[0] >= 'a' && w->value[0] <= 'z' && strcmp(w->value, "other") != 0;
}

/* "AT,BE,BG" */
static char *list_of(const struct geo_group *g)
{
	char *list = calloc(g->count + 1, COUNTRY_TEXT_MAX);
	size_t used = 0;

	for (size_t i = 0; list && i < g->count; i++)
		used += (size_t)sprintf(list + used, "%s%s", i ? "," : "", g->countries[i]);
	return list;
}

static int expand(struct query_groups *ret, struct query *q, const struct geo_groups *groups, struct err *e)
{
	for (size_t i = 0; i < q->where_count; i++) {
		const struct geo_group *g;

		if (!is_group(&q->where[i]))
			continue;
		g = geo_groups_find(groups, q->where[i].value);
		if (!g)
			return err_set(e, -EINVAL, "country=%.40s: a country has capital letters, such as DE; and there is no "
				       "such group (eu is built in, your own need -c FILE)", q->where[i].value);
		ret->lists[i] = list_of(g);
		if (!ret->lists[i])
			return err_set(e, -ENOMEM, "out of memory");
		q->where[i].value = ret->lists[i];
	}
	return 0;
}

int query_groups_expand(struct query_groups *ret, struct query *q, const char *config, struct err *e)
{
	struct config *c = NULL;
	bool any = false;
	int r;

	*ret = (struct query_groups){ 0 };
	for (size_t i = 0; i < q->where_count; i++)
		any |= is_group(&q->where[i]);
	if (!any)
		return 0;
	r = config ? config_load(&c, config, NULL, e) : 0;
	if (r == 0)
		r = expand(ret, q, c ? &c->routes.groups : NULL, e);
	config_free(&c);
	return r;
}

void query_groups_free(struct query_groups *g)
{
	for (size_t i = 0; i < QUERY_WHERE_MAX; i++)
		free(g->lists[i]);
}
