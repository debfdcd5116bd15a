/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_kernel.h -- rules of accounts for the kernel: what capture/kernel.h wants of what src/rules/ has.
 *
 * The rules of all accounts in one array, one account's behind the other's. One that loops (protochain) is left to a
 * packet socket, and counts zero in the kernel.
 * Thread: any, one at a time. */
#ifndef NETTALLY_DAEMON_RULES_KERNEL_H
#define NETTALLY_DAEMON_RULES_KERNEL_H

#include "capture/kernel.h"
#include "rules/rule_set.h"

struct rules_kernel {
	struct kernel_rules rules;       /* for struct kernel_form; borrows from the sets and the filter */
	struct kernel_filter *filters;   /* owned */
	uint32_t *first;                 /* by set: its first rule in rules.rules; owned */
	size_t sets;
};

/* `sets` in the accounts' order, `filter` = the pre-filter, NULL = none; all outlive it, but kernel_open() copies.
 * -E2BIG: too many rules; -ENOTSUP: the filter loops, or can match nothing. *ret is to be freed where it succeeds. */
int rules_kernel_make(struct rules_kernel *ret, const struct rule_set *const *sets, size_t count,
		      const struct program *filter, struct err *e);
void rules_kernel_free(struct rules_kernel *r);

/* Whether rule i of a set has to be counted by a packet socket: it loops, or (`g` not NULL) the kernel has refused it. */
bool rules_kernel_needs_socket(const struct rules_kernel *r, size_t set, const struct rule_set *s, size_t i,
			       const struct kernel_generation *g);

/* The function of struct kernel_rules. */
int rules_kernel_translate(const struct kernel_rules_part *part, struct bpf_insn **ret, uint32_t *ret_count, struct err *e);

#endif
