/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_reports.c -- the section `reports`. */
#include "daemon/config_internal.h"

void config_load_reports(struct config_loader *l, cfg_t *top)
{
	(void)l;
	(void)top;
}

void config_free_reports(struct config *c)
{
	(void)c;
}
