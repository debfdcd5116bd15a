/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/rules.h"

#include "output/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 32 /* of one identifier */

struct place {
	uint32_t id;
	size_t index;
};

static int compare_places(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;

	return (a->id > b->id) - (a->id < b->id);
}

struct tally *rules_totals(const struct snapshot_account *sa)
{
	const struct account *a = sa->account;
	struct tally *totals = calloc(a->rule_count + 1, sizeof *totals);
	struct place *places = calloc(a->rule_count + 1, sizeof *places);

	for (size_t i = 0; places && i < a->rule_count; i++)
		places[i] = (struct place){ a->rules[i], i };
	if (places)
		qsort(places, a->rule_count, sizeof *places, compare_places);
	for (size_t i = 0; totals && places && i < sa->series_count; i++) {
		struct place wanted = { 0 }, *found;

		memcpy(&wanted.id, sa->series[i].key + a->layout.at[FIELD_RULE], sizeof wanted.id);
		found = bsearch(&wanted, places, a->rule_count, sizeof *places, compare_places);
		if (found)
			tally_add(&totals[found->index], &sa->series[i].total.rx);
	}
	if (!places) {
		free(totals);
		return NULL;
	}
	free(places);
	return totals;
}

int rules_lines(FILE *to, const struct snapshot *s, const struct snapshot_account *sa)
{
	const struct account *a = sa->account;
	struct tally *totals = rules_totals(sa);

	if (!totals)
		return -ENOMEM;
	for (size_t i = 0; i < a->rule_count; i++)
		fprintf(to, "%s:%" PRIu64 ":%" PRIu64 "\n", strings_at(s->strings, a->rules[i]),
			tally_bytes(&totals[i], a->bytes), totals[i].packets);
	free(totals);
	return 0;
}

/* [a-zA-Z_][a-zA-Z0-9_]*, not reserved (__...). */
static size_t label_name(const char *at)
{
	size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return at[0] >= '0' && at[0] <= '9' ? 0 : strncmp(at, "__", 2) == 0 ? 0 : len;
}

/* Behind the opening quote: the length up to the closing one, 0 = no value. */
static size_t label_value(const char *at)
{
	const char *from = at;

	while (*at != '"') {
		uint32_t code;
		unsigned len = *at ? utf8_take(at, &code) : 0;

		if (!len || !utf8_is_printable(code) || (*at == '\\' && (!at[1] || !strchr("\\\"n", at[1]))))
			return 0;
		at += *at == '\\' ? 2 : len;
	}
	return (size_t)(at - from);
}

struct name {
	const char *at;
	size_t len;
};

static bool is_taken(const struct name *names, unsigned count, const struct name *one)
{
	static const char *const own[] = { "rule", "interface", "direction", "job", "instance", "le", "quantile" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strlen(own[i]) == one->len && memcmp(own[i], one->at, one->len) == 0)
			return true;
	for (unsigned i = 0; i < count; i++)
		if (names[i].len == one->len && memcmp(names[i].at, one->at, one->len) == 0)
			return true;
	return false;
}

/* The labels of an identifier, *ret_count = 0 where it is none. */
static void read_labels(const char *identifier, struct name ret[static LABELS_MAX], unsigned *ret_count)
{
	const char *at = identifier;
	struct name names[LABELS_MAX];

	*ret_count = 0;
	for (unsigned count = 0; count < LABELS_MAX; count++) {
		struct name name = { at, label_name(at) };
		size_t value;

		if (!name.len || is_taken(names, count, &name) || strncmp(at + name.len, "=\"", 2) != 0)
			return;
		at += name.len + 2;
		value = label_value(at);
		if (!value)
			return;
		at += value + 1;
		names[count] = name;
		ret[count] = (struct name){ name.at, (size_t)(at - name.at) };
		if (!*at) {
			*ret_count = count + 1;
			return;
		}
		if (*at++ != ',')
			return;
	}
}

bool rules_is_labels(const char *identifier)
{
	struct name labels[LABELS_MAX];
	unsigned count;

	read_labels(identifier, labels, &count);
	return count > 0;
}

static int compare_names(const void *pa, const void *pb)
{
	const struct name *a = pa, *b = pb;
	int c = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);

	return c ? c : (a->len > b->len) - (a->len < b->len);
}

/* The labels in one order: what Prometheus takes for the same, though the identifiers differ. NULL: no labels. */
static char *in_order(const char *identifier)
{
	struct name labels[LABELS_MAX];
	unsigned count;
	char *text, *to;

	read_labels(identifier, labels, &count);
	text = count ? malloc(strlen(identifier) + 2) : NULL;
	if (!text)
		return NULL;
	qsort(labels, count, sizeof *labels, compare_names);
	to = text;
	for (unsigned i = 0; i < count; i++) {
		to = mempcpy(to, labels[i].at, labels[i].len);
		*to++ = ',';
	}
	*to = '\0';
	return text;
}

struct ordered {
	char *text;
	size_t rule;
};

static int compare_ordered(const void *pa, const void *pb)
{
	const struct ordered *a = pa, *b = pb;
	int c = strcmp(a->text, b->text);

	return c ? c : (a->rule > b->rule) - (a->rule < b->rule);
}

bool *rules_labels(const struct account *a, const struct strings *strings)
{
	bool *labels = calloc(a->rule_count + 1, sizeof *labels);
	struct ordered *all = calloc(a->rule_count + 1, sizeof *all);
	size_t count = 0;

	for (size_t i = 0; labels && all && i < a->rule_count; i++) {
		char *text = in_order(strings_at(strings, a->rules[i]));

		if (text)
			all[count++] = (struct ordered){ text, i };
	}
	if (count)
		qsort(all, count, sizeof *all, compare_ordered);
	for (size_t i = 0; i < count; i++)
		labels[all[i].rule] = i == 0 || strcmp(all[i - 1].text, all[i].text) != 0;
	for (size_t i = 0; i < count; i++)
		free(all[i].text);
	if (!all) {
		free(labels);
		labels = NULL;
	}
	free(all);
	return labels;
}
