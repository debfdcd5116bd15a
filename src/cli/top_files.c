/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_files.c -- capture files at the speed of their own clock: each advance() is the next second in which packets came. */
#include "capture/pcapfile.h"
#include "cli/top_source.h"
#include "count/count.h"
#include "decode/decode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS_MAX (1u << 20)

static const struct {
	const char *name, *keys;
} accounts[] = {
	{ "hosts", "host" }, { "devices", "mac" }, { "services", "service" }, { "pairs", "src_host,dst_host" },
};
#define ACCOUNTS (sizeof accounts / sizeof *accounts)

struct files {
	struct top_source source;   /* first: a source is this */
	char *const *paths;
	size_t path_count, next_path;
	struct pcapfile *open;      /* NULL: the next one, or the end */
	struct strings *strings;
	struct services services;
	struct account *account[ACCOUNTS];
	struct count counts[ACCOUNTS];
	struct frame frames[FRAME_BATCH];
	struct packet packets[FRAME_BATCH];
	unsigned taken, count;      /* of the batch */
	bool any;
	int64_t second;             /* of their clock, that is being counted */
	int64_t first_s;
	char problem[256];
};

static struct files *self(struct top_source *s)
{
	return (struct files *)(void *)s;
}

static int open_account(struct files *f, size_t i, struct err *e)
{
	struct account *a = account_new();
	struct grain g = { .both_bases = true, .limit = KEYS_MAX, .services = &f->services };
	int r;

	if (!a)
		return err_set(e, -ENOMEM, "no memory");
	f->account[i] = a;
	snprintf(a->name, sizeof a->name, "%s", accounts[i].name);
	r = field_list_parse(a->by, &a->by_count, accounts[i].keys, e);
	if (r == 0)
		r = account_finish(a, e);
	if (r < 0)
		return r;
	g.layout = a->layout;
	g.party = a->party;
	return count_open(&f->counts[i], &g, e);
}

static int files_views(struct top_source *s, struct top_view views[static TOP_VIEWS_MAX], size_t *ret_count, struct err *e)
{
	struct files *f = self(s);

	for (size_t i = 0; i < ACCOUNTS; i++) {
		int r = top_view_open(&views[i], accounts[i].name, accounts[i].keys,
				      f->account[i]->party ? "rx_packets,rx_bytes,tx_packets,tx_bytes" : "packets,bytes");

		if (r < 0)
			return err_set(e, r, "no memory");
		views[i].begun = true;
	}
	*ret_count = ACCOUNTS;
	return 0;
}

/* A batch of frames; 0 = all files are read. What is damaged ends its file, and is said at the end. */
static unsigned next_batch(struct files *f)
{
	struct err e = { 0 };

	for (;;) {
		int n;

		if (!f->open && (f->next_path == f->path_count ||
				 pcapfile_open(&f->open, f->paths[f->next_path++], f->strings, &e) < 0)) {
			if (f->next_path == f->path_count && !f->open)
				return 0;
			continue;
		}
		n = pcapfile_next(f->open, f->frames, 0, &e);
		if (n > 0) {
			f->count = (unsigned)n;
			f->taken = 0;
			decode_batch(f->frames, f->count, f->packets);
			return f->count;
		}
		if (n < 0)
			snprintf(f->problem, sizeof f->problem, "%.250s", e.msg);
		pcapfile_close(&f->open);
	}
}

static void count_run(struct files *f, unsigned from, unsigned to)
{
	for (size_t i = 0; i < ACCOUNTS; i++)
		count_packets(&f->counts[i], f->packets + from, to - from);
}

static int64_t second_of(const struct packet *p)
{
	return p->seen_utc_ns / 1000000000;
}

/* All packets of the next second. Time may go back in a file: what is earlier belongs to the second that is counted. */
static bool count_second(struct files *f)
{
	bool counted = false;

	for (;;) {
		unsigned from;

		if (f->taken == f->count && next_batch(f) == 0)
			return counted;
		if (!counted) {
			f->second = second_of(&f->packets[f->taken]);
			f->first_s = f->any ? f->first_s : f->second;
			f->any = true;
		}
		from = f->taken;
		while (f->taken < f->count && second_of(&f->packets[f->taken]) <= f->second)
			f->taken++;
		count_run(f, from, f->taken);
		counted = true;
		if (f->taken < f->count)
			return true;
	}
}

static int add_slot(const struct files *f, size_t i, const struct table *t, uint8_t *slot, struct top_view *v)
{
	const struct account *a = f->account[i];
	uint64_t counters[ACCOUNT_COUNTERS_MAX] = { 0 };
	char key[1024];
	struct party_tally tally;
	size_t used = 0;
	unsigned n;
	const struct account_counter *c = account_counters(a, &n);

	for (size_t k = 0; k < a->by_count; k++) {
		char scratch[KEY_TEXT_MAX];

		used += (size_t)snprintf(key + used, sizeof key - used, "%s%s", k ? "\t" : "",
					 key_text(&a->layout, slot, a->by[k], f->strings, scratch, NULL));
	}
	count_tally(&f->counts[i], t, slot, &tally);
	for (unsigned k = 0; k < n; k++)
		counters[k] = c[k].get(&tally, BYTES_L2);
	return top_view_add(v, key, counters);
}

static int add_table(const struct files *f, size_t i, const struct table *t, struct top_view *v)
{
	int r = 0;

	for (uint64_t k = 0; k < table_slots(t) && r == 0; k++)
		if (slot_is_taken(t, table_slot(t, k)))
			r = add_slot(f, i, t, table_slot(t, k), v);
	return r;
}

static int files_advance(struct top_source *s, struct top_view *views, size_t count, struct err *e)
{
	struct files *f = self(s);
	int r = 0;

	if (!count_second(f))
		return 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		views[i].now_s = f->second;
		r = add_table(f, i, &f->counts[i].table, &views[i]);
		if (r == 0)
			r = add_table(f, i, &f->counts[i].others, &views[i]);
		count_clear(&f->counts[i]);
	}
	return r < 0 ? err_set(e, r, "no memory") : 0;
}

static void files_facts(struct top_source *s, struct top_facts *ret)
{
	const struct files *f = self(s);

	*ret = (struct top_facts){ .now_utc_s = f->second, .started_utc_s = f->first_s };
	ret->ended = f->next_path == f->path_count && !f->open && f->taken == f->count;
	snprintf(ret->title, sizeof ret->title, "%.63s", f->problem[0] ? f->problem : ret->ended ? "end of file" : "file");
}

static void files_close(struct top_source **s)
{
	struct files *f = self(*s);

	pcapfile_close(&f->open);
	for (size_t i = 0; i < ACCOUNTS; i++) {
		count_close(&f->counts[i]);
		account_unref(&f->account[i]);
	}
	services_free(&f->services);
	strings_free(&f->strings);
	free(f);
	*s = NULL;
}

static const struct top_source_ops files_ops = {
	.views = files_views, .advance = files_advance, .facts = files_facts, .close = files_close,
};

int top_files_open(struct top_source **ret, char *const *files, size_t count, struct err *e)
{
	struct files *f = calloc(1, sizeof *f);
	struct top_source *s = f ? &f->source : NULL;
	int r;

	if (!f)
		return err_set(e, -ENOMEM, "no memory");
	f->source.ops = &files_ops;
	f->paths = files;
	f->path_count = count;
	r = strings_new(&f->strings) < 0 ? err_set(e, -ENOMEM, "no memory") : services_add_well_known(&f->services, e);
	if (r == 0)
		r = services_intern(&f->services, f->strings, e);
	for (size_t i = 0; i < ACCOUNTS && r == 0; i++)
		r = open_account(f, i, e);
	if (r == 0) /* one that cannot be opened is to be said before the screen is taken */
		r = pcapfile_open(&f->open, files[f->next_path++], f->strings, e);
	if (r < 0)
		files_close(&s);
	else
		*ret = s;
	return r;
}
