/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_args.c -- see query_args.h. */
#include "ledger/query_args.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

void query_init(struct query *q)
{
	*q = (struct query){ .from_utc_s = INT64_MIN, .to_utc_s = INT64_MAX, .basis = -1, .limit = -1 };
}

static int set_from(struct query *q, const char *value, int64_t now_utc_s, struct err *e)
{
	return time_parse(&q->from_utc_s, value, now_utc_s, e);
}

static int set_to(struct query *q, const char *value, int64_t now_utc_s, struct err *e)
{
	return time_parse(&q->to_utc_s, value, now_utc_s, e);
}

static int set_every(struct query *q, const char *value, int64_t now_utc_s, struct err *e)
{
	(void)now_utc_s;
	return duration_parse(&q->every_s, value, e);
}

static int set_by(struct query *q, const char *value, int64_t now_utc_s, struct err *e)
{
	(void)now_utc_s;
	return field_list_parse(q->by, &q->by_count, value, e);
}

static int set_bytes(struct query *q, const char *value, int64_t now_utc_s, struct err *e)
{
	(void)now_utc_s;
	if (strcmp(value, "l2") != 0 && strcmp(value, "l3") != 0)
		return err_set(e, -EINVAL, "'%.40s' is no layer: write l2 (frames as on the wire) or l3 (IP datagrams)", value);
	q->basis = value[1] == '2' ? BYTES_L2 : BYTES_L3;
	return 0;
}

static int set_sort(struct query *q, const char *value, int64_t now_utc_s, struct err *e)
{
	(void)now_utc_s;
	if (value[value[0] == '-'] == '\0')
		return err_set(e, -EINVAL, "sort by what? write a column, or -COLUMN for the largest first");
	q->sort = value;
	return 0;
}

static int set_limit(struct query *q, const char *value, int64_t now_utc_s, struct err *e)
{
	size_t digits = strspn(value, "0123456789");
	int64_t n = 0;

	(void)now_utc_s;
	if (digits == 0 || value[digits] || digits > 18)
		return err_set(e, -EINVAL, "'%.40s' is no number of rows", value);
	for (const char *at = value; *at; at++)
		n = n * 10 + (*at - '0');
	q->limit = n;
	return 0;
}

static int set_where(struct query *q, const char *value, int64_t now_utc_s, struct err *e)
{
	const char *equals = strchr(value, '=');
	char name[32];
	enum field field;
	int r;

	(void)now_utc_s;
	if (!equals || (size_t)(equals - value) >= sizeof name)
		return err_set(e, -EINVAL, "'%.40s': write KEY=VALUE, as in host=192.0.2.1", value);
	if (q->where_count == QUERY_WHERE_MAX)
		return err_set(e, -EINVAL, "at most %d conditions", QUERY_WHERE_MAX);
	memcpy(name, value, (size_t)(equals - value));
	name[equals - value] = '\0';
	r = field_parse(&field, name, e);
	if (r < 0)
		return r;
	q->where[q->where_count++] = (struct query_where){ field, equals + 1 };
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct query *q, const char *value, int64_t now_utc_s, struct err *e);
} args[] = {
	{ "from", set_from },   { "to", set_to },       { "every", set_every }, { "where", set_where },
	{ "by", set_by },       { "bytes", set_bytes }, { "sort", set_sort },   { "limit", set_limit },
};

int query_arg(struct query *q, const char *name, const char *value, int64_t now_utc_s, struct err *e)
{
	for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
		int r;

		if (strcmp(name, args[i].name) != 0)
			continue;
		r = args[i].set(q, value, now_utc_s, e);
		return r < 0 ? err_prefix(e, -EINVAL, "%s", name) : 0;
	}
	return err_set(e, -ENOENT, "no option '%.40s'", name);
}

int query_check(const struct query *q, struct err *e)
{
	char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];

	if (q->from_utc_s < q->to_utc_s)
		return 0;
	return err_set(e, -EINVAL, "from %s is not before to %s", time_format(q->from_utc_s, from, sizeof from),
		       time_format(q->to_utc_s, to, sizeof to));
}
