/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void err_set_sentence(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		va_list ap;

		e->code = code;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
	}
}

void err_set_errno(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		size_t used;

		e->code = code;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
		used = strlen(e->msg);
		snprintf(e->msg + used, sizeof e->msg - used, ": %s", strerror(-code));
	}
}

void err_set_prefix(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		struct err old = *e;
		va_list ap;
		size_t used;

		e->code = code;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
		used = strlen(e->msg);
		snprintf(e->msg + used, sizeof e->msg - used, ": %s", old.msg);
	}
}
