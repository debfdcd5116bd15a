/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page.h -- inside output/: pieces of the pages for people. */
#ifndef NETTALLY_OUTPUT_PAGE_H
#define NETTALLY_OUTPUT_PAGE_H

#include <stdbool.h>
#include <stdio.h>

enum page_style { PAGE_BOLD, PAGE_GOOD, PAGE_BAD };

/* A word in bold, green or red where `colour`. */
void page_word(FILE *to, bool colour, enum page_style style, const char *word);
/* Untrusted text, cut to `width` columns ("..." where it was longer) and filled up with blanks. */
void page_field(FILE *to, const char *text, unsigned width);
/* As page_field, but not filled up: for the end of a line. */
void page_text(FILE *to, const char *text, unsigned width);
#define PAGE_COLUMNS 80

#endif
