/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_reports.h -- the section `reports` as it was written: where to listen, and the secrets of the files that it names.
 * Thread: the loader's; read-only afterwards. */
#ifndef NETTALLY_DAEMON_CONFIG_REPORTS_H
#define NETTALLY_DAEMON_CONFIG_REPORTS_H

#include "daemon/config.h"
#include "reports/keys.h"

struct config_report_secret {
	char name[KEY_NAME_MAX];       /* of the section `key` */
	char path[256];
	struct key_secret secret;
};

struct config_reports {
	char address[ADDR_TEXT_MAX];   /* "" = all, of either family */
	uint16_t port;                 /* 0 = a free one */
	struct config_report_secret *secrets;
	size_t secret_count;
	struct key_secret *trafstat;   /* NULL = the old protocol is not spoken */
};

/* The secrets as keys, for a receiver. */
int config_reports_keys(struct keys **ret, const struct config_reports *r, struct err *e);

#endif
