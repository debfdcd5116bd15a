/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of all kinds of sinks. */
#include "sinks/sink.h"

#include <stdlib.h>
#include <string.h>

const struct sink_ops *const sink_kinds[] = {
	&sink_influxdb,
	&sink_postgresql,
	&sink_clickhouse,
	&sink_webhook,
	&sink_kafka,
	&sink_file,
	NULL,
};

const struct sink_ops *sink_kind_find(const char *name)
{
	for (const struct sink_ops *const *k = sink_kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}

static const struct sink_setting *setting_of(const struct sink_config *cf, const char *option)
{
	for (size_t i = 0; cf->ops->options[i].name; i++)
		if (strcmp(cf->ops->options[i].name, option) == 0)
			return &cf->settings[i];
	abort(); /* a kind asks for an option that it does not list */
}

const char *sink_text(const struct sink_config *cf, const char *option)
{
	return setting_of(cf, option)->text;
}

uint64_t sink_number(const struct sink_config *cf, const char *option)
{
	return setting_of(cf, option)->number;
}
