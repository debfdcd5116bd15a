/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_page.h -- the page of `nettally top` as lines of text: the screen shows them, --once prints them. */
#ifndef NETTALLY_CLI_TOP_PAGE_H
#define NETTALLY_CLI_TOP_PAGE_H

#include "cli/top_source.h"

#include <stdio.h>

#define TOP_FILTER_MAX 64
#define TOP_WIDTH_MIN 40u
#define TOP_HEIGHT_MIN 8u

struct top_state {
	struct top_view views[TOP_VIEWS_MAX];
	size_t view_count, view;   /* which is shown */
	size_t cursor, first;      /* the chosen row, the one on top */
	enum top_order order;
	bool turned, bits, peers, help, paused, ascii;
	char filter[TOP_FILTER_MAX];
	bool editing;              /* the filter */
	char message[256];         /* what went wrong; "" = nothing */
	struct top_facts facts;
};

enum top_style { TOP_PLAIN, TOP_TABS, TOP_HEAD, TOP_CHOSEN, TOP_FOOT, TOP_TITLE };

/* Exactly `height` lines of at most `width` columns. Moves s->cursor and s->first to where there are rows. `style` is told of
 * each line; may be NULL. */
struct top_lines {
	FILE *to;
	unsigned width, height;
	enum top_style *style; /* height of them */
};
void top_page(struct top_state *s, const struct top_lines *lines);

/* The view whose keys are both ends, for who talks to whom at the chosen row; NULL = no account is by both. */
struct top_view *top_pairs(struct top_state *s);

#endif
