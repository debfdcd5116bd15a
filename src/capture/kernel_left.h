/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_left.h -- the generations that an earlier run left below an interface's directory. Thread: one at a time. */
#ifndef NETTALLY_CAPTURE_KERNEL_LEFT_H
#define NETTALLY_CAPTURE_KERNEL_LEFT_H

#include "capture/kernel_generation.h"

struct kernel_left {
	struct kernel_generation **at; /* oldest first */
	size_t count;
	char warning[256];             /* "" = all could be read */
};

/* Removes what was never finished or half removed, opens the others. None where the directory is missing. */
int kernel_left_open(struct kernel_left *ret, const char *dir, struct err *e);
int kernel_left_add(struct kernel_left *left, struct kernel_generation *g); /* -ENOMEM */
void kernel_left_close(struct kernel_left *left);

/* Inode of the network namespace that this thread is in; 0 = not known. */
uint64_t kernel_netns(void);
/* Off, if a generation says that we switched it on, and its interface is still here. */
void kernel_promiscuous_off(const struct kernel_generation *g);

#endif
