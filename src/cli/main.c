/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c -- the table of subcommands. */
#include "cli/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{ "run", "counts live traffic: the daemon", cmd_run },
	{ "read", "accounts capture files, prints, exits", cmd_read },
	{ "query", "sums of an account from the ledger", cmd_query },
	{ "top", "who moves how much right now, live", cmd_top },
	{ "devices", "who was seen: names, vendors, addresses", cmd_devices },
	{ "status", "the daemon's health in one page", cmd_status },
	{ "audit", "do the books close?", cmd_audit },
	{ "check", "errors of a config file, with file and line", cmd_check },
	{ "rules", "rules of a file: mistakes, sizes, equal ones", cmd_rules },
	{ "routes", "what an address belongs to: prefix, AS path, country", cmd_routes },
	{ "sinks", "what there is to copy the ledger to, and how it goes", cmd_sinks },
	{ "report", "tells a daemon of deliveries to clients, for scripts", cmd_report },
	{ "interfaces", "what there is to count on", cmd_interfaces },
	{ "detach", "ends counting in the kernel without a daemon", cmd_detach },
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
	fprintf(stderr, " (nettally %s --help)\n", command);
	return EXIT_USAGE;
}

static void print_help(FILE *to)
{
	fputs("Usage: nettally COMMAND [OPTIONS]\n"
	      "Network traffic accounting: who moved how many packets and bytes, to and from where.\n\n", to);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(to, "  %-12s%s\n", commands[i].name, commands[i].summary);
	fputs("\nnettally COMMAND --help shows its options and examples; nettally --version the version.\n"
	      "Manual pages: nettally(1), nettally.conf(5), nettally-ledger(5).\n", to);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		puts("nettally " NETTALLY_VERSION);
		return EXIT_OK;
	}
	if (*word)
		fprintf(stderr, "nettally: %s: there is no such command\n", word);
	print_help(stderr);
	return EXIT_USAGE;
}
