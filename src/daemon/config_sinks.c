/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_sinks.c -- the sections of sinks: each kind is a section with its own options, those that all have, and tables. */
#include "daemon/config_internal.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SINKS_MAX 64
#define TABLES_MAX 64
#define SECRET_MAX 4096
#define HOLD_DEFAULT_S (7 * 86400u)
#define HOLD_DEFAULT_BYTES (UINT64_C(8) << 30)
#define TIMEOUT_DEFAULT_S 30
#define BATCH_MAX 1000000

/* ---- the keys ---- */

static const char *const common_keys[] = { "node", "hold", "hold_size", "batch", "timeout" };
static const char *const table_keys[] = { "account", "devices", "columns" };
#define COMMON_COUNT (sizeof common_keys / sizeof *common_keys)
#define TABLE_KEY_COUNT (sizeof table_keys / sizeof *table_keys)

struct kind_keys {
	cfg_opt_t at[64];
	char names[64][48]; /* of what a secret is called */
};

static void make_keys(struct kind_keys *k, const struct sink_ops *ops, cfg_opt_t *table, cfg_opt_t key)
{
	size_t n = 0;

	for (const struct sink_option *o = ops->options; o->name && n + COMMON_COUNT + 4 < 64; o++) {
		if (o->type == SINK_SECRET) {
			snprintf(k->names[n], sizeof k->names[n], "%s_file", o->name);
			snprintf(k->names[n + 1], sizeof k->names[n + 1], "%s_env", o->name);
		} else {
			snprintf(k->names[n], sizeof k->names[n], "%s", o->name);
		}
		for (size_t more = o->type == SINK_SECRET ? 2 : 1; more; more--, n++) {
			k->at[n] = key;
			k->at[n].name = k->names[n];
		}
	}
	for (size_t i = 0; i < COMMON_COUNT; i++) {
		k->at[n] = key;
		k->at[n++].name = common_keys[i];
	}
	k->at[n++] = (cfg_opt_t)CFG_SEC("table", table, CFGF_MULTI | CFGF_TITLE);
	k->at[n] = (cfg_opt_t)CFG_END();
}

cfg_t *config_init_with_sinks(const cfg_opt_t *top, cfg_opt_t key)
{
	cfg_opt_t table[TABLE_KEY_COUNT + 1], *all;
	size_t kinds = 0, tops = 0, n = 0;
	struct kind_keys *keys;
	cfg_t *cfg = NULL;

	while (sink_kinds[kinds])
		kinds++;
	while (top[tops].name)
		tops++;
	for (size_t i = 0; i < TABLE_KEY_COUNT; i++) {
		table[i] = key;
		table[i].name = table_keys[i];
	}
	table[TABLE_KEY_COUNT] = (cfg_opt_t)CFG_END();
	keys = calloc(kinds + 1, sizeof *keys);
	all = calloc(tops + kinds + 1, sizeof *all);
	if (keys && all) {
		memcpy(all, top, tops * sizeof *all);
		n = tops;
		for (size_t i = 0; i < kinds; i++) {
			make_keys(&keys[i], sink_kinds[i], table, key);
			all[n++] = (cfg_opt_t)CFG_SEC(sink_kinds[i]->name, keys[i].at, CFGF_MULTI | CFGF_TITLE);
		}
		all[n] = (cfg_opt_t)CFG_END();
		cfg = cfg_init(all, CFGF_NONE); /* copies the tables */
	}
	free(keys);
	free(all);
	return cfg;
}

/* ---- options ---- */

static int take_number(struct sink_setting *s, const struct sink_option *o, const char *text, struct err *e)
{
	uint32_t seconds = 0;
	char *end;
	int r = 0, b;

	switch (o->type) {
	case SINK_BOOL:
		b = cfg_parse_boolean(text);
		s->number = b > 0;
		return b < 0 ? err_set(e, -EINVAL, "'%.40s': write yes or no", text) : 0;
	case SINK_NUMBER:
		errno = 0;
		s->number = strtoull(text, &end, 10);
		return errno || *end || text[0] < '0' || text[0] > '9' ? err_set(e, -EINVAL, "'%.40s': write a number", text) : 0;
	case SINK_DURATION:
		r = duration_parse(&seconds, text, e);
		s->number = seconds;
		return r;
	case SINK_SIZE:
		return size_parse(&s->number, text, e);
	case SINK_FILE:
		return access(text, R_OK) < 0 ? err_errno(e, -errno, "%.200s", text) : 0;
	default:
		return 0;
	}
}

static void take(struct config_loader *l, struct sink_setting *s, const struct sink_option *o, const char *text, unsigned line)
{
	struct err e;

	s->line = line;
	s->text = strdup(text);
	if (!s->text)
		config_problem(&l->p, line, "%s: out of memory", o->name);
	else if (!*text)
		config_problem(&l->p, line, "%s is empty", o->name);
	else if (take_number(s, o, text, &e) < 0)
		config_problem(&l->p, line, "%s = %s", o->name, e.msg);
}

/* The first line of a file; what stands in it appears in no message. */
static int read_secret(const char *path, char ret[static SECRET_MAX], struct err *e)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return err_errno(e, -errno, "%.200s", path);
	bool got = fgets(ret, SECRET_MAX, f) != NULL;
	fclose(f);
	ret[got ? strcspn(ret, "\r\n") : 0] = '\0';
	return *ret ? 0 : err_set(e, -EINVAL, "%.200s: its first line is empty", path);
}

static void take_secret(struct config_loader *l, cfg_t *s, struct sink_setting *to, const struct sink_option *o)
{
	char file_key[64], env_key[64], secret[SECRET_MAX] = "";
	struct err e = { 0 };

	snprintf(file_key, sizeof file_key, "%s_file", o->name);
	snprintf(env_key, sizeof env_key, "%s_env", o->name);
	const struct config_value *file = config_value(s, file_key, &l->p), *env = config_value(s, env_key, &l->p);
	if (!file && !env)
		return;
	to->line = file ? file->line : env->line;
	if (file && env) {
		config_problem(&l->p, env->line, "write %s or %s, not both", file_key, env_key);
		return;
	}
	if (file && read_secret(file->text, secret, &e) < 0)
		config_problem(&l->p, file->line, "%s: %s", file_key, e.msg);
	if (env && getenv(env->text))
		snprintf(secret, sizeof secret, "%s", getenv(env->text));
	if (env && !*secret)
		config_problem(&l->p, env->line, "%s: there is no environment variable %.60s", env_key, env->text);
	to->text = strdup(secret);
	explicit_bzero(secret, sizeof secret);
}

static void load_options(struct config_loader *l, cfg_t *s, struct sink_config *cf)
{
	const struct sink_option *options = cf->ops->options;
	size_t count = 0;

	while (options[count].name)
		count++;
	cf->settings = calloc(count + 1, sizeof *cf->settings);
	for (size_t i = 0; cf->settings && i < count; i++) {
		const struct sink_option *o = &options[i];
		const struct config_value *v = o->type == SINK_SECRET ? NULL : config_value(s, o->name, &l->p);

		if (o->type == SINK_SECRET)
			take_secret(l, s, &cf->settings[i], o);
		else if (v)
			take(l, &cf->settings[i], o, v->text, v->line);
		else if (o->fallback)
			take(l, &cf->settings[i], o, o->fallback, 0);
		if (o->required && !cf->settings[i].text)
			config_problem(&l->p, cf->line, "%s %s needs %s%s: %s", cf->ops->name, cf->name, o->name,
				       o->type == SINK_SECRET ? "_file" : "", o->help);
	}
}

static void read_duration(struct config_loader *l, cfg_t *s, const char *key, uint32_t *ret)
{
	const struct config_value *v = config_value(s, key, &l->p);
	struct err e;

	if (v && duration_parse(ret, v->text, &e) < 0)
		config_problem(&l->p, v->line, "%s: %s", key, e.msg);
}

static void load_common(struct config_loader *l, cfg_t *s, struct sink_config *cf)
{
	cf->hold_s = HOLD_DEFAULT_S;
	cf->hold_bytes = HOLD_DEFAULT_BYTES;
	cf->timeout_s = TIMEOUT_DEFAULT_S;
	cf->batch_records = cf->ops->batch_records;
	if (gethostname(cf->node, sizeof cf->node - 1) < 0 || !*cf->node)
		snprintf(cf->node, sizeof cf->node, "localhost");
	config_read_text(l, s, "node", cf->node, sizeof cf->node);
	read_duration(l, s, "hold", &cf->hold_s);
	config_read_size(l, s, "hold_size", 1 << 20, UINT64_C(1) << 50, &cf->hold_bytes);
	config_read_number(l, s, "batch", BATCH_MAX, &cf->batch_records);
	read_duration(l, s, "timeout", &cf->timeout_s);
}

/* ---- tables ---- */

static struct account *find_account(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->account_count; i++)
		if (strcmp(c->accounts[i]->name, name) == 0)
			return c->accounts[i];
	return NULL;
}

static void load_columns(struct config_loader *l, cfg_t *s, struct sink_table *t)
{
	const struct config_value *v;
	struct err e;
	bool wrong = false;

	for (unsigned i = 0; (v = config_value_at(s, "columns", i)); i++)
		if (columns_add(&t->columns, t->account, v->text, &e) < 0) {
			config_problem(&l->p, v->line, "columns: %s", e.msg);
			wrong = true;
		}
	v = config_value_at(s, "columns", 0);
	if (!v && columns_default(&t->columns, t->account, &e) < 0)
		config_problem(&l->p, t->line, "table %s: %s", t->name, e.msg);
	else if (v && !wrong && columns_check_whole(&t->columns, t->account, &e) < 0)
		config_problem(&l->p, v->line, "%s", e.msg);
}

static bool is_table_name(const char *name)
{
	size_t len = strlen(name);

	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return len > 0 && len < SINK_TABLE_NAME_MAX;
}

static void load_table(struct config_loader *l, cfg_t *s, struct sink_config *cf)
{
	const struct config_value *account = config_value(s, "account", &l->p), *any = config_value_at(s, "columns", 0);
	struct sink_table *t = &cf->tables[cf->table_count];
	struct account *a = account ? find_account(l->c, account->text) : NULL;
	bool devices = false;

	t->line = account ? account->line : any ? any->line : cf->line;
	if (!is_table_name(cfg_title(s))) {
		config_problem(&l->p, t->line, "table '%.60s': a name has 1 to %d characters", cfg_title(s),
				SINK_TABLE_NAME_MAX - 1);
		return;
	}
	snprintf(t->name, sizeof t->name, "%s", cfg_title(s));
	config_read_bool(l, s, "devices", &devices);
	if (account && !a)
		config_problem(&l->p, account->line, "table %s: there is no account %.60s", t->name, account->text);
	else if (!account == !devices)
		config_problem(&l->p, t->line, "table %s: write account = NAME, or devices = yes for the list of devices",
				t->name);
	if (!a == !devices)
		return;
	t->account = a ? account_ref(a) : NULL;
	cf->table_count++;
	load_columns(l, s, t);
}

static void load_tables(struct config_loader *l, cfg_t *s, struct sink_config *cf)
{
	unsigned count = cfg_size(s, "table");

	if (count > TABLES_MAX) {
		config_problem(&l->p, cf->line, "%s %s: at most %d tables", cf->ops->name, cf->name, TABLES_MAX);
		return;
	}
	cf->tables = calloc(count + 1, sizeof *cf->tables);
	for (unsigned i = 0; cf->tables && i < count; i++)
		load_table(l, cfg_getnsec(s, "table", i), cf);
}

/* No table was written: each account is one, with all that it has. */
static void add_all_tables(struct config_loader *l, struct sink_config *cf)
{
	free(cf->tables);
	cf->tables = calloc(l->c->account_count + 1, sizeof *cf->tables);
	for (size_t i = 0; cf->tables && i < l->c->account_count; i++) {
		struct sink_table *t = &cf->tables[cf->table_count++];
		struct err e;

		t->line = cf->line;
		t->account = account_ref(l->c->accounts[i]);
		snprintf(t->name, sizeof t->name, "%s", t->account->name);
		if (columns_default(&t->columns, t->account, &e) < 0)
			config_problem(&l->p, t->line, "table %s: %s", t->name, e.msg);
	}
}

/* ---- sinks ---- */

static bool name_is_new(const struct sink_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->at[i].name, name) == 0)
			return false;
	return true;
}

static void check_kind(struct config_loader *l, struct sink_config *cf)
{
	struct err e = { 0 };
	unsigned line = 0;

	if (cf->ops->check && cf->ops->check(cf, &line, &e) < 0)
		config_problem(&l->p, line ? line : cf->line, "%s", e.msg);
}

static void load_sink(struct config_loader *l, cfg_t *s, const struct sink_ops *ops, unsigned line)
{
	struct sink_set *set = l->c->sinks;
	size_t problems = l->p.count;
	struct err e;

	if (set->count == SINKS_MAX) {
		config_problem(&l->p, line, "more than %d sinks", SINKS_MAX);
		return;
	}
	struct sink_config *cf = &set->at[set->count];
	*cf = (struct sink_config){ .ops = ops, .line = line };
	if (account_name_check(cfg_title(s), &e) < 0 || !name_is_new(set, cfg_title(s))) {
		config_problem(&l->p, line, name_is_new(set, cfg_title(s))
				? "%s %.60s: a name is a-z, 0-9 and '_', a letter first"
									    : "%s %.60s: another sink has this name",
			       ops->name, cfg_title(s));
		return;
	}
	snprintf(cf->name, sizeof cf->name, "%s", cfg_title(s));
	set->count++;
	load_options(l, s, cf);
	load_common(l, s, cf);
	load_tables(l, s, cf);
	if (cf->table_count == 0 && cfg_size(s, "table") == 0)
		add_all_tables(l, cf);
	if (l->p.count == problems)
		check_kind(l, cf);
}

void config_load_sinks(struct config_loader *l, cfg_t *top)
{
	l->c->sinks = sink_set_new();
	if (l->c->sinks)
		l->c->sinks->at = calloc(SINKS_MAX, sizeof *l->c->sinks->at);
	if (!l->c->sinks || !l->c->sinks->at) {
		config_problem(&l->p, 1, "out of memory");
		return;
	}
	for (const struct sink_ops *const *ops = sink_kinds; *ops; ops++)
		for (unsigned i = 0; i < cfg_size(top, (*ops)->name); i++) {
			const struct config_statement *st = config_text_section(l->text, (*ops)->name, i);

			if (st)
				load_sink(l, cfg_getnsec(top, (*ops)->name, i), *ops, st->line);
		}
}

void config_finish_sinks(struct config_loader *l)
{
	for (size_t i = 0; i < l->c->sinks->count; i++)
		if (l->c->sinks->at[i].table_count == 0)
			add_all_tables(l, &l->c->sinks->at[i]);
}

void config_free_sinks(struct config *c)
{
	sink_set_unref(&c->sinks);
}
