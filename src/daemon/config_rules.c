/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_rules.c -- the rule file of an account: read once, checked whole; its rules for an interface, and their ids. */
#include "daemon/config_internal.h"

#include "rules/rule_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIRECTIONS 3
#define MAC_TEXT_MAX 18
#define ANY_MAC "02:00:00:00:00:00" /* for the check: an interface is known only later */

static bool has_rule_key(const struct account *a)
{
	for (size_t i = 0; i < a->by_count; i++)
		if (a->by[i] == FIELD_RULE)
			return true;
	return false;
}

/* Beside the config file, unless it begins with '/'. NULL: no memory. */
static char *whole_path(const struct config_loader *l, const char *path)
{
	const char *slash = strrchr(l->path, '/');
	char *whole = NULL;

	if (path[0] == '/' || !slash)
		return strdup(path);
	return asprintf(&whole, "%.*s/%s", (int)(slash - l->path), l->path, path) < 0 ? NULL : whole;
}

static void read_rules(struct config_loader *l, const struct config_value *v, struct config_rules *ret)
{
	char *path = whole_path(l, v->text);
	struct rule_source from = { .path = path, .mac = ANY_MAC, .check = rule_set_check };
	struct stat st;
	struct err e;

	if (!path)
		config_problem(&l->p, v->line, "rules: out of memory");
	else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* reading it might wait for ever */
		config_problem(&l->p, v->line, "rules: %s: not a file", path);
	else if (rule_file_read(&ret->file, &from, &l->mistakes, &e) < 0)
		config_problem(&l->p, v->line, "rules: %s", e.msg);
	free(path);
}

bool config_load_rules(struct config_loader *l, cfg_t *s, const struct account *a, unsigned line, struct config_rules *ret)
{
	static const char *const keys[] = { "rules", "socket", "socket_group" };
	const struct config_value *v = config_value(s, "rules", &l->p);

	for (size_t i = 0; !has_rule_key(a) && i < sizeof keys / sizeof *keys; i++) {
		const struct config_value *k = config_value_at(s, keys[i], 0);

		if (k)
			config_problem(&l->p, k->line, "%s: only for an account by rule: by = { rule }", keys[i]);
	}
	if (!has_rule_key(a))
		return false;
	if (!v)
		config_problem(&l->p, line, "account %.60s: by rule: by which? write rules = \"FILE\"", a->name);
	else
		read_rules(l, v, ret);
	config_read_text(l, s, "socket", ret->socket, sizeof ret->socket);
	config_read_owner(l, s, "socket_group", ret->socket_group);
	v = config_value_at(s, "socket", 0);
	if (v && v->text[0] != '/' && v->text[0])
		config_problem(&l->p, v->line, "socket = '%.60s': write a whole path, such as /run/nettally/%s.sock", v->text,
			       a->name);
	for (size_t i = 0; v && i < l->c->rules_count; i++)
		if (strcmp(l->c->rules[i].socket, v->text) == 0)
			config_problem(&l->p, v->line, "socket = '%.60s' is account %s's", v->text,
				       l->c->rules[i].account->name);
	v = config_value_at(s, "socket_group", 0);
	if (v && !ret->socket[0])
		config_problem(&l->p, v->line, "socket_group: of which socket? write socket = \"PATH\"");
	return true;
}

/* FNV-1a, 64 bits: whether it is the same text, no more. */
static uint64_t sum_of(const char *text)
{
	uint64_t sum = 14695981039346656037u;

	for (; text && *text; text++)
		sum = (sum ^ (uint8_t)*text) * 1099511628211u;
	return sum ? sum : 1;
}

int config_add_rules(struct config *c, struct account *a, struct config_rules *r, struct err *e)
{
	struct config_rules *grown = realloc(c->rules, (c->rules_count + 1) * sizeof *grown);

	if (grown)
		c->rules = grown;
	a->rules = calloc(r->file->count + 1, sizeof *a->rules);
	a->rule_sums = calloc(r->file->count + 1, sizeof *a->rule_sums);
	if (!grown || !a->rules || !a->rule_sums)
		return err_errno(e, -ENOMEM, "account %s", a->name);
	for (size_t i = 0; i < r->file->count; i++) /* with the same address for $MAC always */
		a->rule_sums[i] = sum_of(r->file->rules[i].expression);
	a->rule_count = r->file->count;
	r->account = a;
	c->rules[c->rules_count++] = *r;
	r->file = NULL;
	return 0;
}

int config_rules_for(const struct config_rules *r, const uint8_t mac[6], struct rule_file **ret, struct err *e)
{
	static const uint8_t none[6];
	char text[MAC_TEXT_MAX];
	struct rule_source from = { .path = r->file->path, .mac = text };
	struct slice bytes = { (const uint8_t *)r->file->text, r->file->text_len };

	if (!mac)
		mac = none;
	snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return rule_file_parse(ret, &from, bytes, NULL, e);
}

static uint32_t at_least(uint32_t have, uint64_t need)
{
	return need > have ? (uint32_t)need : have;
}

/* Each rule has a series and a place in each window, or its count would go into `other`. */
static void make_room(struct account *a, size_t interfaces)
{
	uint64_t keys = a->rule_count;

	if (key_has(&a->layout, FIELD_INTERFACE))
		keys *= interfaces + 1;
	if (key_has(&a->layout, FIELD_DIRECTION))
		keys *= DIRECTIONS;
	a->limit = at_least(a->limit, keys);
	a->series = at_least(a->series, keys + 1);
}

int config_rules_intern(struct config *c, struct strings *strings, struct err *e)
{
	for (size_t i = 0; i < c->rules_count; i++) {
		struct account *a = c->rules[i].account;

		for (size_t k = 0; k < a->rule_count; k++) {
			if (!a->rules[k])
				a->rules[k] = strings_add(strings, c->rules[i].file->rules[k].identifier);
			if (!a->rules[k])
				return err_set(e, -ENOMEM, "account %s: no room for the names of its rules", a->name);
		}
		make_room(a, c->interface_count);
	}
	return 0;
}

void config_rules_free(struct config *c)
{
	for (size_t i = 0; i < c->rules_count; i++)
		rule_file_free(&c->rules[i].file);
	free(c->rules);
}
