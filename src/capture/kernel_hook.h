/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_hook.h -- one place at an interface where a program runs: tcx, clsact or XDP.
 *
 * kernel_hook_take() holds the place (with the program of ours that is there already, else an idle one), so
 * that all that can be refused is refused before anything changes; kernel_hook_set() puts a program there, in
 * one step. A place is pinned by its link; a clsact filter stays of itself. Thread: one at a time. */
#ifndef NETTALLY_CAPTURE_KERNEL_HOOK_H
#define NETTALLY_CAPTURE_KERNEL_HOOK_H

#include "base/err.h"

#include <bpf/tally_shared.h>

#include <stdbool.h>
#include <stdint.h>

enum kernel_hook_kind { KERNEL_HOOK_TCX, KERNEL_HOOK_CLSACT, KERNEL_HOOK_XDP };

struct kernel_hook {
	enum kernel_hook_kind kind;
	enum tally_hook side;
	uint32_t ifindex;
	uint32_t handle;         /* clsact: of our filter, told from another ledger's */
	int link;                /* -1: clsact */
	char *pin;               /* the link's path; NULL = unpinned, or clsact */
	bool fresh;              /* nothing of ours was there before */
	uint32_t program_id;     /* what was there when it was taken; 0 = nothing of ours */
};

/* `dir`: where the interface's pins are, NULL = unpinned. kind, side, ifindex of *h are given; tcx becomes
 * clsact where the kernel has no tcx. -EBUSY, -EOPNOTSUPP (XDP), -EPERM, -ENODEV. */
int kernel_hook_take(struct kernel_hook *h, const char *dir, const char *interface, struct err *e);
int kernel_hook_set(struct kernel_hook *h, int program, struct err *e);
/* Off the hook, pin away. */
void kernel_hook_drop(struct kernel_hook *h);
/* Closes the descriptor; unpinned, the program leaves the hook. Accepts one of zeros with link -1. */
void kernel_hook_close(struct kernel_hook *h);

/* A pinned link of an earlier run: takes it off, wherever its interface is, and its pin away. */
void kernel_hook_drop_pinned(const char *dir, enum kernel_hook_kind kind, enum tally_hook side);
/* The program of our clsact filter there; 0 = none. */
uint32_t kernel_clsact_program(const struct kernel_hook *h);
/* A handle for the filters of whoever pins below `dir`. */
uint32_t kernel_clsact_handle(const char *dir);

#endif
