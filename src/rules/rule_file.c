/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule_file.c -- lines, identifiers, and what is put into expressions. */
#include "rules/rule_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN 100 /* bytes of an unknown name that a message shows */

struct parse {
	struct rule_file *file;
	const struct rule_source *from;
	struct rule_mistakes *mistakes;
	size_t room;         /* of file->rules */
	uint32_t *slots;     /* hash table of identifiers: index + 1 */
	size_t slot_count;
	size_t longest;      /* identifier */
	size_t expanded;     /* bytes of all expressions */
	char *text;          /* the expression that is being made */
	size_t text_len, text_room;
	size_t mistakes_before;
	bool no_memory;
};

/* ---- mistakes ---- */

static bool mistakes_append(struct rule_mistakes *m, const char *text, size_t len)
{
	char *bigger = realloc(m->text, m->len + len + 1);

	if (!bigger)
		return false;
	memcpy(bigger + m->len, text, len);
	m->text = bigger;
	m->len += len;
	m->text[m->len] = '\0';
	return true;
}

void rule_mistakes_add(struct rule_mistakes *m, const struct rule_file *file, const struct rule *rule, const char *what)
{
	char *line = NULL;
	int len;

	if (!m || m->count++ >= RULE_MISTAKES_MAX)
		return;
	if (m->count == RULE_MISTAKES_MAX)
		len = asprintf(&line, "%s:%u: and more\n", file->path, rule->line);
	else
		len = asprintf(&line, "%s:%u: %s: %s\n", file->path, rule->line, rule->identifier, what);
	if (len > 0)
		mistakes_append(m, line, (size_t)len);
	free(line);
}

void rule_mistakes_free(struct rule_mistakes *m)
{
	free(m->text);
	*m = (struct rule_mistakes){ 0 };
}

/* ---- identifiers ---- */

#define HASH_START 14695981039346656037u /* FNV-1a */

static uint64_t hash_byte(uint64_t h, char c)
{
	return (h ^ (uint8_t)c) * 1099511628211u;
}

static uint64_t hash_text(const char *text, size_t len)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < len; i++)
		h = hash_byte(h, text[i]);
	return h;
}

/* The slot of the identifier, or the empty one where it belongs; there is always an empty one. */
static uint32_t *identifier_slot(const struct parse *p, const char *text, size_t len, uint64_t hash)
{
	size_t at = (hash ^ hash >> 32) & (p->slot_count - 1);

	for (;; at = (at + 1) & (p->slot_count - 1)) {
		const char *there = p->slots[at] ? p->file->rules[p->slots[at] - 1].identifier : NULL;

		if (!there || (strncmp(there, text, len) == 0 && there[len] == '\0'))
			return &p->slots[at];
	}
}

static bool slots_grow(struct parse *p)
{
	size_t count = p->slot_count ? p->slot_count * 2 : 64;
	uint32_t *slots = calloc(count, sizeof *slots);

	if (!slots)
		return false;
	free(p->slots);
	p->slots = slots;
	p->slot_count = count;
	for (size_t i = 0; i < p->file->count; i++) {
		const char *identifier = p->file->rules[i].identifier;
		size_t len = strlen(identifier);
		uint32_t *slot = identifier_slot(p, identifier, len, hash_text(identifier, len));

		if (*slot == 0) /* the first of equal ones */
			*slot = (uint32_t)i + 1;
	}
	return true;
}

/* ---- expressions ---- */

static bool text_append(struct parse *p, const char *text, size_t len)
{
	if (p->text_len + len + 1 > p->text_room) {
		size_t room = (p->text_len + len + 1) * 2;
		char *bigger = realloc(p->text, room);

		if (!bigger) {
			p->no_memory = true;
			return false;
		}
		p->text = bigger;
		p->text_room = room;
	}
	memcpy(p->text + p->text_len, text, len);
	p->text_len += len;
	p->text[p->text_len] = '\0';
	return true;
}

/* `at` stands behind "${". The rule whose identifier ends before the first '}' that makes it one. */
static const struct rule *named_rule(const struct parse *p, struct slice rest, size_t *ret_len)
{
	const char *at = (const char *)rest.at;
	uint64_t hash = HASH_START;

	for (size_t i = 0; i < rest.len && i <= p->longest; hash = hash_byte(hash, at[i++])) {
		uint32_t index;

		if (at[i] != '}' || p->slot_count == 0)
			continue;
		index = *identifier_slot(p, at, i, hash);
		if (index) {
			*ret_len = i;
			return &p->file->rules[index - 1];
		}
	}
	return NULL;
}

static void say_unknown(const struct parse *p, const struct rule *rule, struct slice rest)
{
	const uint8_t *end = memchr(rest.at, '}', rest.len);
	size_t len = end ? (size_t)(end - rest.at) : rest.len;
	char what[SHOWN + 64];

	if (end)
		snprintf(what, sizeof what, "${%.*s}: no earlier rule has this identifier",
			 len < SHOWN ? (int)len : SHOWN, (const char *)rest.at);
	else
		snprintf(what, sizeof what, "'${' without a '}'");
	rule_mistakes_add(p->mistakes, p->file, rule, what);
}

/* One `$...`; how many bytes of `rest` it was, 0 = a mistake, which was said. */
static size_t expand_one(struct parse *p, const struct rule *rule, struct slice rest)
{
	static const char mac[] = "$MAC";
	size_t len;

	if (rest.len >= sizeof mac - 1 && memcmp(rest.at, mac, sizeof mac - 1) == 0) {
		if (p->from->mac)
			return text_append(p, p->from->mac, strlen(p->from->mac)) ? sizeof mac - 1 : 0;
		rule_mistakes_add(p->mistakes, p->file, rule, "$MAC: there is no interface here, write its address");
		return 0;
	}
	if (rest.len >= 2 && rest.at[1] == '{') {
		struct slice name = { rest.at + 2, rest.len - 2 };
		const struct rule *other = named_rule(p, name, &len);

		if (!other) {
			say_unknown(p, rule, name);
			return 0;
		}
		return text_append(p, "(", 1) && text_append(p, other->expression, strlen(other->expression)) &&
		       text_append(p, ")", 1) ? len + 3 : 0;
	}
	return text_append(p, "$", 1) ? 1 : 0; /* libpcap says what it thinks of it */
}

/* False: a mistake, which was said, or no memory. */
static bool expand(struct parse *p, const struct rule *rule, struct slice from)
{
	p->text_len = 0;
	if (!text_append(p, "", 0))
		return false;
	while (from.len) {
		const uint8_t *dollar = memchr(from.at, '$', from.len);
		size_t plain = dollar ? (size_t)(dollar - from.at) : from.len, taken = 0;

		if (!text_append(p, (const char *)from.at, plain))
			return false;
		from = (struct slice){ from.at + plain, from.len - plain };
		if (dollar && (taken = expand_one(p, rule, from)) == 0)
			return false;
		from = (struct slice){ from.at + taken, from.len - taken };
		if (p->text_len > RULE_EXPANDED_MAX) {
			rule_mistakes_add(p->mistakes, p->file, rule, "more than 1 MiB with all ${...} put in");
			return false;
		}
	}
	return true;
}

/* ---- lines ---- */

static struct rule *rule_room(struct parse *p)
{
	if (p->file->count == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct rule *bigger = realloc(p->file->rules, room * sizeof *bigger);

		if (!bigger)
			return NULL;
		p->file->rules = bigger;
		p->room = room;
	}
	if ((p->file->count + 1) * 2 > p->slot_count && !slots_grow(p))
		return NULL;
	return &p->file->rules[p->file->count];
}

/* The rule is in the file, with an empty expression where it has a mistake. */
static void take_rule(struct parse *p, struct slice identifier, struct slice expression, unsigned line)
{
	struct rule *rule = rule_room(p);
	uint32_t *slot;
	char what[64];

	if (!rule || !(rule->identifier = strndup((const char *)identifier.at, identifier.len))) {
		p->no_memory = true;
		return;
	}
	rule->line = line;
	rule->expression = NULL;
	if (expand(p, rule, expression)) {
		struct err e;

		rule->expression = strdup(p->text);
		if (p->from->check && p->from->check(p->text, &e) < 0)
			rule_mistakes_add(p->mistakes, p->file, rule, e.msg);
	} else if (!p->no_memory) {
		rule->expression = strdup("");
	}
	if (!rule->expression) {
		free(rule->identifier);
		p->no_memory = true;
		return;
	}
	p->expanded += strlen(rule->expression);
	slot = identifier_slot(p, rule->identifier, identifier.len, hash_text(rule->identifier, identifier.len));
	if (*slot) {
		snprintf(what, sizeof what, "line %u has this identifier already", p->file->rules[*slot - 1].line);
		rule_mistakes_add(p->mistakes, p->file, rule, what);
	} else {
		*slot = (uint32_t)p->file->count + 1;
	}
	if (identifier.len > p->longest)
		p->longest = identifier.len;
	p->file->count++;
}

static bool blank(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!strchr(" \t\r\v\f", s.at[i]) || s.at[i] == '\0')
			return false;
	return true;
}

static void take_line(struct parse *p, struct slice line, unsigned number)
{
	const uint8_t *semicolon = line.len ? memchr(line.at, ';', line.len) : NULL;
	size_t len = semicolon ? (size_t)(semicolon - line.at) : 0;
	char shown[SHOWN + 1];
	struct rule none = { .identifier = shown, .line = number };
	const char *what = NULL;

	if (blank(line) || line.at[0] == '#')
		return;
	if (!semicolon)
		what = "no ';': write identifier;expression";
	else if (memchr(line.at, '\0', line.len))
		what = "a NUL byte";
	else if (len == 0)
		what = "no identifier before the ';'";
	if (what) {
		snprintf(shown, sizeof shown, "%.*s", line.len < SHOWN ? (int)line.len : SHOWN, (const char *)line.at);
		rule_mistakes_add(p->mistakes, p->file, &none, what);
		return;
	}
	take_rule(p, (struct slice){ line.at, len }, (struct slice){ semicolon + 1, line.len - len - 1 }, number);
}

static int take_lines(struct parse *p, struct slice text, struct err *e)
{
	const char *path = p->file->path;

	for (unsigned number = 1; text.len; number++) {
		const uint8_t *end = memchr(text.at, '\n', text.len);
		size_t len = end ? (size_t)(end - text.at) : text.len, taken = end ? len + 1 : len;

		take_line(p, (struct slice){ text.at, len }, number);
		if (p->no_memory)
			return err_set(e, -ENOMEM, "%s: no memory for its rules", path);
		if (p->file->count > RULES_MAX)
			return err_set(e, -EFBIG, "%s:%u: more than %u rules", path, number, RULES_MAX);
		if (p->expanded > RULES_EXPANDED_MAX)
			return err_set(e, -EFBIG, "%s:%u: more than %u MiB of expressions with all ${...} put in", path,
				       number, RULES_EXPANDED_MAX >> 20);
		text = (struct slice){ text.at + taken, text.len - taken };
	}
	if (p->mistakes->count > p->mistakes_before)
		return err_set(e, -EINVAL, "%s: mistakes: %zu", path, p->mistakes->count - p->mistakes_before);
	return 0;
}

int rule_file_parse(struct rule_file **ret, const struct rule_source *from, struct slice text,
		    struct rule_mistakes *mistakes, struct err *e)
{
	struct rule_file *file = calloc(1, sizeof *file);
	struct rule_mistakes own = { 0 };
	struct parse p = { .file = file, .from = from, .mistakes = mistakes ? mistakes : &own };
	int code = 0;

	p.mistakes_before = p.mistakes->count;
	if (file)
		file->path = strdup(from->path);
	if (!file || !file->path)
		code = err_set(e, -ENOMEM, "%s: no memory for its rules", from->path);
	else if (text.len > RULE_FILE_MAX)
		code = err_set(e, -EFBIG, "%s: more than %u MiB", from->path, RULE_FILE_MAX >> 20);
	else
		code = take_lines(&p, text, e);
	free(p.slots);
	free(p.text);
	rule_mistakes_free(&own);
	if (code == 0)
		*ret = file;
	else
		rule_file_free(&file);
	return code;
}

/* All of it, to one byte more than there may be. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
	size_t room = 1 << 16, len = 0;
	char *text = malloc(room);

	while (text) {
		ssize_t got = read(fd, text + len, room - len);
		char *bigger;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int code = -errno;

			free(text);
			return code;
		}
		len += (size_t)got;
		if (got == 0 || len > RULE_FILE_MAX) {
			*ret = text;
			*ret_len = len;
			return 0;
		}
		if (len < room)
			continue;
		room *= 2;
		bigger = realloc(text, room);
		if (!bigger)
			free(text);
		text = bigger;
	}
	return -ENOMEM;
}

int rule_file_read(struct rule_file **ret, const struct rule_source *from, struct rule_mistakes *mistakes, struct err *e)
{
	int fd = open(from->path, O_RDONLY | O_CLOEXEC), code;
	char *text = NULL;
	size_t len = 0;

	if (fd < 0)
		return err_errno(e, -errno, "%s", from->path);
	code = read_all(fd, &text, &len);
	close(fd);
	if (code < 0)
		return err_errno(e, code, "%s", from->path);
	code = rule_file_parse(ret, from, (struct slice){ (uint8_t *)text, len }, mistakes, e);
	if (code < 0) {
		free(text);
		return code;
	}
	(*ret)->text = text;
	(*ret)->text_len = len;
	return 0;
}

void rule_file_free(struct rule_file **f)
{
	if (!*f)
		return;
	for (size_t i = 0; i < (*f)->count; i++) {
		free((*f)->rules[i].identifier);
		free((*f)->rules[i].expression);
	}
	free((*f)->rules);
	free((*f)->path);
	free((*f)->text);
	free(*f);
	*f = NULL;
}
