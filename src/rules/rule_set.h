/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule_set.h -- a set of rules on the frames of one link type: which of them match, and how much.
 *
 * libpcap compiles each expression; the programs become decision graphs (graph.h) that are walked together
 * (machine.h), so that each distinct test is made once a frame. The answers are those of libpcap's interpreter on
 * the frame as it was on the wire: a VLAN tag that the kernel took off is seen where it was.
 *
 * Owns all that it is made of; the rule file is not needed after rule_set_open(). Opening: one thread of the
 * process at a time (libpcap's compiler). Counting, matching, reading: one thread at a time, the set's owner; for
 * several rings open several sets. No memory is taken per frame; a frame of a kind that was not seen yet may
 * make a state (bounded; machine.h). */
#ifndef NETTALLY_RULES_RULE_SET_H
#define NETTALLY_RULES_RULE_SET_H

#include "base/err.h"
#include "model/frame.h"
#include "model/tally.h"
#include "rules/program.h"
#include "rules/rule_file.h"

struct rule_set;

/* For struct rule_source: whether libpcap takes it for Ethernet; one that can match nothing is taken. One thread at
 * a time. */
int rule_set_check(const char *expression, struct err *e);

/* -EINVAL: expressions that libpcap takes neither for this link type nor for Ethernet; all of them are in
 * `mistakes` (may be NULL) as FILE:LINE: identifier: message, *e says how many. -ENOMEM. */
int rule_set_open(struct rule_set **ret, const struct rule_file *file, uint16_t linktype, struct rule_mistakes *mistakes,
		  struct err *e);
void rule_set_close(struct rule_set **s); /* accepts NULL */

size_t rule_set_count_rules(const struct rule_set *s); /* as in the file, and in its order */

/* Why rule `i` can match nothing on this link type, for people; NULL: it can. Such a rule counts zero. */
const char *rule_set_never(const struct rule_set *s, size_t i);
/* The first rule that asks the same of every frame: `i` itself where there is none before it. */
size_t rule_set_same(const struct rule_set *s, size_t i);
/* What libpcap made of it; empty where it never matches. Borrowed. For the kernel: translate.h. */
const struct program *rule_set_program(const struct rule_set *s, size_t i);

/* Adds weights[i] to each rule that frame i matches. The frames' link type is the set's (others match nothing);
 * any number. What a super-packet counts for (segments, bytes) is the caller's to say. */
void rule_set_count(struct rule_set *s, const struct frame *frames, const struct tally *weights, size_t n);
/* The rules that the frame matches, in no order; `ret` has room for all of the set. How many. */
size_t rule_set_match(struct rule_set *s, const struct frame *frame, uint32_t *ret);
/* What rule_set_count() added since the set was opened. */
struct tally rule_set_tally(struct rule_set *s, size_t i);

struct rule_set_size {
	size_t rules, functions; /* functions: rules that differ and can match */
	size_t whole;            /* of these, run as a whole by an interpreter (loops) */
	size_t machines, states, edges, lookups;
	size_t bytes;
};

struct rule_set_size rule_set_size(const struct rule_set *s);

#endif
