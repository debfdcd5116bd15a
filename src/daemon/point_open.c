/* SPDX-License-Identifier: GPL-2.0-or-later */
/* point_open.c -- which source an interface gets: the kernel's tables (tcx, XDP) where that can be, else
 * packet-socket rings; and why it is this one. */
#include "daemon/point.h"

#include "base/log.h"
#include "daemon/kernel_source.h"
#include "daemon/point_rules.h"
#include "daemon/ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What could not be done on the way to what was. */
struct attempt {
	struct netlink *netlink;
	const struct point_setting *setting;
	char why_not[80];
};

static void say_never(void *arg, const struct rule_file *file, const struct rule *rule, const char *why)
{
	const struct point *p = arg;

	log_warning("%s: %s:%u: %.100s: matches nothing on this interface: %s", p->cf.name, file->path, rule->line,
		    rule->identifier, why);
}

int point_open_rules(struct point *p, struct tables *t, bool say, struct err *e)
{
	struct tables_rules of = {
		.mac = p->info.has_mac ? p->info.mac : NULL,
		.linktype = afpacket_linktype_of(p->info.arphrd),
		.never = say ? say_never : NULL,
		.arg = p,
	};

	return tables_open_rules(t, &of, e);
}

static int open_ring(struct point *p, const struct point_setting *s, struct source_slot *slot, struct err *e)
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
			.fanout_group = p->cf.rings > 1 ? s->fanout_group : 0,
		},
		.filter = p->cf.filter,
		.ready = s->ready,
		.arg = s->arg,
	};
	struct tables *first;
	int err = tables_new(&first, s->plan, e);

	if (err < 0)
		return err;
	err = point_open_rules(p, first, slot == p->slots, e);
	if (err == 0)
		err = ring_open(&slot->source, &cf, first, e);
	if (err < 0)
		tables_free(&first);
	return err;
}

/* Programs that an earlier configuration, or a failed one, has left at this interface must not count beside the
 * socket. */
static void release_kernel(const struct point *p, const struct point_setting *s)
{
	struct kernel_generation **left;
	size_t count;

	if (!s->pins || kernel_reap(s->pins, p->cf.name, &left, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		s->left(s->left_arg, left[i]);
	free(left);
}

static int open_rings(struct point *p, struct attempt *a, struct err *e)
{
	release_kernel(p, a->setting);
	for (unsigned i = 0; i < p->cf.rings; i++) {
		int r = open_ring(p, a->setting, &p->slots[i], e);

		if (r < 0) {
			point_close_sources(p);
			return r;
		}
		p->source_count = i + 1;
	}
	return 0;
}


/* What the kernel point says of itself: its hooks, what was left there, the run that goes on. */
static void look_at_kernel(struct point *p, const struct point_setting *s, struct kernel_point *k)
{
	const struct kernel_description *d = kernel_describe(kernel_current(k));
	struct kernel_generation *g;

	snprintf(p->books.capture_why, sizeof p->books.capture_why, "%s", kernel_hooks(k));
	if (kernel_is_pinned(k))
		strcat(p->books.capture_why, ", pinned");
	else
		snprintf(p->books.capture_why, sizeof p->books.capture_why,
			 "%s, not pinned%s%.60s%s: counting ends with the daemon",
			 kernel_hooks(k), s->unpinned_why[0] ? " (" : "", s->unpinned_why, s->unpinned_why[0] ? ")" : "");
	/* One that began in this very second is told from a new one by what was counted since. */
	p->run_since_utc_s = d->since_utc_s < s->now_utc_s || memcmp(&d->base, &p->info.stats, sizeof d->base) != 0
				     ? d->since_utc_s : 0;
	p->run_base = d->base;
	p->kernel_knows_base = !p->run_since_utc_s;
	if (kernel_warning(k))
		log_warning("%s: %s", p->cf.name, kernel_warning(k));
	while ((g = kernel_take_left(k)))
		s->left(s->left_arg, g);
}

/* Promiscuous mode is the interface's own here, so that it lasts as long as the programs. */
static int set_promiscuous(struct point *p, struct netlink *n, bool *ret_switched, struct err *e)
{
	if ((!p->cf.promiscuous && !p->cf.mirror) || p->info.promiscuous)
		return 0;
	*ret_switched = true;
	return netlink_set_promiscuous(n, p->info.ifindex, true, e);
}

static int open_kernel_at(struct point *p, struct attempt *a, bool xdp, struct err *e)
{
	const struct point_setting *s = a->setting;
	struct kernel_source_config cf = {
		.point = {
			.interface = p->cf.name,
			.ifindex = p->info.ifindex,
			.linktype = afpacket_linktype_of(p->info.arphrd),
			.xdp = xdp,
			.mirror = p->cf.mirror,
			.loopback = p->info.loopback,
			.pins = s->pins,
			.base = p->info.stats,
			.now_utc_s = s->now_utc_s,
		},
		.keys = s->kernel_keys,
		.interface_id = p->interface_id,
		.clock = s->clock,
		.closing = s->closing,
		.ready = s->ready,
		.arg = s->arg,
	};
	struct tables *first;
	int r = tables_new(&first, s->plan, e);

	if (r < 0)
		return r;
	r = point_rules_compile(p, first, true, e);
	if (r == 0)
		r = set_promiscuous(p, a->netlink, &cf.point.promiscuous, e);
	if (r == 0)
		r = kernel_source_open(&p->slots[0].source, &cf, first, e);
	if (r < 0) {
		struct err reason;

		if (r != -EINVAL && kernel_usable(&reason) < 0 && e) /* says what is missing */
			*e = reason;
		if (cf.point.promiscuous)
			netlink_set_promiscuous(a->netlink, p->info.ifindex, false, NULL);
		tables_free(&first);
		return r;
	}
	p->source_count = 1;
	p->slots[0].kernel = true;
	point_rules_change_over(p);
	look_at_kernel(p, s, kernel_source_point(p->slots[0].source));
	return 0;
}

static int open_tcx(struct point *p, struct attempt *a, struct err *e)
{
	return open_kernel_at(p, a, false, e);
}

static int open_xdp(struct point *p, struct attempt *a, struct err *e)
{
	return open_kernel_at(p, a, true, e);
}

static const struct way {
	enum capture capture;
	const char *name;
	bool mirror_only;       /* what `auto` takes for mirror ports alone */
	int (*open)(struct point *p, struct attempt *a, struct err *e);
} ways[] = {
	{ CAPTURE_XDP, "xdp", true, open_xdp },
	{ CAPTURE_KERNEL, "kernel", false, open_tcx },
	{ CAPTURE_SOCKET, "socket", false, open_rings },
};

static bool may_be_tried(const struct point *p, const struct way *w)
{
	if (p->cf.capture != CAPTURE_AUTO)
		return p->cf.capture == w->capture;
	return !w->mirror_only || p->cf.mirror;
}

static void say_why(struct point *p, const struct attempt *a)
{
	char why[sizeof p->books.capture_why];

	memcpy(why, p->books.capture_why, sizeof why);
	snprintf(p->books.capture_why, sizeof p->books.capture_why, "%s%.60s%s%.80s",
		 p->cf.capture == CAPTURE_AUTO ? "auto: " : "", why, why[0] && a->why_not[0] ? "; " : "", a->why_not);
}

int point_open_sources(struct point *p, struct netlink *n, const struct point_setting *s, struct err *e)
{
	struct attempt a = { .netlink = n, .setting = s };
	int r = -ENOTSUP;

	p->run_since_utc_s = 0;
	p->kernel_knows_base = false;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct err why = { 0 };

		if (!may_be_tried(p, &ways[i]))
			continue;
		p->books.capture_why[0] = '\0';
		r = ways[i].open(p, &a, &why);
		if (r == 0) {
			snprintf(p->books.capture, sizeof p->books.capture, "%s", ways[i].name);
			say_why(p, &a);
			point_rules_look(p, s);
			return 0;
		}
		err_set(e, r, "%s", why.msg);
		snprintf(a.why_not, sizeof a.why_not, "no %s: %.68s", ways[i].name, why.msg);
	}
	return r;
}
