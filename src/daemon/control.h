/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h -- the control socket: a unix stream socket on the main loop, mode 0660, root and
 * one group only.
 *
 * A client sends one line ("status json", "status text", "status colour", "audit json", "audit
 * text", "audit colour") and gets the answer, then end of file; an unknown line gets "error:
 * ..." . Limits: 32 clients (one more, and the oldest goes), 4096 bytes a request, 5 s from connect to
 * the end of the request, 10 s to take the answer; who is over is closed and counted. Never blocks the loop. Thread: the
 * main loop's. */
#ifndef NETTALLY_DAEMON_CONTROL_H
#define NETTALLY_DAEMON_CONTROL_H

#include "base/err.h"
#include "base/loop.h"
#include "base/slice.h"
#include "model/snapshot.h"

#include <stdio.h>

struct control;

/* Binds `path` (a stale socket that nobody answers is replaced; a live one gives -EADDRINUSE).
 * `group` "" = none. */
int control_open(struct control **ret, struct loop *loop, struct snapshot_box *box, const char *path, const char *group,
		 struct err *e);
/* Who is asked before the lines above are looked at: writes the answer to `to`; false: it is not meant. */
void control_set_asked(struct control *c, bool (*ask)(void *arg, struct slice line, FILE *to), void *arg);
/* Requests besides status and audit, by their first word; the answer is made piece by piece as the client takes it, so that
 * it may be of any length. 32 KiB or so a piece; each piece has the time that an answer has. */
struct control_stream {
	int (*next)(void *arg, FILE *to); /* 1 = there is more, 0 = that was the end, negative: the connection is closed */
	void (*close)(void *arg);         /* always called once */
	void *arg;
};
struct control_words {
	const char *word;
	/* `line` is the whole request. What is wrong with it is an answer, too: "error: ...". 0 or -ENOMEM. */
	int (*ask)(void *arg, struct slice line, struct control_stream *ret);
};
int control_add_words(struct control *c, const struct control_words *w, void *arg); /* -ENOSPC: there are too many */

/* A socket that asks nothing: who connects is told `tell`'s text, then end of file. Limits and modes as above. */
struct control_teller {
	const char *path, *group;
	/* *ret is the callee's to free(); `s` NULL: the daemon is starting. 0 or -ENOMEM. */
	int (*tell)(void *arg, char **ret, size_t *ret_len, struct snapshot *s);
	void *arg;
};
int control_open_teller(struct control **ret, struct loop *loop, struct snapshot_box *box, const struct control_teller *t,
			struct err *e);
/* Another group for a socket that is open. */
int control_set_group(struct control *c, const char *group, struct err *e);
uint64_t control_dropped(const struct control *c); /* clients that were over a limit or went away */
void control_close(struct control **c); /* unlinks the path */

#endif
