/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leftovers_note.c -- the note that kernel tables carry: the ledger and the accounts, a line each, words between
 * tabs. Unknown lines are skipped: another build may have written it. */
#include "daemon/leftovers.h"

#include "daemon/config_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 11 /* of an account's line */
#define LINE_MAX_BYTES 1024

static const char *const ofs[] = { [OF_BOTH] = "both", [OF_LOCAL] = "local", [OF_REMOTE] = "remote" };

int leftovers_whole_path(const char *path, char ret[static LEFTOVERS_PATH_MAX], struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *dir = slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	char *real = dir ? realpath(dir, NULL) : NULL;
	int r = real || !dir ? 0 : -errno, len;

	if (!dir || (!real && r == -ENOMEM))
		r = -ENOMEM;
	len = snprintf(ret, LEFTOVERS_PATH_MAX, "%s/%s", real ? real : dir ? dir : "", name);
	free(dir);
	free(real);
	if (r == -ENOMEM)
		return err_set(e, r, "no memory");
	return len < LEFTOVERS_PATH_MAX ? 0 : err_set(e, -ENAMETOOLONG, "%.60s...: too long a path", path);
}

/* account NAME KEYS OF SELF GROUPS EVERY BYTES LIMIT SERIES KEEP */
static void write_account(FILE *to, const struct account *a)
{
	fprintf(to, "account\t%s\t", a->name);
	for (size_t i = 0; i < a->by_count; i++)
		fprintf(to, "%s%s", i ? "," : "", field_name(a->by[i]));
	fprintf(to, "\t%s\t%d\t%d\t%" PRIu32 "\t%s\t%" PRIu32 "\t%" PRIu32 "\t", ofs[a->of], a->self, a->groups, a->every_s,
		a->bytes == BYTES_L3 ? "l3" : "l2", a->limit, a->series);
	for (size_t i = 0; i < a->keep_count; i++)
		fprintf(to, "%s%" PRIu32 ":%" PRIu32, i ? "," : "", a->keep[i].window_s, a->keep[i].age_s);
	fputc('\n', to);
}

/* rule IDENTIFIER, behind their account: the rest of the line, whatever its bytes. Then the sum of its expression. */
static void write_rules(FILE *to, const struct config *cf, const struct account *a)
{
	for (size_t i = 0; i < cf->rules_count; i++)
		for (size_t k = 0; cf->rules[i].account == a && k < cf->rules[i].file->count; k++)
			fprintf(to, "rule\t%s\nsum\t%" PRIx64 "\n", cf->rules[i].file->rules[k].identifier, a->rule_sums[k]);
}

char *leftovers_note(const struct config *cf)
{
	char *text = NULL, path[LEFTOVERS_PATH_MAX];
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	fprintf(to, "ledger\t%s\n", leftovers_whole_path(cf->ledger_path, path, NULL) == 0 ? path : cf->ledger_path);
	for (size_t i = 0; i < cf->account_count; i++)
		if (cf->accounts[i]->from == FROM_PACKETS) {
			write_account(to, cf->accounts[i]);
			write_rules(to, cf, cf->accounts[i]);
		}
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

bool leftovers_ledger_path(const char *note, char ret[static LEFTOVERS_PATH_MAX])
{
	size_t len;

	if (!note || strncmp(note, "ledger\t", 7) != 0)
		return false;
	note += 7;
	len = strcspn(note, "\n");
	if (len == 0 || len >= LEFTOVERS_PATH_MAX)
		return false;
	memcpy(ret, note, len);
	ret[len] = '\0';
	return true;
}

static uint32_t number(const char *text, uint32_t most)
{
	unsigned long n = strtoul(text, NULL, 10);

	return n > most ? most : (uint32_t)n;
}

static void read_keep(struct account *a, char *text)
{
	char *rest = NULL;

	for (char *one = strtok_r(text, ",", &rest); one && a->keep_count < ACCOUNT_KEEP_MAX; one = strtok_r(NULL, ",", &rest)) {
		char *colon = strchr(one, ':');

		a->keep[a->keep_count++] = (struct keep){ number(one, UINT32_MAX), colon ? number(colon + 1, UINT32_MAX) : 0 };
	}
}

static int fill_account(struct account *a, char *const word[WORDS], struct err *e)
{
	int r = account_name_check(word[1], e);

	if (r == 0)
		r = field_list_parse(a->by, &a->by_count, word[2], e);
	if (r < 0)
		return r;
	memcpy(a->name, word[1], strlen(word[1]) + 1);
	for (unsigned of = 0; of < sizeof ofs / sizeof *ofs; of++)
		if (strcmp(word[3], ofs[of]) == 0)
			a->of = (enum account_of)of;
	a->self = word[4][0] == '1';
	a->groups = word[5][0] == '1';
	a->every_s = number(word[6], 86400);
	a->bytes = strcmp(word[7], "l3") == 0 ? BYTES_L3 : BYTES_L2;
	a->limit = number(word[8], UINT32_MAX);
	a->series = number(word[9], UINT32_MAX);
	read_keep(a, word[10]);
	return account_finish(a, e);
}

static int begin_rules(struct config *c, struct account *a, struct err *e)
{
	struct config_rules rules = { .file = calloc(1, sizeof *rules.file) };
	int r = rules.file ? config_add_rules(c, a, &rules, e) : err_set(e, -ENOMEM, "no memory");

	/* The ledger has series of rules that came later, too. */
	a->series = a->series > UINT32_MAX - RULES_MAX ? a->series : a->series + RULES_MAX;
	rule_file_free(&rules.file);
	return r;
}

/* To the account before; names alone, for they are all that its counts are booked by. */
static int read_rule(struct config *c, const char *name, size_t len, struct err *e)
{
	struct config_rules *r = c->rules_count ? &c->rules[c->rules_count - 1] : NULL;
	struct rule *rules;
	uint32_t *ids;
	uint64_t *sums;

	if (!r || r->account != c->accounts[c->account_count - 1])
		return 0;
	if (r->file->count == RULES_MAX)
		return err_set(e, -EINVAL, "account %s: more than %u rules", r->account->name, RULES_MAX);
	rules = realloc(r->file->rules, (r->file->count + 1) * sizeof *rules);
	if (rules)
		r->file->rules = rules;
	ids = realloc(r->account->rules, (r->file->count + 1) * sizeof *ids);
	if (ids)
		r->account->rules = ids;
	sums = realloc(r->account->rule_sums, (r->file->count + 1) * sizeof *sums);
	if (sums)
		r->account->rule_sums = sums;
	if (!rules || !ids || !sums || !(rules[r->file->count].identifier = strndup(name, len)))
		return err_set(e, -ENOMEM, "no memory");
	rules[r->file->count].expression = NULL;
	sums[r->file->count] = 0;
	ids[r->file->count++] = 0;
	r->account->rule_count = r->file->count;
	return 0;
}

/* Of the rule before. */
static void read_sum(struct config *c, const char *text)
{
	const struct account *a = c->rules_count ? c->rules[c->rules_count - 1].account : NULL;

	if (a && a->rule_count && a == c->accounts[c->account_count - 1])
		a->rule_sums[a->rule_count - 1] = strtoull(text, NULL, 16);
}

/* A line that is no account's is none of ours. */
static int read_line(struct config *c, char *line, struct err *e)
{
	char *word[WORDS];
	struct account *a;
	int r;

	for (unsigned i = 0; i < WORDS; i++) {
		word[i] = strsep(&line, "\t");
		if (!word[i] || (i == 0 && strcmp(word[0], "account") != 0))
			return 0;
	}
	a = account_new();
	r = a ? fill_account(a, word, e) : err_set(e, -ENOMEM, "no memory");
	if (r == 0)
		r = config_add_account(c, a, e);
	if (r < 0)
		account_unref(&a);
	return r == 0 && account_has_rules(a) ? begin_rules(c, a, e) : r;
}

int leftovers_config(const struct kernel_description *d, struct config **ret, struct err *e)
{
	struct config *c = calloc(1, sizeof *c);
	const char *at = d->note ? d->note : "";
	char line[LINE_MAX_BYTES];
	int r = c ? 0 : err_set(e, -ENOMEM, "no memory");

	while (r == 0 && *at) {
		size_t len = strcspn(at, "\n");

		if (strncmp(at, "rule\t", 5) == 0) {
			r = read_rule(c, at + 5, len - 5, e);
		} else if (strncmp(at, "sum\t", 4) == 0) {
			read_sum(c, at + 4);
		} else if (len < sizeof line) {
			memcpy(line, at, len);
			line[len] = '\0';
			r = read_line(c, line, e);
		}
		at += len + (at[len] == '\n');
	}
	for (size_t i = 0; r == 0 && i < d->local.count; i++)
		if (prefix_set_add(&c->local, &d->local.at[i]) < 0)
			r = err_set(e, -ENOMEM, "no memory");
	if (r < 0) {
		config_free(&c);
		return err_prefix(e, r, "what was left in the kernel");
	}
	*ret = c;
	return 0;
}
