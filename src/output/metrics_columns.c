/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/metrics_columns.h"

#include "output/rules.h"

#include <stdlib.h>
#include <string.h>

/* The label sets of an account's series: texts behind each other in one block. */
struct labels {
	const struct snapshot *snapshot;
	const struct account *account;
	const struct columns *columns;
	const bool *rule_labels;      /* per rule: its identifier is made of labels */
	FILE *to;
	char *text;
	size_t size;
	struct labelled {
		size_t at;
		const struct party_tally *tally;
	} *sets;
	size_t count;
};

static const struct party_tally nothing;

bool metrics_may_merge(const struct account *a)
{
	bool name = false;

	for (size_t i = 0; i < a->by_count; i++)
		name = name || a->by[i] == FIELD_NAME;
	return name && a->stored_count == a->by_count;
}

static bool rule_is_labels(const struct labels *l, const uint8_t *key)
{
	uint32_t id;

	memcpy(&id, key + l->account->layout.at[FIELD_RULE], sizeof id);
	for (size_t i = 0; l->rule_labels && i < l->account->rule_count; i++)
		if (l->account->rules[i] == id)
			return l->rule_labels[i];
	return false;
}

static void put_label(const struct labels *l, struct buffer *b, const struct column_map *m, const uint8_t *key)
{
	char scratch[KEY_TEXT_MAX];
	const char *text = m->constant;

	if (m->of == COLUMN_OF_KEY)
		text = snapshot_key_text(l->snapshot, l->account, key, m->field, scratch);
	else if (m->of == COLUMN_OF_ACCOUNT)
		text = l->account->name;
	if (m->of == COLUMN_OF_KEY && m->field == FIELD_RULE && rule_is_labels(l, key)) {
		buffer_puts(b, text);
		return;
	}
	buffer_puts(b, m->alias);
	buffer_char(b, '=');
	if (m->field == FIELD_RULE)
		buffer_exact_label(b, text);
	else
		buffer_label(b, text);
}

static bool is_label(const struct column_map *m)
{
	return m->of == COLUMN_OF_KEY || m->of == COLUMN_OF_ACCOUNT || m->of == COLUMN_OF_CONSTANT;
}

static void add_set(struct labels *l, struct buffer *b, const uint8_t *key, const struct party_tally *tally)
{
	bool any = false;

	buffer_flush(b);
	fflush(l->to);
	l->sets[l->count++] = (struct labelled){ l->size, tally };
	for (size_t i = 0; i < l->columns->count; i++) {
		const struct column_map *m = &l->columns->at[i];

		if (!is_label(m))
			continue;
		if (any)
			buffer_char(b, ',');
		put_label(l, b, m, key);
		any = true;
	}
	buffer_char(b, '\0');
}

/* Every rule is there, also one that never matched. */
static void add_rules(struct labels *l, struct buffer *b)
{
	const struct key_layout *k = &l->account->layout;
	size_t interfaces = key_has(k, FIELD_INTERFACE) ? l->snapshot->interface_count : 1;

	for (size_t i = 0; i < l->account->rule_count; i++)
		for (size_t n = 0; n < interfaces; n++) {
			uint8_t key[KEY_BYTES_MAX] = { 0 };
			uint32_t id = n < l->snapshot->interface_count ? l->snapshot->interfaces[n].interface : 0;

			memcpy(key + k->at[FIELD_RULE], &l->account->rules[i], sizeof l->account->rules[i]);
			if (key_has(k, FIELD_INTERFACE))
				memcpy(key + k->at[FIELD_INTERFACE], &id, sizeof id);
			if (!key_has(k, FIELD_DIRECTION))
				add_set(l, b, key, &nothing);
		}
}

static int compare_sets(const void *pa, const void *pb, void *text)
{
	const struct labelled *a = pa, *b = pb;

	return strcmp((const char *)text + a->at, (const char *)text + b->at);
}

static void put_family(struct buffer *b, const struct labels *l, const struct column_map *m)
{
	buffer_puts(b, "# HELP ");
	buffer_puts(b, m->alias);
	buffer_puts(b, " of account ");
	buffer_puts(b, l->account->name);
	buffer_puts(b, "\n# TYPE ");
	buffer_puts(b, m->alias);
	buffer_puts(b, " counter\n");
}

static void put_sample(struct buffer *b, const struct column_map *m, const char *labels, uint64_t value)
{
	buffer_puts(b, m->alias);
	if (*labels) {
		buffer_char(b, '{');
		buffer_puts(b, labels);
		buffer_char(b, '}');
	}
	buffer_char(b, ' ');
	buffer_number(b, value);
	buffer_char(b, '\n');
}

static void put_samples(struct buffer *b, const struct labels *l, const struct column_map *m)
{
	for (size_t i = 0; i < l->count;) {
		const char *labels = l->text + l->sets[i].at;
		uint64_t sum = 0;

		for (; i < l->count && strcmp(l->text + l->sets[i].at, labels) == 0; i++)
			sum += column_counter(m, l->sets[i].tally);
		put_sample(b, m, labels, sum);
	}
}

static int make_labels(struct labels *l, const struct snapshot_account *sa)
{
	size_t most = sa->series_count + l->account->rule_count * (l->snapshot->interface_count + 1);
	struct buffer *b = malloc(sizeof *b);

	l->sets = calloc(most + 1, sizeof *l->sets);
	l->to = open_memstream(&l->text, &l->size);
	if (!b || !l->sets || !l->to) {
		free(b);
		return -1;
	}
	buffer_start(b, l->to);
	for (size_t i = 0; i < sa->series_count; i++)
		if (!account_has_rules(l->account) || !key_field_is_other(&l->account->layout, sa->series[i].key, FIELD_RULE))
			add_set(l, b, sa->series[i].key, &sa->series[i].total);
	if (account_has_rules(l->account))
		add_rules(l, b);
	buffer_flush(b);
	free(b);
	return fflush(l->to);
}

void metrics_columns(struct buffer *b, const struct snapshot *s, const struct snapshot_account *sa,
		     const struct columns *columns, bool bare)
{
	bool *rule_labels = account_has_rules(sa->account) ? rules_labels(sa->account, s->strings) : NULL;
	struct labels l = { .snapshot = s, .account = sa->account, .columns = columns, .rule_labels = rule_labels };

	if (make_labels(&l, sa) == 0) {
		qsort_r(l.sets, l.count, sizeof *l.sets, compare_sets, l.text);
		for (size_t i = 0; i < columns->count; i++) {
			if (columns->at[i].of != COLUMN_OF_COUNTER)
				continue;
			if (!bare)
				put_family(b, &l, &columns->at[i]);
			put_samples(b, &l, &columns->at[i]);
		}
	}
	if (l.to)
		fclose(l.to);
	free(l.text);
	free(l.sets);
	free(rule_labels);
}
