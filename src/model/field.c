/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/field.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const names[FIELD_COUNT] = {
	[FIELD_MAC] = "mac",
	[FIELD_HOST] = "host",
	[FIELD_NAME] = "name",
	[FIELD_VENDOR] = "vendor",
	[FIELD_PREFIX] = "prefix",
	[FIELD_ORIGIN_AS] = "origin_as",
	[FIELD_NEIGHBOUR_AS] = "neighbour_as",
	[FIELD_TRANSIT_AS] = "transit_as",
	[FIELD_AS_PATH] = "as_path",
	[FIELD_COUNTRY] = "country",
	[FIELD_SRC_MAC] = "src_mac",
	[FIELD_DST_MAC] = "dst_mac",
	[FIELD_SRC_HOST] = "src_host",
	[FIELD_DST_HOST] = "dst_host",
	[FIELD_SRC_PORT] = "src_port",
	[FIELD_DST_PORT] = "dst_port",
	[FIELD_INTERFACE] = "interface",
	[FIELD_DIRECTION] = "direction",
	[FIELD_VLAN] = "vlan",
	[FIELD_ETHERTYPE] = "ethertype",
	[FIELD_PROTO] = "proto",
	[FIELD_SERVICE] = "service",
	[FIELD_RULE] = "rule",
	[FIELD_ROUTER] = "router",
	[FIELD_TYPE] = "type",
};

const char *field_name(enum field f)
{
	return names[f];
}

bool field_is_as(enum field f)
{
	return f == FIELD_ORIGIN_AS || f == FIELD_NEIGHBOUR_AS || f == FIELD_TRANSIT_AS;
}

bool field_is_number(enum field f)
{
	return f == FIELD_SRC_PORT || f == FIELD_DST_PORT || f == FIELD_VLAN || f == FIELD_PROTO || field_is_as(f);
}

static void list_known(char *to, size_t size)
{
	size_t used = 0;

	to[0] = '\0';
	for (enum field f = 0; f < FIELD_COUNT; f++)
		if (names[f] && used < size)
			used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "", names[f]);
}

int field_parse(enum field *ret, const char *name, struct err *e)
{
	char known[400];

	for (enum field f = 0; f < FIELD_COUNT; f++) {
		if (names[f] && strcmp(names[f], name) == 0) {
			*ret = f;
			return 0;
		}
	}
	list_known(known, sizeof known);
	return err_set(e, -EINVAL, "unknown key \"%.60s\"; there are: %s", name, known);
}

int field_list_parse(enum field ret[static FIELDS_PER_KEY_MAX], size_t *ret_count, const char *text,
		     struct err *e)
{
	enum field fields[FIELDS_PER_KEY_MAX];
	uint64_t seen = 0;
	size_t count = 0;

	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		const char *next = at + len;
		char name[64];
		int r;

		while (len && (*at == ' ' || *at == '\t'))
			at++, len--;
		while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
			len--;
		if (len == 0)
			return err_set(e, -EINVAL, "\"%.100s\": a key is missing; write e.g. host,service", text);
		if (len >= sizeof name)
			return err_set(e, -EINVAL, "unknown key \"%.60s...\"", at);
		memcpy(name, at, len);
		name[len] = '\0';
		if (count == FIELDS_PER_KEY_MAX)
			return err_set(e, -EINVAL, "more than %d keys", FIELDS_PER_KEY_MAX);
		r = field_parse(&fields[count], name, e);
		if (r < 0)
			return r;
		if (seen & FIELD_BIT(fields[count]))
			return err_set(e, -EINVAL, "key \"%s\" is given twice", name);
		seen |= FIELD_BIT(fields[count++]);
		at = next;
		if (!*at)
			break;
	}
	memcpy(ret, fields, count * sizeof *fields);
	*ret_count = count;
	return 0;
}
