/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{ "read", "accounts capture files, prints, exits", cmd_read },
	{ "query", "sums of an account from the ledger", cmd_query },
	{ "status", "the daemon's health in one page", cmd_status },
	{ "audit", "do the books close?", cmd_audit },
	{ "check", "errors of a config file, with file and line", cmd_check },
	{ "interfaces", "what there is to count on", cmd_interfaces },
};

int fail(int status, const char *what, const struct err *e)
{
	fprintf(stderr, "nettally: %s: %s\n", what, e->msg);
	return status;
}

int usage_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "nettally: %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry: nettally %s --help\n", command);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return EXIT_USAGE;
}
