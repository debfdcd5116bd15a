/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parts.c -- the table of parts, and their lives side by side. */
#include "daemon/parts.h"

#include "daemon/live.h"
#include "daemon/names_join.h"
#include "daemon/reports_part.h"
#include "daemon/sinks_join.h"
#include "daemon/sockets_part.h"
#include "daemon/routes_station.h"
#include "daemon/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Opened from the top, stopped and closed from the bottom. */
static const struct part_ops *const table[] = {
	&live_part,
	&names_part,
	&routes_part,
	&reports_part,
	&sockets_part,
	&sinks_part,
	&summary_part,
};
#define PARTS (sizeof table / sizeof *table)

struct parts {
	struct parts_world world;
	void *at[PARTS];
};

int parts_open(struct parts **ret, const struct parts_world *w, const struct config *cf, struct err *e)
{
	struct parts *p = calloc(1, sizeof *p);
	int r = 0;

	if (!p)
		return err_set(e, -ENOMEM, "no memory");
	p->world = *w;
	for (size_t i = 0; i < PARTS && r == 0; i++)
		if (table[i])
			r = table[i]->open(&p->at[i], &p->world, cf, e);
	p->world.ledger = NULL;
	if (r < 0)
		parts_close(&p);
	else
		*ret = p;
	return r;
}

int parts_join(struct parts *p, struct pipeline *pipeline, struct err *e)
{
	int r = 0;

	p->world.pipeline = pipeline;
	for (size_t i = 0; i < PARTS && r == 0; i++)
		if (p->at[i] && table[i]->join)
			r = table[i]->join(p->at[i], &p->world, e);
	return r;
}

int parts_start(struct parts *p, struct booker *booker, struct err *e)
{
	int r = 0;

	p->world.booker = booker;
	for (size_t i = 0; i < PARTS && r == 0; i++)
		if (p->at[i] && table[i]->start)
			r = table[i]->start(p->at[i], &p->world, e);
	return r;
}

void parts_reload(struct parts *p, const struct config *cf)
{
	for (size_t i = 0; p && i < PARTS; i++)
		if (table[i] && table[i]->reload)
			table[i]->reload(&p->at[i], &p->world, cf);
}

bool parts_wait(struct parts *p)
{
	bool any = false;

	for (size_t i = 0; p && i < PARTS; i++)
		if (p->at[i] && table[i]->waits)
			any |= table[i]->waits(p->at[i]);
	return any;
}

void parts_tick(struct parts *p, struct booking *b)
{
	for (size_t i = 0; p && i < PARTS; i++)
		if (p->at[i] && table[i]->tick)
			table[i]->tick(p->at[i], b);
}

void parts_show(struct parts *p, struct snapshot *s)
{
	for (size_t i = 0; p && i < PARTS; i++)
		if (p->at[i] && table[i]->show)
			table[i]->show(p->at[i], s);
}

void parts_stop(struct parts *p, unsigned timeout_s)
{
	for (size_t i = PARTS; p && i-- > 0;)
		if (p->at[i] && table[i]->stop)
			table[i]->stop(p->at[i], timeout_s);
}

void parts_close(struct parts **pp)
{
	struct parts *p = *pp;

	for (size_t i = PARTS; p && i-- > 0;)
		if (p->at[i])
			table[i]->close(&p->at[i]);
	free(p);
	*pp = NULL;
}

static bool is_asked(const struct part_ops *ops, struct slice line)
{
	size_t len = strlen(ops->name);

	return ops->ask && line.len >= len && memcmp(line.at, ops->name, len) == 0 &&
	       (line.len == len || line.at[len] == ' ' || line.at[len] == '\r');
}

bool parts_ask(struct parts *p, struct slice line, FILE *to)
{
	for (size_t i = 0; p && i < PARTS; i++) {
		size_t len;

		if (!table[i] || !is_asked(table[i], line))
			continue;
		len = strlen(table[i]->name);
		if (p->at[i])
			table[i]->ask(p->at[i], (struct slice){ line.at + len, line.len - len }, to);
		else
			fprintf(to, "error: this daemon has no %s: its config says nothing of them\n", table[i]->name);
		return true;
	}
	return false;
}

void *parts_find(struct parts *p, const char *name)
{
	for (size_t i = 0; p && i < PARTS; i++)
		if (table[i] && strcmp(table[i]->name, name) == 0)
			return p->at[i];
	return NULL;
}
