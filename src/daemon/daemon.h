/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.h -- the life of `nettally run`: open, give up privileges, start, loop, book all, end. */
#ifndef NETTALLY_DAEMON_DAEMON_H
#define NETTALLY_DAEMON_DAEMON_H

#include "base/err.h"
#include "daemon/config.h"

struct daemon_options {
	const char *config_path;   /* NULL = none; SIGHUP reads it again */
	struct config *config;     /* taken */
	/* The command line's words, again after a reload; NULL = none. */
	void (*override)(void *arg, struct config *c, struct err *e);
	void *arg;
};

struct daemon_ended {
	int64_t started_utc_s;
	bool interrupted;          /* SIGINT */
	char ledger_path[256];
};

/* Returns when it was told to end and everything is booked: 0; or why it could not start or go
 * on. */
int daemon_run(struct daemon_options *o, struct daemon_ended *ret, struct err *e);

#endif
