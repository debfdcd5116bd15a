/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.h -- for tests of "a kill at any instant": ends the process, at once as by SIGKILL, at a named step; exit status 137.
 *
 * NETTALLY_FAULT=STEP:N in the environment kills at the Nth time that fault_point("STEP") is passed. Only in
 * builds with -Dfaults=true; otherwise nothing is compiled. Thread: any. */
#ifndef NETTALLY_BASE_FAULT_H
#define NETTALLY_BASE_FAULT_H

#ifdef NETTALLY_FAULTS
void fault_point(const char *step);
#else
static inline void fault_point(const char *step)
{
	(void)step;
}
#endif

#endif
