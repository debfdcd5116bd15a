/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_status.c -- `nettally status`: asks the daemon, prints its answer. */
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/place.h"

#include <stdio.h>
#include <stdlib.h>

static const char status_help[] =
	"Usage: nettally status [--json] [--control PATH | --ledger FILE | -c FILE]\n"
	"The health of the running daemon in one page.\n"
	"\n"
	"  --json           everything, as one JSON object\n"
	"  --control PATH   the daemon's control socket (default: " CONTROL_PATH_DEFAULT ")\n"
	"  --ledger FILE    the daemon that writes this ledger (its socket is FILE.sock)\n"
	"  -c FILE          the daemon that runs with this config file\n"
	"\n"
	"Exit status: 0 a daemon answered, 1 none did, 2 the command line or config is wrong.\n"
	"\n"
	"Examples:\n"
	"  nettally status\n"
	"  nettally status --json | jq .problems\n";

int cmd_status(int argc, char **argv)
{
	struct place place = { 0 };
	struct err e = { 0 };
	char request[32], *answer;
	int json = 0, status;
	size_t len;

	status = place_options(&place, argc, argv, status_help, &json);
	if (status >= 0)
		return status;
	snprintf(request, sizeof request, "status %s", place_style(json));
	if (control_ask(place.control, request, &answer, &len, &e) < 0)
		return fail(EXIT_FAILED, "status", &e);
	status = fwrite(answer, 1, len, stdout) == len && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
	free(answer);
	return status;
}
