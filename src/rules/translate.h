/* SPDX-License-Identifier: GPL-2.0-or-later */
/* translate.h -- filter programs as one eBPF program, that counts which of them a frame matches.
 *
 * The frame's linear part is read directly, behind bounds checks that are left out where an earlier one proves them.
 * A load beyond it (only where scratch.beyond says that there is more) starts the rule again in a slow form, which
 * loads through bpf_skb_load_bytes() or bpf_xdp_load_bytes() (the latter: Linux 5.18, xdp.frags). At tc a VLAN tag
 * may be in metadata: then the filter sees a virtual frame with the tag at byte 12; made in two forms, `tagged` and
 * not. Answers are program_run()'s; not translated are loops (-ENOTSUP): count these from a packet socket.
 *
 * Calling convention (bpf/rules_shared.h): entered by tail call with the context in R1. R6 context, R7 data, R8
 * data_end, R9 the counters of programs[0]; the scratch entry's address on the stack. */
#ifndef NETTALLY_RULES_TRANSLATE_H
#define NETTALLY_RULES_TRANSLATE_H

#include "base/err.h"
#include "rules/program.h"

#include <linux/bpf.h>
#include <stddef.h>

enum translate_hook { TRANSLATE_TC, TRANSLATE_XDP };

struct translate {
	enum translate_hook hook;
	bool tagged;      /* for frames with a tag in metadata; tc only */
	int scratch_fd;   /* PERCPU_ARRAY of struct rules_scratch */
	int counters_fd;  /* ARRAY of struct rules_counters[], one entry per scratch.index */
	uint32_t at;      /* byte in the entry where the counters of programs[0] are, those of the next ones behind them */
	int next_fd;      /* PROG_ARRAY with the next program; -1: this is the last */
	uint32_t next;    /* its index there */
	bool gate;        /* one program, a pre-filter: a match goes on to the next program; all else is counted, and ends */
};

struct translated {
	struct bpf_insn *insns; /* the caller's to free() */
	size_t count, room;
};

/* Empty programs (rules that never match) make no code. -ENOTSUP: programs[*] has a loop; -E2BIG: too long for one
 * program; -ENOMEM. All have passed program_check(). */
int translate(struct translated *ret, const struct translate *t, const struct program *const *programs, size_t count,
	      struct err *e);

#endif
