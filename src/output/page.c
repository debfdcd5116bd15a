/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page.c -- see page.h. */
#include "output/page.h"

#include "output/utf8.h"

void page_word(FILE *to, bool colour, enum page_style style, const char *word)
{
	static const char *const codes[] = { [PAGE_BOLD] = "1", [PAGE_GOOD] = "1;32", [PAGE_BAD] = "1;31" };

	if (colour)
		fprintf(to, "\033[%sm%s\033[0m", codes[style], word);
	else
		fputs(word, to);
}

static unsigned char_at(const char *text, unsigned *ret_width, bool *ret_printable)
{
	uint32_t code;
	unsigned len = utf8_take(text, &code);

	*ret_printable = len && utf8_is_printable(code);
	*ret_width = *ret_printable ? utf8_width(code) : 1;
	return len ? len : 1;
}

static unsigned width_of(const char *text, unsigned enough)
{
	unsigned total = 0, width;
	bool printable;

	while (*text && total <= enough) {
		text += char_at(text, &width, &printable);
		total += width;
	}
	return total;
}

/* Returns the columns it took. */
static unsigned put_cut(FILE *to, const char *text, unsigned width)
{
	bool cut = width_of(text, width) > width;
	unsigned room = cut && width > 3 ? width - 3 : width, used = 0, w;
	bool printable;

	while (*text) {
		unsigned len = char_at(text, &w, &printable);

		if (used + w > room)
			break;
		if (printable)
			fwrite(text, 1, len, to);
		else
			fputc('?', to);
		used += w;
		text += len;
	}
	for (unsigned i = 0; cut && i < 3 && used < width; i++, used++)
		fputc('.', to);
	return used;
}

void page_field(FILE *to, const char *text, unsigned width)
{
	for (unsigned used = put_cut(to, text, width); used < width; used++)
		fputc(' ', to);
}

void page_text(FILE *to, const char *text, unsigned width)
{
	put_cut(to, text, width);
}
