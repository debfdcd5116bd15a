/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/point.h"

#include "daemon/interface_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int point_new(struct point **ret, const struct config_interface *cf, uint32_t interface_id, struct err *e)
{
	struct point *p = calloc(1, sizeof *p);

	if (!p)
		return err_set(e, -ENOMEM, "no memory");
	p->cf = *cf;
	p->cf.filter = cf->filter ? strdup(cf->filter) : NULL;
	if (p->cf.rings == 0)
		p->cf.rings = 1;
	p->slots = calloc(p->cf.rings + 1u, sizeof *p->slots);
	if (!p->slots || (cf->filter && !p->cf.filter)) {
		point_free(&p);
		return err_set(e, -ENOMEM, "no memory");
	}
	p->interface_id = interface_id;
	snprintf(p->books.name, sizeof p->books.name, "%s", cf->name);
	p->books.interface = interface_id;
	*ret = p;
	return 0;
}

int point_change(struct point *p, const struct config_interface *cf)
{
	char *filter = cf->filter ? strdup(cf->filter) : NULL;

	if (cf->filter && !filter)
		return -ENOMEM;
	free(p->next_cf.filter);
	p->next_cf = *cf;
	p->next_cf.filter = filter;
	if (p->next_cf.rings == 0)
		p->next_cf.rings = 1;
	p->goes_on = p->source_count != 0;
	p->changes = true;
	point_leave(p);
	return 0;
}

/* The new settings are in force from the next opening on. */
static int take_settings(struct point *p)
{
	struct source_slot *slots;

	if (!p->changes)
		return 0;
	slots = calloc(p->next_cf.rings + 1u, sizeof *slots);
	if (!slots)
		return -ENOMEM;
	free(p->slots);
	p->slots = slots;
	free(p->cf.filter);
	p->cf = p->next_cf;
	p->next_cf = (struct config_interface){ 0 };
	p->changes = false;
	return 0;
}

void point_leave(struct point *p)
{
	if (p->source_count)
		p->leaving = true;
}

void point_close_sources(struct point *p)
{
	for (unsigned i = 0; i < p->source_count; i++) {
		source_close(&p->slots[i].source);
		tables_free(&p->slots[i].spare);
		p->slots[i] = (struct source_slot){ 0 };
	}
	p->source_count = 0;
	p->leaving = p->asked_last = p->gone = p->started = p->side_stale = false;
	p->refusals_seen = 0;
	p->books.up = false;
	p->books.in_flight_packets = 0;
}

void point_free(struct point **p)
{
	if (!*p)
		return;
	if ((*p)->slots)
		point_close_sources(*p);
	free((*p)->slots);
	free((*p)->left);
	free((*p)->left_next);
	free((*p)->cf.filter);
	free((*p)->next_cf.filter);
	free(*p);
	*p = NULL;
}

static void begin_books(struct point *p, const struct interface_stats *now, int64_t now_utc_s)
{
	struct interface_books fresh = {
		.interface = p->interface_id, .ifindex = p->info.ifindex, .since_utc_s = now_utc_s, .up = true,
	};

	memcpy(fresh.name, p->books.name, sizeof fresh.name);
	memcpy(fresh.capture, p->books.capture, sizeof fresh.capture);
	memcpy(fresh.capture_why, p->books.capture_why, sizeof fresh.capture_why);
	p->books = fresh;
	p->ingress_only = p->info.loopback || (p->cf.mirror && strcmp(p->books.capture, "xdp") == 0);
	/* The tables in the kernel know from when on they count. */
	p->base = p->kernel_knows_base ? p->run_base : p->info.stats;
	p->start_uncertain = interface_run_packets(now, &p->base, p->ingress_only);
	p->kernel_before = 0;
}

/* The same interface, other sources: what it counted since the old ones were drained is lost. */
static void continue_books(struct point *p, const struct interface_stats *now)
{
	int64_t gap;

	interface_run_set_kernel(&p->books, &p->info.stats, &p->base, p->ingress_only);
	p->books.in_flight_packets = 0;
	gap = interface_unaccounted(&p->books);
	p->lost_in_gap = gap > 0 ? (uint64_t)gap : 0;
	p->books.lost_packets += p->lost_in_gap;
	p->books.up = true;
	p->start_uncertain += interface_run_packets(now, &p->info.stats, p->ingress_only);
	p->goes_on = false;
}

int point_take_up(struct point *p, struct netlink *n, const struct point_setting *from, struct err *e)
{
	struct point_setting setting = *from, *s = &setting;
	struct interface_stats now;
	uint32_t ifindex = p->info.ifindex;
	int err = netlink_interface(n, p->cf.name, 0, &p->info, e);

	if (err == 0 && take_settings(p) < 0)
		err = err_set(e, -ENOMEM, "no memory");
	if (s->now_utc_s <= p->books.since_utc_s) /* the ledger tells runs apart by it */
		s->now_utc_s = p->books.since_utc_s + 1;
	if (err == 0)
		err = point_open_sources(p, n, s, e);
	if (err < 0)
		return err;
	err = netlink_stats(n, p->info.ifindex, &now, e);
	if (err < 0) {
		point_close_sources(p);
		return err;
	}
	if (p->goes_on && ifindex == p->info.ifindex)
		continue_books(p, &now);
	else
		begin_books(p, &now, s->now_utc_s);
	return 0;
}

void point_continue(struct point *p, const struct interface_books *before)
{
	struct interface_books b = *before;

	if (!p->run_since_utc_s || before->since_utc_s != p->run_since_utc_s) {
		if (p->books.since_utc_s <= before->since_utc_s) /* another run, in the same second */
			p->books.since_utc_s = before->since_utc_s + 1;
		return;
	}
	memcpy(b.name, p->books.name, sizeof b.name);
	memcpy(b.capture, p->books.capture, sizeof b.capture);
	memcpy(b.capture_why, p->books.capture_why, sizeof b.capture_why);
	b.interface = p->interface_id;
	b.ifindex = p->info.ifindex;
	b.up = true;
	p->books = b;
	p->base = p->run_base;
	p->kernel_before = b.kernel_rx_packets + b.kernel_tx_packets;
	p->start_uncertain = 0;
}

int point_start(struct point *p, struct err *e)
{
	for (unsigned i = 0; i < p->source_count; i++) {
		int r = source_start(p->slots[i].source, e);

		if (r < 0)
			return r;
	}
	p->started = true;
	return 0;
}

void point_book(struct point *p, const struct tables *t)
{
	p->behind = t->preview;
	if (p->behind)
		return;
	interface_run_add(&p->books, t);
}

void point_read_kernel(struct point *p, struct netlink *n)
{
	struct interface_books *b = &p->books;
	struct interface_stats now;
	uint64_t packets;

	if (netlink_stats(n, p->info.ifindex, &now, NULL) < 0)
		return;
	packets = interface_run_packets(&now, &p->base, p->ingress_only);
	interface_run_set_kernel(b, &now, &p->base, p->ingress_only);
	b->in_flight_packets = packets - p->kernel_before + p->start_uncertain;
	if (!p->behind) /* else what came since then is in flight still */
		p->kernel_before = packets;
}
