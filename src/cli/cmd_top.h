/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_top.h -- the live view, for `read --top`. */
#ifndef NETTALLY_CLI_CMD_TOP_H
#define NETTALLY_CLI_CMD_TOP_H

#include <stdbool.h>
#include <stddef.h>

/* Files by their own time; `once`: a page of their end, as text. Returns the exit status. */
int top_files(char *const *files, size_t count, bool once);

#endif
