/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/read_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int read_rules_open(struct read_rules *r, const char *path, uint32_t window_s, struct err *e)
{
	struct rule_source from = { .path = path, .check = rule_set_check };
	struct rule_mistakes mistakes = { 0 };
	int ret = rule_file_read(&r->file, &from, &mistakes, e);

	if (mistakes.text)
		fputs(mistakes.text, stderr);
	rule_mistakes_free(&mistakes);
	if (ret < 0)
		return ret;
	r->counts.rules = r->file->count;
	r->window_s = window_s;
	/* Without windows there is one row, whether a packet comes or not. */
	return window_s || rule_counts_row(&r->counts, 0, 0) ? 0 : err_set(e, -ENOMEM, "no memory for rules");
}

void read_rules_close(struct read_rules *r)
{
	for (unsigned i = 0; i < r->count; i++)
		rule_counter_close(&r->of[i].counter);
	rule_counts_clear(&r->counts);
	rule_file_free(&r->file);
	*r = (struct read_rules){ 0 };
}

static void say_never(const struct read_rules *r, const struct rule_set *s, uint16_t linktype)
{
	for (size_t i = 0; i < r->file->count; i++) {
		const struct rule *rule = &r->file->rules[i];

		if (rule_set_never(s, i))
			fprintf(stderr, "nettally: read: %s:%u: %s: matches nothing on link type %u: %s\n", r->file->path,
				rule->line, rule->identifier, linktype, rule_set_never(s, i));
	}
}

static int counter_for(struct read_rules *r, uint16_t linktype, struct rule_counter **ret, struct err *e)
{
	struct rule_counter_config cf = { .file = r->file, .linktype = linktype, .window_s = r->window_s };
	struct rule_mistakes mistakes = { 0 };
	int err;

	for (unsigned i = 0; i < r->count; i++)
		if (r->of[i].linktype == linktype) {
			*ret = r->of[i].counter;
			return 0;
		}
	if (r->count == READ_LINKTYPES_MAX)
		return err_set(e, -EINVAL, "--rules: over %d link types in one run", READ_LINKTYPES_MAX);
	err = rule_counter_open(&r->of[r->count].counter, &cf, &mistakes, e);
	if (mistakes.text)
		fputs(mistakes.text, stderr);
	rule_mistakes_free(&mistakes);
	if (err < 0)
		return err_prefix(e, err, "--rules");
	r->of[r->count].linktype = linktype;
	*ret = r->of[r->count++].counter;
	say_never(r, rule_counter_set(*ret), linktype);
	return 0;
}

int read_rules_add(struct read_rules *r, const struct frame *frames, const struct packet *packets, unsigned n,
		   struct err *e)
{
	for (unsigned from = 0, to; from < n; from = to) {
		struct rule_counter *counter;
		int ret = counter_for(r, frames[from].linktype, &counter, e);

		if (ret < 0)
			return ret;
		for (to = from + 1; to < n && frames[to].linktype == frames[from].linktype; to++)
			;
		rule_counter_add(counter, frames + from, packets + from, to - from, &r->counts);
	}
	return 0;
}

struct rule_row {
	int64_t window_s;
	size_t rule;
	const struct rule_file *file;
	uint64_t packets, bytes;
};

enum sort_by { SORT_WINDOW, SORT_RULE, SORT_PACKETS, SORT_BYTES };

static int by_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_column(const struct rule_row *a, const struct rule_row *b, enum sort_by by)
{
	switch (by) {
	case SORT_WINDOW: return (a->window_s > b->window_s) - (a->window_s < b->window_s);
	case SORT_RULE: return strcmp(a->file->rules[a->rule].identifier, b->file->rules[b->rule].identifier);
	case SORT_PACKETS: return by_number(a->packets, b->packets);
	default: return by_number(a->bytes, b->bytes);
	}
}

struct row_order {
	enum sort_by by;
	bool down;
};

/* The asked column, then windows, then the file's order. */
static int compare_rows(const void *pa, const void *pb, void *arg)
{
	const struct rule_row *a = pa, *b = pb;
	const struct row_order *o = arg;
	int c = compare_column(a, b, o->by);

	if (c)
		return o->down ? -c : c;
	c = compare_column(a, b, SORT_WINDOW);
	return c ? c : by_number(a->rule, b->rule);
}

static struct row_order order_of(const char *sort)
{
	static const char *const names[] = { "window", "rule", "packets", "bytes" };
	struct row_order o = { .by = SORT_WINDOW };

	if (!sort)
		return o;
	o.down = *sort == '-';
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(sort + o.down, names[i]) == 0)
			o.by = (enum sort_by)i;
	return o;
}

/* Moves the rows of windows before `before_s` out of the counts. */
static struct rule_row *take_rows(struct read_rules *r, enum bytes_basis basis, int64_t before_s, size_t *ret_count)
{
	struct rule_row *rows = calloc(r->counts.row_count * r->file->count + 1, sizeof *rows);
	size_t n = 0;

	for (size_t i = 0; rows && i < r->counts.row_count;) {
		struct rule_counts_row *from = &r->counts.rows[i];

		if (from->window_s >= before_s) {
			i++;
			continue;
		}
		for (size_t k = 0; k < r->file->count; k++)
			rows[n++] = (struct rule_row){ from->window_s, k, r->file, from->tallies[k].packets,
						       tally_bytes(&from->tallies[k], basis) };
		rule_counts_remove(&r->counts, i);
	}
	*ret_count = n;
	return rows;
}

static int write_row(const struct read_rules *r, const struct rule_row *row, struct output *out)
{
	struct cell cells[4] = { 0 };
	unsigned at = 0;

	if (r->window_s)
		cells[at++].time_utc_s = row->window_s;
	cells[at++].text = r->file->rules[row->rule].identifier;
	cells[at++].number = row->packets;
	cells[at].number = row->bytes;
	return output_row(out, cells);
}

int read_rules_rows(struct read_rules *r, const struct read_report *report, int64_t before_s, struct output *out,
		    struct err *e)
{
	struct row_order order = order_of(report->sort);
	struct rule_row *rows;
	size_t count;
	int ret = 0;

	for (unsigned i = 0; i < r->count; i++)
		rule_counter_flush(r->of[i].counter, &r->counts);
	rows = take_rows(r, report->basis, before_s, &count);
	if (!rows)
		return err_set(e, -ENOMEM, "no memory for rules");
	qsort_r(rows, count, sizeof *rows, compare_rows, &order);
	if (report->limit >= 0 && (uint64_t)report->limit < count)
		count = (size_t)report->limit;
	for (size_t i = 0; i < count && ret >= 0; i++)
		ret = write_row(r, &rows[i], out);
	free(rows);
	return ret < 0 ? err_errno(e, ret, "cannot write") : 0;
}
