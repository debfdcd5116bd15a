/* SPDX-License-Identifier: GPL-2.0-or-later */
/* point_rules.h -- the rules of a plan at one interface that the kernel counts: compiled for its programs, and which of
 * them a packet socket beside them counts, because the kernel cannot (a loop) or does not take them.
 *
 * Rules are numbered through all accounts of the plan, in the plan's order. The socket is a source of its own beside the
 * kernel's, `side` in its slot, that hands over counts of rules and nothing else. Thread: the main loop's (libpcap's
 * compiler); a struct point_rules that is made belongs to the tables that it is in. */
#ifndef NETTALLY_DAEMON_POINT_RULES_H
#define NETTALLY_DAEMON_POINT_RULES_H

#include "daemon/point.h"
#include "daemon/rules_kernel.h"

/* Who counts a rule. */
enum rule_left {
	RULE_IN_KERNEL,      /* 0 */
	RULE_LOOPS,
	RULE_REFUSED,        /* by the kernel, as it was loaded */
};

struct point_rules {
	struct rule_set **sets;     /* by account of the plan by rule */
	size_t count;
	struct program filter;
	struct rules_kernel kernel; /* borrows from these */
};

/* For empty tables by this plan, unless they have them; sets p->left_next, too. `say`: log what can match nothing. */
int point_rules_compile(struct point *p, struct tables *t, bool say, struct err *e);
void point_rules_free(struct point_rules **r); /* accepts NULL */

/* Another filter (NULL: none), from the next plan on, by which the programs in the kernel are made anew without losing a
 * packet. False: that cannot be, the point is to be opened anew. */
bool point_rules_take_filter(struct point *p, const char *filter);

/* The plan whose rules were compiled last is in force. */
void point_rules_change_over(struct point *p);
/* Once the point is open, and after each tick: what is left to a socket gets one, or another choice of rules, or it goes.
 * A socket that cannot be had is told in the log and in `status`, and the rest is counted. */
void point_rules_look(struct point *p, const struct point_setting *s);
/* Before the side socket is asked: its empty tables get another choice of rules where that changes, or it is to be
 * asked for the last time. */
int point_rules_prepare_side(struct point *p, struct source_slot *slot, bool other_plan, struct err *e);

/* For `status`: each rule of the plan that is not counted in the kernel. */
int point_rules_tell(const struct point *p, const struct plan *plan, struct snapshot *s);

#endif
