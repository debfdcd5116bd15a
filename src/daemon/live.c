/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/live.h"

#include "base/clock.h"
#include "count/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WATCHES_MAX 16

enum { CHANGED = 6, COUNTERS = 7 }; /* six of struct party_tally, and the tick of the last change */

/* An account that somebody looks at. */
struct watch {
	struct account *account;  /* a reference; NULL = the place is free */
	struct table keys;
	uint64_t left_out;
	int64_t asked_ns;
};

struct live {
	struct snapshot_box *box;
	struct clock clock;
	uint64_t tick;
	int64_t tick_utc_s;
	struct watch watches[WATCHES_MAX];
};

static int live_open(void **ret, const struct parts_world *w, const struct config *cf, struct err *e)
{
	struct live *l = calloc(1, sizeof *l);

	(void)cf;
	if (!l)
		return err_set(e, -ENOMEM, "no memory");
	l->box = w->box;
	l->clock = clock_system();
	l->tick = 1;
	*ret = l;
	return 0;
}

static void forget(struct watch *w)
{
	account_unref(&w->account);
	table_close(&w->keys);
	*w = (struct watch){ 0 };
}

static void live_close(void **part)
{
	struct live *l = *part;

	for (unsigned i = 0; i < WATCHES_MAX; i++)
		if (l->watches[i].account)
			forget(&l->watches[i]);
	free(l);
	*part = NULL;
}

/* ---- counting along ---- */

static struct watch *find_watch(struct live *l, const struct account *a)
{
	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		struct watch *w = &l->watches[i];

		if (w->account && (w->account == a || (strcmp(w->account->name, a->name) == 0 &&
				account_same_form(w->account, a))))
			return w;
	}
	return NULL;
}

static void add_record(struct watch *w, const uint8_t *record, uint64_t tick)
{
	const size_t size = w->account->layout.size;
	uint64_t key[KEY_WORDS_MAX], *c;
	struct party_tally t;

	memcpy(key, record, size);
	memcpy(&t, record + size, sizeof t);
	c = table_find_or_add(&w->keys, key, table_hash_words(w->keys.seed, key, w->keys.key_words));
	if (!c) {
		w->left_out++;
		return;
	}
	c[0] += t.rx.packets;
	c[1] += t.rx.l2_bytes;
	c[2] += t.rx.l3_bytes;
	c[3] += t.tx.packets;
	c[4] += t.tx.l2_bytes;
	c[5] += t.tx.l3_bytes;
	c[CHANGED] = tick;
}

static void live_tick(void *part, struct booking *b)
{
	struct live *l = part;
	int64_t now = l->clock.monotonic_ns(l->clock.arg);

	l->tick++;
	l->tick_utc_s = b->taken_utc_s;
	for (unsigned i = 0; i < WATCHES_MAX; i++)
		if (l->watches[i].account && now - l->watches[i].asked_ns > LIVE_FORGET_S * NS_PER_S)
			forget(&l->watches[i]);
	for (size_t i = 0; i < b->batch_count; i++) {
		const struct batch *batch = &b->batches[i];
		struct watch *w = find_watch(l, batch->account);

		for (size_t k = 0; w && k < batch->count; k++)
			add_record(w, batch->records + k * record_size(batch->account), l->tick);
	}
}

/* ---- telling ---- */

static void put_escaped(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\t')
			fputs("\\t", to);
		else if (*text == '\n')
			fputs("\\n", to);
		else if (*text == '\\')
			fputs("\\\\", to);
		else
			putc_unlocked(*text, to);
	}
}

static void tell_accounts(const struct snapshot *s, FILE *to)
{
	for (size_t i = 0; i < s->account_count; i++) {
		const struct account *a = s->accounts[i].account;
		unsigned count;
		const struct account_counter *counters = account_counters(a, &count);

		fprintf(to, "account\t%s\t", a->name);
		for (size_t k = 0; k < a->by_count; k++)
			fprintf(to, "%s%s", k ? "," : "", field_name(a->by[k]));
		for (unsigned k = 0; k < count; k++)
			fprintf(to, "%c%s", k ? ',' : '\t', counters[k].name);
		fputc('\n', to);
	}
}

static void tell_row(const struct watch *w, const struct snapshot *s, const uint8_t *key, const uint64_t *c, FILE *to)
{
	const struct party_tally t = { { c[0], c[1], c[2] }, { c[3], c[4], c[5] } };
	unsigned count;
	const struct account_counter *counters = account_counters(w->account, &count);

	for (size_t i = 0; i < w->account->by_count; i++) {
		char scratch[KEY_TEXT_MAX];

		put_escaped(to, snapshot_key_text(s, w->account, key, w->account->by[i], scratch));
		putc_unlocked('\t', to);
	}
	for (unsigned i = 0; i < count; i++)
		fprintf(to, "%" PRIu64 "%c", counters[i].get(&t, w->account->bytes), i + 1 < count ? '\t' : '\n');
}

static void tell_facts(const struct live *l, const struct watch *w, const struct snapshot *s, FILE *to)
{
	uint64_t lost = s->counters.lost_ring, unaccounted = 0;

	for (size_t i = 0; i < s->interface_count; i++) {
		int64_t n = interface_unaccounted(&s->interfaces[i]);

		unaccounted += n > 0 ? (uint64_t)n : 0;
	}
	fprintf(to, "tick\t%" PRIu64 "\t%" PRId64 "\t%" PRIu64 "\t%" PRIu64 "\n", l->tick, l->tick_utc_s, w->keys.used,
			w->left_out);
	fprintf(to, "facts\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRId64 "\n", lost, unaccounted,
		s->table_entries, s->table_limit, s->counters.overflowed, s->started_utc_s);
}

static int begin_watch(struct live *l, struct watch **ret, struct account *a)
{
	struct table_form form = { .key_bytes = a->layout.size, .counters = COUNTERS, .other_used = 3, .limit = LIVE_KEYS_MAX };
	struct watch *w = l->watches;

	while (w < l->watches + WATCHES_MAX && w->account)
		w++;
	if (w == l->watches + WATCHES_MAX)
		return -ENOSPC;
	if (table_open(&w->keys, &form, NULL) < 0)
		return -ENOMEM;
	w->account = account_ref(a);
	*ret = w;
	return 0;
}

static void tell_keys(struct live *l, const struct snapshot *s, struct account *a, uint64_t since, FILE *to)
{
	struct watch *w = find_watch(l, a);

	if (!w && begin_watch(l, &w, a) < 0) {
		fputs("error: too many accounts are looked at, or no memory\n", to);
		return;
	}
	w->asked_ns = l->clock.monotonic_ns(l->clock.arg);
	tell_facts(l, w, s, to);
	for (uint64_t i = 0; i < table_slots(&w->keys); i++) {
		uint8_t *slot = table_slot(&w->keys, i);

		if (slot_is_taken(&w->keys, slot) && slot_counters(&w->keys, slot)[CHANGED] > since)
			tell_row(w, s, slot, slot_counters(&w->keys, slot), to);
	}
}

static void answer(struct live *l, const struct snapshot *s, const char *what, uint64_t since, FILE *to)
{
	if (strcmp(what, "accounts") == 0) {
		tell_accounts(s, to);
		return;
	}
	for (size_t i = 0; i < s->account_count; i++)
		if (strcmp(s->accounts[i].account->name, what) == 0) {
			tell_keys(l, s, s->accounts[i].account, since, to);
			return;
		}
	fprintf(to, "error: no account '%.48s'\n", what);
}

static void live_ask(void *part, struct slice words, FILE *to)
{
	struct live *l = part;
	struct snapshot *s = snapshot_box_get(l->box);
	char line[128], what[64] = "";
	unsigned long long since = 0;

	snprintf(line, sizeof line, "%.*s", (int)(words.len < 100 ? words.len : 100), (const char *)words.at);
	if (!s)
		fputs("error: the daemon is starting: ask again in a second\n", to);
	else if (sscanf(line, " %63[a-z0-9_] %llu", what, &since) < 1)
		fputs("error: live accounts, or live ACCOUNT SINCE\n", to);
	else
		answer(l, s, what, since, to);
	snapshot_unref(&s);
}

const struct part_ops live_part = {
	.name = "live", .open = live_open, .tick = live_tick, .ask = live_ask, .close = live_close,
};
