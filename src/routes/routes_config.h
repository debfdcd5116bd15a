/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_config.h -- what the config says of routes: views, the BMP station, the geo files. Data only; filled by the
 * config's loader, read-only afterwards. */
#ifndef NETTALLY_ROUTES_ROUTES_CONFIG_H
#define NETTALLY_ROUTES_ROUTES_CONFIG_H

#include "base/prefix.h"
#include "routes/bmp_router.h"
#include "routes/geo_groups.h"

#define ROUTES_NAME_MAX 33
#define ROUTES_PATH_MAX 256
#define ROUTES_VIEWS_MAX 64
#define BMP_MEMORY_DEFAULT (UINT64_C(2) << 30)

struct routes_view {
	char name[ROUTES_NAME_MAX];
	char mrt[ROUTES_PATH_MAX];  /* "" = none: then `router` */
	struct addr router;         /* who may connect by BMP; ADDR_NONE = nobody */
	enum bmp_table table;
	struct prefix_set serves;
	bool is_default;
};

/* An interface whose packets are attributed by this view. */
struct routes_interface {
	char interface[64];
	char view[ROUTES_NAME_MAX];
};

struct routes_config {
	struct routes_view *views;
	size_t view_count;
	struct routes_interface *interfaces;
	size_t interface_count;
	struct {
		bool on;
		char address[ADDR_TEXT_MAX];
		uint16_t port;          /* 0 = a free one */
		uint64_t memory_bytes;  /* of all routers together */
	} bmp;
	char country[ROUTES_PATH_MAX];  /* "" = none */
	char as_names[ROUTES_PATH_MAX];
	struct geo_groups groups;
};

void routes_config_free(struct routes_config *c);
int routes_config_copy(struct routes_config *ret, const struct routes_config *c); /* 0 or -ENOMEM */
/* Of views: the one of that name, or NULL. */
const struct routes_view *routes_config_find(const struct routes_config *c, const char *name);

#endif
