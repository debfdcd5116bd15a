/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privileges.h -- gives up what counting does not need, before the first foreign byte is read.
 *
 * Keeps CAP_NET_RAW and CAP_NET_ADMIN (an interface that comes back needs a new socket, and
 * promiscuous mode), CAP_BPF and CAP_PERFMON (a reload loads programs), as far as the process has
 * them; everything else goes, from the bounding set too, and no_new_privs is set. Then a seccomp
 * filter lets only those system calls through that the daemon uses (others fail with EPERM). Call
 * before any thread is started: both hold for the calling thread and what it starts. */
#ifndef NETTALLY_DAEMON_PRIVILEGES_H
#define NETTALLY_DAEMON_PRIVILEGES_H

#include "base/err.h"

/* Before the drop: hands what is pinned in `dir` to the user that we become, and lets him come there (a bpffs is
 * often closed to all but root). Does nothing without a user, for another than root, or where `dir` is not. */
int privileges_give_pins(const char *user, const char *dir, struct err *e);
/* `user` "" = stay who we are. */
int privileges_drop(const char *user, struct err *e);
int privileges_filter_calls(struct err *e);

#endif
