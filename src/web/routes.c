/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes.c -- the table of paths, and the plain replies. */
#include "web/routes.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *path; /* one that ends with '/' (but "/") takes whatever follows */
	int (*handle)(struct reply *ret, const struct request *r);
} routes[] = {
	{ "/", page_index },
	{ "/healthz", health_healthz },
	{ "/readyz", health_readyz },
	{ "/metrics", health_metrics },
	{ "/api/v1/accounts", api_accounts },
	{ "/api/v1/accounts/", api_account },
	{ "/api/v1/interfaces", api_interfaces },
	{ "/api/v1/audit", api_audit },
	{ "/api/v1/devices", api_devices },
	{ "/api/v1/devices/", api_devices },
	{ "/api/v1/status", api_status },
};

int route(struct reply *ret, const struct request *request)
{
	struct request r = *request;

	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		size_t len = strlen(routes[i].path);
		bool open = len > 1 && routes[i].path[len - 1] == '/';

		if (open ? strncmp(r.url->path, routes[i].path, len) != 0 : strcmp(r.url->path, routes[i].path) != 0)
			continue;
		r.rest = r.url->path + len;
		return routes[i].handle(ret, &r);
	}
	return reply_error(ret, 404, "no such page: there are /, /metrics, /healthz, /readyz, /api/v1/accounts, "
				     "/api/v1/accounts/NAME, /api/v1/interfaces, /api/v1/audit, /api/v1/devices, "
				     "/api/v1/devices/ADDRESS, /api/v1/status");
}

int reply_error(struct reply *ret, unsigned status, const char *sentence)
{
	FILE *to = open_memstream(&ret->body, &ret->body_len);

	if (!to)
		return -ENOMEM;
	fputs("{\"error\": ", to);
	json_string(to, sentence);
	fputs("}\n", to);
	ret->status = status;
	ret->type = "application/json";
	return fclose(to) == 0 ? 0 : -ENOMEM;
}

int reply_text(struct reply *ret, unsigned status, const char *text)
{
	ret->body = strdup(text);
	if (!ret->body)
		return -ENOMEM;
	ret->body_len = strlen(text);
	ret->status = status;
	ret->type = "text/plain; charset=utf-8";
	return 0;
}

int reply_written(struct reply *ret, const char *type, void (*write)(FILE *to, const struct snapshot *s),
		  const struct snapshot *s)
{
	FILE *to = open_memstream(&ret->body, &ret->body_len);

	if (!to)
		return -ENOMEM;
	write(to, s);
	ret->status = 200;
	ret->type = type;
	return fclose(to) == 0 ? 0 : -ENOMEM;
}
