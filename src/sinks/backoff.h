/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backoff.h -- how long to wait before the next try: twice as long each time, up to a minute, and never all at once. */
#ifndef NETTALLY_SINKS_BACKOFF_H
#define NETTALLY_SINKS_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_MOST_MS 60000u

struct backoff {
	unsigned failures; /* since the last success */
};

/* One more failure: milliseconds to wait, between half and all of 1 s, 2 s, 4 s ... 60 s, by `random`. */
static inline uint32_t backoff_next(struct backoff *b, uint32_t random)
{
	uint32_t whole = b->failures < 6 ? BACKOFF_FIRST_MS << b->failures : BACKOFF_MOST_MS;

	b->failures++;
	if (whole > BACKOFF_MOST_MS)
		whole = BACKOFF_MOST_MS;
	return whole / 2 + random % (whole / 2 + 1);
}

static inline void backoff_clear(struct backoff *b)
{
	b->failures = 0;
}

#endif
