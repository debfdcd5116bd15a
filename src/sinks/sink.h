/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sink.h -- what a kind of sink is: its name, its options, open, write, close. A new one is one file and one line in
 * sinks.c.
 *
 * The engine (engine.h) gives each configured sink a thread, reads closed windows out of the ledger, keeps the cursor, waits
 * after failures (with back-off and jitter), logs, counts and sets aside what the target refuses for good. A sink only
 * writes. All functions are called on the sink's own thread, but check(), which the loader of the config calls. A sink
 * never logs and never exits; secrets stand in no sentence. */
#ifndef NETTALLY_SINKS_SINK_H
#define NETTALLY_SINKS_SINK_H

#include "model/columns.h"

#define SINK_NAME_MAX 48
#define SINK_TABLE_NAME_MAX 64
#define SINK_NODE_MAX 64

enum sink_option_type {
	SINK_TEXT,
	SINK_BOOL,     /* number 0 or 1 */
	SINK_NUMBER,
	SINK_DURATION, /* number, seconds */
	SINK_SIZE,     /* number, bytes */
	SINK_FILE,     /* a path that can be read when the config is loaded */
	SINK_SECRET,   /* `password`: config keys password_file and password_env; the text is what they hold */
};

struct sink_option {
	const char *name;
	enum sink_option_type type;
	const char *fallback; /* as one would write it; NULL = none, and the option may be missing */
	const char *help;     /* a few words, for `nettally sinks` */
	bool required;
};

struct sink_ops;

struct sink_setting {
	char *text;      /* NULL = not set, and no fallback */
	uint64_t number;
	unsigned line;   /* of the config; 0 = fallback */
};

/* One table (measurement, topic) of the target. */
struct sink_table {
	char name[SINK_TABLE_NAME_MAX];
	struct account *account; /* a reference; NULL = the list of devices: one row per MAC, again when an address changes */
	struct columns columns;
	unsigned line;
};

struct sink_config {
	const struct sink_ops *ops;
	char name[SINK_NAME_MAX];
	char node[SINK_NODE_MAX];        /* this machine's name, where many write into one target */
	unsigned line;
	struct sink_setting *settings;   /* as many as ops->options */
	struct sink_table *tables;
	size_t table_count;
	uint32_t batch_records;          /* about so many in a batch */
	uint32_t timeout_s;              /* of one answer of the target */
	uint32_t hold_s;                 /* the ledger keeps what the sink has not got for so long ... */
	uint64_t hold_bytes;             /* ... and while all that is held is below this */
};

/* Of the option in ops->options; an unknown name is a bug and aborts. */
const char *sink_text(const struct sink_config *cf, const char *option); /* NULL where not set */
uint64_t sink_number(const struct sink_config *cf, const char *option);

/* How far a sink has got. `again` rises when all is to be sent anew, and counts before `seq`. */
struct sink_cursor {
	uint64_t again, seq;
};

/* What the engine tells a sink at open. */
struct sink_context {
	const char *ledger;             /* id of this ledger, 32 hex digits: a cursor is of one ledger */
	bool (*is_stopping)(void *arg); /* any wait ends soon once this is true, with -EAGAIN */
	void *arg;
};

/* A closed window of one table: it is sent whole, with absolute values, whenever it has changed. */
struct sink_window {
	const struct sink_table *table;
	int64_t start_utc_s;  /* of devices: 0 */
	uint32_t length_s;    /* of devices: 0 */
	uint64_t seq;         /* of its last change */
};

/* A value, as its column_map says: text (NULL: none, only of ipv4 and ipv6), else the number. Keys that are numbers have
 * text "-" or "other" where there is none. Texts are borrowed until the next row; any bytes but NUL may be in
 * them, and text[len] is a NUL. */
struct sink_cell {
	const char *text;
	size_t len;
	uint64_t number;  /* COLUMN_OF_TIME: seconds UTC */
};

struct sink_row {
	const struct sink_window *window;
	int64_t time_utc_s;             /* the window's start; of a device: when its address changed */
	const struct sink_cell *cells;  /* of window->table->columns, in their order */
};

struct sink_batch {
	const struct sink_window *windows; /* in the order in which their rows come */
	size_t window_count;
	struct sink_cursor cursor;         /* where the sink is once this is written */
	bool is_repeat;                    /* windows that were set aside: the cursor does not move */
	uint64_t rows;                     /* given by next() since the start or rewind() */
	/* 1 = a row, 0 = the end, -EAGAIN and others: give up this write() with it. */
	int (*next)(struct sink_batch *b, struct sink_row *ret, struct err *e);
	void (*rewind)(struct sink_batch *b); /* the rows from the first one again */
};

struct sink_ops {
	const char *name;                   /* the section in the config file */
	const char *help;                   /* one line, for `nettally sinks` */
	const struct sink_option *options;  /* ends with a NULL name */
	uint32_t batch_records;             /* the default */
	/* What only this kind knows of its config; NULL = nothing. The sentence gets file and line: *ret_line may be set. */
	int (*check)(const struct sink_config *cf, unsigned *ret_line, struct err *e);
	/* Called again after each failure. -EAGAIN: away; -EACCES: it does not let us in; both are tried again. */
	int (*open)(void **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e);
	/* Where the target keeps the cursor, in one transaction with the rows: its word counts. NULL: it does not. -ENOENT:
	 * it has
	 * none of this ledger and this sink yet. */
	int (*cursor)(void *sink, struct sink_cursor *ret, struct err *e);
	/* The whole batch, safe to repeat: rows take the place of what an earlier write() of the same window brought. 0 only once
	 * the target has said that it has them. -EAGAIN: away, busy, slow; -ENOSPC: its disk is full; -EACCES: it does not let us
	 * in; -EINVAL: it refuses these rows for good (where the batch has several windows they are tried one by one, and those
	 * refused are set aside). Any other error is as -EAGAIN. After a failure close() follows, unless it was -EINVAL. */
	int (*write)(void *sink, struct sink_batch *b, struct err *e);
	/* Nothing is to be written for the moment; called each second. NULL = nothing to do. */
	void (*idle)(void *sink);
	void (*close)(void *sink);          /* accepts NULL */
};

/* The table of them all, NULL at the end. */
extern const struct sink_ops *const sink_kinds[];
const struct sink_ops *sink_kind_find(const char *name); /* NULL = none */

extern const struct sink_ops sink_influxdb, sink_webhook, sink_kafka, sink_file, sink_postgresql, sink_clickhouse;

#endif
