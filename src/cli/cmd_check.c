/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_check.c -- `nettally check`: all mistakes of a config file, as FILE:LINE: message lines
 * that editors understand. */
#include "cli/commands.h"

#include "daemon/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define CONFIG_PATH_DEFAULT "/etc/nettally/nettally.conf"

static void print_help(void)
{
	puts("Usage: nettally check [-c FILE]\n"
	     "Reads a configuration file as the daemon would, and says what is wrong with it,\n"
	     "each mistake as FILE:LINE: message.\n"
	     "\n"
	     "  -c, --config FILE  the file (default: " CONFIG_PATH_DEFAULT ")\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0 it can be used, 2 it has mistakes.\n"
	     "Example: nettally check -c /etc/nettally/nettally.conf && systemctl reload nettally");
}

static bool counts_packets(const struct config *c)
{
	for (size_t i = 0; i < c->account_count; i++)
		if (!account_has_deliveries(c->accounts[i]))
			return true;
	return c->account_count == 0;
}

static void print_summary(const char *path, const struct config *c)
{
	printf("%s: OK\n", path);
	printf("accounts:");
	for (size_t i = 0; i < c->account_count; i++)
		printf("%s %s", i ? "," : "", c->accounts[i]->name);
	printf("%s; interfaces:", c->accounts_default ? " (the default ones)" : "");
	for (size_t i = 0; i < c->interface_count; i++)
		printf("%s %s", i ? "," : "", c->interfaces[i].name);
	puts(c->interface_count ? "" : counts_packets(c) ? " the one of the default route" : " none");
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	const char *path = CONFIG_PATH_DEFAULT;
	struct config *c = NULL;
	struct err e = { 0 };
	int option, r;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return EXIT_OK;
		}
		if (option == ':')
			return usage_error("check", "%s needs a file", argv[optind - 1]);
		if (option != 'c')
			return usage_error("check", "unknown option %s", argv[optind - 1]);
		path = optarg;
	}
	if (optind < argc)
		return usage_error("check", "'%s': the file goes behind -c", argv[optind]);
	r = config_load(&c, path, stderr, &e);
	if (r < 0)
		return r == -EINVAL ? EXIT_USAGE : fail(EXIT_FAILED, "check", &e);
	print_summary(path, c);
	config_free(&c);
	if (fflush(stdout) != 0)
		return fail(EXIT_FAILED, "standard output", &(struct err){ .msg = "cannot be written" });
	return EXIT_OK;
}
