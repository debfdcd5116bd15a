/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_parse.h -- a config text through libConfuse: sections, and their values with lines.
 *
 * libConfuse's lexer and its error function have no place for an argument, so one parse runs at
 * a time in a process. Thread: the loader's. */
#ifndef NETTALLY_DAEMON_CONFIG_PARSE_H
#define NETTALLY_DAEMON_CONFIG_PARSE_H

#include "daemon/config_text.h"

#include <confuse.h>

/* What a value of any key is: text, and where it stands. */
struct config_value {
	unsigned line;
	char text[];
};

/* config_sinks.c: cfg_init() of the sections at the top and one for each kind of sink; `key` is what a key is. */
cfg_t *config_init_with_sinks(const cfg_opt_t *top, cfg_opt_t key);

/* Every key that was written and is known is in *ret; the rest became problems. NULL only
 * without memory. */
cfg_t *config_parse(struct config_text *t, struct config_problems *p);

/* The value of a key that takes one. NULL: not written, or several (a problem). */
const struct config_value *config_value(cfg_t *section, const char *key, struct config_problems *p);
/* Of a list. */
const struct config_value *config_value_at(cfg_t *section, const char *key, unsigned i);

#endif
