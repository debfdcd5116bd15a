/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h -- lines to standard error; with "<N>" priorities where journald reads them
 * (JOURNAL_STREAM).
 *
 * Only daemon/ and cli/ log. log_limited() prints one line per interval for the same place, then
 * how many it left out. Thread: any. */
#ifndef NETTALLY_BASE_LOG_H
#define NETTALLY_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_set_level(enum log_level most);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)

/* State of one place that repeats itself. */
struct log_limit {
	int64_t next_ns;
	uint64_t left_out;
};
/* True when the place may print now (once a minute); *ret_left_out says how many were swallowed. */
int log_limit_pass(struct log_limit *l, int64_t now_monotonic_ns, uint64_t *ret_left_out);

#endif
