/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_screen.h -- the page on a terminal, and the keys. */
#ifndef NETTALLY_CLI_TOP_SCREEN_H
#define NETTALLY_CLI_TOP_SCREEN_H

#include "cli/top_page.h"

/* Runs until `q`, Ctrl-C, SIGTERM or the end of the terminal; leaves it as it was. */
int top_screen_run(struct top_state *s, struct top_source *source, struct err *e);

/* The sources of what is shown, brought up to date. */
int top_refresh(struct top_state *s, struct top_source *source, struct err *e);

#endif
