/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_answer.h -- one request line of the control socket to its answer. Thread: any. */
#ifndef NETTALLY_DAEMON_CONTROL_ANSWER_H
#define NETTALLY_DAEMON_CONTROL_ANSWER_H

#include "base/slice.h"
#include "model/snapshot.h"

/* `line` without its line end; blanks around and between the words do not matter. `s` NULL: the
 * daemon is starting. An unknown line is answered with "error: ...". *ret is the caller's to
 * free(); 0 or -ENOMEM. */
int control_answer(char **ret, size_t *ret_len, struct slice line, const struct snapshot *s);

#endif
