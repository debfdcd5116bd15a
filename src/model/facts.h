/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts.h -- what a part of the daemon (sinks, routes, names, reports) says of itself: rows of named numbers and texts, shown
 * by `status`, its JSON and /metrics without any of these knowing the part.
 *
 * A row {part "sinks", metric "sink", label "sink", name "home"} with the number `lag_seconds` is
 *   "sinks": [{"sink": "home", "lag_seconds": 3}]   and   nettally_sink_lag_seconds{sink="home"} 3
 * A row without a label is one object, and a metric without labels. Thread: who owns it. */
#ifndef NETTALLY_MODEL_FACTS_H
#define NETTALLY_MODEL_FACTS_H

#include <stddef.h>
#include <stdint.h>

#define FACTS_PER_ROW_MAX 16
#define FACT_TEXT_MAX 160

enum fact_kind {
	FACT_COUNTER, /* only grows: nettally_METRIC_NAME_total */
	FACT_GAUGE,   /* goes up and down: nettally_METRIC_NAME */
	FACT_TEXT,    /* for people: not in /metrics */
	FACT_TIME,    /* seconds UTC, 0 = never; in /metrics a gauge NAME_timestamp_seconds */
};

struct fact {
	const char *name, *help;      /* static: "records", "records that the target has" */
	enum fact_kind kind;
	uint64_t number;
	char text[FACT_TEXT_MAX];
};

struct fact_row {
	const char *part, *metric, *label; /* static; label NULL = none */
	char name[64];                     /* the label's value */
	const char *label2;                /* a second one, where `name2` is not "" */
	char name2[64];
	size_t count;
	struct fact at[FACTS_PER_ROW_MAX];
};

struct facts {
	struct fact_row *rows;        /* those of one part stand together */
	size_t count, room;
};

/* A new row; NULL: no memory (then there is less to see, and nothing else is wrong). The calls below accept NULL. */
struct fact_row *facts_add(struct facts *f, const char *part, const char *metric, const char *label, const char *name);
void fact_label2(struct fact_row *r, const char *label, const char *name);
void fact_number(struct fact_row *r, const char *name, enum fact_kind kind, uint64_t number, const char *help);
void fact_text(struct fact_row *r, const char *name, const char *text);
void facts_free(struct facts *f);

#endif
