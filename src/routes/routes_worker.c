/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/routes_worker.h"

#include "base/clock.h"
#include "routes/routes_file.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SETTLE_NS (10 * NS_PER_S)
#define RESTLESS_MAX 5u

struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct file {
	struct worker_file f;
	struct stamp read, seen;
	bool tried, missing;
	int64_t waits_since_ns; /* for the file to settle; 0 = it does not */
	unsigned restless;      /* times in a row that it changed while it was read */
};

struct job {
	struct job *next;
	char view[ROUTES_NAME_MAX];
	struct route_builder *builder; /* NULL: a snapshot to write */
	struct bmp_snapshot snapshot;
	char path[ROUTES_PATH_MAX];
};

struct result {
	struct result *next;
	struct worker_result r;
};

struct worker {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below; never held while a file is read */
	pthread_cond_t changed;
	bool stopping, busy;
	struct file *files;
	size_t file_count;
	uint64_t generation;  /* of the files */
	struct job *first_job, **last_job;
	struct result *first, **last;
};

static int64_t monotonic_ns(void)
{
	struct clock c = clock_system();

	return c.monotonic_ns(c.arg);
}

/* ---- reading and compiling; without the lock ---- */

static void read_table(struct worker_result *r, struct err *e)
{
	struct routes_file_result file = { 0 };

	if (routes_file_load(&file, r->path, e) < 0)
		return;
	r->table = file.table;
	r->peers = file.peers;
	r->newest_utc_s = file.newest_utc_s;
	snprintf(r->problem, sizeof r->problem, "%s", file.warning);
}

static void read_file(struct worker_result *r)
{
	int64_t began_ns = monotonic_ns();
	struct err e = { 0 };

	if (r->work == WORK_FILE_TABLE)
		read_table(r, &e);
	else if (r->work == WORK_COUNTRY)
		geo_load(&r->geo, r->path, &e);
	else
		asnames_load(&r->names, r->path, &e);
	/* The config's loader could read it: that was before the daemon gave up root's rights. */
	if (e.code)
		snprintf(r->problem, sizeof r->problem, "%.400s%s", e.msg, e.code == -EACCES || e.code == -EPERM ?
			 " (put the user that the daemon runs as into the file's group)" : "");
	r->took_ns = monotonic_ns() - began_ns;
	malloc_trim(0); /* a table is built in several times its own memory */
}

static void do_job(struct worker_result *r, struct job *job)
{
	int64_t began_ns = monotonic_ns();
	struct err e = { 0 };

	r->work = job->builder ? WORK_BMP_TABLE : WORK_SAVE;
	memcpy(r->view, job->view, sizeof r->view);
	memcpy(r->path, job->path, sizeof r->path);
	if (job->builder)
		route_table_build(&r->table, &job->builder, &e);
	else
		bmp_snapshot_write(&job->snapshot, job->path, &e);
	if (e.code)
		snprintf(r->problem, sizeof r->problem, "%s", e.msg);
	r->took_ns = monotonic_ns() - began_ns;
}

/* ---- the thread ---- */

static void give(struct worker *w, struct result *result)
{
	result->next = NULL;
	*w->last = result;
	w->last = &result->next;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

/* 0, or the reason why the file cannot be looked at. */
static int look(const char *path, struct stamp *ret, int64_t *ret_utc_s)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	*ret = (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_mtim };
	*ret_utc_s = st.st_mtim.tv_sec;
	return 0;
}

/* Whether to read the file now; notes what was seen. Who writes it all the time is not waited for without end. */
static bool is_due(struct file *f, const struct stamp *now)
{
	bool settled = same_stamp(now, &f->seen);
	int64_t now_ns = monotonic_ns();

	f->seen = *now;
	if (f->tried && same_stamp(now, &f->read))
		return false;
	if (!f->waits_since_ns)
		f->waits_since_ns = now_ns;
	if (f->tried && !settled && now_ns - f->waits_since_ns < SETTLE_NS)
		return false;
	f->waits_since_ns = 0;
	f->read = *now;
	f->missing = false;
	return true;
}

/* A file that changed while it was read is read again, without a word at first. */
static bool is_restless(struct file *f)
{
	struct stamp now = { 0 };
	int64_t utc_s;

	if (look(f->f.path, &now, &utc_s) == 0 && same_stamp(&now, &f->read)) {
		f->restless = 0;
		return false;
	}
	memset(&f->read, 0, sizeof f->read);
	return f->restless++ < RESTLESS_MAX;
}

static void note_missing(struct worker *w, struct file *f, int code)
{
	struct result *result = f->missing ? NULL : calloc(1, sizeof *result);

	f->missing = f->tried = true;
	memset(&f->seen, 0, sizeof f->seen);
	if (!result)
		return;
	result->r.work = f->f.work;
	memcpy(result->r.view, f->f.view, sizeof result->r.view);
	memcpy(result->r.path, f->f.path, sizeof result->r.path);
	snprintf(result->r.problem, sizeof result->r.problem, "%s: %s", f->f.path, strerror(-code));
	give(w, result);
}

/* One file; with the lock, which is given up while it reads. False: the list of files changed meanwhile. */
static bool look_at(struct worker *w, size_t i)
{
	uint64_t generation = w->generation;
	struct stamp now;
	int64_t utc_s = 0;
	int code = look(w->files[i].f.path, &now, &utc_s);
	struct result *result;

	if (code < 0) {
		note_missing(w, &w->files[i], code);
		return true;
	}
	result = calloc(1, sizeof *result);
	if (!result || !is_due(&w->files[i], &now)) {
		free(result);
		return true;
	}
	result->r.work = w->files[i].f.work;
	result->r.file_utc_s = utc_s;
	memcpy(result->r.view, w->files[i].f.view, sizeof result->r.view);
	memcpy(result->r.path, w->files[i].f.path, sizeof result->r.path);
	w->busy = true;
	pthread_mutex_unlock(&w->lock);
	read_file(&result->r);
	pthread_mutex_lock(&w->lock);
	w->busy = false;
	if (w->generation != generation) { /* the list is another: it is for the taker to see whether it is still wanted */
		give(w, result);
		return false;
	}
	if (is_restless(&w->files[i])) {
		worker_result_free(&result->r);
		free(result);
		return true;
	}
	w->files[i].tried = true;
	give(w, result);
	return true;
}

static void job_free(struct job *job)
{
	route_builder_free(&job->builder);
	bmp_snapshot_free(&job->snapshot);
	free(job);
}

static void do_next(struct worker *w)
{
	struct job *job = w->first_job;
	struct result *result = calloc(1, sizeof *result);
	bool tell;

	w->first_job = job->next;
	if (!w->first_job)
		w->last_job = &w->first_job;
	w->busy = true;
	pthread_mutex_unlock(&w->lock);
	if (result)
		do_job(&result->r, job);
	tell = result && (result->r.work == WORK_BMP_TABLE || result->r.problem[0]);
	job_free(job);
	pthread_mutex_lock(&w->lock);
	w->busy = false;
	if (tell)
		give(w, result);
	else
		free(result);
}

static void do_jobs(struct worker *w)
{
	while (w->first_job && !w->stopping)
		do_next(w);
}

static void wait_until(struct worker *w, int64_t until_ns)
{
	struct timespec t = { .tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S };

	pthread_cond_timedwait(&w->changed, &w->lock, &t);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	int64_t next_look_ns = 0;
	uint64_t generation = 0;

	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		do_jobs(w);
		if (monotonic_ns() >= next_look_ns || generation != w->generation) {
			generation = w->generation;
			for (size_t i = 0; i < w->file_count && !w->stopping; i++) {
				if (!look_at(w, i))
					break;
				do_jobs(w);
				if (generation != w->generation)
					break;
			}
			next_look_ns = monotonic_ns() + WORKER_LOOK_S * NS_PER_S;
		}
		if (!w->stopping && !w->first_job && generation == w->generation)
			wait_until(w, next_look_ns);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- from other threads ---- */

int worker_start(struct worker **ret, struct err *e)
{
	struct worker *w = calloc(1, sizeof *w);
	pthread_condattr_t attr;
	sigset_t all, before;
	int r;

	if (!w)
		return err_set(e, -ENOMEM, "routes: out of memory");
	w->last_job = &w->first_job;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->changed, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all); /* signals are the main loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		free(w);
		return err_errno(e, -r, "routes: cannot start a thread");
	}
	pthread_setname_np(w->thread, "routes");
	*ret = w;
	return 0;
}

static void take_over(struct file *to, const struct file *old, size_t old_count)
{
	for (size_t i = 0; i < old_count; i++)
		if (old[i].f.work == to->f.work && strcmp(old[i].f.view, to->f.view) == 0 &&
		    strcmp(old[i].f.path, to->f.path) == 0)
			*to = old[i];
}

int worker_set_files(struct worker *w, const struct worker_file *files, size_t count)
{
	struct file *fresh = calloc(count + 1, sizeof *fresh);

	if (!fresh)
		return -ENOMEM;
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < count; i++) {
		fresh[i].f = files[i];
		take_over(&fresh[i], w->files, w->file_count);
	}
	free(w->files);
	w->files = fresh;
	w->file_count = count;
	w->generation++;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

static int add_job(struct worker *w, const struct job *what)
{
	struct job *job = malloc(sizeof *job);

	if (!job)
		return -ENOMEM;
	*job = *what;
	pthread_mutex_lock(&w->lock);
	*w->last_job = job;
	w->last_job = &job->next;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

int worker_build(struct worker *w, const char *view, struct route_builder **b)
{
	struct job job = { .builder = *b };
	int r;

	snprintf(job.view, sizeof job.view, "%s", view);
	r = add_job(w, &job);
	if (r < 0)
		route_builder_free(b);
	*b = NULL;
	return r;
}

int worker_save(struct worker *w, const char *view, const char *path, struct bmp_snapshot *s)
{
	struct job job = { .snapshot = *s };
	int r;

	snprintf(job.view, sizeof job.view, "%s", view);
	snprintf(job.path, sizeof job.path, "%s", path);
	r = add_job(w, &job);
	if (r < 0)
		bmp_snapshot_free(s);
	*s = (struct bmp_snapshot){ 0 };
	return r;
}

bool worker_take(struct worker *w, struct worker_result *ret)
{
	struct result *result;

	pthread_mutex_lock(&w->lock);
	result = w->first;
	if (result) {
		w->first = result->next;
		if (!w->first)
			w->last = &w->first;
	}
	pthread_mutex_unlock(&w->lock);
	if (!result)
		return false;
	*ret = result->r;
	free(result);
	return true;
}

void worker_result_free(struct worker_result *r)
{
	route_table_free(&r->table);
	geo_free(&r->geo);
	asnames_free(&r->names);
}

bool worker_has_tried_all(struct worker *w)
{
	bool all = true;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->file_count; i++)
		all &= w->files[i].tried;
	all = all && !w->busy && !w->first_job && !w->first;
	pthread_mutex_unlock(&w->lock);
	return all;
}

void worker_stop(struct worker **pw)
{
	struct worker *w = *pw;
	struct worker_result r;

	*pw = NULL;
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	while (worker_take(w, &r))
		worker_result_free(&r);
	while (w->first_job) {
		struct job *job = w->first_job;

		w->first_job = job->next;
		job_free(job);
	}
	free(w->files);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
