/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel.c -- a point while it counts: epochs, growth, another form, the end. */
#include "capture/kernel_point.h"

#include "base/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILLING(slots) ((uint64_t)(slots) * 3 / 8) /* of the slots taken: beyond it buckets overflow soon */

struct kernel_generation *kernel_take_left(struct kernel_point *k)
{
	struct kernel_generation *g;

	if (!k->left.count)
		return NULL;
	g = k->left.at[0];
	k->left.count--;
	memmove(k->left.at, k->left.at + 1, k->left.count * sizeof *k->left.at);
	return g;
}

/* ---- while it counts ---- */

struct kernel_generation *kernel_current(struct kernel_point *k)
{
	return k->current;
}

bool kernel_is_pinned(const struct kernel_point *k)
{
	return k->dir;
}

const char *kernel_hooks(const struct kernel_point *k)
{
	return k->hooks_text;
}

const char *kernel_warning(const struct kernel_point *k)
{
	return *k->left.warning ? k->left.warning : NULL;
}

int kernel_swap(struct kernel_point *k, int64_t now_utc_ns, struct kernel_epoch *ret, struct err *e)
{
	struct kernel_generation *g = k->current;
	struct kernel_epoch epochs[TALLY_EPOCHS];

	if (!k->not_quiet) {
		if (g->control->epoch[!kernel_generation_active(g)])
			return err_set(e, -EAGAIN, "%s: the epoch before is not booked yet", k->interface);
		kernel_generation_switch(g, now_utc_ns);
	}
	k->not_quiet = kernel_quiet_wait(&k->quiet) < 0;
	if (k->not_quiet)
		return err_set(e, -EIO, "%s: cannot wait for RCU", k->interface);
	fault_point("swap_quiet");
	kernel_epochs(g, epochs);
	*ret = epochs[0];
	return 0;
}

void kernel_clean(struct kernel_point *k)
{
	if (!k->not_quiet)
		kernel_generation_clean(k->current, !kernel_generation_active(k->current));
}

/* ---- growth, and another form ---- */

static bool is_filling(const struct kernel_generation *g, unsigned grain)
{
	return kernel_generation_used(g, grain) > FILLING(g->about.slots[grain]) || kernel_generation_overflowed(g, grain);
}

int kernel_is_filling(const struct kernel_point *k)
{
	const uint32_t most = kernel_form_slots_most(&k->form);

	for (unsigned grain = 0; grain < TALLY_GRAINS && !k->cannot_grow; grain++) {
		const uint32_t slots = k->current->about.slots[grain];

		if (slots && slots < most && is_filling(k->current, grain))
			return 1;
	}
	return 0;
}

/* Four times as large where a grain needs it; where none does, all. */
static void grow(struct kernel_beginning *b, const struct kernel_generation *g)
{
	bool some = false;

	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		some = some || (g->about.slots[grain] && is_filling(g, grain));
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		if (g->about.slots[grain] && (!some || is_filling(g, grain)))
			b->slots[grain] = g->about.slots[grain] <= KERNEL_SLOTS_MAX / KERNEL_GROWTH ?
				g->about.slots[grain] * KERNEL_GROWTH : KERNEL_SLOTS_MAX;
}

/* The new generation did not get to every hook: the old one goes on. */
static void take_back(struct kernel_point *k, struct kernel_generation *g)
{
	(void)kernel_point_set_hooks(k, k->current, NULL);
	(void)kernel_quiet_wait(&k->quiet);
	if (kernel_generation_frames(g) == 0)
		kernel_generation_remove(&g);
	else if (kernel_left_add(&k->left, g) < 0)
		kernel_generation_close(&g);
}

static int renew(struct kernel_point *k, const struct kernel_form *form, int64_t now_utc_ns, struct kernel_generation **ret,
		 bool larger, struct err *e)
{
	const struct kernel_description *d = kernel_describe(k->current);
	struct kernel_beginning b = { .since_utc_s = d->since_utc_s, .base = d->base, .promiscuous = d->promiscuous };
	struct kernel_generation *g;
	int code;

	memcpy(b.slots, k->current->about.slots, sizeof b.slots);
	if (larger)
		grow(&b, k->current);
	code = kernel_point_make(&g, k, form, &b, now_utc_ns, e);
	if (code < 0)
		return code;
	fault_point("kernel_pinned");
	code = kernel_point_take_over(k, g, e);
	if (code < 0) {
		take_back(k, g);
		return code;
	}
	*ret = k->current;
	k->current = g;
	return 0;
}

int kernel_renew(struct kernel_point *k, const struct kernel_form *form, int64_t now_utc_ns,
		 struct kernel_generation **ret_old, struct err *e)
{
	struct kernel_form copy;
	int code;

	if (!form) {
		code = renew(k, &k->form, now_utc_ns, ret_old, true, e);
		k->cannot_grow = code < 0;
		return code;
	}
	code = kernel_form_copy(&copy, form) < 0 ? err_set(e, -ENOMEM, "no memory") : 0;
	if (code == 0)
		code = renew(k, &copy, now_utc_ns, ret_old, false, e);
	if (code < 0) {
		kernel_form_free(&copy);
		return code;
	}
	kernel_form_free(&k->form);
	k->form = copy;
	k->cannot_grow = false;
	k->not_quiet = false;
	return 0;
}

/* ---- the end ---- */

int kernel_detach(struct kernel_point *k, struct kernel_generation **ret, struct err *e)
{
	if (!k->current)
		return err_set(e, -EALREADY, "%s: is not counted any more", k->interface);
	for (unsigned i = 0; i < k->hook_count; i++) {
		kernel_hook_drop(&k->hooks[i]);
		fault_point("detach_half");
	}
	k->hook_count = 0;
	kernel_promiscuous_off(k->current);
	(void)kernel_quiet_wait(&k->quiet);
	fault_point("detach_quiet");
	*ret = k->current;
	k->current = NULL;
	return 0;
}

void kernel_close(struct kernel_point **kp)
{
	struct kernel_point *k = *kp;

	if (!k)
		return;
	for (unsigned i = 0; i < k->hook_count; i++) {
		if (!k->dir)
			kernel_hook_drop(&k->hooks[i]); /* a clsact filter would stay */
		else
			kernel_hook_close(&k->hooks[i]);
	}
	kernel_generation_close(&k->current);
	kernel_left_close(&k->left);
	kernel_quiet_close(&k->quiet);
	kernel_form_free(&k->form);
	free(k->dir);
	free(k);
	*kp = NULL;
}
