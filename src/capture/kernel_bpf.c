/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_bpf.c -- bpf(2) by hand where libbpf 1.1 and the headers of Linux 6.1 end. */
#include "capture/kernel_bpf.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h of Linux 6.6 */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define TCX_BEFORE (1u << 3) /* BPF_F_BEFORE, and nothing to be before of: the first */
#define TCX_LINKS_MAX 64     /* BPF_MPROG_MAX */

#define IDLE_NEXT (-1)       /* TCX_NEXT, TC_ACT_UNSPEC */
#define HAS_FRAGS (1u << 5)  /* BPF_F_XDP_HAS_FRAGS */

struct tcx_link_create {
	uint32_t program, ifindex, attach_type, flags, relative, zero;
	uint64_t expected_revision;
};

struct tcx_query {
	uint32_t ifindex, attach_type, query_flags, attach_flags;
	uint64_t program_ids;
	uint32_t count, zero;
	uint64_t program_flags, link_ids, link_flags, revision;
};

static int bpf_call(int command, void *attr, unsigned size)
{
	long r = syscall(__NR_bpf, command, attr, size);

	return r < 0 ? -errno : (int)r;
}

int kernel_quiet_open(struct kernel_quiet *ret)
{
	struct kernel_quiet q = { -1, -1 };
	int code;
	KERNEL_OPTS(bpf_map_create_opts, opts);

	q.inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nt_quiet", 4, 8, 1, NULL);
	if (q.inner < 0)
		return -errno;
	opts.inner_map_fd = (uint32_t)q.inner;
	q.outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "nt_quiet", 4, 4, 1, &opts);
	if (q.outer < 0) {
		code = -errno;
		close(q.inner);
		return code;
	}
	*ret = q;
	return 0;
}

int kernel_quiet_wait(const struct kernel_quiet *q)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(q->outer, &zero, &q->inner, BPF_ANY) == 0)
		return 0;
	/* Out of memory, if anything. The same wait by another way, not on nohz_full machines. */
	return syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ? -errno : 0;
}

void kernel_quiet_close(struct kernel_quiet *q)
{
	if (q->outer >= 0)
		close(q->outer);
	if (q->inner >= 0)
		close(q->inner);
	*q = (struct kernel_quiet){ -1, -1 };
}

int kernel_program_idle(bool xdp)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = xdp ? (int)XDP_PASS : IDLE_NEXT },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd;
	KERNEL_OPTS(bpf_prog_load_opts, opts);

	if (xdp) {
		/* As in the section "xdp.frags": a link's next program must be like its first. */
		opts.expected_attach_type = BPF_XDP;
		opts.prog_flags = HAS_FRAGS;
	}
	fd = bpf_prog_load(xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS, "nt_idle", "GPL", insns,
			   sizeof insns / sizeof *insns, &opts);
	return fd < 0 ? -errno : fd;
}

static uint32_t tcx_type(enum tally_hook side)
{
	return side == TALLY_INGRESS ? TCX_INGRESS : TCX_EGRESS;
}

int kernel_tcx_link(int program, uint32_t ifindex, enum tally_hook side)
{
	struct tcx_link_create attr = {
		.program = (uint32_t)program, .ifindex = ifindex, .attach_type = tcx_type(side), .flags = TCX_BEFORE,
	};

	return bpf_call(BPF_LINK_CREATE, &attr, sizeof attr);
}

bool kernel_tcx_is_at(uint32_t ifindex, enum tally_hook side, uint32_t link_id)
{
	uint32_t program_ids[TCX_LINKS_MAX] = { 0 }, link_ids[TCX_LINKS_MAX] = { 0 };
	struct tcx_query attr = {
		.ifindex = ifindex, .attach_type = tcx_type(side), .count = TCX_LINKS_MAX,
		.program_ids = (uintptr_t)program_ids, .link_ids = (uintptr_t)link_ids,
	};

	if (bpf_call(BPF_PROG_QUERY, &attr, sizeof attr) < 0)
		return false;
	for (uint32_t i = 0; i < attr.count && i < TCX_LINKS_MAX; i++)
		if (link_ids[i] == link_id)
			return true;
	return false;
}

uint32_t kernel_program_id(int program)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof info;

	return bpf_obj_get_info_by_fd(program, &info, &size) < 0 ? 0 : info.id;
}

int kernel_link_facts(int link, struct kernel_link_facts *ret)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof info;

	if (bpf_obj_get_info_by_fd(link, &info, &size) < 0)
		return -errno;
	/* struct tcx begins with the same field as struct xdp */
	*ret = (struct kernel_link_facts){ info.id, info.prog_id, info.xdp.ifindex };
	return 0;
}

int kernel_array(const char *name, uint32_t value_size, uint32_t count)
{
	int fd;
	KERNEL_OPTS(bpf_map_create_opts, opts);

	opts.map_flags = BPF_F_MMAPABLE;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, value_size, count, &opts);
	return fd < 0 ? -errno : fd;
}

/* Elements are padded to 8 bytes, the whole to pages (kernel/bpf/arraymap.c). */
static size_t array_bytes(uint32_t value_size, uint32_t count)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = ((size_t)value_size + 7) / 8 * 8 * count;

	return (bytes + page - 1) / page * page;
}

int kernel_array_map(int fd, uint32_t value_size, uint32_t count, bool write, void **ret)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof info;
	void *at;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || !(info.map_flags & BPF_F_MMAPABLE) || info.value_size != value_size ||
	    info.max_entries != count)
		return -EBADMSG;
	at = mmap(NULL, array_bytes(value_size, count), write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*ret = at;
	return 0;
}

void kernel_array_unmap(void *at, uint32_t value_size, uint32_t count)
{
	if (at)
		munmap(at, array_bytes(value_size, count));
}
