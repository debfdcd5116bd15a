/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h -- the two clocks, as fields, so that tests hand in theirs. Thread: any. */
#ifndef NETTALLY_BASE_CLOCK_H
#define NETTALLY_BASE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t (*utc_ns)(void *arg);       /* CLOCK_REALTIME: may step either way */
	int64_t (*monotonic_ns)(void *arg); /* CLOCK_MONOTONIC: never steps */
	void *arg;
};

/* The machine's own clocks. */
struct clock clock_system(void);

#define NS_PER_S 1000000000LL

/* Floors for negative times too. */
static inline int64_t ns_to_s(int64_t ns)
{
	return ns >= 0 ? ns / NS_PER_S : -((-ns + NS_PER_S - 1) / NS_PER_S);
}

/* The start of the window of `length_s` that holds `utc_s`; windows are aligned to UTC. */
static inline int64_t window_start(int64_t utc_s, uint32_t length_s)
{
	int64_t rest = utc_s % (int64_t)length_s;

	return utc_s - (rest < 0 ? rest + (int64_t)length_s : rest);
}

#endif
