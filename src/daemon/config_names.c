/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_names.c -- the section `names`. */
#include "daemon/config_internal.h"

void config_load_names(struct config_loader *l, cfg_t *top)
{
	(void)l;
	(void)top;
}

void config_free_names(struct config *c)
{
	(void)c;
}
