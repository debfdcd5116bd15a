/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detach.h -- ends counting in the kernel and removes all that is pinned: for one ledger, or for every ledger
 * below a folder of pins, also of a daemon that is not installed any more.
 *
 * For each ledger: takes its lock (a running daemon keeps it), books what is still in the tables, takes the
 * programs off, removes the pins. Needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN. Thread: any, as long as it runs. */
#ifndef NETTALLY_DAEMON_DETACH_H
#define NETTALLY_DAEMON_DETACH_H

#include "daemon/leftovers.h"

struct detach_options {
	const char *pins;    /* folder; one that is not there: nothing is attached */
	const char *ledger;  /* NULL = every ledger below pins */
	bool discard;        /* book nothing */
};

struct detached {
	const char *interface;
	const char *ledger;  /* "" = its tables did not say */
	bool gone;           /* there is no such ledger any more */
	struct leftovers_sum sum;
};

struct detach_report {
	void (*detached)(void *arg, const struct detached *d);
	void (*failed)(void *arg, const struct err *e); /* one interface or ledger; the others go on */
	void *arg;
};

/* Returns the number of interfaces that were counted, or the first failure (each was reported, and so was *e). */
int detach_all(const struct detach_options *o, const struct detach_report *r, struct err *e);

#endif
