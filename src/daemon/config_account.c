/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_account.c -- an `account` section into a struct account; each mistake with the line of
 * its own key. */
#include "daemon/config_internal.h"

#include "base/text.h"
#include "model/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400u

static void load_from(struct config_loader *l, cfg_t *s, struct account *a)
{
	static const struct config_word sources[] = {
		{ "packets", FROM_PACKETS }, { "reports", FROM_REPORTS }, { "sockets", FROM_SOCKETS }, { 0 }
	};
	int from = FROM_PACKETS;

	config_read_word(l, s, "from", sources, &from);
	a->from = (enum account_from)from;
}

static void load_by(struct config_loader *l, cfg_t *s, struct account *a, unsigned line)
{
	const struct config_value *v;
	uint64_t seen = 0;

	for (unsigned i = 0; (v = config_value_at(s, "by", i)); i++) {
		enum field f;
		struct err e;

		if (field_parse(&f, v->text, &e) < 0) {
			config_problem(&l->p, v->line, "%s", e.msg);
			continue;
		}
		if (seen & FIELD_BIT(f)) {
			config_problem(&l->p, v->line, "key \"%s\" is given twice", v->text);
			continue;
		}
		if (a->by_count == FIELDS_PER_KEY_MAX) {
			config_problem(&l->p, v->line, "more than %d keys", FIELDS_PER_KEY_MAX);
			return;
		}
		seen |= FIELD_BIT(f);
		a->by[a->by_count++] = f;
	}
	if (!config_value_at(s, "by", 0))
		config_problem(&l->p, line, "account %.60s: by what? write e.g. by = { host }", a->name);
}

static void load_every(struct config_loader *l, cfg_t *s, struct account *a)
{
	const struct config_value *v = config_value(s, "every", &l->p);
	struct err e;
	uint32_t every_s;

	if (!v)
		return;
	if (duration_parse(&every_s, v->text, &e) < 0)
		config_problem(&l->p, v->line, "every: %s", e.msg);
	else if (DAY_S % every_s != 0)
		config_problem(&l->p, v->line, "every = %s does not divide a day; write such as 1s, 10s, 1min, 5min, 1h, 1d",
			       v->text);
	else
		a->every_s = every_s;
}

/* "1h:28d", "1d:forever" */
static int parse_keep(struct keep *ret, const char *text, struct err *e)
{
	const char *colon = strchr(text, ':');
	char window[32];
	struct keep k = { 0 };
	int r;

	if (!colon || (size_t)(colon - text) >= sizeof window)
		return err_set(e, -EINVAL, "'%.40s': write WINDOW:AGE, such as 1h:28d or 1d:forever", text);
	memcpy(window, text, (size_t)(colon - text));
	window[colon - text] = '\0';
	r = duration_parse(&k.window_s, window, e);
	if (r == 0 && strcmp(colon + 1, "forever") != 0)
		r = duration_parse(&k.age_s, colon + 1, e);
	if (r == 0)
		*ret = k;
	return r;
}

/* What is wrong with `k` behind the `count` entries that a->keep has; NULL = nothing. */
static const char *keep_mistake(const struct account *a, const struct keep *k)
{
	const struct keep *fine = a->keep_count ? &a->keep[a->keep_count - 1] : NULL;

	if (!fine && k->window_s != a->every_s)
		return "the first window must be as long as the account's own (every)";
	if (DAY_S % k->window_s != 0)
		return "a window must divide a day";
	if (k->age_s && k->age_s < k->window_s)
		return "a record is kept at least as long as its window";
	if (!fine)
		return NULL;
	if (k->window_s <= fine->window_s || k->window_s % fine->window_s != 0)
		return "each window must be longer than the one before, and a multiple of it";
	if (fine->age_s == 0)
		return "the entry before is kept for ever, so nothing comes behind it";
	if (k->age_s && k->age_s < fine->age_s)
		return "longer windows must be kept longer";
	return NULL;
}

static void load_keep(struct config_loader *l, cfg_t *s, struct account *a)
{
	const struct config_value *v;

	for (unsigned i = 0; (v = config_value_at(s, "keep", i)); i++) {
		const char *mistake;
		struct keep k;
		struct err e;

		if (parse_keep(&k, v->text, &e) < 0) {
			config_problem(&l->p, v->line, "keep: %s", e.msg);
			return; /* the next would be compared with what is not there */
		}
		mistake = keep_mistake(a, &k);
		if (a->keep_count == ACCOUNT_KEEP_MAX)
			mistake = "more entries than there is room for";
		if (mistake) {
			config_problem(&l->p, v->line, "keep = '%.40s': %s", v->text, mistake);
			return;
		}
		a->keep[a->keep_count++] = k;
	}
}

static void load_parties(struct config_loader *l, cfg_t *s, struct account *a)
{
	static const struct config_word ofs[] = { { "local", OF_LOCAL }, { "remote", OF_REMOTE }, { "both", OF_BOTH }, { 0 } };
	static const char *const keys[] = { "of", "self", "groups" };
	bool party = false;
	int of = OF_BOTH;

	config_read_word(l, s, "of", ofs, &of);
	a->of = (enum account_of)of;
	config_read_bool(l, s, "self", &a->self);
	config_read_bool(l, s, "groups", &a->groups);
	for (size_t i = 0; i < a->by_count; i++)
		party |= (FIELDS_OF_PARTY & FIELD_BIT(a->by[i])) != 0 && !account_has_deliveries(a);
	if (party || a->by_count == 0 || (a->of == OF_BOTH && a->self && a->groups))
		return;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct config_value *v = config_value_at(s, keys[i], 0);

		if (v)
			config_problem(&l->p, v->line, "%s says which parties; without a key of a party (mac, host) in `by` "
				       "there are none", keys[i]);
	}
}

/* The alias of a label or of a metric. */
static bool is_metric_name(const char *alias)
{
	return alias[strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0' &&
	       strncmp(alias, "nettally_", 9) != 0;
}

/* A metric is of one account. */
static const struct account *who_has_metric(const struct config *c, const char *alias)
{
	for (size_t i = 0; i < c->account_count; i++)
		for (size_t k = 0; c->accounts[i]->columns && k < c->accounts[i]->columns->count; k++) {
			const struct column_map *m = &c->accounts[i]->columns->at[k];

			if (m->of == COLUMN_OF_COUNTER && strcmp(m->alias, alias) == 0)
				return c->accounts[i];
		}
	return NULL;
}

static void load_column(struct config_loader *l, struct account *a, const struct config_value *v)
{
	const struct column_map *m = &a->columns->at[a->columns->count];
	const struct account *other;
	struct err e;

	if (columns_add(a->columns, a, v->text, &e) < 0)
		config_problem(&l->p, v->line, "columns: %s", e.msg);
	else if (!is_metric_name(m->alias))
		config_problem(&l->p, v->line, "columns: '%s' is no name in /metrics: letters, digits and _; not nettally_...",
			       m->alias);
	else if (m->of == COLUMN_OF_TIME || m->of == COLUMN_OF_LENGTH || m->of == COLUMN_OF_NODE)
		config_problem(&l->p, v->line, "columns: '%s': a sample in /metrics has no window and no node", m->alias);
	else if (m->of == COLUMN_OF_COUNTER && (other = who_has_metric(l->c, m->alias)))
		config_problem(&l->p, v->line, "columns: account %s has a metric '%s' already", other->name, m->alias);
}

/* How its samples in /metrics are called. */
static void load_columns(struct config_loader *l, cfg_t *s, struct account *a)
{
	const struct config_value *v = config_value_at(s, "columns", 0);
	size_t before = l->p.count;
	bool counter = false;

	if (!v)
		return;
	a->columns = calloc(1, sizeof *a->columns);
	if (!a->columns) {
		config_problem(&l->p, v->line, "out of memory");
		return;
	}
	for (unsigned i = 0; (v = config_value_at(s, "columns", i)); i++)
		load_column(l, a, v);
	for (size_t i = 0; i < a->columns->count; i++)
		counter = counter || a->columns->at[i].of == COLUMN_OF_COUNTER;
	if (!counter && l->p.count == before)
		config_problem(&l->p, config_value_at(s, "columns", 0)->line,
			       "columns: none is a counter; write e.g. \"node_bytes_total=rx_bytes+tx_bytes\"");
}

void config_load_account(struct config_loader *l, cfg_t *s, const struct config_statement *st)
{
	static const struct config_word bases[] = { { "l2", BYTES_L2 }, { "l3", BYTES_L3 }, { 0 } };
	size_t before = l->p.count;
	struct account *a = account_new();
	struct err e = { 0 };
	struct config_rules rules = { 0 };
	int basis = BYTES_L2;
	bool by_rule;

	if (!a) {
		config_problem(&l->p, st->line, "out of memory");
		return;
	}
	if (account_name_check(cfg_title(s), &e) < 0)
		config_problem(&l->p, st->line, "%s", e.msg);
	else
		memcpy(a->name, cfg_title(s), strlen(cfg_title(s)) + 1);
	load_from(l, s, a);
	load_by(l, s, a, st->line);
	load_every(l, s, a);
	load_keep(l, s, a);
	load_parties(l, s, a);
	config_read_word(l, s, "bytes", bases, &basis);
	a->bytes = (enum bytes_basis)basis;
	config_read_number(l, s, "limit", 1u << 26, &a->limit);
	config_read_number(l, s, "series", 1000000, &a->series);
	if (l->p.count == before && !l->p.more && account_finish(a, &e) < 0)
		config_problem(&l->p, config_text_line(l->text, st, "by"), "%s", e.msg);
	if (l->p.count == before && !l->p.more)
		load_columns(l, s, a);
	by_rule = config_load_rules(l, s, a, st->line, &rules);
	if (l->p.count == before && !l->p.more) {
		account_ref(a);
		if (config_add_account(l->c, a, &e) < 0) {
			config_problem(&l->p, st->line, "%s", e.msg);
			account_unref(&(struct account *){ a });
		} else if (by_rule && config_add_rules(l->c, a, &rules, &e) < 0) {
			config_problem(&l->p, st->line, "%s", e.msg);
		}
	}
	rule_file_free(&rules.file);
	account_unref(&a);
}
