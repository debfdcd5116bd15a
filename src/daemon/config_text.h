/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_text.h -- the bytes of a config file, made safe for libConfuse, with an index of what
 * stands in which line.
 *
 * libConfuse 3.3 has traps, so it never sees a raw file. It counts a line too many at each C
 * comment, takes an unclosed comment or stray bytes without a word, puts environment variables
 * into strings, lets the second of two sections of one name replace the first, takes '|' in a
 * key for a path, and stops at its first error. Here comments become blanks, such things become
 * problems, and a statement that was complained about can be blanked, so that the parser goes on
 * behind it. Thread: the loader's. */
#ifndef NETTALLY_DAEMON_CONFIG_TEXT_H
#define NETTALLY_DAEMON_CONFIG_TEXT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONFIG_SIZE_MAX (1u << 20)
#define CONFIG_TOKEN_MAX 4096
#define CONFIG_DEPTH_MAX 4
#define CONFIG_LIST_MAX 1024
#define CONFIG_STATEMENTS_MAX 4000
#define CONFIG_PROBLEMS_MAX 100

/* What is wrong with the file, in the order found. */
struct config_problems {
	struct config_problem {
		unsigned line, order;
		char *text;
	} *at;
	size_t count;
	bool more; /* than CONFIG_PROBLEMS_MAX */
};

void config_problem(struct config_problems *p, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void config_problems_sort(struct config_problems *p); /* by line; in one line as found */
/* As "PATH:LINE: message" lines. */
void config_problems_print(const struct config_problems *p, const char *path, FILE *to);
void config_problems_free(struct config_problems *p);

/* `name = value`, or `name [title] { ... }`. Offsets into the text. */
struct config_statement {
	size_t begin, end; /* the whole of it */
	size_t name_len;   /* begins at `begin` */
	size_t title, title_len;
	unsigned line;
	int parent;        /* index of the section it stands in, -1 = top */
	bool section;
	bool gone;         /* blanked */
};

struct config_text {
	char *text; /* ends with a NUL */
	size_t len;
	struct config_statement *statements;
	size_t count;
};

/* A regular file (or /dev/null) of at most 1 MiB. -EINVAL after a problem. */
int config_text_read(struct config_text *t, const char *path, struct config_problems *p);
/* The same from memory. */
int config_text_set(struct config_text *t, const char *bytes, size_t len);
/* Makes it safe and indexes it. What could not be understood was blanked, and is a problem. 0 or
 * -ENOMEM. */
int config_text_prepare(struct config_text *t, struct config_problems *p);
void config_text_free(struct config_text *t);

void config_text_blank(struct config_text *t, struct config_statement *s);
/* The last statement of this name that begins in `line` or before, in the section of this name
 * (NULL = top) and title (NULL = none). NULL = none. */
struct config_statement *config_text_find(struct config_text *t, const char *section, const char *title, const char *name,
					  unsigned line);
/* The nth section of this name at the top. */
const struct config_statement *config_text_section(const struct config_text *t, const char *name, unsigned nth);
/* The line of key `name` in section `s` (NULL = top), or where that is missing, the section's
 * own. */
unsigned config_text_line(const struct config_text *t, const struct config_statement *s, const char *name);

#endif
