/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_groups.h -- `--where country=eu`: a group of countries in the place of one. */
#ifndef NETTALLY_CLI_QUERY_GROUPS_H
#define NETTALLY_CLI_QUERY_GROUPS_H

#include "ledger/query.h"

struct query_groups {
	char *lists[QUERY_WHERE_MAX]; /* the query points to them */
};

/* `eu`, or a group of the config file (NULL: none is looked at). -EINVAL: small letters that are no group. */
int query_groups_expand(struct query_groups *ret, struct query *q, const char *config, struct err *e);
void query_groups_free(struct query_groups *g);

#endif
