/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine.h -- the configured sinks at work: a thread each, which reads the ledger, writes to the target, and keeps the cursor.
 *
 * Nothing waits for a sink. A target that is away is tried again after a wait that doubles up to a minute; what it refuses for
 * good is set aside, window by window. The cursor moves only once the target has said that it has the rows; where it can
 * keep the cursor itself, in one transaction with them, its word counts. Thread: sinks_start() to sinks_close() one; the
 * host's functions are called on the sinks' threads. Never logs: the host says. */
#ifndef NETTALLY_SINKS_ENGINE_H
#define NETTALLY_SINKS_ENGINE_H

#include "ledger/windows.h"
#include "sinks/sink.h"

#include <stdatomic.h>

/* The sinks of a configuration. Reference counted: threads outlive a reload for a moment. */
struct sink_set {
	atomic_uint refs;
	struct sink_config *at;
	size_t count;
};

struct sink_set *sink_set_new(void); /* NULL: no memory */
struct sink_set *sink_set_ref(struct sink_set *s);
void sink_set_unref(struct sink_set **s); /* accepts NULL; secrets are overwritten */

/* What a batch came to, for the ledger. */
struct sink_note {
	const char *sink;
	struct sink_cursor cursor;
	uint64_t records;
	const struct window_change *windows;
	size_t window_count;
	const char *rejected_why; /* not NULL: the windows are set aside */
	uint64_t rejected_records;
};

enum sink_says { SINK_SAYS_TROUBLE, SINK_SAYS_GOOD };

/* What the daemon does for sinks. */
struct sink_host {
	const char *ledger_path;
	/* Both wait until the ledger has it. */
	int (*note)(void *arg, const struct sink_note *n, struct err *e);
	int (*retry)(void *arg, const char *sink, bool from_start, uint64_t *ret_windows, struct err *e);
	void (*say)(void *arg, enum sink_says what, const char *text);
	void *arg;
};

enum sink_state { SINK_STARTS, SINK_OK, SINK_BEHIND, SINK_FAILING, SINK_STOPPED };
const char *sink_state_text(enum sink_state s);

struct sink_status {
	const char *name, *kind;      /* borrowed from the set */
	enum sink_state state;
	char problem[256];            /* "" = none */
	uint64_t lag_s;               /* since the end of the oldest window that it has not got */
	uint64_t records, rejected, expired; /* ever, from the ledger */
	uint64_t set_aside;           /* windows now */
	uint64_t errors;              /* failed tries, since the start */
	int64_t last_utc_s;           /* when it last got something; 0 = not since the start */
};

struct sinks;

int sinks_start(struct sinks **ret, struct sink_set *set, const struct sink_host *host, struct err *e); /* takes a reference */
size_t sinks_count(const struct sinks *s);
void sinks_status(struct sinks *s, size_t i, int64_t now_utc_s, struct sink_status *ret);
/* -ENOENT with the list of names. The sink's thread does it. */
int sinks_retry(struct sinks *s, const char *name, bool from_start, struct err *e);
/* Tells all to end: a write under way may go on for `timeout_s`, none begins. */
void sinks_stop(struct sinks *s, unsigned timeout_s);
bool sinks_have_stopped(struct sinks *s);
void sinks_close(struct sinks **s); /* waits for the threads; accepts NULL */

#endif
