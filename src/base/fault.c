/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fault.h"

#ifdef NETTALLY_FAULTS
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fault_point(const char *step)
{
	static atomic_uint passed;
	const char *wanted = getenv("NETTALLY_FAULT");
	size_t len = strlen(step);

	if (!wanted || strncmp(wanted, step, len) != 0 || wanted[len] != ':')
		return;
	if (atomic_fetch_add(&passed, 1) + 1 == (unsigned)atoi(wanted + len + 1))
		_exit(137); /* at once, as by SIGKILL; kill(2) is not in the daemon's seccomp filter */
}
#endif
