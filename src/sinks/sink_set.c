/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/engine.h"

#include <stdlib.h>
#include <string.h>

struct sink_set *sink_set_new(void)
{
	struct sink_set *s = calloc(1, sizeof *s);

	if (s)
		atomic_init(&s->refs, 1);
	return s;
}

struct sink_set *sink_set_ref(struct sink_set *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

static void free_config(struct sink_config *cf)
{
	for (size_t i = 0; cf->settings && cf->ops->options[i].name; i++) {
		if (cf->settings[i].text && cf->ops->options[i].type == SINK_SECRET)
			explicit_bzero(cf->settings[i].text, strlen(cf->settings[i].text));
		free(cf->settings[i].text);
	}
	for (size_t i = 0; i < cf->table_count; i++)
		account_unref(&cf->tables[i].account);
	free(cf->settings);
	free(cf->tables);
}

void sink_set_unref(struct sink_set **ps)
{
	struct sink_set *s = *ps;

	*ps = NULL;
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	for (size_t i = 0; i < s->count; i++)
		free_config(&s->at[i]);
	free(s->at);
	free(s);
}
