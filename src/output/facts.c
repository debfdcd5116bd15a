/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/facts.h"

#include "base/text.h"
#include "output/page.h"

#include <string.h>

#define ROWS_SHOWN 3 /* of one part, on the page */
#define PART_WIDTH 16

/* Where the rows of the part of rows[i] end. */
static size_t part_end(const struct facts *f, size_t i)
{
	size_t end = i;

	while (end < f->count && strcmp(f->rows[end].part, f->rows[i].part) == 0)
		end++;
	return end;
}

static void put_fact(struct json *j, const struct fact *f)
{
	if (f->kind == FACT_TEXT)
		json_text(j, f->name, f->text);
	else if (f->kind == FACT_TIME && f->number)
		json_time(j, f->name, (int64_t)f->number);
	else if (f->kind != FACT_TIME)
		json_number(j, f->name, f->number);
}

static void put_row(struct json *j, const char *name, const struct fact_row *r)
{
	json_begin(j, name, '{');
	if (r->label)
		json_text(j, r->label, r->name);
	if (r->label2)
		json_text(j, r->label2, r->name2);
	for (size_t i = 0; i < r->count; i++)
		put_fact(j, &r->at[i]);
	json_end(j, '}');
}

void facts_json(struct json *j, const struct facts *f)
{
	for (size_t i = 0; i < f->count;) {
		size_t end = part_end(f, i);

		if (!f->rows[i].label) {
			put_row(j, f->rows[i].part, &f->rows[i]);
			i = end;
			continue;
		}
		json_begin(j, f->rows[i].part, '[');
		for (; i < end; i++)
			put_row(j, NULL, &f->rows[i]);
		json_end(j, ']');
	}
}

static size_t write_fact(char *to, size_t size, const struct fact *f)
{
	char text[FACT_TEXT_MAX];
	int len;

	if (f->kind == FACT_TEXT)
		return f->text[0] ? (size_t)snprintf(to, size, "  %s", f->text) : 0;
	if (f->kind == FACT_TIME && !f->number)
		return 0;
	if (f->kind == FACT_TIME)
		time_format((int64_t)f->number, text, sizeof text);
	else
		human_count(f->number, text, sizeof text);
	len = snprintf(to, size, "  %s %s", f->name, text);
	return len < 0 ? 0 : (size_t)len;
}

/* Zeros of counters say nothing on a page. */
static bool is_worth_a_line(const struct fact *f)
{
	return f->kind == FACT_TEXT ? f->text[0] != '\0' : f->number != 0;
}

static bool is_worth_a_row(const struct fact_row *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (is_worth_a_line(&r->at[i]))
			return true;
	return false;
}

static void page_row(FILE *to, const struct fact_row *r)
{
	char line[1024] = "";
	size_t used = 0;

	page_field(to, r->part, PART_WIDTH - 1);
	fputc(' ', to);
	if (r->label)
		used = (size_t)snprintf(line, sizeof line, "%s%s%s", r->name, r->label2 ? " " : "", r->label2 ? r->name2 : "");
	for (size_t i = 0; i < r->count && used < sizeof line - 1; i++)
		if (is_worth_a_line(&r->at[i]))
			used += write_fact(line + used, sizeof line - used, &r->at[i]);
	page_text(to, line[0] == ' ' ? line + 2 : line, PAGE_COLUMNS - PART_WIDTH);
	fputc('\n', to);
}

void facts_page(FILE *to, const struct facts *f, bool colour)
{
	(void)colour;
	if (f->count)
		fputc('\n', to);
	for (size_t i = 0; i < f->count;) {
		size_t end = part_end(f, i), shown = 0;

		for (; i < end; i++)
			if (is_worth_a_row(&f->rows[i]) && shown++ < ROWS_SHOWN)
				page_row(to, &f->rows[i]);
		if (shown > ROWS_SHOWN)
			fprintf(to, "%-*s... and %zu more (--json shows all)\n", PART_WIDTH, "", shown - ROWS_SHOWN);
	}
}

static const char *suffix_of(enum fact_kind kind)
{
	return kind == FACT_COUNTER ? "_total" : kind == FACT_TIME ? "_timestamp_seconds" : "";
}

static bool same_family(const struct fact_row *r, const struct fact *f, const struct fact_row *of, const struct fact *g)
{
	return f->kind == g->kind && strcmp(r->metric, of->metric) == 0 && strcmp(f->name, g->name) == 0;
}

static void put_name(struct buffer *b, const struct fact_row *r, const struct fact *f)
{
	buffer_puts(b, "nettally_");
	buffer_puts(b, r->metric);
	buffer_char(b, '_');
	buffer_puts(b, f->name);
	buffer_puts(b, suffix_of(f->kind));
}

static void put_family(struct buffer *b, const struct fact_row *r, const struct fact *f)
{
	buffer_puts(b, "# HELP ");
	put_name(b, r, f);
	buffer_char(b, ' ');
	buffer_puts(b, f->help ? f->help : f->name);
	buffer_puts(b, "\n# TYPE ");
	put_name(b, r, f);
	buffer_puts(b, f->kind == FACT_COUNTER ? " counter\n" : " gauge\n");
}

static void put_sample(struct buffer *b, const struct fact_row *r, const struct fact *f)
{
	put_name(b, r, f);
	if (r->label) {
		buffer_char(b, '{');
		buffer_puts(b, r->label);
		buffer_char(b, '=');
		buffer_label(b, r->name);
		if (r->label2) {
			buffer_char(b, ',');
			buffer_puts(b, r->label2);
			buffer_char(b, '=');
			buffer_label(b, r->name2);
		}
		buffer_char(b, '}');
	}
	buffer_char(b, ' ');
	buffer_number(b, f->number);
	buffer_char(b, '\n');
}

static bool came_before(const struct facts *f, size_t row, size_t at)
{
	const struct fact_row *of = &f->rows[row];

	for (size_t i = 0; i <= row; i++)
		for (size_t k = 0; k < (i < row ? f->rows[i].count : at); k++)
			if (same_family(&f->rows[i], &f->rows[i].at[k], of, &of->at[at]))
				return true;
	return false;
}

static void put_samples(struct buffer *b, const struct facts *f, size_t row, size_t at)
{
	for (size_t i = row; i < f->count; i++)
		for (size_t k = 0; k < f->rows[i].count; k++)
			if (same_family(&f->rows[i], &f->rows[i].at[k], &f->rows[row], &f->rows[row].at[at]))
				put_sample(b, &f->rows[i], &f->rows[i].at[k]);
}

void facts_metrics(struct buffer *b, const struct facts *f)
{
	for (size_t i = 0; i < f->count; i++)
		for (size_t k = 0; k < f->rows[i].count; k++) {
			if (f->rows[i].at[k].kind == FACT_TEXT || came_before(f, i, k))
				continue;
			put_family(b, &f->rows[i], &f->rows[i].at[k]);
			put_samples(b, f, i, k);
		}
}
