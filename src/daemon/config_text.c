/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_text.c -- reads a config file and makes its bytes safe: see config_text.h. */
#include "daemon/config_text.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void config_problem(struct config_problems *p, unsigned line, const char *fmt, ...)
{
	char raw[512], text[512];
	struct config_problem *grown;
	va_list ap;

	if (p->count == CONFIG_PROBLEMS_MAX) {
		p->more = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	text_printable(raw, text, sizeof text);
	p->more = true; /* unless it is stored: a mistake must not be forgotten for want of memory */
	grown = realloc(p->at, (p->count + 1) * sizeof *grown);
	if (!grown)
		return;
	p->at = grown;
	p->at[p->count] = (struct config_problem){ line ? line : 1, (unsigned)p->count, strdup(text) };
	if (!p->at[p->count].text)
		return;
	p->count++;
	p->more = false;
}

static int by_line(const void *a, const void *b)
{
	const struct config_problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void config_problems_sort(struct config_problems *p)
{
	if (p->count)
		qsort(p->at, p->count, sizeof *p->at, by_line);
}

void config_problems_print(const struct config_problems *p, const char *path, FILE *to)
{
	unsigned last = 1;

	for (size_t i = 0; i < p->count; i++) {
		fprintf(to, "%s:%u: %s\n", path, p->at[i].line, p->at[i].text);
		last = p->at[i].line;
	}
	if (p->more)
		fprintf(to, "%s:%u: more mistakes than these were found\n", path, last);
}

void config_problems_free(struct config_problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->at[i].text);
	free(p->at);
	*p = (struct config_problems){ 0 };
}

static int read_all(int fd, char *bytes, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, bytes + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static int read_open_file(struct config_text *t, int fd, struct config_problems *p)
{
	struct stat st;
	char *bytes;
	size_t len = 0;
	int r = fstat(fd, &st) < 0 ? -errno : 0;

	if (r == 0 && S_ISDIR(st.st_mode)) {
		config_problem(p, 1, "this is a directory; name the file in it");
		return -EINVAL;
	}
	if (r == 0 && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
		config_problem(p, 1, "this is no regular file");
		return -EINVAL;
	}
	bytes = r == 0 ? malloc(CONFIG_SIZE_MAX + 1) : NULL;
	if (r == 0)
		r = bytes ? read_all(fd, bytes, CONFIG_SIZE_MAX + 1, &len) : -ENOMEM;
	if (r < 0)
		config_problem(p, 1, "cannot be read: %s", strerror(-r));
	else if (len > CONFIG_SIZE_MAX)
		config_problem(p, 1, "is over 1 MiB: is this a config file?");
	else if (config_text_set(t, bytes, len) < 0)
		config_problem(p, 1, "cannot be read: %s", strerror(ENOMEM));
	free(bytes);
	return t->text ? 0 : -EINVAL;
}

int config_text_read(struct config_text *t, const char *path, struct config_problems *p)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe without a writer must not stop us */
	int r;

	if (fd < 0) {
		config_problem(p, 1, "cannot be read: %s", strerror(errno));
		return -EINVAL;
	}
	r = read_open_file(t, fd, p);
	close(fd);
	return r;
}

int config_text_set(struct config_text *t, const char *bytes, size_t len)
{
	char *text = malloc(len + 1);

	if (!text)
		return -ENOMEM;
	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	*t = (struct config_text){ .text = text, .len = len };
	return 0;
}

void config_text_free(struct config_text *t)
{
	free(t->text);
	free(t->statements);
	*t = (struct config_text){ 0 };
}

void config_text_blank(struct config_text *t, struct config_statement *s)
{
	for (size_t i = s->begin; i < s->end; i++)
		if (t->text[i] != '\n')
			t->text[i] = ' ';
	for (size_t i = 0; i < t->count; i++)
		if (t->statements[i].begin >= s->begin && t->statements[i].end <= s->end)
			t->statements[i].gone = true;
}

static bool is_name(const struct config_text *t, const struct config_statement *s, const char *name)
{
	return !s->gone && strlen(name) == s->name_len && memcmp(t->text + s->begin, name, s->name_len) == 0;
}

static bool is_in(const struct config_text *t, const struct config_statement *s, const char *section, const char *title)
{
	const struct config_statement *parent = s->parent < 0 ? NULL : &t->statements[s->parent];

	if (!section || !parent)
		return !section && !parent;
	return is_name(t, parent, section) && parent->title_len == (title ? strlen(title) : 0) &&
	       (!title || memcmp(t->text + parent->title, title, parent->title_len) == 0);
}

struct config_statement *config_text_find(struct config_text *t, const char *section, const char *title, const char *name,
					  unsigned line)
{
	for (size_t i = t->count; i > 0; i--) {
		struct config_statement *s = &t->statements[i - 1];

		if (s->line <= line && is_name(t, s, name) && is_in(t, s, section, title))
			return s;
	}
	return NULL;
}

const struct config_statement *config_text_section(const struct config_text *t, const char *name, unsigned nth)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct config_statement *s = &t->statements[i];

		if (s->parent < 0 && s->section && is_name(t, s, name) && nth-- == 0)
			return s;
	}
	return NULL;
}

unsigned config_text_line(const struct config_text *t, const struct config_statement *s, const char *name)
{
	int parent = s ? (int)(s - t->statements) : -1;

	for (size_t i = 0; i < t->count; i++)
		if (t->statements[i].parent == parent && is_name(t, &t->statements[i], name))
			return t->statements[i].line;
	return s ? s->line : 1;
}
