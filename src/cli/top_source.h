/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_source.h -- where `nettally top` gets its numbers: a running daemon, a daemon of its own that lives as long as it does,
 * or capture files second by second. */
#ifndef NETTALLY_CLI_TOP_SOURCE_H
#define NETTALLY_CLI_TOP_SOURCE_H

#include "base/err.h"
#include "cli/top_view.h"

#define TOP_VIEWS_MAX 32

struct top_facts {
	char title[64];            /* where this is from */
	int64_t now_utc_s, started_utc_s;
	uint64_t lost, unaccounted, overflowed;
	uint64_t entries, limit;   /* of the grain table */
	bool ended;                /* a file is at its end */
};

struct top_source;

struct top_source_ops {
	/* The accounts, opened; the caller's to close. */
	int (*views)(struct top_source *s, struct top_view views[static TOP_VIEWS_MAX], size_t *ret_count, struct err *e);
	/* A second went by, for those that do not live in real time; NULL = nothing to do. `views` are brought up to date. */
	int (*advance)(struct top_source *s, struct top_view *views, size_t count, struct err *e);
	/* Brings one up to date; NULL = advance() did. */
	int (*poll)(struct top_source *s, struct top_view *v, struct err *e);
	void (*facts)(struct top_source *s, struct top_facts *ret);
	void (*close)(struct top_source **s);
};

struct top_source {
	const struct top_source_ops *ops;
};

/* A daemon that answers at `control`. */
int top_daemon_open(struct top_source **ret, const char *control, struct err *e);
/* A daemon of its own on these interfaces: needs what `nettally run` needs. Its ledger is a temporary one. */
int top_own_open(struct top_source **ret, const char *const *interfaces, size_t count, struct err *e);
/* Capture files, one second of theirs at each advance(). */
int top_files_open(struct top_source **ret, char *const *files, size_t count, struct err *e);

#endif
