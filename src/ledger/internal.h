/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h -- what ledger.c, define.c, book.c, rollup.c and retention.c share. No other room
 * includes it. */
#ifndef NETTALLY_LEDGER_INTERNAL_H
#define NETTALLY_LEDGER_INTERNAL_H

#include "ledger/ledger.h"
#include "ledger/sql.h"

#include <sys/types.h>

#define TABLE_NAME_MAX (ACCOUNT_NAME_MAX + 24)

/* One account's tables, with the statements that write them. */
struct ledger_table {
	struct account *account; /* a reference */
	int64_t id;              /* in table account */
	char records[TABLE_NAME_MAX], series[TABLE_NAME_MAX];
	bool is_configured;
	sqlite3_stmt *add, *put_series, *drop_series;
};

/* A configured sink, for which what it has not got is held. */
struct held_sink {
	char name[48];
	int64_t *accounts; /* ids */
	size_t account_count;
	uint32_t hold_s;
	uint64_t hold_bytes;
};

/* names.c: what is in force for a key; its end; the beginning of another. */
struct period_statements {
	sqlite3_stmt *now, *end, *begin;
};

struct ledger {
	sqlite3 *db;
	char *path;
	int lock_fd;
	dev_t device; /* of the open file: it may be moved away under our feet */
	ino_t inode;
	struct ledger_options options;
	struct ledger_table *tables;
	size_t table_count, table_room;
	/* the fixed statements, book.c */
	sqlite3_stmt *put_device, *put_host, *add_total, *note_batch, *get_interface, *put_interface, *put_meta, *put_expression;
	sqlite3_stmt *get_epoch, *put_epoch;
	struct period_statements names, holders;
	sqlite3_stmt *put_source, *put_vendor;
	/* changes.c */
	sqlite3_stmt *get_seq, *put_seq, *note_change, *next_over, *number_change, *is_unsent, *add_unsent;
	uint64_t seq;     /* of the last change, within a booking's transaction */
	struct held_sink *sinks;
	size_t sink_count;
	uint64_t updates; /* counted by note_update() in SQL: upserts that met a row */
	bool reopen;      /* the connection met an error that a new one may not have */
	int64_t next_hosts_check_s;
	struct ledger_facts facts;
};


/* ledger.c */
int ledger_begin(struct ledger *l, struct err *e);
/* Commits where r == 0, else rolls back and returns r. */
int ledger_end(struct ledger *l, int r, struct err *e);
/* Opens the connection anew where the last error asks for it, or where the file is no longer at
 * its path. */
int ledger_ready(struct ledger *l, struct err *e);
void ledger_measure(struct ledger *l);

/* define.c */
/* The table that takes records of `a`; made where there is none. */
int ledger_table_of(struct ledger *l, const struct account *a, struct ledger_table **ret, struct err *e);
int ledger_tables_load(struct ledger *l, struct err *e); /* of every account that the file knows */
int ledger_define_again(struct ledger *l, struct err *e); /* on a new connection */
void ledger_tables_close(struct ledger *l);              /* finalizes the statements; keeps the list */
void ledger_tables_free(struct ledger *l);

/* table_sql.c: SQL text of one account's tables */
int table_create(sqlite3 *db, const struct account *a, const char *records, const char *series, struct err *e);
int table_prepare(struct ledger *l, struct ledger_table *t, struct err *e);
/* Each key or counter column of `a` with ", " between, as `fmt` says, which has one "%w". */
void append_keys(sqlite3_str *s, const struct account *a, const char *fmt);
void append_counters(sqlite3_str *s, const struct account *a, const char *fmt);
/* " ON CONFLICT DO UPDATE SET ..." that adds the counters; needs note_update(). */
void append_upsert(sqlite3_str *s, const struct account *a);

/* book.c */
int book_prepare(struct ledger *l, struct err *e);
void book_close(struct ledger *l);
int expired_add(struct ledger *l, int64_t account, uint64_t records, const struct party_tally *t, struct err *e);

/* interfaces.c */
int interfaces_prepare(struct ledger *l, struct err *e);
int interface_book(struct ledger *l, const struct interface_books *b, struct err *e);

/* epochs.c */
/* -EALREADY where one of them is in the ledger; within the booking's transaction. */
int epochs_book(struct ledger *l, const struct booking *b, struct err *e);

/* rows.c */
struct book_row {
	uint64_t head;  /* the first bytes of the key, for quick comparisons */
	size_t at;      /* of the key in `keys` */
	const uint8_t *record;
};
/* A batch's keys as the ledger's columns hold them, in the order of its b-tree. */
struct book_rows {
	struct book_row *rows;
	size_t count;
	uint8_t *keys;
	size_t used, room;
};
int rows_make(struct book_rows *ret, const struct batch *b, const struct strings *strings);
void rows_bind_key(sqlite3_stmt *s, int first, const struct account *a, const uint8_t *key);
/* The encoding of one key, appended; rows_bind_key() reads it. 0 or -ENOMEM. */
int rows_add_key(struct book_rows *r, const struct account *a, const uint8_t *key, const struct strings *strings);
void rows_free(struct book_rows *r);

/* rollup.c: at most about MAINTAIN_ROWS records in one transaction; 1 = did something, 0 =
 * nothing to do */
#define MAINTAIN_ROWS 20000
int rollup_step(struct ledger *l, struct ledger_table *t, int64_t now_utc_s, struct err *e);

struct oldest {
	bool is_raw; /* no coarser than the account's windows */
	uint32_t length_s;
	int64_t window; /* INT64_MAX = the table is empty */
};
int oldest_of(struct ledger *l, const struct ledger_table *t, struct oldest *ret, struct err *e);
int expire_step(struct ledger *l, const struct ledger_table *t, const struct oldest *o, struct err *e);

/* cursors.c */
void cursors_free(struct ledger *l);

/* migrate.c */
int migrate(sqlite3 *db, struct err *e);

#endif
