/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_shared.h -- what the counting program, the programs that src/rules/translate.c makes of filters, and user
 * space agree on.
 *
 * The counting program fills the scratch entry of its CPU and tail-calls the first rule program (of the chain for
 * frames with, or of that without, a VLAN tag in metadata); each counts its rules and tail-calls the next; the last
 * one returns the verdict. All run with bottom halves disabled, so the entry is theirs until the last returns. */
#ifndef NETTALLY_RULES_SHARED_H
#define NETTALLY_RULES_SHARED_H

#include <linux/types.h>

#define RULES_HEAD 24  /* bytes of the virtual frame; 20 are read */
#define RULES_CHUNK 100 /* rules of one program: what the verifier does grows faster than that */

/* PERCPU_ARRAY of one entry. "Virtual": the frame as on the wire, with its tag. */
struct rules_scratch {
	__u64 packets, l2_bytes, l3_bytes; /* what the frame counts for */
	__u32 wire_len;                    /* of the virtual frame: skb->len (+ 4), or the length of the XDP buffer */
	__u32 beyond;                      /* not 0: the frame is longer than its linear part */
	__u32 verdict;                     /* what the last program returns */
	__u8 head[RULES_HEAD];             /* with a tag in metadata: MAC addresses, TPID, TCI, then what follows */
	__u32 zero;
};

/* ARRAY, BPF_F_MMAPABLE, one entry per possible CPU: struct rules_counters of each rule. */
struct rules_counters {
	__u64 packets, l2_bytes, l3_bytes;
};

_Static_assert(sizeof(struct rules_scratch) == 64, "the scratch entry is one cache line");
_Static_assert(sizeof(struct rules_counters) == 24, "kernel and user space disagree on a rule's counters");

#endif
