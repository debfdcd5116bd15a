/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_scan.c -- two passes over a config text: bytes made harmless, then the index of
 * statements. */
#include "daemon/config_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What libConfuse's lexer takes for a bare word. */
static bool is_word(char c)
{
	return (unsigned char)c > 0x20 && c != 0x7f && !strchr("#\"'={}()+,*", c);
}

struct scan {
	struct config_text *t;
	struct config_problems *p;
	size_t at;
	unsigned line;
};

static void blank(struct scan *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (s->t->text[i] != '\n')
			s->t->text[i] = ' ';
}

/* As scan_string(): false where it never ends. */
static bool scan_block_comment(struct scan *s)
{
	const char *end = strstr(s->t->text + s->at + 2, "*/");
	size_t from = s->at;
	unsigned line = s->line;

	s->at = end ? (size_t)(end - s->t->text) + 2 : s->t->len;
	for (size_t i = from; i < s->at; i++)
		s->line += s->t->text[i] == '\n';
	blank(s, from, s->at);
	if (!end)
		config_problem(s->p, line, "this comment is never closed: '*/' is missing");
	return end != NULL;
}

/* False where the string never ends: what is behind it cannot be told from what is in it. */
static bool scan_string(struct scan *s)
{
	char *text = s->t->text, quote = text[s->at];
	size_t begin = s->at++;

	for (; text[s->at] != quote; s->at++) {
		char *c = text + s->at;

		if (*c == '\0' || *c == '\n') {
			config_problem(s->p, s->line, "this string is not closed in its line: %c is missing", quote);
			blank(s, begin, s->t->len);
			return false;
		}
		if (quote == '"' && c[0] == '$' && c[1] == '{') {
			config_problem(s->p, s->line,
				       "variables are not supported; where ${ is meant, write it in single quotes: '${'");
			*c = '_';
		}
		if (c[0] != '\\' || c[1] == '\n' || c[1] == '\0')
			continue;
		if (quote == '"' && c[1] != '"' && c[1] != '\\') {
			config_problem(s->p, s->line, "in double quotes a backslash stands before \" and \\ only: write \\\\");
			c[0] = '_';
		} else if (quote == '"' || c[1] == '\'' || c[1] == '\\') {
			s->at++;
		}
	}
	s->at++;
	if (s->at - begin > CONFIG_TOKEN_MAX) {
		config_problem(s->p, s->line, "this string is over %d characters", CONFIG_TOKEN_MAX);
		memset(text + begin + 1, '_', s->at - begin - 2);
	}
	return true;
}

/* A word's end; "${...}" becomes part of the word, so that it is complained about once. */
static size_t word_end(struct scan *s)
{
	char *text = s->t->text;
	size_t at = s->at;

	while (is_word(text[at])) {
		if (text[at] == '$' && text[at + 1] == '{') {
			size_t len = strcspn(text + at, "}\n");

			config_problem(s->p, s->line, "variables are not supported");
			memset(text + at, '_', text[at + len] == '}' ? len + 1 : len);
		}
		at++;
	}
	return at;
}

static void scan_word(struct scan *s)
{
	char *text = s->t->text;
	size_t begin = s->at;

	s->at = word_end(s);
	for (size_t i = begin; i < s->at; i++) {
		if (text[i] != '|' && text[i] != '$')
			continue;
		config_problem(s->p, s->line, "put what has a '%c' in it in quotes", text[i]);
		text[i] = '_';
	}
	if (s->at - begin > CONFIG_TOKEN_MAX) {
		config_problem(s->p, s->line, "this word is over %d characters", CONFIG_TOKEN_MAX);
		memset(text + begin, '_', s->at - begin);
	}
}

static void scan_stray(struct scan *s)
{
	unsigned char c = (unsigned char)s->t->text[s->at];

	if (c < 0x20 || c == 0x7f)
		config_problem(s->p, s->line, "a byte 0x%02x: this is no text", c);
	else
		config_problem(s->p, s->line, "a '%c' out of place; put the whole word in quotes", c);
	s->t->text[s->at++] = c < 0x20 || c == 0x7f ? ' ' : '_';
}

/* Afterwards the text has words, whole strings, { } = += , ( ) and white space only. */
static bool scan_bytes(struct scan *s)
{
	char *text = s->t->text;

	if (s->t->len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		blank(s, 0, 3); /* the byte order mark that some editors write */
	while (s->at < s->t->len) {
		const char *c = text + s->at;

		if (*c == '\n') {
			s->line++;
			s->at++;
		} else if (*c == ' ' || *c == '\t') {
			s->at++;
		} else if (c[0] == '\r' && c[1] == '\n') {
			text[s->at++] = ' ';
		} else if (*c == '#' || (c[0] == '/' && c[1] == '/')) {
			size_t end = s->at + strcspn(c, "\n");

			blank(s, s->at, end);
			s->at = end;
		} else if (c[0] == '/' && c[1] == '*') {
			if (!scan_block_comment(s))
				return false;
		} else if (*c == '"' || *c == '\'') {
			if (!scan_string(s))
				return false;
		} else if (strchr("{}=,()", *c)) {
			s->at++;
		} else if (c[0] == '+' && c[1] == '=') {
			s->at += 2;
		} else if (is_word(*c)) {
			scan_word(s);
		} else {
			scan_stray(s);
		}
	}
	return true;
}

struct token {
	char kind; /* 'w' word, 's' string, '\0' end, else itself; '=' is also += */
	size_t at, len; /* a string without its quotes */
	size_t end;
	unsigned line;
};

static struct token next_token(struct scan *s)
{
	const char *text = s->t->text;
	struct token k = { 0 };

	for (; text[s->at] == ' ' || text[s->at] == '\t' || text[s->at] == '\n'; s->at++)
		s->line += text[s->at] == '\n';
	k.at = s->at;
	k.line = s->line;
	k.kind = text[s->at];
	if (k.kind == '"' || k.kind == '\'') {
		for (s->at++; text[s->at] != k.kind; s->at++)
			if (text[s->at] == '\\' && (k.kind == '"' || text[s->at + 1] == '\\' || text[s->at + 1] == '\''))
				s->at++;
		s->at++;
		k.kind = 's';
		k.at++;
		k.len = s->at - k.at - 1;
	} else if (is_word(k.kind)) {
		while (is_word(text[s->at]))
			s->at++;
		k.kind = 'w';
		k.len = s->at - k.at;
	} else if (k.kind) {
		s->at += k.kind == '+' ? 2 : 1;
		k.len = s->at - k.at;
		if (k.kind == '+')
			k.kind = '=';
	}
	k.end = s->at;
	return k;
}

static int add_statement(struct scan *s, const struct token *name, int parent)
{
	struct config_text *t = s->t;

	if ((t->count & (t->count + 1)) == 0) { /* 0, 1, 3, 7 ...: grow to twice as many */
		void *grown = realloc(t->statements, (t->count + 1) * 2 * sizeof *t->statements);

		if (!grown)
			return -ENOMEM;
		t->statements = grown;
	}
	t->statements[t->count++] = (struct config_statement){
		.begin = name->at, .end = name->end, .name_len = name->len, .line = name->line, .parent = parent,
	};
	return 0;
}

/* Of people's usual slips the sentence says what would be right; `name` is what precedes. */
static void complain_behind_name(struct scan *s, const struct token *name, const struct token *title, const struct token *k)
{
	const char *text = s->t->text;
	int len = name->len < 60 ? (int)name->len : 60;

	if (title)
		config_problem(s->p, name->line, "'%.*s %.*s': is a '=' missing between them, or a '{' behind?", len,
			       text + name->at, title->len < 60 ? (int)title->len : 60, text + title->at);
	else if (k->kind == '\0')
		config_problem(s->p, name->line, "'%.*s': the file ends here; write %.*s = VALUE", len, text + name->at, len,
			       text + name->at);
	else
		config_problem(s->p, name->line, "'%.*s' has no '=' (a value) or '{' (a section) behind it", len,
			       text + name->at);
}

/* `= value` or `= { value, ... }`; true where it is whole. */
static bool walk_value(struct scan *s, const struct token *name, struct token *k)
{
	const char *text = s->t->text + name->at;
	int len = name->len < 60 ? (int)name->len : 60;
	unsigned values = 0;

	*k = next_token(s);
	if (k->kind == 'w' || k->kind == 's')
		return true;
	if (k->kind != '{') {
		config_problem(s->p, name->line, "'%.*s =' has no value behind it", len, text);
		return false;
	}
	for (;; values++) {
		bool first = values == 0;

		*k = next_token(s);
		if (k->kind == '}')
			return true;
		if (k->kind == '\0') {
			config_problem(s->p, name->line, "the list of '%.*s' is never closed: '}' is missing", len, text);
			return false;
		}
		if (!first && k->kind != ',') {
			config_problem(s->p, k->line, "the list of '%.*s' lacks a ',' or its '}' before this", len, text);
			return false;
		}
		if (!first)
			*k = next_token(s);
		if (k->kind == '}')
			return true; /* a comma behind the last value is fine */
		if (k->kind != 'w' && k->kind != 's') {
			config_problem(s->p, k->line, "in the list of '%.*s' a value is missing", len, text);
			return false;
		}
		if (values == CONFIG_LIST_MAX) {
			config_problem(s->p, k->line, "the list of '%.*s' has more than %d values", len, text, CONFIG_LIST_MAX);
			return false;
		}
	}
}

/* One statement, without what is in its braces. 1 = a section was opened, 0 = whole, -EINVAL
 * after a problem. */
static int walk_statement(struct scan *s, const struct token *name, int parent)
{
	struct token title = { 0 }, k;
	int index = (int)s->t->count;
	struct config_statement *st;

	if (add_statement(s, name, parent) < 0)
		return -ENOMEM;
	st = &s->t->statements[index];
	k = next_token(s);
	if (k.kind == '=') {
		if (!walk_value(s, name, &k))
			return -EINVAL;
		st->end = k.end;
		return 0;
	}
	if (k.kind == 'w' || k.kind == 's') {
		title = k;
		k = next_token(s);
	}
	if (k.kind != '{') {
		complain_behind_name(s, name, title.kind ? &title : NULL, &k);
		return -EINVAL;
	}
	if (title.len && memchr(s->t->text + title.at, '\\', title.len))
		config_problem(s->p, title.line, "a name has no backslash in it");
	st->section = true;
	st->title = title.at;
	st->title_len = title.len;
	return 1;
}

/* 0, or -EINVAL where the rest cannot be understood (said), or -ENOMEM. */
static int walk(struct scan *s, int open[CONFIG_DEPTH_MAX], int *depth)
{
	for (;;) {
		struct token k = next_token(s);
		int r;

		if (k.kind == '\0') {
			if (*depth == 0)
				return 0;
			config_problem(s->p, s->t->statements[open[*depth - 1]].line,
				       "this section is never closed: '}' is missing");
			return -EINVAL;
		}
		if (k.kind == '}' && *depth > 0) {
			s->t->statements[open[--*depth]].end = k.end;
			continue;
		}
		if (k.kind != 'w') {
			config_problem(s->p, k.line, k.kind == 's' ? "'%.*s': a key is expected here, without quotes" :
				       "'%.*s' out of place: a key is expected here", k.len < 60 ? (int)k.len : 60,
				       s->t->text + k.at);
			return -EINVAL;
		}
		if (s->t->count == CONFIG_STATEMENTS_MAX) {
			config_problem(s->p, k.line, "more than %d statements", CONFIG_STATEMENTS_MAX);
			return -EINVAL;
		}
		r = walk_statement(s, &k, *depth ? open[*depth - 1] : -1);
		if (r < 0)
			return r;
		if (r == 1 && *depth == CONFIG_DEPTH_MAX) {
			config_problem(s->p, k.line, "sections within sections within sections: a '}' is missing before this");
			return -EINVAL;
		}
		if (r == 1)
			open[(*depth)++] = (int)s->t->count - 1;
	}
}

/* Drops the top-level statement that could not be understood and all behind it: the parser still
 * reads what is before. */
static void cut_off(struct config_text *t)
{
	size_t i = t->count;

	while (i > 0 && t->statements[i - 1].parent >= 0)
		i--;
	if (i == 0) {
		t->len = 0;
	} else if (t->statements[i - 1].end > t->statements[i - 1].begin + t->statements[i - 1].name_len) {
		t->len = t->statements[i - 1].end; /* whole: the trouble came behind it */
	} else {
		t->len = t->statements[i - 1].begin;
		t->count = i - 1;
	}
	t->text[t->len] = '\0';
}

/* One key twice in a section, one section twice: libConfuse would take the last and forget the
 * first. */
static void find_twice(struct config_text *t, struct config_problems *p)
{
	for (size_t i = 0; i < t->count; i++) {
		struct config_statement *b = &t->statements[i];

		for (size_t j = i; j > 0 && !b->gone; j--) {
			const struct config_statement *a = &t->statements[j - 1];

			if (a->gone || a->parent != b->parent || a->section != b->section || a->name_len != b->name_len ||
			    a->title_len != b->title_len || memcmp(t->text + a->begin, t->text + b->begin, a->name_len) != 0 ||
			    memcmp(t->text + a->title, t->text + b->title, a->title_len) != 0)
				continue;
			config_problem(p, b->line, "'%.*s%s%.*s' is written twice, first in line %u",
				       b->name_len < 60 ? (int)b->name_len : 60, t->text + b->begin, b->title_len ? " " : "",
				       b->title_len < 60 ? (int)b->title_len : 60, t->text + b->title, a->line);
			config_text_blank(t, b);
		}
	}
}

int config_text_prepare(struct config_text *t, struct config_problems *p)
{
	const char *nul = memchr(t->text, '\0', t->len);
	struct scan s = { .t = t, .p = p, .line = 1 };
	struct config_problems unsaid = { 0 };
	int open[CONFIG_DEPTH_MAX], depth = 0, r;

	if (nul) {
		for (const char *c = t->text; c < nul; c++)
			s.line += *c == '\n';
		config_problem(p, s.line, "a byte 0x00: this is no text");
		t->len = (size_t)(nul - t->text);
		s.line = 1;
	}
	if (!scan_bytes(&s))
		s.p = &unsaid; /* the rest is blank now: that a brace is missing there says nothing */
	s.at = 0;
	s.line = 1;
	r = walk(&s, open, &depth);
	config_problems_free(&unsaid);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		cut_off(t);
	find_twice(t, p);
	return 0;
}
