/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/series.h"

#include <errno.h>
#include <stdlib.h>

#define CANDIDATES 64 /* keys without a series that are remembered per window */

struct one {
	uint8_t key[KEY_BYTES_MAX];
	struct party_tally total;
	uint64_t weight;      /* bytes in this window and, halved each window, before */
	bool changed;
};

struct candidate {
	uint8_t key[KEY_BYTES_MAX];
	uint64_t weight;
};

/* A rule that the account has, by its id. */
struct rule_sum {
	uint32_t id;
	bool is_another;      /* the ledger has counts of another expression, which is newer */
	uint64_t sum;
};

struct series {
	struct account *account;
	struct rule_sum *sums;
	struct one *at;       /* at[0] is `other` */
	size_t count, limit;
	struct table index;   /* key -> place in `at` (never 0: a slot's counter) */
	struct candidate candidates[CANDIDATES];
	size_t candidate_count;
	struct one *gone;     /* given up since the last changes: to be told to the ledger */
	size_t gone_count;
	bool keeps_strangers;
};

static unsigned key_words(const struct series *s)
{
	return s->account->layout.size / 8;
}

static uint64_t hash_of(const struct series *s, const uint64_t *key)
{
	return table_hash_words(s->index.seed, key, key_words(s));
}

static int index_open(struct series *s, struct err *e)
{
	struct table_form form = { .key_bytes = s->account->layout.size, .counters = 1, .limit = s->limit + 1 };

	return table_open(&s->index, &form, e);
}

static int compare_sums(const void *pa, const void *pb)
{
	const struct rule_sum *a = pa, *b = pb;

	return (a->id > b->id) - (a->id < b->id);
}

/* The account's rules, to be searched. */
static int sort_rules(struct series *s)
{
	const struct account *a = s->account;

	s->sums = calloc(a->rule_count + 1, sizeof *s->sums);
	if (!s->sums)
		return -ENOMEM;
	for (size_t i = 0; i < a->rule_count; i++)
		s->sums[i] = (struct rule_sum){ .id = a->rules[i], .sum = a->rule_sums ? a->rule_sums[i] : 0 };
	qsort(s->sums, a->rule_count, sizeof *s->sums, compare_sums);
	return 0;
}

/* NULL: it is not an account by rule, or has no such rule (any more). */
static struct rule_sum *rule_of(const struct series *s, const uint8_t *key)
{
	struct rule_sum wanted = { 0 };

	if (!account_has_rules(s->account))
		return NULL;
	memcpy(&wanted.id, key + s->account->layout.at[FIELD_RULE], sizeof wanted.id);
	return bsearch(&wanted, s->sums, s->account->rule_count, sizeof wanted, compare_sums);
}

int series_new(struct series **ret, struct account *a, struct err *e)
{
	struct series *s = calloc(1, sizeof *s);
	int r = -ENOMEM;

	if (!s)
		return err_set(e, -ENOMEM, "no memory");
	s->account = account_ref(a);
	s->limit = a->series ? a->series : 1;
	s->at = calloc(s->limit, sizeof *s->at);
	if (!s->at || sort_rules(s) < 0 || (r = index_open(s, e)) < 0) {
		series_free(&s);
		return r;
	}
	key_set_other(&a->layout, s->at[0].key);
	s->count = 1;
	*ret = s;
	return 0;
}

void series_free(struct series **s)
{
	if (!*s)
		return;
	account_unref(&(*s)->account);
	table_close(&(*s)->index);
	free((*s)->sums);
	free((*s)->at);
	free((*s)->gone);
	free(*s);
	*s = NULL;
}

void series_set_account(struct series *s, struct account *a)
{
	account_ref(a);
	account_unref(&s->account);
	s->account = a;
}

static void aligned_key(const struct series *s, const uint8_t *key, uint64_t ret[KEY_WORDS_MAX])
{
	memcpy(ret, key, s->account->layout.size);
}

static struct one *find(struct series *s, const uint8_t *key)
{
	uint64_t words[KEY_WORDS_MAX], *place;

	if (memcmp(key, s->at[0].key, s->account->layout.size) == 0)
		return &s->at[0];
	aligned_key(s, key, words);
	place = table_find(&s->index, words, hash_of(s, words));
	return place ? &s->at[*place] : NULL;
}

static struct one *add(struct series *s, const uint8_t *key)
{
	uint64_t words[KEY_WORDS_MAX], *place;

	if (s->count == s->limit)
		return NULL;
	aligned_key(s, key, words);
	place = table_find_or_add(&s->index, words, hash_of(s, words));
	if (!place)
		return NULL;
	*place = s->count;
	memcpy(s->at[s->count].key, key, s->account->layout.size);
	return &s->at[s->count++];
}

static uint64_t missing(uint64_t total, uint64_t sum)
{
	return total > sum ? total - sum : 0;
}

static void add_missing(struct tally *other, const struct tally *total, const struct tally *sum)
{
	other->packets += missing(total->packets, sum->packets);
	other->l2_bytes += missing(total->l2_bytes, sum->l2_bytes);
	other->l3_bytes += missing(total->l3_bytes, sum->l3_bytes);
}

void series_make_whole(struct series *s, const struct party_tally *total)
{
	struct party_tally sum = { 0 };

	if (account_has_rules(s->account))
		return;
	for (size_t i = 0; i < s->count; i++)
		party_tally_add(&sum, &s->at[i].total);
	if (memcmp(&sum, total, sizeof sum) == 0)
		return;
	add_missing(&s->at[0].total.rx, &total->rx, &sum.rx);
	add_missing(&s->at[0].total.tx, &total->tx, &sum.tx);
	s->at[0].changed = true;
}

static void remember_candidate(struct series *s, const uint8_t *key, uint64_t weight)
{
	struct candidate *smallest = s->candidates;

	for (size_t i = 0; i < s->candidate_count; i++) {
		if (memcmp(s->candidates[i].key, key, s->account->layout.size) == 0) {
			s->candidates[i].weight += weight;
			return;
		}
		if (s->candidates[i].weight < smallest->weight)
			smallest = &s->candidates[i];
	}
	if (s->candidate_count < CANDIDATES)
		smallest = &s->candidates[s->candidate_count++];
	else if (weight <= smallest->weight)
		return;
	memcpy(smallest->key, key, s->account->layout.size);
	smallest->weight = weight;
}

void series_add(struct series *s, const uint8_t *key, const struct party_tally *t)
{
	uint64_t weight = t->rx.l2_bytes + t->tx.l2_bytes;
	const struct rule_sum *rule = rule_of(s, key);
	struct one *one = find(s, key);

	if (rule && rule->is_another)
		return;
	if (!one)
		one = add(s, key);
	if (!one) {
		/* Cheap for the crowd: only what could be among the largest is remembered. */
		if (s->candidate_count < CANDIDATES || weight > s->candidates[0].weight / 2)
			remember_candidate(s, key, weight);
		one = &s->at[0];
	}
	party_tally_add(&one->total, t);
	one->weight += weight;
	one->changed = true;
}

static int remember_gone(struct series *s, const uint8_t *key)
{
	struct one *grown = realloc(s->gone, (s->gone_count + 1) * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	s->gone = grown;
	grown[s->gone_count] = (struct one){ 0 };
	memcpy(grown[s->gone_count++].key, key, s->account->layout.size);
	return 0;
}

/* The limit was lowered: the ledger is told that the key has no series any more, or it would be
 * added again at each start. */
static int move_to_other(struct series *s, const struct series_state *state)
{
	if (remember_gone(s, state->key) < 0)
		return -ENOMEM;
	if (account_has_rules(s->account))
		return 0;
	party_tally_add(&s->at[0].total, &state->total);
	s->at[0].changed = true;
	return 0;
}

/* Counts of another expression than the rule has: it begins anew. Where the tables are older than the ledger, it is
 * they that are of another expression, and the rule's series is left as it is. */
static bool is_of_another(struct series *s, const struct series_state *state)
{
	struct rule_sum *rule = rule_of(s, state->key);

	if (!rule || !rule->sum || !state->expression || rule->sum == state->expression)
		return false;
	rule->is_another = s->keeps_strangers;
	return true;
}

static bool is_ours(const struct series *s, const uint8_t *key)
{
	return !account_has_rules(s->account) || s->keeps_strangers || rule_of(s, key);
}

int series_load(struct series *s, const struct series_state *states, size_t count)
{
	static const struct party_tally nothing;

	for (size_t i = 0; i < count; i++) {
		struct one *one = find(s, states[i].key);

		if (memcmp(&states[i].total, &nothing, sizeof nothing) == 0)
			continue;
		if (is_of_another(s, &states[i])) {
			if (!s->keeps_strangers && remember_gone(s, states[i].key) < 0)
				return -ENOMEM;
			continue;
		}
		if (!one && is_ours(s, states[i].key))
			one = add(s, states[i].key);
		if (!one && move_to_other(s, &states[i]) < 0)
			return -ENOMEM;
		if (one)
			party_tally_add(&one->total, &states[i].total);
	}
	return 0;
}

uint64_t series_expression(const struct series *s, const uint8_t *key)
{
	const struct rule_sum *rule = rule_of(s, key);

	return rule ? rule->sum : 0;
}

void series_keep_strangers(struct series *s)
{
	s->keeps_strangers = true;
}

/* The index has no removal: it is made anew, once a window at most. */
static void reindex(struct series *s)
{
	table_clear(&s->index);
	for (size_t i = 1; i < s->count; i++) {
		uint64_t words[KEY_WORDS_MAX], *place;

		aligned_key(s, s->at[i].key, words);
		place = table_find_or_add(&s->index, words, hash_of(s, words));
		if (place)
			*place = i;
	}
}

static struct one *smallest_of(struct series *s)
{
	struct one *smallest = NULL;

	for (size_t i = 1; i < s->count; i++)
		if (!smallest || s->at[i].weight < smallest->weight)
			smallest = &s->at[i];
	return smallest;
}

void series_settle(struct series *s)
{
	bool replaced = false;

	for (size_t c = 0; c < s->candidate_count; c++) {
		struct one *out = smallest_of(s);

		if (!out || out->weight >= s->candidates[c].weight || remember_gone(s, out->key) < 0)
			continue;
		party_tally_add(&s->at[0].total, &out->total);
		s->at[0].changed = true;
		/* Told to the ledger even before its first bytes: it may have been given up in this very tick. */
		*out = (struct one){ .weight = s->candidates[c].weight, .changed = true };
		memcpy(out->key, s->candidates[c].key, s->account->layout.size);
		replaced = true;
	}
	s->candidate_count = 0;
	if (replaced)
		reindex(s);
	for (size_t i = 0; i < s->count; i++)
		s->at[i].weight /= 2;
}

static int append(struct series *s, struct booking *b, const struct one *one)
{
	struct series_state *grown = realloc(b->series, (b->series_count + 1) * sizeof *grown);
	const struct rule_sum *rule = rule_of(s, one->key);

	if (!grown)
		return -ENOMEM;
	b->series = grown;
	grown[b->series_count] = (struct series_state){ .account = account_ref(s->account), .total = one->total,
							.expression = rule ? rule->sum : 0 };
	memcpy(grown[b->series_count++].key, one->key, sizeof one->key);
	return 0;
}

int series_changes(struct series *s, struct booking *b)
{
	for (size_t i = 0; i < s->gone_count; i++)
		if (!find(s, s->gone[i].key) && append(s, b, &s->gone[i]) < 0)
			return -ENOMEM;
	s->gone_count = 0;
	for (size_t i = 0; i < s->count; i++) {
		if (!s->at[i].changed)
			continue;
		if (append(s, b, &s->at[i]) < 0)
			return -ENOMEM;
		s->at[i].changed = false;
	}
	return 0;
}

int series_snapshot(const struct series *s, struct snapshot_series **ret, size_t *ret_count)
{
	struct snapshot_series *out = malloc(s->count * sizeof *out);

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < s->count; i++) {
		memcpy(out[i].key, s->at[i].key, sizeof out[i].key);
		out[i].total = s->at[i].total;
	}
	*ret = out;
	*ret_count = s->count;
	return 0;
}
