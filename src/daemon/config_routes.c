/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_routes.c -- the sections `routes`, `bmp` and `geo`. */
#include "daemon/config_internal.h"

void config_load_routes(struct config_loader *l, cfg_t *top)
{
	(void)l;
	(void)top;
}

void config_free_routes(struct config *c)
{
	(void)c;
}
