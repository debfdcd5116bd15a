/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_file.c -- an MRT file to a table.
 *
 * The short way is for what most files are, TABLE_DUMP_V2: a record holds all routes to its prefix, so that the best is
 * chosen at once and only it is kept; a prefix that a later record tells again counts as told there. What spreads a prefix
 * over records (TABLE_DUMP, BGP4MP) needs a rib. The first such record behind rows of the short way begins again from the top
 * with a rib for all. */
#include "routes/routes_file.h"

#include "routes/mrt_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct loader {
	struct routes_file_result result;
	struct mrt_reader *reader;
	struct rib *rib;                /* NULL on the short way */
	struct route_builder *builder;
	int error;                      /* the first of the builder or the rib */
	/* the short way: the best route of the row so far */
	bool has_best;
	struct rib_candidate best;
	struct bgp_attributes best_attributes;
	struct rib_peer best_peer;
	uint32_t best_words[AS_PATH_WORDS_MAX];
	/* the rib: the peer of the last record, by its address */
	struct rib_peer last_peer;
	uint16_t last_number;
	bool has_last;
	bool short_rows;                /* rows were taken on the short way */
	bool again;                     /* a rib is needed */
};

static struct rib_peer rib_peer_of(const struct mrt_peer *p)
{
	return (struct rib_peer){ .addr = p->addr, .as = p->as, .bgp_id = p->bgp_id };
}

/* The rib's number of a peer; most records come from the same as the one before. */
static int number_of(struct loader *l, const struct mrt_peer *p, uint16_t *ret)
{
	struct rib_peer wanted = rib_peer_of(p);
	int r;

	if (l->has_last && addr_equal(&l->last_peer.addr, &wanted.addr) && l->last_peer.bgp_id == wanted.bgp_id) {
		*ret = l->last_number;
		return 0;
	}
	r = rib_peer(l->rib, &wanted, ret);
	l->has_last = r == 0;
	l->last_peer = wanted;
	l->last_number = r == 0 ? *ret : 0;
	return r;
}

static void insert(struct loader *l, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	uint16_t number;
	int r = number_of(l, peer, &number);

	if (r == 0)
		r = rib_insert(l->rib, number, n, a);
	if (r < 0 && !l->error)
		l->error = r;
	l->result.routes++;
}

static void keep_if_best(struct loader *l, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	struct rib_peer told = rib_peer_of(peer);
	struct rib_candidate one = { a, as_path_length(&a->path), &told, n->path_id };

	l->result.routes++;
	if (l->has_best && rib_compare(&one, &l->best) >= 0)
		return;
	l->has_best = true;
	l->best_peer = told;
	l->best_attributes = *a;
	l->best_attributes.path.words = l->best_words;
	memcpy(l->best_words, a->path.words, a->path.count * sizeof *a->path.words);
	l->best = (struct rib_candidate){ &l->best_attributes, one.path_length, &l->best_peer, n->path_id };
}

static void on_row(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	struct loader *l = arg;

	if (l->rib)
		insert(l, peer, n, a);
	else
		keep_if_best(l, peer, n, a);
}

static void on_row_end(void *arg, const struct bgp_nlri *n)
{
	struct loader *l = arg;
	uint32_t path;
	int r;

	if (!l->has_best)
		return;
	l->has_best = false;
	l->short_rows = true;
	path = route_builder_path(l->builder, &l->best_attributes.path);
	r = path ? route_builder_add(l->builder, &n->prefix, path) : -ENOSPC;
	if (r < 0 && !l->error)
		l->error = r;
}

static void on_announce(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	struct loader *l = arg;

	if (l->rib)
		insert(l, peer, n, a);
}

static void on_withdraw(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n)
{
	struct loader *l = arg;
	uint16_t number;

	if (l->rib && number_of(l, peer, &number) == 0)
		rib_withdraw(l->rib, number, n);
}

/* RFC 6396 4.4.1: what leaves Established (6) has lost its routes. */
static void on_state(void *arg, const struct mrt_peer *peer, uint16_t from, uint16_t to)
{
	struct loader *l = arg;
	uint16_t number;

	if (l->rib && from == 6 && to != 6 && number_of(l, peer, &number) == 0)
		rib_peer_drop(l->rib, number);
}

static bool needs_rib(struct slice record)
{
	enum { TABLE_DUMP = 12, BGP4MP = 16, BGP4MP_ET = 17 };
	uint16_t type = be16(record.at + 4);

	return type == TABLE_DUMP || type == BGP4MP || type == BGP4MP_ET;
}

static void warn(struct loader *l, const char *text)
{
	if (!*l->result.warning)
		snprintf(l->result.warning, sizeof l->result.warning, "%s", text);
}

/* What was passed over, where nothing worse is to be said. */
static void warn_of_counters(struct loader *l, const char *first)
{
	const struct mrt_counters *c = &l->result.records;
	const struct bgp_counters *m = &l->result.messages;
	uint64_t damaged = c->malformed + c->malformed_rows + c->unknown_peers + m->malformed_attributes + m->malformed_prefixes;
	char text[400];

	if (damaged + c->too_long == 0)
		return;
	snprintf(text, sizeof text,
		 "%" PRIu64 " damaged records or routes and %" PRIu64 " records over %u MiB were passed over%s%.200s", damaged,
		 c->too_long, MRT_RECORD_MAX >> 20, *first ? ": " : "", first);
	warn(l, text);
}

/* Neither zeros nor other people's records are read for ever: /dev/zero, a packed file of nothing. */
static bool is_hopeless(const struct mrt_counters *c)
{
	return c->records >= 100000 && c->unsupported + c->malformed == c->records;
}

/* 0 and what was damaged in *first, which keeps the first such sentence; or an error that ends the reading. */
static int read_one(struct loader *l, struct slice record, char *first, size_t size, struct err *e)
{
	struct err one;
	int r = mrt_record_read(l->reader, record, &one);

	if (r < 0 && r != -EBADMSG)
		return err_set(e, r, "%s", one.msg);
	if (r < 0 && !*first)
		snprintf(first, size, "record %" PRIu64 ": %.200s", mrt_reader_counters(l->reader)->records, one.msg);
	if (mrt_record_time(record))
		l->result.newest_utc_s = mrt_record_time(record);
	return l->error == -ENOMEM ? err_set(e, -ENOMEM, "no memory for its routes") : 0;
}

static int read_records(struct loader *l, struct mrt_file *f, struct err *e)
{
	char first[300] = "";
	struct slice record;
	int r = 0;

	while (!is_hopeless(mrt_reader_counters(l->reader)) && (r = mrt_file_next(f, &record, e)) > 0) {
		if (!l->rib && needs_rib(record)) {
			l->again = l->short_rows;
			if (l->again)
				return 0;
			if (rib_new(&l->rib, NULL) < 0)
				return err_set(e, -ENOMEM, "no memory");
		}
		r = read_one(l, record, first, sizeof first, e);
		if (r < 0)
			return r;
	}
	l->result.records = *mrt_reader_counters(l->reader);
	l->result.records.too_long += mrt_file_too_long(f);
	l->result.messages = *mrt_reader_messages(l->reader);
	warn(l, mrt_file_warning(f));
	warn_of_counters(l, first);
	return r;
}

static int judge(struct loader *l, struct err *e)
{
	const struct mrt_counters *c = &l->result.records;

	if (l->error == -ENOSPC)
		warn(l, "some routes were left out: the limit of 16 million routes or 8 million paths is reached");
	if (c->rows + c->updates + c->state_changes + c->peer_tables > 0)
		return 0;
	if (c->records == 0)
		return err_set(e, -EBADMSG, "no MRT record in it%s%s", *l->result.warning ? ": " : "", l->result.warning);
	return err_set(e, -EBADMSG, "no MRT record of routes in it (TABLE_DUMP, TABLE_DUMP_V2, BGP4MP)");
}

static int finish(struct loader *l, struct err *e)
{
	int r = judge(l, e);

	if (r < 0)
		return r;
	if (l->rib) {
		l->result.changes = *rib_counters(l->rib);
		l->result.peers = rib_peers(l->rib);
		r = rib_collect(l->rib, l->builder);
		rib_free(&l->rib);
		if (r == -ENOMEM)
			return err_set(e, r, "no memory for its routes");
	} else {
		l->result.peers = mrt_reader_peers(l->reader);
	}
	return route_table_build(&l->result.table, &l->builder, e);
}

static void loader_free(struct loader **pl)
{
	struct loader *l = *pl;

	if (l) {
		mrt_reader_free(&l->reader);
		rib_free(&l->rib);
		route_builder_free(&l->builder);
	}
	free(l);
	*pl = NULL;
}

static int loader_new(struct loader **ret, bool with_rib)
{
	struct loader *l = calloc(1, sizeof *l);
	struct mrt_handler h = {
		.row = on_row,
		.row_end = on_row_end,
		.announce = on_announce,
		.withdraw = on_withdraw,
		.state = on_state,
		.arg = l,
	};

	if (!l)
		return -ENOMEM;
	if (mrt_reader_new(&l->reader, &h) < 0 || route_builder_new(&l->builder) < 0 ||
	    (with_rib && rib_new(&l->rib, NULL) < 0)) {
		loader_free(&l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

static int load(struct routes_file_result *ret, const char *path, bool with_rib, struct err *e)
{
	struct mrt_file *f = NULL;
	struct loader *l = NULL;
	int r = loader_new(&l, with_rib) < 0 ? err_set(e, -ENOMEM, "no memory") : mrt_file_open(&f, path, e);

	if (r == 0)
		r = read_records(l, f, e);
	mrt_file_close(&f);
	if (r == 0 && l->again)
		r = 1;
	else if (r == 0)
		r = finish(l, e);
	if (r == 0)
		*ret = l->result;
	loader_free(&l);
	return r;
}

int routes_file_load(struct routes_file_result *ret, const char *path, struct err *e)
{
	int r = load(ret, path, false, e);

	if (r > 0)
		r = load(ret, path, true, e);
	return r < 0 ? err_prefix(e, r, "%s", path) : 0;
}
