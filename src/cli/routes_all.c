/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/routes_all.h"

#include "routes/mrt.h"
#include "routes/mrt_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct all {
	struct output *out;
	int64_t time_utc_s;
	char *text; /* of a path */
	size_t text_size;
	int error;
};

static const struct column all_columns[] = {
	{ "time", COLUMN_TIME }, { "kind", COLUMN_TEXT }, { "prefix", COLUMN_TEXT }, { "path_id", COLUMN_NUMBER },
	{ "peer", COLUMN_TEXT }, { "peer_as", COLUMN_NUMBER }, { "as_path", COLUMN_TEXT },
};

static const char *path_text(struct all *l, const struct as_path *p)
{
	size_t len = as_path_format(p, l->text, l->text_size);

	if (len + 1 > l->text_size) {
		char *grown = realloc(l->text, len + 1);

		if (!grown) {
			l->error = -ENOMEM;
			return "-";
		}
		l->text = grown;
		l->text_size = len + 1;
		as_path_format(p, l->text, l->text_size);
	}
	return len ? l->text : "-";
}

static void write_row(struct all *l, const char *kind, const struct mrt_peer *peer, const struct bgp_nlri *n, const char *path)
{
	char prefix[PREFIX_TEXT_MAX] = "-", address[ADDR_TEXT_MAX];
	const struct cell cells[] = {
		{ .time_utc_s = l->time_utc_s }, { .text = kind }, { .text = prefix }, { .number = n ? n->path_id : 0 },
		{ .text = address }, { .number = peer->as }, { .text = path },
	};

	addr_format(&peer->addr, address);
	if (n)
		prefix_format(&n->prefix, prefix);
	if (l->error == 0)
		l->error = output_row(l->out, cells);
}

static void on_row(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	write_row(arg, "table", peer, n, path_text(arg, &a->path));
}

static void on_announce(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	write_row(arg, "announce", peer, n, path_text(arg, &a->path));
}

static void on_withdraw(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n)
{
	write_row(arg, "withdraw", peer, n, "-");
}

static void on_state(void *arg, const struct mrt_peer *peer, uint16_t from, uint16_t to)
{
	char text[16];

	snprintf(text, sizeof text, "%u>%u", from, to);
	write_row(arg, "state", peer, NULL, text);
}

static int print_records(struct all *l, struct mrt_reader *reader, struct mrt_file *f, struct err *e)
{
	struct slice record;
	uint64_t number = 0;
	int r;

	while ((r = mrt_file_next(f, &record, e)) > 0) {
		struct err one;

		number++;
		l->time_utc_s = mrt_record_time(record);
		r = mrt_record_read(reader, record, &one);
		if (r == -EBADMSG)
			fprintf(stderr, "nettally: routes: record %" PRIu64 ": %s\n", number, one.msg);
		else if (r < 0)
			return err_set(e, r, "%.400s", one.msg);
		if (l->error)
			return err_errno(e, l->error, "cannot write");
	}
	if (r == 0 && number == 0)
		return err_set(e, -EBADMSG, "no MRT record in it");
	return r;
}

int routes_all_print(const char *path, struct output *out, struct err *e)
{
	struct all l = { .out = out };
	const struct mrt_handler h = {
		.row = on_row, .announce = on_announce, .withdraw = on_withdraw, .state = on_state, .arg = &l,
	};
	struct mrt_reader *reader = NULL;
	struct mrt_file *f = NULL;
	int r = mrt_reader_new(&reader, &h) < 0 ? err_set(e, -ENOMEM, "no memory") : mrt_file_open(&f, path, e);

	if (r == 0 && (r = output_columns(out, all_columns, sizeof all_columns / sizeof *all_columns)) < 0)
		err_errno(e, r, "cannot write");
	if (r == 0)
		r = print_records(&l, reader, f, e);
	if (f && *mrt_file_warning(f))
		fprintf(stderr, "nettally: routes: %s: %s\n", path, mrt_file_warning(f));
	mrt_file_close(&f);
	mrt_reader_free(&reader);
	free(l.text);
	return r < 0 ? err_prefix(e, r, "%s", path) : 0;
}
