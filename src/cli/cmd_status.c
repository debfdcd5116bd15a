/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/commands.h"

int cmd_status(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return EXIT_FAILED;
}
