/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_shared.h -- what the counting program, the programs that src/rules/translate.c makes of filters, and user
 * space agree on.
 *
 * The counting program fills the scratch entry of its CPU and tail-calls the first rule program (of the chain for
 * frames with, or of that without, a VLAN tag in metadata); each counts its rules and tail-calls the next; the last
 * one returns the verdict. All run with bottom halves disabled, so the entry is theirs until the last returns.
 *
 * Where there is a pre-filter, a program that does nothing but fill the entry is at the hook; it tail-calls the
 * filter's program, which tail-calls the counting program, or adds the frame to `filtered` in the sums. */
#ifndef NETTALLY_RULES_SHARED_H
#define NETTALLY_RULES_SHARED_H

#include "tally_shared.h"

#include <linux/types.h>

#define RULES_HEAD 24  /* bytes of the virtual frame; 20 are read */
#define RULES_CHUNK 400 /* rules of one program */

/* PERCPU_ARRAY of one entry. "Virtual": the frame as on the wire, with its tag. */
struct rules_scratch {
	__u64 packets, l2_bytes, l3_bytes; /* what the frame counts for */
	__u32 wire_len;                    /* of the virtual frame: skb->len (+ 4), or the length of the XDP buffer */
	__u32 beyond;                      /* not 0: the frame is longer than its linear part */
	__u32 verdict;                     /* what the last program returns */
	__u8 head[RULES_HEAD];             /* with a tag in metadata: MAC addresses, TPID, TCI, then what follows */
	__u32 index;                       /* whose counters: RULES_INDEX; before the pre-filter, TALLY_INDEX */
};

/* ARRAY, BPF_F_MMAPABLE, one entry per hook, epoch and CPU: struct rules_counters of each rule. */
#define RULES_INDEX(hook, epoch, cpu, cpus) ((hook) * TALLY_EPOCHS * (cpus) + TALLY_INDEX(epoch, cpu, cpus))

struct rules_counters {
	__u64 packets, l2_bytes, l3_bytes;
};

/* Places in the PROG_ARRAYs, of which there is one for tc and one for XDP. The kernel ends a chain of tail calls
 * after 33 (MAX_TAIL_CALL_CNT); one or two lead to the first rule program. */
#define RULES_PROGRAMS 31          /* in a chain */
enum rules_place {
	RULES_PLAIN,               /* the chain for frames as they are */
	RULES_TAGGED = 32,         /* the chain for frames with a tag in metadata; tc */
	RULES_GATE = 64,           /* the pre-filter's programs, + 2 * enum tally_hook + (1: tagged) */
	RULES_COUNT = 68,          /* the counting programs that it goes on to, + enum tally_hook */
	RULES_PLACES = 70
};

_Static_assert(sizeof(struct rules_scratch) == 64, "the scratch entry is one cache line");
_Static_assert(sizeof(struct rules_counters) == 24, "kernel and user space disagree on a rule's counters");

#endif
