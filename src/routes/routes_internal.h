/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_internal.h -- what is in force: routes.c (views, lives), routes_take.c (what the worker loaded), routes_told.c (what
 * status, dump and lookup ask). */
#ifndef NETTALLY_ROUTES_ROUTES_INTERNAL_H
#define NETTALLY_ROUTES_ROUTES_INTERNAL_H

#include "base/clock.h"
#include "routes/bmp_station.h"
#include "routes/routes.h"

#define NO_VIEW SIZE_MAX
#define LINES_MAX 64
#define FACT_TEXT 512

struct view {
	const struct routes_view *config; /* in r->config */
	uint32_t name;                    /* id */
	struct view_table *table;         /* NULL: nothing loaded yet */
	bool whole;                       /* it was loaded without a problem */
	int64_t loaded_utc_s, newest_utc_s, compile_ns;
	uint64_t loads, failures;
	char problem[FACT_TEXT];
};

struct part {                             /* a geo file */
	int64_t loaded_utc_s;
	char problem[FACT_TEXT];
};

struct routes {
	struct routes_config config;
	char state_path[ROUTES_PATH_MAX];
	struct clock clock;
	struct strings *strings;
	struct view_texts *texts;
	struct view *views;
	size_t view_count, default_view;
	uint32_t *interface_ids;          /* of config.interfaces, and their views */
	size_t *interface_views;
	struct geo *geo;
	uint32_t *country_ids;            /* by number */
	struct asnames *names;
	struct part geo_part, names_part;
	struct worker *worker;
	struct bmp_station *station;
	bool started;
	char lines[LINES_MAX][512];
	bool warnings[LINES_MAX];
	size_t first_line, line_count;
};

static inline int64_t routes_utc_s(const struct routes *r)
{
	return ns_to_s(r->clock.utc_ns(r->clock.arg));
}

size_t routes_view_named(const struct routes *r, const char *name); /* NO_VIEW: there is none */
void routes_say(struct routes *r, bool warning, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* routes_take.c */
void routes_take(struct routes *r, struct worker_result *x); /* what it uses is taken out of *x */
int routes_intern_countries(struct routes *r, const struct geo *g);

#endif
