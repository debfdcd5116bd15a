/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_sinks.c -- the sections of sinks. */
#include "daemon/config_internal.h"

void config_load_sinks(struct config_loader *l, cfg_t *top)
{
	(void)l;
	(void)top;
}

void config_free_sinks(struct config *c)
{
	(void)c;
}
