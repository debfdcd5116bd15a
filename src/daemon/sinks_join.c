/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/sinks_join.h"

#include "base/clock.h"
#include "base/log.h"
#include "ledger/cursors.h"
#include "sinks/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define STOP_S 5u /* a write that is under way may take so long to end */

struct sinks_join {
	struct booker *booker;
	char ledger_path[256];
	struct sink_set *set;     /* as configured; NULL = none */
	struct sinks *running;
	struct sinks *leaving;    /* of the configuration before */
	bool wants_start;
	struct set_job *job;      /* tells the ledger of the new ones */
};

/* ---- what sinks ask, on their threads; each waits for the ledger's ---- */

struct asked {
	struct booker_job job;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	int r;
	struct err e;
	int (*run)(struct ledger *l, void *arg, struct err *e);
	void *arg;
};

static int run_asked(struct ledger *l, void *arg, struct err *e)
{
	struct asked *a = arg;

	return a->run(l, a->arg, e);
}

static void note_answer(void *arg, int r, const struct err *e)
{
	struct asked *a = arg;

	pthread_mutex_lock(&a->lock);
	a->done = true;
	a->r = r;
	a->e = *e;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

static int ask_ledger(struct sinks_join *j, int (*run)(struct ledger *, void *, struct err *), void *arg, struct err *e)
{
	struct asked a = { .run = run, .arg = arg };

	a.job = (struct booker_job){ .run = run_asked, .done = note_answer, .arg = &a };
	pthread_mutex_init(&a.lock, NULL);
	pthread_cond_init(&a.changed, NULL);
	booker_run(j->booker, &a.job);
	pthread_mutex_lock(&a.lock);
	while (!a.done)
		pthread_cond_wait(&a.changed, &a.lock);
	pthread_mutex_unlock(&a.lock);
	pthread_cond_destroy(&a.changed);
	pthread_mutex_destroy(&a.lock);
	if (a.r < 0 && e)
		*e = a.e;
	return a.r;
}

static int run_note(struct ledger *l, void *arg, struct err *e)
{
	return ledger_note_sink(l, arg, e);
}

static int note(void *arg, const struct sink_note *n, struct err *e)
{
	struct ledger_window *windows = calloc(n->window_count + 1, sizeof *windows);
	struct ledger_sink_note m = {
		.sink = n->sink, .again = n->cursor.again, .seq = n->cursor.seq, .records = n->records, .windows = windows,
		.window_count = n->window_count, .rejected_why = n->rejected_why, .rejected_records = n->rejected_records,
	};

	if (!windows)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n->window_count; i++)
		windows[i] = (struct ledger_window){ n->windows[i].account, n->windows[i].length_s, n->windows[i].start_utc_s };
	int r = ask_ledger(arg, run_note, &m, e);
	free(windows);
	return r;
}

struct retry {
	const char *sink;
	bool from_start;
	uint64_t windows;
};

static int run_retry(struct ledger *l, void *arg, struct err *e)
{
	struct retry *t = arg;

	return ledger_retry_sink(l, t->sink, t->from_start, &t->windows, e);
}

static int retry(void *arg, const char *sink, bool from_start, uint64_t *ret_windows, struct err *e)
{
	struct retry t = { .sink = sink, .from_start = from_start };
	int r = ask_ledger(arg, run_retry, &t, e);

	*ret_windows = t.windows;
	if (r == 0)
		log_notice("sink %s: %llu windows are sent again", sink, (unsigned long long)t.windows);
	return r;
}

static void say(void *arg, enum sink_says what, const char *text)
{
	(void)arg;
	if (what == SINK_SAYS_TROUBLE)
		log_warning("%s", text);
	else
		log_notice("%s", text);
}

/* ---- the ledger learns which sinks there are ---- */

static int tell_ledger(struct ledger *l, const struct sink_set *set, struct err *e)
{
	size_t count = set ? set->count : 0;
	struct ledger_sink *sinks = calloc(count + 1, sizeof *sinks);
	struct account **accounts[64] = { 0 };
	int r = sinks ? 0 : err_set(e, -ENOMEM, "sinks: out of memory");

	for (size_t i = 0; i < count && r == 0; i++) {
		const struct sink_config *cf = &set->at[i];

		snprintf(sinks[i].name, sizeof sinks[i].name, "%s", cf->name);
		sinks[i].hold_s = cf->hold_s;
		sinks[i].hold_bytes = cf->hold_bytes;
		accounts[i] = calloc(cf->table_count + 1, sizeof **accounts);
		if (!accounts[i])
			r = err_set(e, -ENOMEM, "sinks: out of memory");
		for (size_t k = 0; r == 0 && k < cf->table_count; k++)
			if (cf->tables[k].account)
				accounts[i][sinks[i].account_count++] = cf->tables[k].account;
		sinks[i].accounts = accounts[i];
	}
	if (r == 0)
		r = ledger_set_sinks(l, sinks, count, e);
	for (size_t i = 0; i < count; i++)
		free(accounts[i]);
	free(sinks);
	return r;
}

/* At a reload the main loop does not wait for the ledger: it looks at each tick. */
struct set_job {
	struct booker_job job;
	struct sink_set *set; /* a reference */
	atomic_int state;     /* 0 = under way, 1 = done, negative errno */
};

static int run_set(struct ledger *l, void *arg, struct err *e)
{
	return tell_ledger(l, ((struct set_job *)arg)->set, e);
}

static void note_set(void *arg, int r, const struct err *e)
{
	struct set_job *s = arg;

	if (r < 0)
		log_warning("sinks: %s", e->msg);
	atomic_store(&s->state, r < 0 ? r : 1);
}

static void give_set(struct sinks_join *j)
{
	struct set_job *s = calloc(1, sizeof *s);

	if (!s)
		return; /* at the next tick */
	s->set = j->set ? sink_set_ref(j->set) : NULL;
	s->job = (struct booker_job){ .run = run_set, .done = note_set, .arg = s };
	j->job = s;
	booker_run(j->booker, &s->job);
}

static void free_job(struct sinks_join *j)
{
	sink_set_unref(&j->job->set);
	free(j->job);
	j->job = NULL;
}

/* ---- the part ---- */

static struct sinks_join *make(const struct config *cf, struct err *e)
{
	struct sinks_join *j = calloc(1, sizeof *j);

	if (!j) {
		err_set(e, -ENOMEM, "sinks: out of memory");
		return NULL;
	}
	snprintf(j->ledger_path, sizeof j->ledger_path, "%s", cf->ledger_path);
	j->set = cf->sinks ? sink_set_ref(cf->sinks) : NULL;
	return j;
}

static void close_part(void **part)
{
	struct sinks_join *j = *part;

	sinks_close(&j->running);
	sinks_close(&j->leaving);
	if (j->job)
		free_job(j);
	sink_set_unref(&j->set);
	free(j);
	*part = NULL;
}

static int open_part(void **ret, const struct parts_world *w, const struct config *cf, struct err *e)
{
	struct sinks_join *j;
	int r;

	if (!cf->sinks || cf->sinks->count == 0)
		return w->ledger ? tell_ledger(w->ledger, NULL, e) : 0;
	j = make(cf, e);
	if (!j)
		return -ENOMEM;
	r = w->ledger ? tell_ledger(w->ledger, j->set, e) : 0;
	if (r < 0) {
		void *part = j;

		close_part(&part);
		return r;
	}
	*ret = j;
	return 0;
}

static int start_sinks(struct sinks_join *j, struct err *e)
{
	struct sink_host host = { .ledger_path = j->ledger_path, .note = note, .retry = retry, .say = say, .arg = j };

	return j->set && j->set->count ? sinks_start(&j->running, j->set, &host, e) : 0;
}

static int start_part(void *part, const struct parts_world *w, struct err *e)
{
	struct sinks_join *j = part;

	j->booker = w->booker;
	return j->booker ? start_sinks(j, e) : 0;
}

static void reload_part(void **part, const struct parts_world *w, const struct config *cf)
{
	struct sinks_join *j = *part;
	struct err e = { 0 };

	if (!j && (!cf->sinks || cf->sinks->count == 0))
		return;
	if (!j && !(j = make(cf, &e))) {
		log_error("%s", e.msg);
		return;
	}
	*part = j;
	j->booker = w->booker;
	sink_set_unref(&j->set);
	j->set = cf->sinks ? sink_set_ref(cf->sinks) : NULL;
	j->wants_start = true;
	if (j->running) {
		sinks_stop(j->running, STOP_S);
		j->leaving = j->running; /* there is no other: one is started when that has left */
		j->running = NULL;
	}
}

/* A reload's next step: the old ones have ended, the ledger knows the new ones, they start. */
static void tick_part(void *part, struct booking *b)
{
	struct sinks_join *j = part;
	struct err e = { 0 };

	(void)b;
	if (j->leaving && sinks_have_stopped(j->leaving))
		sinks_close(&j->leaving);
	if (!j->wants_start || j->leaving || !j->booker)
		return;
	if (!j->job) {
		give_set(j);
		return;
	}
	int state = atomic_load(&j->job->state);
	if (state == 0)
		return;
	bool is_current = j->job->set == j->set;
	free_job(j);
	if (state < 0 || !is_current)
		return; /* again at the next tick */
	j->wants_start = false;
	if (start_sinks(j, &e) < 0)
		log_error("%s", e.msg);
}

static void show_part(void *part, struct snapshot *s)
{
	struct sinks_join *j = part;

	for (size_t i = 0; j->running && i < sinks_count(j->running); i++) {
		struct fact_row *r;
		struct sink_status st;

		sinks_status(j->running, i, s->taken_utc_s, &st);
		r = facts_add(&s->facts, "sinks", "sink", "sink", st.name);
		fact_text(r, "kind", st.kind);
		fact_text(r, "state", sink_state_text(st.state));
		fact_number(r, "lag_seconds", FACT_GAUGE, st.lag_s, "since the end of the oldest window that it has not got");
		fact_number(r, "records", FACT_COUNTER, st.records, "records that it has got, repeats included");
		fact_number(r, "errors", FACT_COUNTER, st.errors, "tries that failed, since the start");
		fact_number(r, "rejected_records", FACT_COUNTER, st.rejected, "records that it refused, which were set aside");
		fact_number(r, "expired_records", FACT_COUNTER, st.expired, "records that went before it got them");
		fact_number(r, "set_aside_windows", FACT_GAUGE, st.set_aside, "windows that wait for: nettally sinks retry");
		fact_number(r, "last_write", FACT_TIME, (uint64_t)st.last_utc_s, "when it last got something");
		if (st.problem[0])
			fact_text(r, "problem", st.problem);
	}
}

/* ---- the control socket: "sinks list", "sinks retry NAME [from-start]" ---- */

static void answer_list(struct sinks_join *j, FILE *to)
{
	int64_t now_utc_s = ns_to_s(clock_system().utc_ns(NULL));

	for (size_t i = 0; j->running && i < sinks_count(j->running); i++) {
		struct sink_status st;

		sinks_status(j->running, i, now_utc_s, &st);
		fprintf(to, "%s\t%s\t%s\t%llu\t%llu\t%llu\t%llu\t%llu\t%s\n", st.name, st.kind, sink_state_text(st.state),
			(unsigned long long)st.lag_s, (unsigned long long)st.records, (unsigned long long)st.errors,
			(unsigned long long)st.set_aside, (unsigned long long)st.expired, st.problem[0] ? st.problem : "-");
	}
}

static void ask_part(void *part, struct slice words, FILE *to)
{
	struct sinks_join *j = part;
	char line[128], name[64] = "", how[16] = "", more[2];
	struct err e = { 0 };

	snprintf(line, sizeof line, "%.*s", (int)(words.len < sizeof line ? words.len : sizeof line - 1),
		 words.len ? (const char *)words.at : "");
	if (sscanf(line, "%63s", name) == 1 && strcmp(name, "list") == 0) {
		answer_list(j, to);
		return;
	}
	int n = sscanf(line, " retry %63s %15s %1s", name, how, more);
	bool from_start = n == 2 && strcmp(how, "from-start") == 0;
	if (n != 1 && !from_start)
		fputs("error: ask: sinks list, or: sinks retry NAME [from-start]\n", to);
	else if (!j->running)
		fputs("error: the sinks are starting anew: ask again in a second\n", to);
	else if (sinks_retry(j->running, name, from_start, &e) < 0)
		fprintf(to, "error: %s\n", e.msg);
	else
		fprintf(to, "sink %s: %s\n", name, from_start ? "all that the ledger has is sent again"
				: "what was set aside is tried again");
}

static void stop_part(void *part, unsigned timeout_s)
{
	struct sinks_join *j = part;
	unsigned most_s = timeout_s < STOP_S ? timeout_s : STOP_S;

	if (j->running)
		sinks_stop(j->running, most_s);
	sinks_close(&j->running);
	sinks_close(&j->leaving);
}

const struct part_ops sinks_part = {
	.name = "sinks", .open = open_part, .start = start_part, .reload = reload_part, .tick = tick_part, .show = show_part,
	.ask = ask_part, .stop = stop_part, .close = close_part,
};
