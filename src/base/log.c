/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c -- one write(2) per line, so that lines of several threads do not mix. */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define LIMIT_INTERVAL_NS (60 * NS_PER_S)

static _Atomic enum log_level level_most = LOG_LEVEL_INFO; /* the process has one standard error, and one level */

void log_set_level(enum log_level most)
{
	level_most = most;
}

/* JOURNAL_STREAM names the device and inode of the journal's socket (systemd.exec(5)); standard
 * error may since have been redirected elsewhere. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return text && sscanf(text, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
}

/* Foreign text (a name, a path) must not start a line of its own, nor speak to a terminal. */
static void make_printable(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	int start, len;
	va_list ap;

	if (level > level_most)
		return;
	if (stderr_is_journal())
		start = snprintf(line, sizeof line, "<%d>", (int)level);
	else
		start = snprintf(line, sizeof line, "nettally: ");
	va_start(ap, fmt);
	len = vsnprintf(line + start, sizeof line - (size_t)start, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	len += start;
	if ((size_t)len > sizeof line - 1)
		len = sizeof line - 1;
	make_printable(line + start, (size_t)(len - start));
	line[len++] = '\n'; /* in place of the terminating zero */
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return; /* nowhere left to say so */
}

int log_limit_pass(struct log_limit *l, int64_t now_monotonic_ns, uint64_t *ret_left_out)
{
	if (now_monotonic_ns < l->next_ns) {
		l->left_out++;
		return 0;
	}
	*ret_left_out = l->left_out;
	l->left_out = 0;
	l->next_ns = now_monotonic_ns + LIMIT_INTERVAL_NS;
	return 1;
}
