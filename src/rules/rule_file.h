/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule_file.h -- a file of rules, one a line: `identifier;pcap filter expression`.
 *
 * The first ';' separates; the identifier may hold any other byte but NUL and stays as it is. Empty lines and
 * lines that begin with '#' are skipped. In an expression `$MAC` is the interface's MAC address, and
 * `${identifier}` the expression of an earlier rule, in parentheses (an identifier may hold '}': the shortest text
 * that is one of an earlier rule counts). Nothing but the limits below bounds a line.
 *
 * Mistakes are collected, all at once, as lines `FILE:LINE: identifier: what is wrong`. Thread: any. */
#ifndef NETTALLY_RULES_RULE_FILE_H
#define NETTALLY_RULES_RULE_FILE_H

#include "base/err.h"
#include "base/slice.h"

#define RULE_FILE_MAX (64u << 20)      /* bytes of the file */
#define RULES_MAX 65536u               /* rules of a file */
#define RULE_EXPANDED_MAX (1u << 20)   /* bytes of one expression with all put in */
#define RULES_EXPANDED_MAX (64u << 20) /* of all together: ${a}${a} cannot grow without end */
#define RULE_MISTAKES_MAX 1000u        /* said in full; the rest is counted */

struct rule {
	char *identifier;
	char *expression; /* $MAC and ${...} put in */
	unsigned line;    /* from 1 on */
};

struct rule_file {
	char *path;
	struct rule *rules;
	size_t count;
	char *text; /* of rule_file_read(), as it is in the file: to parse it for another interface */
	size_t text_len;
};

/* What is wrong, as text of many lines. A zeroed one is empty. */
struct rule_mistakes {
	char *text; /* each line ends in '\n'; NULL = none */
	size_t len;
	size_t count;
};

void rule_mistakes_add(struct rule_mistakes *m, const struct rule_file *file, const struct rule *rule, const char *what);
void rule_mistakes_free(struct rule_mistakes *m);

struct rule_source {
	const char *path; /* also what the messages say */
	const char *mac;  /* aa:bb:cc:dd:ee:ff; NULL = there is no interface, and $MAC is a mistake */
	/* What else must hold of each expression, so that all mistakes are said together and in the file's order:
	 * 0 or negative and a sentence. rule_set_check() asks libpcap. NULL = nothing. */
	int (*check)(const char *expression, struct err *e);
};

/* -EINVAL: what is wrong is in `mistakes`, *e says how much; -EFBIG, -ENOMEM; as open(2) and read(2). */
int rule_file_read(struct rule_file **ret, const struct rule_source *from, struct rule_mistakes *mistakes, struct err *e);
/* The same of text in memory. */
int rule_file_parse(struct rule_file **ret, const struct rule_source *from, struct slice text,
		    struct rule_mistakes *mistakes, struct err *e);
void rule_file_free(struct rule_file **f); /* accepts NULL */

#endif
