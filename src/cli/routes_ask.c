/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/routes_ask.h"

#include "base/addr.h"
#include "cli/control_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 6
#define REQUEST_MAX 4000 /* the daemon takes 4096 bytes */
#define LINE_MAX_BYTES 4096

struct reader {
	struct output *out;
	unsigned columns;
	int as_numbers;  /* columns that hold an AS number, as bits */
	bool names_read; /* the daemon's first line */
	int failed;
};

/* A line of the daemon's as a row; the line is cut up. */
static int put_line(void *arg, char *line)
{
	struct reader *r = arg;
	struct cell cells[COLUMNS_MAX] = { 0 };
	char *rest = line;

	if (!r->names_read) {
		r->names_read = true;
		return 0;
	}
	for (unsigned i = 0; i < r->columns; i++) {
		char *word = rest ? strsep(&rest, "\t") : NULL;
		size_t digits = word ? strspn(word, "0123456789") : 0;

		if (!word)
			return -EPROTO;
		if (r->as_numbers & 1 << i && digits && !word[digits])
			cells[i].number = strtoull(word, NULL, 10);
		else
			cells[i].text = word;
	}
	return output_row(r->out, cells);
}

int routes_ask_dump(const struct routes_question *q, struct output *out, struct err *e)
{
	static const struct column columns[] = {
		{ "prefix", COLUMN_TEXT }, { "origin_as", COLUMN_NUMBER }, { "neighbour_as", COLUMN_NUMBER },
		{ "as_path", COLUMN_TEXT },
	};
	struct reader r = { .out = out, .columns = 4, .as_numbers = 1 << 1 | 1 << 2 };
	char request[128];
	int x = output_columns(out, columns, 4);

	snprintf(request, sizeof request, "routes dump %.60s", q->view ? q->view : "-");
	return x < 0 ? err_errno(e, x, "cannot write") : control_ask_lines(q->place.control, request, put_line, &r, e);
}

/* ---- lookup ---- */

struct batch {
	const struct routes_question *q;
	struct reader reader;
	char request[REQUEST_MAX];
	size_t used, begin;
};

static int send_batch(struct batch *b, struct err *e)
{
	int r;

	if (b->used == b->begin)
		return 0;
	b->reader.names_read = false;
	r = control_ask_lines(b->q->place.control, b->request, put_line, &b->reader, e);
	b->used = b->begin;
	b->request[b->used] = '\0';
	return r;
}

static int add_address(struct batch *b, const struct addr *a, struct err *e)
{
	char text[ADDR_TEXT_MAX];
	size_t len = addr_format(a, text);

	if (b->used + len + 2 > sizeof b->request) {
		int r = send_batch(b, e);

		if (r < 0)
			return r;
	}
	b->request[b->used++] = ' ';
	memcpy(b->request + b->used, text, len + 1);
	b->used += len;
	return 0;
}

static int add_lines(struct batch *b, FILE *from, struct err *e)
{
	char line[LINE_MAX_BYTES];
	unsigned number = 0;
	int wrong = 0, r = 0;

	while (r == 0 && fgets(line, sizeof line, from)) {
		struct addr a;

		number++;
		line[strcspn(line, " \t\r\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (addr_parse(&a, line) == 0) {
			r = add_address(b, &a, e);
			continue;
		}
		fprintf(stderr, "nettally: routes: line %u: \"%.60s\" is no address\n", number, line);
		wrong = 1;
	}
	return r < 0 ? r : wrong;
}

int routes_ask_lookup(const struct routes_question *q, struct output *out, struct err *e)
{
	static const struct column columns[] = {
		{ "address", COLUMN_TEXT }, { "prefix", COLUMN_TEXT }, { "origin_as", COLUMN_NUMBER }, { "as_path", COLUMN_TEXT },
		{ "country", COLUMN_TEXT }, { "as_name", COLUMN_TEXT },
	};
	const unsigned count = q->names ? 6 : 5;
	struct batch b = { .q = q, .reader = { .out = out, .columns = count, .as_numbers = 1 << 2 } };
	int r = output_columns(out, columns, count), sent;

	if (r < 0)
		return err_errno(e, r, "cannot write");
	b.begin = b.used = (size_t)snprintf(b.request, sizeof b.request, "routes lookup %.60s", q->view ? q->view : "-");
	for (int i = 0; i < q->address_count && r == 0; i++) {
		struct addr a;

		r = addr_parse(&a, q->addresses[i]);
		if (r == 0)
			r = add_address(&b, &a, e);
	}
	if (q->address_count == 0)
		r = add_lines(&b, stdin, e);
	sent = r < 0 ? r : send_batch(&b, e);
	return sent < 0 ? sent : r;
}
