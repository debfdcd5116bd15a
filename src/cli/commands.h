/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.h -- the table of subcommands. Each takes its own argv (argv[0] = its name) and
 * returns the exit status: 0 all well, 1 it failed, 2 the command line or config is wrong.
 * Errors go to standard error as "nettally: what: why". */
#ifndef NETTALLY_CLI_COMMANDS_H
#define NETTALLY_CLI_COMMANDS_H

#include "base/err.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
	const char *name;
	const char *summary;   /* one line of `nettally --help` */
	int (*run)(int argc, char **argv);
};

int cmd_run(int argc, char **argv);
int cmd_read(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_devices(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_routes(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_sinks(int argc, char **argv);
int cmd_interfaces(int argc, char **argv);
int cmd_detach(int argc, char **argv);

/* "nettally: what: why" on standard error; returns `status`. */
int fail(int status, const char *what, const struct err *e);
int usage_error(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
