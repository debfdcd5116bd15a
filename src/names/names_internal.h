/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names_internal.h -- the state of names, and what its files say to each other: names.c (opening, asking from outside),
 * names_which.c (which name holds, and what is news), names_files.c (files, again when they change), names_thread.c. */
#ifndef NETTALLY_NAMES_NAMES_INTERNAL_H
#define NETTALLY_NAMES_NAMES_INTERNAL_H

#include "names/file_text.h"
#include "names/known.h"
#include "names/names.h"
#include "names/oui.h"
#include "names/places.h"
#include "names/resolver.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUTER_HOLDS 16         /* a device with more addresses is a router: they have no name of it */
#define LEARNT_MAX (1u << 17)   /* that wait to be taken; the rest is told by a later sweep */
#define GRACE_S 120             /* after the start: that a name is gone is not said before */

/* One file that is watched. */
struct watched {
	struct file_mark mark;
	unsigned restless;      /* looks in a row that found it changed */
	bool unread, failed;    /* what it says now was not read yet; a failure was said */
};

struct names_counts {
	uint64_t asked, found, none, refused, failed, silent, reread, unreadable;
};

struct names {
	pthread_mutex_t lock;          /* of all that stands up to the line */
	struct names_config cf;        /* its `given` is not used */
	struct known *given, *leases, *hosts;
	struct places *places;
	struct learnt *learnt;
	size_t learnt_count, learnt_room;
	struct names_counts counts;
	bool reopen;                   /* another configuration came: the thread looks */
	bool sweep;                    /* all names are to be looked at */
	bool is_down;                  /* the resolver does not answer */
	/* ---- */
	struct oui *oui;               /* read-only; NULL = none */
	void (*say)(void *arg, const char *text);
	void *arg;
	int64_t started_s;             /* monotonic */
	pthread_t thread;
	bool started;
	atomic_bool stop;
	int wake_fd;
	/* the thread's own */
	struct names_config mine;      /* as it is working */
	struct watched lease_files[NAMES_LEASES_MAX], hosts_file, resolv_conf;
	struct resolver *resolver;
	int epoll_fd, neighbours_fd;
	uint32_t sweep_at;             /* UINT32_MAX = none under way */
	int64_t next_look_ns, next_sweep_ns;
};

int64_t names_utc_s(void);
int64_t names_monotonic_ns(void);

/* names_which.c; under the lock */
/* NULL: none. Valid until the tables change. */
const char *names_which(struct names *n, const struct addr *key, enum name_source *ret);
/* Whatever is news about it becomes something learnt. */
void names_tell(struct names *n, struct place *p);
void names_tell_device(struct names *n, uint64_t mac);
uint64_t names_fingerprint(const char *name, enum name_source s);

/* names_files.c */
/* 0 or why not; what is not there is no error with `lenient`. */
int names_read_leases(const struct names_config *cf, struct known **ret, bool lenient, struct err *e);
int names_read_hosts(const struct names_config *cf, struct known **ret, bool lenient, struct err *e);
int names_read_given(const struct names_config *cf, struct known **ret, struct err *e);
void names_look_at_files(struct names *n);   /* the thread's: reads again what has changed and come to rest */
void names_mark_files(struct names *n, bool unread); /* as they are now is what was read; `unread`: perhaps */

/* names_thread.c */
void *names_run(void *arg);
uint32_t names_holds_for_s(enum answer a, uint32_t ttl_s, uint8_t failures);

#endif
