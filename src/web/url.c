/* SPDX-License-Identifier: GPL-2.0-or-later */
/* url.c -- see url.h. Decoding never makes text longer, so it is done in place in the copy. */
#include "web/url.h"

#include <errno.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

/* NULL on a bad escape. */
static const char *decode(char *text, bool in_query)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		int high, low;

		if (*at == '+' && in_query) {
			*to++ = ' ';
			continue;
		}
		if (*at != '%') {
			*to++ = *at;
			continue;
		}
		high = hex_digit(at[1]);
		low = high < 0 ? -1 : hex_digit(at[2]);
		if (low < 0 || (high == 0 && low == 0))
			return NULL;
		*to = (char)(high << 4 | low);
		if (*to == '/' && !in_query) /* would change what the path means */
			return NULL;
		to++;
		at += 2;
	}
	*to = '\0';
	return text;
}

static int add_param(struct url *u, char *pair, struct err *e)
{
	char *equals = strchr(pair, '=');
	const char *name, *value;

	if (*pair == '\0')
		return 0;
	if (u->param_count == URL_PARAMS_MAX)
		return err_set(e, -E2BIG, "more than %d parameters", URL_PARAMS_MAX);
	if (equals)
		*equals = '\0';
	name = decode(pair, true);
	value = equals ? decode(equals + 1, true) : "";
	if (!name || !value)
		return err_set(e, -EINVAL, "a bad %%-escape in the query");
	u->params[u->param_count].name = name;
	u->params[u->param_count++].value = value;
	return 0;
}

int url_parse(struct url *u, struct slice target, struct err *e)
{
	char *query, *next;

	u->param_count = 0;
	if (target.len >= sizeof u->text)
		return err_set(e, -ENAMETOOLONG, "the URL is too long: at most %zu bytes", sizeof u->text - 1);
	if (target.len == 0 || target.at[0] != '/' || memchr(target.at, '\0', target.len))
		return err_set(e, -EINVAL, "the path must begin with /");
	memcpy(u->text, target.at, target.len);
	u->text[target.len] = '\0';
	u->text[strcspn(u->text, "#")] = '\0';
	query = strchr(u->text, '?');
	if (query)
		*query++ = '\0';
	u->path = decode(u->text, false);
	if (!u->path)
		return err_set(e, -EINVAL, "a bad %%-escape in the path");
	for (; query; query = next) {
		int r;

		next = strchr(query, '&');
		if (next)
			*next++ = '\0';
		r = add_param(u, query, e);
		if (r < 0)
			return r;
	}
	return 0;
}
