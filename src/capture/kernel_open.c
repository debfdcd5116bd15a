/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_open.c -- an interface is taken up: the order of the steps that makes it exact through any crash.
 *
 * A generation is pinned whole before any program that counts into it is at a hook; at the hooks one program
 * takes the place of the other in one step; the tables of the one that left are final once RCU has passed.
 * A hook is held by an idle program until all hooks are: what can be refused is refused while nothing has
 * changed. */
#include "capture/kernel_point.h"

#include "base/clock.h"
#include "base/fault.h"
#include "capture/kernel_pins.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_of_generation(const struct kernel_hook *h, const struct kernel_generation *g)
{
	const int program = g->programs[kernel_program_of(h)];

	return h->program_id && program >= 0 && kernel_program_id(program) == h->program_id;
}

/* Did this hook count on for the interface that was taken up at that time? */
static bool went_on(const struct kernel_point *k, const struct kernel_hook *h, int64_t since_utc_s)
{
	for (size_t i = 0; i < k->left.count; i++) {
		const struct kernel_description *d = kernel_describe(k->left.at[i]);

		if (d->since_utc_s == since_utc_s && d->ifindex == k->config.ifindex && d->netns == kernel_netns() &&
		    is_of_generation(h, k->left.at[i]))
			return true;
	}
	return false;
}

static bool is_promiscuous(const struct kernel_point *k)
{
	struct interface_info info = { 0 };
	struct netlink *n;

	if (netlink_open(&n, NULL) < 0)
		return false;
	if (netlink_interface(n, NULL, k->config.ifindex, &info, NULL) < 0)
		info.promiscuous = false;
	netlink_close(&n);
	return info.promiscuous;
}

/* As large as the tables before; smaller where those were hardly used. */
static void keep_slots(struct kernel_beginning *b, const struct kernel_generation *before)
{
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		const uint64_t used = kernel_generation_used(before, grain);

		b->slots[grain] = before->about.slots[grain];
		while (b->slots[grain] > TALLY_BUCKET && used * 16 < b->slots[grain])
			b->slots[grain] /= KERNEL_GROWTH;
	}
}

static struct kernel_beginning begin(const struct kernel_point *k)
{
	struct kernel_beginning b = {
		.since_utc_s = k->config.now_utc_s, .base = k->config.base, .anew = true,
		.promiscuous = k->config.promiscuous,
	};
	const struct kernel_generation *before;
	const struct kernel_description *d;

	if (!k->left.count)
		return b;
	before = k->left.at[k->left.count - 1];
	d = kernel_describe(before);
	keep_slots(&b, before);
	if (d->promiscuous && d->ifindex == k->config.ifindex && d->netns == kernel_netns() && is_promiscuous(k))
		b.promiscuous = true;
	for (unsigned i = 0; i < k->hook_count; i++)
		if (!went_on(k, &k->hooks[i], d->since_utc_s))
			return b;
	b.since_utc_s = d->since_utc_s;
	b.base = d->base;
	b.anew = false;
	return b;
}

static int open_pins(struct kernel_point *k, const char *pins, struct err *e)
{
	int code;

	if (!pins)
		return 0;
	k->dir = kernel_path_of_interface(pins, k->interface);
	if (!k->dir)
		return err_set(e, -ENOMEM, "no memory");
	code = kernel_pins_make(k->dir);
	if (code < 0)
		return err_errno(e, code, "cannot make %s", k->dir);
	return kernel_left_open(&k->left, k->dir, e);
}

static int open_all(struct kernel_point *k, const struct kernel_config *cf, const struct kernel_form *form, struct err *e)
{
	struct kernel_beginning b;
	int code = open_pins(k, cf->pins, e);

	if (code == 0 && kernel_form_copy(&k->form, form) < 0)
		code = err_set(e, -ENOMEM, "no memory");
	if (code == 0 && (code = kernel_quiet_open(&k->quiet)) < 0)
		err_errno(e, code, "%s: cannot use BPF", k->interface);
	if (code == 0)
		code = kernel_point_take_hooks(k, e);
	if (code < 0)
		return code;
	b = begin(k);
	code = kernel_point_make(&k->current, k, &k->form, &b, cf->now_utc_s * NS_PER_S, e);
	if (code < 0)
		return code;
	fault_point("kernel_pinned");
	kernel_point_drop_unwanted(k);
	fault_point("kernel_unwanted_dropped");
	return kernel_point_take_over(k, k->current, e);
}

/* After a failure: as it was. What was counted by then stays pinned for the next one to find. */
static void undo_open(struct kernel_point *k)
{
	kernel_point_give_back_hooks(k);
	if (k->current && kernel_generation_frames(k->current) == 0)
		kernel_generation_remove(&k->current);
	if (k->dir)
		rmdir(k->dir); /* only where nothing is in it */
	kernel_close(&k);
}

int kernel_open(struct kernel_point **ret, const struct kernel_config *cf, const struct kernel_form *form, struct err *e)
{
	struct kernel_point *k = calloc(1, sizeof *k);
	int code;

	if (!k)
		return err_set(e, -ENOMEM, "no memory");
	libbpf_set_print(NULL); /* its sentences are ours to say */
	k->config = *cf;
	k->quiet = (struct kernel_quiet){ -1, -1 };
	snprintf(k->interface, sizeof k->interface, "%s", cf->interface);
	code = open_all(k, cf, form, e);
	k->config.interface = k->interface;
	k->config.pins = NULL;
	if (code < 0)
		undo_open(k);
	else
		*ret = k;
	return code;
}
