/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.h -- a classic BPF program: made of a pcap filter expression by libpcap, checked, and run.
 *
 * program_run() is what libpcap's own interpreter says (bpf_filter.c of libpcap 1.10, McCanne and Jacobson 1993),
 * on a view instead of flat bytes, so that a VLAN tag that the kernel took off is seen where it was.
 * struct sock_filter is the kernel's name for what libpcap calls struct bpf_insn. */
#ifndef NETTALLY_RULES_PROGRAM_H
#define NETTALLY_RULES_PROGRAM_H

#include "base/err.h"
#include "rules/view.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#define PROGRAM_SCRATCH 16 /* words of scratch memory, BPF_MEMWORDS */

struct program {
	struct sock_filter *insns; /* owned */
	uint32_t len;
};

enum program_result {
	PROGRAM_OK,
	PROGRAM_NEVER = 1, /* libpcap's optimizer says that the expression rejects all packets */
};

/* PROGRAM_OK, or PROGRAM_NEVER and an empty program; -EINVAL with libpcap's message alone, -ENOMEM. libpcap's
 * compiler keeps global state: one thread at a time. */
int program_compile(struct program *ret, const char *expression, uint16_t linktype, struct err *e);
void program_free(struct program *p);

/* 0, or -EINVAL: an unknown instruction, a jump out of the program, a division by the constant 0, a shift of more
 * than 31, scratch memory beyond its end, no return at the end. */
int program_check(const struct program *p, struct err *e);
/* It has a jump backward (libpcap makes one for `protochain`). */
bool program_loops(const struct program *p);
/* Not 0: the frame matches. The program must have passed program_check(). A loop that does not end matches
 * nothing after PROGRAM_STEPS_MAX instructions (libpcap's own end after the frame does). */
#define PROGRAM_STEPS_MAX (1u << 22)
uint32_t program_run(const struct program *p, const struct view *v);

/* a op b, as BPF_ALU or BPF_JMP (0 or 1) says; false: a division by 0. */
bool program_operate(uint8_t op, uint32_t a, uint32_t b, uint32_t *ret);
bool program_compare(uint8_t op, uint32_t a, uint32_t b);

#endif
