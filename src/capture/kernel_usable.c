/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_usable.c -- can this process count in this kernel? Tried out, and said in words. */
#include "capture/kernel.h"

#include "capture/kernel_bpf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OLDEST "Linux 5.15 or later"

static const struct {
	unsigned bit;
	const char *name;
} wanted[] = {
	{ CAP_BPF, "CAP_BPF" }, { CAP_PERFMON, "CAP_PERFMON" }, { CAP_NET_ADMIN, "CAP_NET_ADMIN" },
};

/* CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON (include/linux/capability.h). */
static bool has(uint64_t effective, unsigned bit)
{
	if (bit != CAP_NET_ADMIN && effective >> CAP_SYS_ADMIN & 1)
		return true;
	return effective >> bit & 1;
}

static bool read_effective(uint64_t *ret)
{
	FILE *f = fopen("/proc/thread-self/status", "re");
	unsigned long long effective;
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f))
		found = sscanf(line, "CapEff: %llx", &effective) == 1;
	if (f)
		fclose(f);
	if (found)
		*ret = effective;
	return found;
}

/* "CAP_BPF and CAP_PERFMON"; "" = nothing is missing. */
static void missing(char *text, size_t size)
{
	uint64_t effective;
	size_t len = 0;

	text[0] = '\0';
	if (!read_effective(&effective))
		return;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (!has(effective, wanted[i].bit))
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " and " : "", wanted[i].name);
}

static int refuse(int code, struct err *e)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
		return err_set(e, -EPERM, "the kernel permits this process no BPF, though it has the capabilities: a container, "
			       "seccomp or lockdown forbids it");
	case -ENOSYS:
		return err_set(e, -EOPNOTSUPP, "this kernel has no BPF (CONFIG_BPF_SYSCALL)");
	case -EINVAL:
	case -E2BIG:
		return err_set(e, -EOPNOTSUPP, "this kernel is too old to count in: that needs " OLDEST);
	default:
		return err_errno(e, code, "cannot use BPF");
	}
}

int kernel_usable(struct err *e)
{
	struct kernel_quiet quiet;
	char lack[64];
	int code, fd;

	libbpf_set_print(NULL);
	missing(lack, sizeof lack);
	if (*lack)
		return err_set(e, -EPERM, "counting in the kernel needs %s: run as root, or give the program CAP_BPF, "
			       "CAP_PERFMON and CAP_NET_ADMIN", lack);
	code = kernel_quiet_open(&quiet);
	if (code < 0)
		return refuse(code, e);
	kernel_quiet_close(&quiet);
	fd = kernel_array("nt_usable", 8, 1);
	if (fd < 0)
		return refuse(fd, e);
	close(fd);
	fd = kernel_program_idle(false);
	if (fd < 0)
		return refuse(fd, e);
	close(fd);
	return 0;
}
