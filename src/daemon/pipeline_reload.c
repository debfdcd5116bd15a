/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline_reload.c -- a new configuration: its plan and books are made at once, and are in
 * force when the tick that asked for the last tables of the old plan has been booked. */
#include "daemon/pipeline_internal.h"

#include "daemon/leftovers.h"
#include "daemon/point_rules.h"
#include "daemon/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct config_interface *wanted_interface(const struct config *cf, const char *name)
{
	for (size_t i = 0; i < cf->interface_count; i++)
		if (strcmp(cf->interfaces[i].name, name) == 0)
			return &cf->interfaces[i];
	return NULL;
}

static bool same_filter(const struct point *point, const struct config_interface *b)
{
	return strcmp(point->cf.filter ? point->cf.filter : "", b->filter ? b->filter : "") == 0;
}

/* But for the filter. Rings concern packet sockets alone. */
static bool same_settings(const struct point *point, const struct config_interface *b)
{
	const struct config_interface *a = &point->cf;
	bool socket = strcmp(point->books.capture, "socket") == 0;

	return a->capture == b->capture && a->mirror == b->mirror && a->promiscuous == b->promiscuous &&
	       (!socket || a->rings == b->rings) &&
	       (!socket || (a->ring_bytes == b->ring_bytes && a->snap_len == b->snap_len));
}

static void change_point(struct point *point, const struct config *config)
{
	const struct config_interface *want = wanted_interface(config, point->cf.name);

	if (!want) {
		point->unwanted = true;
		point_leave(point);
	} else if (same_settings(point, want) && (same_filter(point, want) || point_rules_take_filter(point, want->filter))) {
		return;
	} else if (point_change(point, want) < 0) {
		log_error("%s: no memory, its settings stay", point->cf.name);
	}
}

static bool has_point(const struct pipeline *p, const char *name)
{
	for (size_t i = 0; i < p->point_count; i++)
		if (!p->points[i]->unwanted && strcmp(p->points[i]->cf.name, name) == 0)
			return true;
	return false;
}

static void change_points(struct pipeline *p)
{
	struct err e = { 0 };

	for (size_t i = 0; i < p->config->interface_count; i++) {
		if (has_point(p, p->config->interfaces[i].name))
			continue;
		if (pipeline_add_point(p, &p->config->interfaces[i], &e) < 0)
			log_error("%s: %s", p->config->interfaces[i].name, e.msg);
		else
			pipeline_look_for(p, p->points[p->point_count - 1]);
	}
}

static struct books *old_books(struct books **books, size_t count, const struct account *a)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(books_account(books[i])->name, a->name) == 0 && account_same_form(books_account(books[i]), a))
			return books[i];
	return NULL;
}

void pipeline_books_free(struct books ***books, size_t count)
{
	for (size_t i = 0; *books && i < count; i++)
		books_free(&(*books)[i]);
	free(*books);
	*books = NULL;
}

int pipeline_books_for(struct books ***ret, const struct config *cf, struct err *e)
{
	struct books **all = calloc(cf->account_count + 1, sizeof *all);
	int r = all ? 0 : err_set(e, -ENOMEM, "no memory");

	for (size_t i = 0; i < cf->account_count && r == 0; i++)
		r = books_new(&all[i], cf->accounts[i], e);
	if (r < 0) {
		pipeline_books_free(&all, cf->account_count);
		return r;
	}
	*ret = all;
	return 0;
}

static void replace_books(struct pipeline *p)
{
	for (size_t i = 0; i < p->next_config->account_count; i++) {
		struct books *old = old_books(p->books, p->config->account_count, p->next_config->accounts[i]);

		if (old)
			books_inherit(p->next_books[i], old);
	}
	pipeline_books_free(&p->books, p->config->account_count);
	p->books = p->next_books;
	p->next_books = NULL;
}

void pipeline_change_over(struct pipeline *p)
{
	if (!p->tick_changes_plan)
		return;
	plan_free(&p->plan);
	p->plan = p->next_plan;
	p->next_plan = NULL;
	if (!p->next_config)
		return; /* only the networks changed */
	replace_books(p);
	config_free(&p->config);
	p->config = p->next_config;
	p->next_config = NULL;
	if (p->booker)
		booker_define(p->booker, p->config->accounts, p->config->account_count);
	p->reloads++;
	p->reload_problem[0] = '\0';
	change_points(p);
	parts_reload(p->parts, p->config);
	log_notice("reloaded %s: %zu accounts, %zu interfaces", p->config->path, p->config->account_count,
		   p->config->interface_count);
}

int pipeline_make_plan(struct pipeline *p, struct config *cf, struct plan **ret, struct err *e)
{
	struct prefix_set local = { 0 };
	int r = pipeline_find_local(p->netlink, cf, &local, e);

	if (r == 0)
		r = services_intern(&cf->services, p->strings, e);
	if (r == 0)
		r = config_rules_intern(cf, p->strings, e);
	if (r == 0)
		r = plan_make(ret, cf, &local, e);
	prefix_set_free(&local);
	if (r == 0 && !((*ret)->note = leftovers_note(cf))) {
		plan_free(ret);
		return err_set(e, -ENOMEM, "no memory");
	}
	return r;
}

int pipeline_reload(struct pipeline *p, struct config *config, struct err *e)
{
	struct plan *plan;
	int r;

	if (p->next_plan)
		return err_set(e, -EBUSY, "the change before is not in force yet; try again in a second");
	for (size_t i = 0; i < config->interface_count; i++) {
		struct interface_info info;

		r = netlink_interface(p->netlink, config->interfaces[i].name, 0, &info, e);
		if (r < 0)
			return r;
	}
	r = pipeline_make_plan(p, config, &plan, e);
	if (r < 0)
		return r;
	r = pipeline_books_for(&p->next_books, config, e);
	if (r < 0) {
		plan_free(&plan);
		return r;
	}
	p->next_plan = plan;
	p->next_config = config;
	for (size_t i = 0; i < p->point_count; i++)
		change_point(p->points[i], config);
	if (!p->ticking)
		pipeline_begin_tick(p);
	return 0;
}

bool pipeline_is_changing(const struct pipeline *p)
{
	return p->next_plan != NULL;
}

void pipeline_refuse_reload(struct pipeline *p, const char *why)
{
	p->reloads_refused++;
	snprintf(p->reload_problem, sizeof p->reload_problem, "%s", why);
	pipeline_show(p);
}


static bool same_networks(const struct prefix_set *a, const struct prefix_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->at[i].bits != b->at[i].bits || !addr_equal(&a->at[i].addr, &b->at[i].addr))
			return false;
	return true;
}

void pipeline_follow_networks(struct pipeline *p)
{
	struct plan *plan;
	struct err e = { 0 };

	if (p->config->local.count || p->next_plan || p->finishing)
		return;
	if (pipeline_make_plan(p, p->config, &plan, &e) < 0) {
		log_warning("the interfaces' networks changed, but: %s", e.msg);
		return;
	}
	if (same_networks(&plan->local, &p->plan->local))
		plan_free(&plan);
	else
		p->next_plan = plan;
}
