/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privileges.h -- gives up what counting does not need, before the first foreign byte is read.
 *
 * Keeps CAP_NET_RAW and CAP_NET_ADMIN (an interface that comes back needs a new socket, and
 * promiscuous mode), as far as the process has them; everything else goes, from the bounding set
 * too, and no_new_privs is set. Then a seccomp filter lets only those system calls through that
 * the daemon uses (others fail with EPERM). Call before any thread is started: both hold for the
 * calling thread and what it starts. */
#ifndef NETTALLY_DAEMON_PRIVILEGES_H
#define NETTALLY_DAEMON_PRIVILEGES_H

#include "base/err.h"

/* `user` "" = stay who we are. */
int privileges_drop(const char *user, struct err *e);
int privileges_filter_calls(struct err *e);

#endif
