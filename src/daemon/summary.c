/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/summary.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ledger/query.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BOOKED_BY_S 3      /* this long after its end a window's records are in the ledger */
#define NAME_WIDTH 40

struct summary {
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;      /* of all below */
	pthread_cond_t changed;
	bool stop;
	uint32_t every_s, rows;
	char ledger[256];
	struct account **accounts; /* references */
	size_t account_count;
};

/* What one query said: a line per key, its texts and its counters apart. */
struct answer {
	char *text;
	struct line {
		char *key;             /* texts with blanks between */
		uint64_t counters[ACCOUNT_COUNTERS_MAX];
	} *lines;
	size_t count;
};

static void answer_free(struct answer *a)
{
	free(a->text);
	free(a->lines);
	*a = (struct answer){ 0 };
}

static void drop_accounts(struct account **accounts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		account_unref(&accounts[i]);
	free(accounts);
}

/* With the lock held. */
static void take_config(struct summary *s, const struct config *cf)
{
	struct account **accounts = calloc(cf->account_count + 1, sizeof(*accounts));

	if (!accounts)
		return; /* the old ones stay */
	drop_accounts(s->accounts, s->account_count);
	for (size_t i = 0; i < cf->account_count; i++)
		accounts[i] = account_ref(cf->accounts[i]);
	s->accounts = accounts;
	s->account_count = cf->account_count;
	s->every_s = cf->summary_every_s;
	s->rows = cf->summary_rows;
	memcpy(s->ledger, cf->ledger_path, sizeof s->ledger);
}

/* ---- one account ---- */

static char *split(char *line, unsigned keys, uint64_t counters[static ACCOUNT_COUNTERS_MAX], unsigned count)
{
	char *at = line;

	for (unsigned i = 0; i < keys; i++) {
		at = strchr(at, '\t');
		if (!at)
			return NULL;
		*at++ = i + 1 < keys ? ' ' : '\0';
	}
	for (unsigned i = 0; i < count; i++) {
		counters[i] = strtoull(at, &at, 10);
		at += *at == '\t';
	}
	return line;
}

static int parse(struct answer *a, const struct account *account)
{
	size_t lines = 0;
	unsigned counters;
	char *rest = NULL;

	account_counters(account, &counters);
	for (const char *c = a->text; *c; c++)
		lines += *c == '\n';
	a->lines = calloc(lines + 1, sizeof *a->lines);
	if (!a->lines)
		return -ENOMEM;
	strtok_r(a->text, "\n", &rest); /* the names of the columns */
	for (char *line = strtok_r(NULL, "\n", &rest); line && a->count < lines; line = strtok_r(NULL, "\n", &rest)) {
		struct line *l = &a->lines[a->count];

		l->key = split(line, (unsigned)account->by_count, l->counters, counters);
		a->count += l->key != NULL;
	}
	return 0;
}

static int ask(struct ledger_reader *r, const struct account *a, int64_t from, int64_t to, struct answer *ret, struct err *e)
{
	struct query q = { .account = a->name, .from_utc_s = from, .to_utc_s = to, .basis = -1, .limit = -1,
			   .sort = a->party ? "-rx_bytes" : "-bytes" };
	struct output *out = NULL;
	size_t size;
	FILE *f;
	int x;

	*ret = (struct answer){ 0 };
	f = open_memstream(&ret->text, &size);
	if (!f)
		return err_set(e, -ENOMEM, "no memory");
	x = output_open(&out, f, FORMAT_TSV, e);
	if (x == 0)
		x = query_run(r, &q, out, e);
	if (out && x < 0)
		output_abort(&out);
	else if (out)
		x = output_close(&out, e);
	if (fclose(f) != 0 && x == 0)
		x = err_set(e, -ENOMEM, "no memory");
	return x == 0 ? parse(ret, a) : x;
}

static int compare_lines(const void *pa, const void *pb)
{
	const struct line *a = pa, *b = pb;

	return strcmp(a->key, b->key);
}

static void say_line(const struct account *a, const struct line *now, const struct line *today)
{
	char text[512], value[32];
	unsigned count;
	const struct account_counter *c = account_counters(a, &count);
	size_t used = (size_t)snprintf(text, sizeof text, "  %-*.200s", NAME_WIDTH, now->key);

	for (unsigned pass = 0; pass < 2 && used < sizeof text; pass++) {
		const struct line *l = pass ? today : now;

		for (unsigned i = 0; i < count && l && used < sizeof text; i++) {
			if (!c[i].is_bytes && !account_has_deliveries(a))
				continue; /* packets are for programs */
			used += (size_t)snprintf(text + used, sizeof text - used, " %10s",
						 c[i].is_bytes ? human_bytes(l->counters[i], value, sizeof value)
							       : human_count(l->counters[i], value, sizeof value));
		}
		used += (size_t)snprintf(text + used, used < sizeof text ? sizeof text - used : 0, "%s", pass ? "" : "   today");
	}
	log_notice("%s", text);
}

static void say_account(const struct account *a, struct answer *now, struct answer *today, size_t rows, const char *when)
{
	char names[128] = "";
	size_t used = 0;
	unsigned count;
	const struct account_counter *c = account_counters(a, &count);

	if (now->count == 0)
		return;
	for (unsigned i = 0; i < count; i++)
		if (c[i].is_bytes || account_has_deliveries(a))
			used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", c[i].name);
	log_notice("summary to %s: account %s, %zu with traffic (%s)", when, a->name, now->count, names);
	qsort(today->lines, today->count, sizeof *today->lines, compare_lines);
	for (size_t i = 0; i < now->count && i < rows; i++)
		say_line(a, &now->lines[i],
			 bsearch(&now->lines[i], today->lines, today->count, sizeof *today->lines, compare_lines));
	if (now->count > rows)
		log_notice("  ... and %zu more", now->count - rows);
}

/* ---- an interval ---- */

static int64_t midnight(int64_t now_s)
{
	time_t now = (time_t)now_s;
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return now_s - now_s % 86400;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm);
}

struct interval {
	struct account **accounts;
	size_t count;
	uint32_t every_s, rows;
	int64_t end_s;
	char ledger[256];
};

/* Windows that are longer than the interval are told when they end. */
static bool ends_now(const struct account *a, const struct interval *i)
{
	return a->every_s <= i->every_s || i->end_s % a->every_s == 0;
}

static void say_one(struct ledger_reader *r, const struct account *a, const struct interval *i, const char *when)
{
	int64_t length = a->every_s > i->every_s ? a->every_s : i->every_s;
	struct answer now = { 0 }, today = { 0 };
	struct err e = { 0 };
	int x = ask(r, a, i->end_s - length, i->end_s, &now, &e);

	if (x == 0 && now.count)
		x = ask(r, a, midnight(i->end_s - 1), i->end_s, &today, &e);
	if (x == 0)
		say_account(a, &now, &today, i->rows, when);
	else if (x != -ENOENT) /* a new account has no table yet */
		log_warning("summary: account %s: %s", a->name, e.msg);
	answer_free(&now);
	answer_free(&today);
}

static void say_interval(const struct interval *i)
{
	struct ledger_reader *r;
	time_t end = (time_t)i->end_s;
	char when[32] = "";
	struct err e = { 0 };
	struct tm tm;

	if (localtime_r(&end, &tm))
		strftime(when, sizeof when, "%H:%M:%S", &tm);
	if (ledger_reader_open(&r, i->ledger, &e) < 0) {
		log_warning("summary: %s", e.msg);
		return;
	}
	for (size_t k = 0; k < i->count; k++)
		if (ends_now(i->accounts[k], i))
			say_one(r, i->accounts[k], i, when);
	ledger_reader_close(&r);
}

/* With the lock held: what is to be said now. */
static void make_interval(const struct summary *s, int64_t end_s, struct interval *ret)
{
	*ret = (struct interval){ .every_s = s->every_s, .rows = s->rows, .end_s = end_s };
	memcpy(ret->ledger, s->ledger, sizeof ret->ledger);
	ret->accounts = calloc(s->account_count + 1, sizeof(*ret->accounts));
	for (size_t i = 0; ret->accounts && i < s->account_count; i++)
		ret->accounts[ret->count++] = account_ref(s->accounts[i]);
}

static int64_t now_s(void)
{
	return ns_to_s(clock_system().utc_ns(NULL));
}

static void *run(void *arg)
{
	struct summary *s = arg;
	int64_t said_s;

	pthread_mutex_lock(&s->lock);
	said_s = s->every_s ? now_s() / s->every_s * s->every_s : 0;
	while (!s->stop) {
		struct timespec until = { .tv_sec = now_s() + 1 };
		int64_t end_s;
		struct interval i;

		pthread_cond_timedwait(&s->changed, &s->lock, &until);
		end_s = s->every_s ? (now_s() - BOOKED_BY_S) / s->every_s * s->every_s : said_s;
		if (s->stop || end_s <= said_s)
			continue;
		make_interval(s, end_s, &i);
		said_s = end_s;
		pthread_mutex_unlock(&s->lock);
		say_interval(&i);
		drop_accounts(i.accounts, i.count);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- the part ---- */

static int summary_open(void **ret, const struct parts_world *w, const struct config *cf, struct err *e)
{
	struct summary *s = calloc(1, sizeof *s);

	(void)w;
	if (!s)
		return err_set(e, -ENOMEM, "no memory");
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	take_config(s, cf);
	*ret = s;
	return 0;
}

/* Also where none is wanted: a reload may want one, and threads are started before. */
static int summary_start(void *part, const struct parts_world *w, struct err *e)
{
	struct summary *s = part;
	sigset_t all, old;
	int err;

	(void)w;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->running = err == 0;
	return err ? err_errno(e, -err, "cannot start a thread") : 0;
}

static void summary_reload(void **part, const struct parts_world *w, const struct config *cf)
{
	struct summary *s = *part;

	(void)w;
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	take_config(s, cf);
	pthread_mutex_unlock(&s->lock);
}

static void summary_close(void **part)
{
	struct summary *s = *part;

	if (s->running) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->changed);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	drop_accounts(s->accounts, s->account_count);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	*part = NULL;
}

const struct part_ops summary_part = {
	.name = "summary", .open = summary_open, .start = summary_start, .reload = summary_reload, .close = summary_close,
};
