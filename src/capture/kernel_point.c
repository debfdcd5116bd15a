/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_point.c -- a point's hooks, and its generations as they are made. */
#include "capture/kernel_point.h"

#include "base/fault.h"
#include "model/frame.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* ---- hooks ---- */

static int plan_hooks(struct kernel_point *k, struct err *e)
{
	const struct kernel_config *cf = &k->config;
	const enum kernel_hook_kind tc = cf->clsact ? KERNEL_HOOK_CLSACT : KERNEL_HOOK_TCX;

	if (cf->linktype != LINKTYPE_ETHERNET && cf->linktype != LINKTYPE_RAW)
		return err_set(e, -EOPNOTSUPP, "%s: frames of this kind of interface cannot be counted in the kernel",
			       k->interface);
	if (cf->xdp && (cf->linktype != LINKTYPE_ETHERNET || cf->loopback))
		return err_set(e, -EOPNOTSUPP, "%s: XDP needs an Ethernet interface; use capture = kernel", k->interface);
	k->hooks[k->hook_count++] = (struct kernel_hook){
		.kind = cf->xdp ? KERNEL_HOOK_XDP : tc, .side = TALLY_INGRESS, .ifindex = cf->ifindex, .link = -1,
	};
	if (!cf->loopback && !(cf->xdp && cf->mirror))
		k->hooks[k->hook_count++] = (struct kernel_hook){
			.kind = tc, .side = TALLY_EGRESS, .ifindex = cf->ifindex, .link = -1,
		};
	return 0;
}

static const char *name_of_kind(enum kernel_hook_kind kind)
{
	static const char *const names[] = {
		[KERNEL_HOOK_TCX] = "tcx", [KERNEL_HOOK_CLSACT] = "clsact", [KERNEL_HOOK_XDP] = "xdp",
	};

	return names[kind];
}

int kernel_point_take_hooks(struct kernel_point *k, struct err *e)
{
	const char *last;
	int planned = plan_hooks(k, e);

	if (planned < 0)
		return planned;
	for (unsigned i = 0; i < k->hook_count; i++) {
		int code = kernel_hook_take(&k->hooks[i], k->dir, k->interface, e);

		if (code < 0)
			return code;
		fault_point("kernel_hook_taken");
	}
	last = name_of_kind(k->hooks[k->hook_count - 1].kind);
	snprintf(k->hooks_text, sizeof k->hooks_text, "%s%s", k->config.xdp && k->hook_count > 1 ? "xdp+" : "", last);
	return 0;
}

void kernel_point_give_back_hooks(struct kernel_point *k)
{
	for (unsigned i = 0; i < k->hook_count; i++) {
		if (k->hooks[i].fresh && (k->hooks[i].link >= 0 || k->hooks[i].kind == KERNEL_HOOK_CLSACT))
			kernel_hook_drop(&k->hooks[i]);
		else
			kernel_hook_close(&k->hooks[i]);
	}
	k->hook_count = 0;
}

static bool is_wanted(const struct kernel_point *k, enum kernel_hook_kind kind, enum tally_hook side)
{
	for (unsigned i = 0; i < k->hook_count; i++)
		if (k->hooks[i].kind == kind && k->hooks[i].side == side)
			return true;
	return false;
}

void kernel_point_drop_unwanted(struct kernel_point *k)
{
	for (unsigned side = 0; side < TALLY_HOOKS; side++) {
		struct kernel_hook filter = {
			.kind = KERNEL_HOOK_CLSACT, .side = side, .ifindex = k->config.ifindex, .link = -1,
			.handle = kernel_clsact_handle(k->dir),
		};

		if (k->dir && !is_wanted(k, KERNEL_HOOK_TCX, side))
			kernel_hook_drop_pinned(k->dir, KERNEL_HOOK_TCX, side);
		if (!is_wanted(k, KERNEL_HOOK_CLSACT, side) && kernel_clsact_program(&filter))
			kernel_hook_drop(&filter);
	}
	if (k->dir && !is_wanted(k, KERNEL_HOOK_XDP, TALLY_INGRESS))
		kernel_hook_drop_pinned(k->dir, KERNEL_HOOK_XDP, TALLY_INGRESS);
}

int kernel_point_set_hooks(struct kernel_point *k, const struct kernel_generation *g, struct err *e)
{
	for (unsigned i = 0; i < k->hook_count; i++) {
		struct kernel_hook *h = &k->hooks[i];
		int code = kernel_hook_set(h, g->programs[kernel_program_of(h)], e);

		if (code < 0)
			return err_prefix(e, code, "%s", k->interface);
		fault_point(h->side == TALLY_INGRESS ? "kernel_ingress_updated" : "kernel_egress_updated");
	}
	return 0;
}

/* ---- a generation ---- */

static int make_id(char id[static KERNEL_ID_TEXT], struct err *e)
{
	uint64_t random;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return err_errno(e, -errno, "no random numbers");
	snprintf(id, KERNEL_ID_TEXT, "%016llx", (unsigned long long)random);
	return 0;
}

static void choose_slots(struct kernel_described *about, const struct kernel_form *form, const struct kernel_beginning *b)
{
	const uint32_t most = kernel_form_slots_most(form);

	kernel_form_slots(form, about, about->slots);
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		uint32_t at_least = b->slots[grain] < most ? b->slots[grain] : most;

		if (about->slots[grain] && about->slots[grain] < at_least)
			about->slots[grain] = at_least;
	}
}

/* Whatever it holds is the caller's to free, also when it fails. */
static int describe(struct kernel_described *about, const struct kernel_point *k, const struct kernel_form *form,
		    const struct kernel_beginning *b, struct err *e)
{
	struct kernel_description *d = &about->d;
	int code = libbpf_num_possible_cpus();

	*about = (struct kernel_described){ 0 };
	if (code < 0 || (uint32_t)code > KERNEL_CPUS_MAX)
		return err_set(e, code < 0 ? code : -E2BIG, "cannot tell how many CPUs there are");
	about->cpus = (uint32_t)code;
	memcpy(d->interface, k->interface, sizeof d->interface);
	d->ifindex = k->config.ifindex;
	d->netns = kernel_netns();
	d->since_utc_s = b->since_utc_s;
	d->base = b->base;
	about->base_is_now = b->anew;
	d->promiscuous = b->promiscuous;
	snprintf(d->capture, sizeof d->capture, "%s", k->config.xdp ? "xdp" : "kernel");
	memcpy(about->hooks, k->hooks_text, sizeof about->hooks);
	code = make_id(d->id, e);
	if (code == 0)
		code = kernel_form_check(form, about->wide, e);
	if (code < 0)
		return code;
	choose_slots(about, form, b);
	return kernel_form_describe(about, form) < 0 ? err_set(e, -ENOMEM, "no memory") : 0;
}

int kernel_point_make(struct kernel_generation **ret, const struct kernel_point *k, const struct kernel_form *form,
		      const struct kernel_beginning *b, int64_t now_utc_ns, struct err *e)
{
	struct kernel_build build = {
		.form = form, .raw_ip = k->config.linktype == LINKTYPE_RAW, .drop = k->config.xdp && k->config.mirror,
	};
	struct kernel_described about;
	struct kernel_loaded loaded;
	int code;

	if (!kernel_form_has(form, TALLY_PARTY) && !kernel_form_has(form, TALLY_PLAIN) &&
	    !(form->rules && form->rules->count))
		return err_set(e, -EINVAL, "%s: nothing to count by", k->interface);
	for (unsigned i = 0; i < k->hook_count; i++)
		build.programs[kernel_program_of(&k->hooks[i])] = true;
	code = describe(&about, k, form, b, e);
	build.about = &about;
	if (code == 0)
		code = kernel_program_load(&loaded, &build, e);
	if (code < 0) {
		kernel_described_free(&about);
		return err_prefix(e, code, "%s", k->interface);
	}
	code = kernel_generation_make(ret, &about, &loaded, k->dir, now_utc_ns, e);
	kernel_loaded_close(&loaded);
	return code < 0 ? err_prefix(e, code, "%s", k->interface) : 0;
}

int kernel_point_take_over(struct kernel_point *k, const struct kernel_generation *g, struct err *e)
{
	int code = kernel_point_set_hooks(k, g, e);

	if (code == 0)
		code = kernel_quiet_wait(&k->quiet) < 0 ? err_set(e, -EIO, "%s: cannot wait for RCU", k->interface) : 0;
	fault_point("kernel_quiet");
	return code;
}
