/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place.h -- where the daemon and its ledger are, by the options that `status`, `audit` and
 * `query` share. */
#ifndef NETTALLY_CLI_PLACE_H
#define NETTALLY_CLI_PLACE_H

#include "base/err.h"

struct place {
	const char *control_option, *ledger_option, *config_option; /* --control, --ledger, -c; NULL = not given */
	char control[256]; /* may be too long for a socket: connecting says so */
	char ledger[256];
};

/* Fills in `control` and `ledger` from the options, the config file and the defaults, in this
 * order. -EINVAL: the config is wrong (its mistakes are printed). */
int place_find(struct place *p, struct err *e);

/* Options --json, --control PATH, --ledger FILE, -c FILE, --help. Returns -1 to go on, else the
 * exit status. */
int place_options(struct place *p, int argc, char **argv, const char *help, int *ret_json);

/* "json", "colour" or "text", for what standard output is. */
const char *place_style(int json);

#endif
