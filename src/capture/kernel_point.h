/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_point.h -- what an interface that is counted is made of; kernel_open.c and kernel.c work on it. */
#ifndef NETTALLY_CAPTURE_KERNEL_POINT_H
#define NETTALLY_CAPTURE_KERNEL_POINT_H

#include "capture/kernel_bpf.h"
#include "capture/kernel_form.h"
#include "capture/kernel_generation.h"
#include "capture/kernel_hook.h"
#include "capture/kernel_left.h"

#define KERNEL_GROWTH 4 /* tables become so many times as large */
#define KERNEL_HOOKS_MAX 2

struct kernel_point {
	struct kernel_config config;       /* strings: not kept */
	char interface[INTERFACE_NAME_MAX];
	char *dir;                         /* the interface's pins; NULL = unpinned */
	struct kernel_form form;           /* a copy */
	struct kernel_hook hooks[KERNEL_HOOKS_MAX];
	unsigned hook_count;
	char hooks_text[16];
	struct kernel_quiet quiet;
	struct kernel_generation *current; /* NULL: detached */
	struct kernel_left left;
	bool not_quiet;                    /* a swap's wait has failed */
	bool cannot_grow;                  /* it has failed: no more memory */
};

/* Since when, with which counters: goes from a generation to the next. */
struct kernel_beginning {
	int64_t since_utc_s;
	struct interface_stats base;
	bool anew;                         /* base: better as it is when the tables are ready */
	bool promiscuous;
	uint32_t slots[TALLY_GRAINS];      /* at least */
};

/* Which of a generation's programs belongs at a hook. */
static inline unsigned kernel_program_of(const struct kernel_hook *h)
{
	if (h->kind == KERNEL_HOOK_XDP)
		return KERNEL_XDP;
	return h->side == TALLY_INGRESS ? KERNEL_INGRESS : KERNEL_EGRESS;
}

int kernel_point_take_hooks(struct kernel_point *k, struct err *e);
/* As it was before kernel_point_take_hooks(). */
void kernel_point_give_back_hooks(struct kernel_point *k);
/* Programs of ours at other hooks than these, from a run with another capture: they would count twice. */
void kernel_point_drop_unwanted(struct kernel_point *k);

/* A generation with its programs loaded, pinned whole where the point is; nothing counts into it yet. */
int kernel_point_make(struct kernel_generation **ret, const struct kernel_point *k, const struct kernel_form *form,
		      const struct kernel_beginning *b, int64_t now_utc_ns, struct err *e);
/* Puts a generation's programs at the hooks. -ENODEV: the interface is gone. */
int kernel_point_set_hooks(struct kernel_point *k, const struct kernel_generation *g, struct err *e);
/* The same, and waits: from here on the frames are counted in `g`, and all generations before are final. */
int kernel_point_take_over(struct kernel_point *k, const struct kernel_generation *g, struct err *e);

#endif
