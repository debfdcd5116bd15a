/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_client.h -- asks a running daemon: one line there, the whole answer back. Waits 10 s
 * at most. */
#ifndef NETTALLY_CLI_CONTROL_CLIENT_H
#define NETTALLY_CLI_CONTROL_CLIENT_H

#include "base/err.h"

#include <stddef.h>

#define CONTROL_PATH_DEFAULT "/run/nettally/control.sock"

/* *ret_answer is the caller's to free(). -ENOENT, -ECONNREFUSED: no daemon there (the sentence
 * says how to start one); -EACCES: which group may ask. */
int control_ask(const char *path, const char *request, char **ret_answer, size_t *ret_len, struct err *e);

/* An answer of lines, of any length, handed out one by one without their ends; the last must be "# end ..." (not handed
 * out), else the answer was cut short: -EPROTO. `line` ends it with a negative value, which is returned. */
int control_ask_lines(const char *path, const char *request, int (*line)(void *arg, char *line), void *arg, struct err *e);

#endif
