/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place.c -- see place.h. */
#include "cli/place.h"

#include "cli/commands.h"
#include "cli/control_client.h"
#include "daemon/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int from_config(struct place *p, struct err *e)
{
	struct config *c = NULL;
	int r = config_load(&c, p->config_option, stderr, e);

	if (r < 0)
		return r;
	snprintf(p->ledger, sizeof p->ledger, "%s", c->ledger_path);
	if (c->control_path[0])
		snprintf(p->control, sizeof p->control, "%s", c->control_path);
	else if (c->ledger_path[0])
		snprintf(p->control, sizeof p->control, "%.250s.sock", c->ledger_path);
	config_free(&c);
	return 0;
}

int place_find(struct place *p, struct err *e)
{
	snprintf(p->control, sizeof p->control, "%s", CONTROL_PATH_DEFAULT);
	snprintf(p->ledger, sizeof p->ledger, "%s", CONFIG_LEDGER_DEFAULT);
	if (p->config_option) {
		int r = from_config(p, e);

		if (r < 0)
			return r;
	}
	if (p->ledger_option) {
		if (strlen(p->ledger_option) > 250)
			return err_set(e, -EINVAL, "--ledger: the path is too long");
		snprintf(p->ledger, sizeof p->ledger, "%s", p->ledger_option);
		snprintf(p->control, sizeof p->control, "%s.sock", p->ledger_option);
	}
	if (p->control_option) {
		if (strlen(p->control_option) >= sizeof p->control)
			return err_set(e, -EINVAL, "--control: the path is too long");
		snprintf(p->control, sizeof p->control, "%s", p->control_option);
	}
	return 0;
}

int place_options(struct place *p, int argc, char **argv, const char *help, int *ret_json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },      { "control", required_argument, NULL, 'C' },
		{ "ledger", required_argument, NULL, 'l' }, { "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },      { NULL, 0, NULL, 0 },
	};
	struct err e = { 0 };
	int o;

	opterr = 0;
	optind = 0; /* glibc: start anew, argv[0] is the command's name */
	while ((o = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		switch (o) {
		case 'j': *ret_json = 1; break;
		case 'C': p->control_option = optarg; break;
		case 'l': p->ledger_option = optarg; break;
		case 'c': p->config_option = optarg; break;
		case 'h': fputs(help, stdout); return EXIT_OK;
		case ':': return usage_error(argv[0], "%s needs a value", argv[optind - 1]);
		default: return usage_error(argv[0], "unknown option %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage_error(argv[0], "unknown argument '%s'", argv[optind]);
	return place_find(p, &e) < 0 ? fail(EXIT_USAGE, argv[0], &e) : -1;
}

const char *place_style(int json)
{
	const char *no_colour = getenv("NO_COLOR");

	if (json)
		return "json";
	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) ? "colour" : "text";
}
