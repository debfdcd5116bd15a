/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline_points.c -- interfaces that come and go, and this machine's own addresses. */
#include "daemon/pipeline_internal.h"

#include "daemon/point_rules.h"

#include <errno.h>
#include <stdlib.h>

int pipeline_add_point(struct pipeline *p, const struct config_interface *cf, struct err *e)
{
	struct point **grown = realloc(p->points, (p->point_count + 1) * sizeof *grown);
	int r;

	if (!grown)
		return err_set(e, -ENOMEM, "no memory");
	p->points = grown;
	r = point_new(&p->points[p->point_count], cf, strings_add(p->strings, cf->name), e);
	if (r == 0)
		p->point_count++;
	return r;
}

int pipeline_copy_interfaces(const struct pipeline *p, struct interface_books **ret, size_t *ret_count)
{
	struct interface_books *all = calloc(p->point_count + 1, sizeof *all);

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < p->point_count; i++)
		all[i] = p->points[i]->books;
	*ret = all;
	*ret_count = p->point_count;
	return 0;
}

/* On a source's thread. */
static void wake_loop(void *arg)
{
	loop_wake(arg);
}

static struct point_setting setting(struct pipeline *p)
{
	return (struct point_setting){
		.plan = p->plan,
		.ready = wake_loop,
		.arg = p->loop,
		.now_utc_s = utc_s(p),
		.clock = p->clock,
		.fanout_group = p->next_group,
		.pins = p->pins,
		.unpinned_why = p->unpinned_why,
		.kernel_keys = p->config->kernel_keys,
		.closing = &p->closing,
		.left = pipeline_take_left,
		.left_arg = p,
	};
}

void pipeline_look_at_rules(struct pipeline *p, struct point *point)
{
	const struct point_setting s = setting(p);

	if (p->tick_changes_plan)
		point_rules_change_over(point);
	if (!p->finishing)
		point_rules_look(point, &s);
}

int pipeline_take_up(struct pipeline *p, struct point *point, struct err *e)
{
	const struct point_setting s = setting(p);
	bool goes_on = point->goes_on;
	int err = point_take_up(point, p->netlink, &s, e);

	p->next_group++;

	if (err < 0)
		return err;
	if (!goes_on)
		p->counters.interface_found++;
	p->counters.lost_reload += point->lost_in_gap;
	point->lost_in_gap = 0;
	return 0;
}

void pipeline_look_for(struct pipeline *p, struct point *point)
{
	struct err e = { 0 };
	int r;

	if (point->source_count || point->unwanted || p->finishing)
		return;
	r = pipeline_take_up(p, point, &e);
	pipeline_drop_left(p);
	if (r == 0)
		r = point_start(point, &e);
	if (r == 0)
		log_notice("%s: is there, counting: %s (%s)", point->cf.name, point->books.capture, point->books.capture_why);
	else if (r != -ENODEV)
		log_warning("%s: %s", point->cf.name, e.msg);
}

void pipeline_check_point(struct pipeline *p, struct point *point)
{
	struct interface_info now;
	int r;

	if (!point->source_count || point->leaving)
		return;
	r = netlink_interface(p->netlink, point->cf.name, 0, &now, NULL);
	if (r == -ENODEV || (r == 0 && now.ifindex != point->info.ifindex)) {
		log_warning("%s: went away; counting goes on when it is back", point->cf.name);
		p->counters.interface_lost++;
		point->gone = true;
		point_leave(point);
		return;
	}
	if (r == 0 && now.up != point->info.up)
		log_notice("%s: is %s", point->cf.name, now.up ? "up" : "down");
	if (r == 0)
		point->info.up = now.up;
}

int pipeline_find_local(struct netlink *n, const struct config *cf, struct prefix_set *ret, struct err *e)
{
	const struct prefix_set *from = cf->local.count ? &cf->local : NULL;

	for (size_t i = 0; from && i < from->count; i++)
		if (prefix_set_add(ret, &from->at[i]) < 0)
			return err_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; !from && i < cf->interface_count; i++) {
		struct interface_info info;

		if (netlink_interface(n, cf->interfaces[i].name, 0, &info, NULL) < 0)
			continue;
		for (size_t a = 0; a < info.addr_count; a++)
			if (prefix_set_add(ret, &info.addrs[a].prefix) < 0)
				return err_set(e, -ENOMEM, "no memory");
	}
	return 0;
}


void pipeline_say_points(const struct pipeline *p)
{
	for (size_t i = 0; i < p->point_count; i++) {
		const struct interface_books *b = &p->points[i]->books;

		log_notice("counting %s (%s%s%s), bytes on the wire", b->name, b->capture, b->capture_why[0] ? ": " : "",
			   b->capture_why);
	}
}
