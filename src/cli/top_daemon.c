/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_daemon.c -- asks a daemon each second; and starts one of its own where none runs. */
#include "base/log.h"
#include "cli/control_client.h"
#include "cli/top_source.h"
#include "daemon/daemon.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES 100
#define START_TRY_NS 100000000
#define STOP_TRIES 100

struct asker {
	struct top_source source;  /* first: a source is this */
	char control[256];
	struct top_facts facts;
	pid_t child;               /* a daemon of our own; 0 = none */
	char dir[64];              /* its temporary folder */
};

static struct asker *self(struct top_source *s)
{
	return (struct asker *)(void *)s;
}

static int ask(struct asker *a, const char *request, char **ret, struct err *e)
{
	size_t len;
	int r = control_ask(a->control, request, ret, &len, e);

	if (r < 0)
		return r;
	if (strncmp(*ret, "error: ", 7) != 0)
		return 0;
	(*ret)[strcspn(*ret, "\n")] = '\0';
	r = err_set(e, -EPROTO, "%.200s", *ret + 7);
	free(*ret);
	return r;
}

/* The next line of *rest, without its end; NULL = that was the last. */
static char *next_line(char **rest)
{
	char *line = *rest, *end = strchr(line, '\n');

	if (!*line)
		return NULL;
	if (end)
		*end = '\0';
	*rest = end ? end + 1 : line + strlen(line);
	return line;
}

static int asker_views(struct top_source *s, struct top_view views[static TOP_VIEWS_MAX], size_t *ret_count, struct err *e)
{
	char *answer, *rest, *line;
	int r = ask(self(s), "live accounts\n", &answer, e);
	size_t count = 0;

	if (r < 0)
		return r;
	rest = answer;
	while ((line = next_line(&rest)) && count < TOP_VIEWS_MAX) {
		char name[TOP_NAME_MAX], keys[256], counters[128];

		if (sscanf(line, "account\t%47[^\t]\t%255[^\t]\t%127s", name, keys, counters) == 3 &&
		    top_view_open(&views[count], name, keys, counters) == 0)
			count++;
	}
	free(answer);
	*ret_count = count;
	return count ? 0 : err_set(e, -ENODATA, "the daemon has no accounts");
}

/* In place: what the daemon put instead of a tab, a line's end, a backslash. Fields stay apart by their tabs. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '\\' && text[1])
			*to++ = *++text == 't' ? ' ' : *text == 'n' ? ' ' : *text;
		else
			*to++ = *text;
	}
	*to = '\0';
}

static int take_row(struct top_view *v, char *line)
{
	uint64_t counters[ACCOUNT_COUNTERS_MAX] = { 0 };
	char *at = line;

	for (unsigned i = 0; i < v->key_count; i++) {
		at = strchr(at, '\t');
		if (!at++)
			return 0;
	}
	at[-1] = '\0';
	for (unsigned i = 0; i < v->counter_count; i++) {
		counters[i] = strtoull(at, &at, 10);
		at += *at == '\t';
	}
	unescape(line);
	return top_view_set(v, line, counters);
}

static void take_facts(struct asker *a, const char *line)
{
	unsigned long long lost, unaccounted, entries, limit, overflowed;
	long long started;

	if (sscanf(line, "facts\t%llu\t%llu\t%llu\t%llu\t%llu\t%lld", &lost, &unaccounted, &entries, &limit, &overflowed,
		   &started) != 6)
		return;
	a->facts.lost = lost;
	a->facts.unaccounted = unaccounted;
	a->facts.entries = entries;
	a->facts.limit = limit;
	a->facts.overflowed = overflowed;
	a->facts.started_utc_s = started;
}

static int take_answer(struct asker *a, struct top_view *v, char *answer, struct err *e)
{
	unsigned long long tick = 0, keys, left_out = 0;
	char *line = next_line(&answer);
	long long seconds = 0;
	int r = 0;

	if (!line || sscanf(line, "tick\t%llu\t%lld\t%llu\t%llu", &tick, &seconds, &keys, &left_out) != 4)
		return err_set(e, -EPROTO, "the daemon speaks another version: use the nettally that it was started from");
	if (tick < v->since) { /* it was started anew: it counts from 0 */
		v->begun = false;
		v->since = 0;
	}
	v->now_s = (int64_t)tick;
	a->facts.now_utc_s = seconds;
	line = next_line(&answer);
	if (line)
		take_facts(a, line);
	while (r == 0 && (line = next_line(&answer)))
		r = take_row(v, line);
	v->since = tick;
	v->begun = true;
	v->left_out = left_out;
	return r < 0 ? err_set(e, r, "no memory") : 0;
}

static int asker_poll(struct top_source *s, struct top_view *v, struct err *e)
{
	char request[96], *answer;
	int r;

	snprintf(request, sizeof request, "live %s %llu\n", v->name, (unsigned long long)v->since);
	r = ask(self(s), request, &answer, e);
	if (r < 0)
		return r;
	r = take_answer(self(s), v, answer, e);
	free(answer);
	return r;
}

static void asker_facts(struct top_source *s, struct top_facts *ret)
{
	*ret = self(s)->facts;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = START_TRY_NS }, NULL);
}

static void end_child(struct asker *a)
{
	if (a->child <= 0)
		return;
	kill(a->child, SIGINT); /* nothing goes on counting */
	for (int i = 0; i < STOP_TRIES && waitpid(a->child, NULL, WNOHANG) == 0; i++) {
		if (i == STOP_TRIES - 1)
			kill(a->child, SIGKILL);
		pause_a_little();
	}
	a->child = 0;
}

static void asker_close(struct top_source **s)
{
	struct asker *a = self(*s);

	end_child(a);
	if (a->dir[0])
		nftw(a->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(a);
	*s = NULL;
}

static const struct top_source_ops asker_ops = {
	.views = asker_views, .poll = asker_poll, .facts = asker_facts, .close = asker_close,
};

static struct asker *new_asker(const char *control, const char *title)
{
	struct asker *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->source.ops = &asker_ops;
	snprintf(a->control, sizeof a->control, "%s", control);
	snprintf(a->facts.title, sizeof a->facts.title, "%s", title);
	return a;
}

int top_daemon_open(struct top_source **ret, const char *control, struct err *e)
{
	struct asker *a = new_asker(control, "");
	char *answer;
	int r = a ? ask(a, "live accounts\n", &answer, e) : err_set(e, -ENOMEM, "no memory");

	if (r < 0) {
		free(a);
		return r;
	}
	free(answer);
	*ret = &a->source;
	return 0;
}

/* ---- a daemon of our own ---- */

static const char own_config[] =
	"account devices { by = { mac } every = 1s keep = { \"1s:1min\" } }\n"
	"account hosts { by = { host } every = 1s keep = { \"1s:1min\" } }\n"
	"account services { by = { service } every = 1s keep = { \"1s:1min\" } }\n"
	"account pairs { by = { src_host, dst_host } every = 1s keep = { \"1s:1min\" } }\n"
	"kernel { pins = off }\n"
	"web { listen = off }\n"
	"ledger { path = \"%s/ledger.db\" max_size = 64MiB }\n"
	"control { socket = \"%s/control\" }\n";

static int write_config(struct asker *a, const char *const *interfaces, size_t count, char path[static 96], struct err *e)
{
	FILE *to;

	snprintf(path, 96, "%s/top.conf", a->dir);
	to = fopen(path, "we");
	if (!to)
		return err_errno(e, -errno, "%s", path);
	fprintf(to, own_config, a->dir, a->dir);
	for (size_t i = 0; i < count; i++)
		fprintf(to, "interface \"%s\" { capture = auto }\n", interfaces[i]);
	return fclose(to) == 0 ? 0 : err_errno(e, -errno, "%s", path);
}

/* In the child: its complaints go to a file beside, for the parent to show. */
static void run_daemon(const char *dir, const char *config)
{
	struct daemon_options o = { .config_path = config };
	struct daemon_ended ended;
	char log[96];
	struct err e = { 0 };
	int r;

	prctl(PR_SET_PDEATHSIG, SIGINT);
	snprintf(log, sizeof log, "%s/log", dir);
	if (!freopen("/dev/null", "r", stdin) || !freopen(log, "w", stderr) || !freopen(log, "a", stdout))
		_exit(1);
	r = config_load(&o.config, config, stderr, &e);
	if (r == 0)
		r = daemon_run(&o, &ended, &e);
	if (r < 0)
		fprintf(stderr, "%s\n", e.msg);
	fflush(stderr);
	_exit(r < 0);
}

static int child_failed(const struct asker *a, struct err *e)
{
	char path[96], line[256], last[256] = "it ended";
	FILE *log;

	snprintf(path, sizeof path, "%s/log", a->dir);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof line, log))
		if (line[0] != '\n')
			snprintf(last, sizeof last, "%.*s", (int)strcspn(line, "\n"), line);
	if (log)
		fclose(log);
	return err_set(e, -EIO, "cannot count: %s", last);
}

static int wait_for_child(struct asker *a, struct err *e)
{
	char *answer;

	for (int i = 0; i < START_TRIES; i++) {
		if (waitpid(a->child, NULL, WNOHANG) != 0) {
			a->child = 0;
			return child_failed(a, e);
		}
		if (access(a->control, F_OK) == 0 && ask(a, "live accounts\n", &answer, e) == 0) {
			free(answer);
			return 0;
		}
		pause_a_little();
	}
	return err_set(e, -ETIME, "cannot count: it does not begin");
}

int top_own_open(struct top_source **ret, const char *const *interfaces, size_t count, struct err *e)
{
	struct asker *a = new_asker("", interfaces[0]);
	struct top_source *s = a ? &a->source : NULL;
	char config[96];
	int r;

	if (!a)
		return err_set(e, -ENOMEM, "no memory");
	strcpy(a->dir, "/tmp/nettally-top-XXXXXX");
	if (!mkdtemp(a->dir)) {
		a->dir[0] = '\0';
		r = err_errno(e, -errno, "/tmp");
	} else {
		snprintf(a->control, sizeof a->control, "%s/control", a->dir);
		r = write_config(a, interfaces, count, config, e);
	}
	if (r == 0) {
		a->child = fork();
		if (a->child == 0)
			run_daemon(a->dir, config);
		r = a->child < 0 ? err_errno(e, -errno, "fork") : wait_for_child(a, e);
	}
	if (r < 0)
		asker_close(&s);
	else
		*ret = s;
	return r;
}
