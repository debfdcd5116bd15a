/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_bpf.h -- the few bpf(2) commands that libbpf 1.1 does not have, and small things made of others.
 *
 * Results are 0 or a descriptor, or negative errno; sentences are the callers'. Thread: any. */
#ifndef NETTALLY_CAPTURE_KERNEL_BPF_H
#define NETTALLY_CAPTURE_KERNEL_BPF_H

#include <bpf/tally_shared.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Declares options of libbpf's: it refuses any byte behind the fields that it knows, padding too, that is not 0. */
#define KERNEL_OPTS(type, name)                                                                                     \
	struct type name;                                                                                           \
	memset(&(name), 0, sizeof(name));                                                                           \
	(name).sz = sizeof(name)

/* Waits until every program that runs now has ended: updates an element of an array of maps with itself,
 * which ends in synchronize_rcu() (kernel/bpf/syscall.c, maybe_wait_bpf_programs()). */
struct kernel_quiet {
	int outer, inner;
};

int kernel_quiet_open(struct kernel_quiet *ret);
int kernel_quiet_wait(const struct kernel_quiet *q);
void kernel_quiet_close(struct kernel_quiet *q);

/* A program that does nothing: it holds a hook until the programs that count are ready. */
int kernel_program_idle(bool xdp);

/* tcx (Linux 6.6): a link before all others, so that no other program's verdict hides a frame from us.
 * -EINVAL: this kernel has none. */
int kernel_tcx_link(int program, uint32_t ifindex, enum tally_hook side);
/* Is the link with this id at that hook of the interface with this index in our network namespace? */
bool kernel_tcx_is_at(uint32_t ifindex, enum tally_hook side, uint32_t link_id);

/* 0 = not known */
uint32_t kernel_program_id(int program);
/* Of a link: its id, its program's, and the interface's index, 0 when that is gone. */
struct kernel_link_facts {
	uint32_t id, program_id, ifindex;
};
int kernel_link_facts(int link, struct kernel_link_facts *ret);

/* An ARRAY that can be mapped. */
int kernel_array(const char *name, uint32_t value_size, uint32_t count);
/* Maps a whole ARRAY that must be of this shape; -EBADMSG where it is not. */
int kernel_array_map(int fd, uint32_t value_size, uint32_t count, bool write, void **ret);
void kernel_array_unmap(void *at, uint32_t value_size, uint32_t count);

#endif
