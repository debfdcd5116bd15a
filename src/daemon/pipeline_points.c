/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline_points.c -- interfaces that come and go, and this machine's own addresses. */
#include "daemon/pipeline_internal.h"

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

/* On a ring's thread. */
static void wake_loop(void *arg)
{
	loop_wake(arg);
}

int pipeline_take_up(struct pipeline *p, struct point *point, struct err *e)
{
	struct point_rings r = {
		.plan = p->plan,
		.ready = wake_loop,
		.arg = p->loop,
		.now_utc_s = utc_s(p),
		.fanout_group = p->next_group++,
	};
	bool goes_on = point->goes_on;
	int err = point_take_up(point, p->netlink, &r, e);

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

	if (point->ring_count || point->unwanted || p->finishing)
		return;
	r = pipeline_take_up(p, point, &e);
	if (r == 0)
		r = point_start(point, &e);
	if (r == 0)
		log_notice("%s: is there, counting", point->cf.name);
	else if (r != -ENODEV)
		log_warning("%s: %s", point->cf.name, e.msg);
}

void pipeline_check_point(struct pipeline *p, struct point *point)
{
	struct interface_info now;
	int r;

	if (!point->ring_count || point->leaving)
		return;
	r = netlink_interface(p->netlink, point->cf.name, 0, &now, NULL);
	if (r == -ENODEV || (r == 0 && now.ifindex != point->info.ifindex)) {
		log_warning("%s: went away; counting goes on when it is back", point->cf.name);
		p->counters.interface_lost++;
		point_leave(point);
		return;
	}
	if (r == 0 && now.up != point->info.up)
		log_notice("%s: is %s", point->cf.name, now.up ? "up" : "down");
	if (r == 0)
		point->info.up = now.up;
}

static int add_own(struct own_addresses *o, const struct interface_info *info)
{
	uint64_t *macs = realloc(o->macs, (o->mac_count + 1) * sizeof *macs);
	struct addr *addrs;

	if (!macs)
		return -ENOMEM;
	o->macs = macs;
	if (info->has_mac && !info->loopback) {
		uint64_t mac = UINT64_C(1) << 48;

		for (unsigned i = 0; i < 6; i++)
			mac |= (uint64_t)info->mac[i] << (40 - 8 * i);
		o->macs[o->mac_count++] = mac;
	}
	addrs = realloc(o->addrs, (o->addr_count + info->addr_count + 1) * sizeof *addrs);
	if (!addrs)
		return -ENOMEM;
	o->addrs = addrs;
	for (size_t i = 0; i < info->addr_count; i++) {
		o->addrs[o->addr_count++] = info->addrs[i].addr;
		if (prefix_set_add(&o->networks, &info->addrs[i].prefix) < 0)
			return -ENOMEM;
	}
	return 0;
}

void pipeline_read_own_addresses(struct pipeline *p)
{
	struct own_addresses o = { 0 };
	struct interface_info *all;
	size_t count;

	if (netlink_interfaces(p->netlink, &all, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (add_own(&o, &all[i]) < 0)
			break;
	free(all);
	own_addresses_free(&p->own);
	p->own = o;
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

