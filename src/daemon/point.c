/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/point.h"

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
	p->rings = calloc(p->cf.rings, sizeof *p->rings);
	if (!p->rings || (cf->filter && !p->cf.filter)) {
		point_free(&p);
		return err_set(e, -ENOMEM, "no memory");
	}
	p->interface_id = interface_id;
	snprintf(p->books.name, sizeof p->books.name, "%s", cf->name);
	snprintf(p->books.capture, sizeof p->books.capture, "socket");
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
	p->goes_on = p->ring_count != 0;
	p->changes = true;
	point_leave(p);
	return 0;
}

/* The new settings are in force from the next opening on. */
static int take_settings(struct point *p)
{
	struct ring_slot *rings;

	if (!p->changes)
		return 0;
	rings = calloc(p->next_cf.rings, sizeof *rings);
	if (!rings)
		return -ENOMEM;
	free(p->rings);
	p->rings = rings;
	free(p->cf.filter);
	p->cf = p->next_cf;
	p->next_cf = (struct config_interface){ 0 };
	p->changes = false;
	return 0;
}

void point_leave(struct point *p)
{
	if (p->ring_count)
		p->leaving = true;
}

void point_close_rings(struct point *p)
{
	for (unsigned i = 0; i < p->ring_count; i++) {
		ring_close(&p->rings[i].ring);
		tables_free(&p->rings[i].spare);
		p->rings[i] = (struct ring_slot){ 0 };
	}
	p->ring_count = 0;
	p->leaving = p->asked_last = false;
	p->books.up = false;
	p->books.in_flight_packets = 0;
}

void point_free(struct point **p)
{
	if (!*p)
		return;
	if ((*p)->rings)
		point_close_rings(*p);
	free((*p)->rings);
	free((*p)->cf.filter);
	free((*p)->next_cf.filter);
	free(*p);
	*p = NULL;
}

static int open_ring(struct point *p, const struct point_rings *r, struct ring_slot *slot, struct err *e)
{
	struct ring_config cf = {
		.socket = {
			.interface = p->cf.name,
			.ifindex = p->info.ifindex,
			.interface_id = p->interface_id,
			.promiscuous = p->cf.promiscuous || p->cf.mirror,
			.loopback = p->info.loopback,
			.ring_bytes = p->cf.ring_bytes,
			.snap_len = p->cf.snap_len,
			.fanout_group = p->cf.rings > 1 ? r->fanout_group : 0,
		},
		.filter = p->cf.filter,
		.ready = r->ready,
		.arg = r->arg,
	};
	struct tables *first;
	int err = tables_new(&first, r->plan, e);

	if (err < 0)
		return err;
	err = ring_open(&slot->ring, &cf, first, e);
	if (err < 0)
		tables_free(&first);
	return err;
}

static uint64_t kernel_packets(const struct interface_stats *s, const struct interface_stats *base, bool loopback)
{
	/* The loopback device counts each packet going out and coming in; it is booked once. */
	return s->rx_packets - base->rx_packets + (loopback ? 0 : s->tx_packets - base->tx_packets);
}

static void begin_books(struct point *p, const struct interface_stats *before, int64_t now_utc_s)
{
	struct interface_books fresh = {
		.interface = p->interface_id, .ifindex = p->info.ifindex, .since_utc_s = now_utc_s, .up = true,
	};

	memcpy(fresh.name, p->books.name, sizeof fresh.name);
	memcpy(fresh.capture, p->books.capture, sizeof fresh.capture);
	p->books = fresh;
	p->loopback = p->info.loopback;
	p->start_uncertain = kernel_packets(&p->base, before, p->loopback);
	p->kernel_before = 0;
}

static void set_kernel(struct point *p, const struct interface_stats *now)
{
	struct interface_books *b = &p->books;

	b->kernel_rx_packets = now->rx_packets - p->base.rx_packets;
	b->kernel_rx_bytes = now->rx_bytes - p->base.rx_bytes;
	b->kernel_tx_packets = p->loopback ? 0 : now->tx_packets - p->base.tx_packets;
	b->kernel_tx_bytes = p->loopback ? 0 : now->tx_bytes - p->base.tx_bytes;
	b->kernel_rx_dropped = now->rx_dropped - p->base.rx_dropped;
	b->kernel_tx_dropped = now->tx_dropped - p->base.tx_dropped;
}

/* The same interface, other rings: what it counted since the old ones were drained is lost. */
static void continue_books(struct point *p, const struct interface_stats *before, const struct interface_stats *now)
{
	int64_t gap;

	set_kernel(p, before);
	p->books.in_flight_packets = 0;
	gap = interface_unaccounted(&p->books);
	p->lost_in_gap = gap > 0 ? (uint64_t)gap : 0;
	p->books.lost_packets += p->lost_in_gap;
	p->books.up = true;
	p->start_uncertain += kernel_packets(now, before, p->loopback);
	p->goes_on = false;
}

int point_take_up(struct point *p, struct netlink *n, const struct point_rings *r, struct err *e)
{
	struct interface_stats before, now;
	uint32_t ifindex = p->info.ifindex;
	int err = netlink_interface(n, p->cf.name, 0, &p->info, e);

	if (err == 0 && take_settings(p) < 0)
		err = err_set(e, -ENOMEM, "no memory");
	if (err < 0)
		return err;
	before = p->info.stats;
	for (unsigned i = 0; i < p->cf.rings; i++) {
		err = open_ring(p, r, &p->rings[i], e);
		if (err < 0) {
			point_close_rings(p);
			return err;
		}
		p->ring_count = i + 1;
	}
	err = netlink_stats(n, p->info.ifindex, &now, e);
	if (err < 0) {
		point_close_rings(p);
		return err;
	}
	if (p->goes_on && ifindex == p->info.ifindex) {
		continue_books(p, &before, &now);
		return 0;
	}
	p->base = now;
	begin_books(p, &before, r->now_utc_s);
	return 0;
}

int point_start(struct point *p, struct err *e)
{
	for (unsigned i = 0; i < p->ring_count; i++) {
		int r = ring_start(p->rings[i].ring, e);

		if (r < 0)
			return r;
	}
	return 0;
}

void point_book(struct point *p, const struct tables *t)
{
	struct interface_books *b = &p->books;

	b->booked_frames += t->frames;
	b->booked_frame_bytes += t->frame_bytes;
	b->booked_packets += t->packets;
	b->booked_l2_bytes += t->l2_bytes;
	b->ingress_frames += t->ingress_frames;
	b->egress_frames += t->egress_frames;
	b->ingress_packets += t->ingress_packets;
	b->egress_packets += t->egress_packets;
	b->lost_packets += t->lost;
	b->filtered_packets += t->filtered;
	b->malformed_packets += t->malformed;
}

void point_read_kernel(struct point *p, struct netlink *n)
{
	struct interface_books *b = &p->books;
	struct interface_stats now;
	uint64_t packets;

	if (netlink_stats(n, p->info.ifindex, &now, NULL) < 0)
		return;
	packets = kernel_packets(&now, &p->base, p->loopback);
	set_kernel(p, &now);
	b->in_flight_packets = packets - p->kernel_before + p->start_uncertain;
	p->kernel_before = packets;
}
