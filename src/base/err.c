/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		va_list ap;

		e->code = code;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
	}
	return code;
}

int err_errno(struct err *e, int code, const char *fmt, ...)
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
	return code;
}

int err_prefix(struct err *e, int code, const char *fmt, ...)
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
	return code;
}
