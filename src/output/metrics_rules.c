/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/metrics_rules.h"

#include "output/rules.h"

#include <stdlib.h>
#include <string.h>

struct samples {
	struct buffer *b;
	const struct snapshot *snapshot;
	const struct account *account;
	const struct metrics_family *family;
	const bool *labels;              /* per rule */
	struct snapshot_series *sorted;  /* by key */
	size_t count;
};

/* bsearch_r() is not there: the size of the key comes behind it. */
struct wanted {
	uint8_t key[KEY_BYTES_MAX];
	size_t size;
};

static int compare_wanted(const void *pw, const void *ps)
{
	const struct wanted *w = pw;
	const struct snapshot_series *s = ps;

	return memcmp(w->key, s->key, w->size);
}

static int compare_series(const void *pa, const void *pb, void *size)
{
	const struct snapshot_series *a = pa, *b = pb;

	return memcmp(a->key, b->key, *(const size_t *)size);
}

static void put_sample(const struct samples *x, size_t rule, const uint8_t *key, const struct tally *t)
{
	const struct account *a = x->account;
	char scratch[KEY_TEXT_MAX];

	buffer_puts(x->b, "nettally_");
	buffer_puts(x->b, x->family->name);
	buffer_char(x->b, '{');
	for (size_t i = 0; i < a->by_count; i++) {
		const char *text = key_text(&a->layout, key, a->by[i], x->snapshot->strings, scratch, NULL);

		if (i)
			buffer_char(x->b, ',');
		if (a->by[i] == FIELD_RULE && x->labels[rule]) {
			buffer_puts(x->b, text);
			continue;
		}
		buffer_puts(x->b, field_name(a->by[i]));
		buffer_char(x->b, '=');
		buffer_exact_label(x->b, text);
	}
	buffer_puts(x->b, "} ");
	buffer_number(x->b, x->family->bytes ? tally_bytes(t, a->bytes) : t->packets);
	buffer_char(x->b, '\n');
}

/* A direction that is unknown is there only where such packets were. */
static void put_one(const struct samples *x, size_t rule, uint32_t interface, uint8_t direction)
{
	const struct key_layout *l = &x->account->layout;
	struct wanted w = { .size = l->size };
	const struct snapshot_series *found;
	static const struct tally nothing;

	memcpy(w.key + l->at[FIELD_RULE], &x->account->rules[rule], sizeof x->account->rules[rule]);
	if (key_has(l, FIELD_INTERFACE))
		memcpy(w.key + l->at[FIELD_INTERFACE], &interface, sizeof interface);
	if (key_has(l, FIELD_DIRECTION))
		w.key[l->at[FIELD_DIRECTION]] = direction;
	found = bsearch(&w, x->sorted, x->count, sizeof *x->sorted, compare_wanted);
	if (found || direction != DIRECTION_UNKNOWN || !key_has(l, FIELD_DIRECTION))
		put_sample(x, rule, w.key, found ? &found->total.rx : &nothing);
}

static void put_rule(const struct samples *x, size_t rule)
{
	const struct key_layout *l = &x->account->layout;
	size_t interfaces = key_has(l, FIELD_INTERFACE) ? x->snapshot->interface_count : 1;
	uint8_t directions = key_has(l, FIELD_DIRECTION) ? DIRECTION_EGRESS : 0;

	for (size_t i = 0; i < interfaces; i++)
		for (uint8_t d = 0; d <= directions; d++)
			put_one(x, rule, i < x->snapshot->interface_count ? x->snapshot->interfaces[i].interface : 0, d);
}

void metrics_rules(struct buffer *b, const struct snapshot *s, const struct snapshot_account *sa,
		   const struct metrics_family *f)
{
	size_t size = sa->account->layout.size;
	bool *labels = rules_labels(sa->account, s->strings);
	struct snapshot_series *sorted = calloc(sa->series_count + 1, sizeof *sorted);
	struct samples x = { b, s, sa->account, f, labels, sorted, sa->series_count };

	if (labels && sorted) {
		if (sa->series_count)
			memcpy(sorted, sa->series, sa->series_count * sizeof *sorted);
		qsort_r(sorted, sa->series_count, sizeof *sorted, compare_series, &size);
		for (size_t i = 0; i < sa->account->rule_count; i++)
			put_rule(&x, i);
	}
	free(labels);
	free(sorted);
}
