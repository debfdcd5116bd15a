/* SPDX-License-Identifier: GPL-2.0-or-later */
/* url.h -- a request target as the client sent it, to a path and parameters (RFC 3986, and '+'
 * for a blank in the query, as forms write it). Limits: URL_BYTES_MAX, URL_PARAMS_MAX. Thread:
 * any. */
#ifndef NETTALLY_WEB_URL_H
#define NETTALLY_WEB_URL_H

#include "base/err.h"
#include "base/slice.h"

#define URL_BYTES_MAX 4096
#define URL_PARAMS_MAX 48

struct url {
	const char *path; /* decoded, begins with '/' */
	struct {
		const char *name, *value; /* decoded; value "" where there was no '=' */
	} params[URL_PARAMS_MAX];
	unsigned param_count;
	char text[URL_BYTES_MAX]; /* what the pointers point into: do not copy the struct */
};

/* -ENAMETOOLONG; -EINVAL: a bad escape, an encoded NUL or '/' in the path, no '/' at the front;
 * -E2BIG: too many parameters. */
int url_parse(struct url *ret, struct slice target, struct err *e);

#endif
