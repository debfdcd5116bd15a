/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sinks/engine_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int start_thread(struct sink_run *k)
{
	sigset_t all, before;
	char name[16];

	sigfillset(&all); /* signals are the main loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&k->thread, NULL, engine_run, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	k->has_thread = r == 0;
	snprintf(name, sizeof name, "sink-%.10s", k->cf->name);
	if (r == 0)
		pthread_setname_np(k->thread, name);
	return -r;
}

static int make(struct sinks **ret, struct sink_set *set, const struct sink_host *host, struct err *e)
{
	struct sinks *s = calloc(1, sizeof *s);
	pthread_condattr_t attr;

	if (!s || !(s->runs = calloc(set->count + 1, sizeof *s->runs))) {
		free(s);
		return err_set(e, -ENOMEM, "sinks: out of memory");
	}
	s->set = sink_set_ref(set);
	s->host = *host;
	s->clock = clock_system();
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret = s;
	return 0;
}

int sinks_start(struct sinks **ret, struct sink_set *set, const struct sink_host *host, struct err *e)
{
	struct sinks *s;
	int r = make(&s, set, host, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < set->count && r == 0; i++) {
		struct sink_run *k = &s->runs[s->count++];

		*k = (struct sink_run){ .cf = &set->at[i], .host = &s->host, .owner = s, .oldest_utc_s = INT64_MAX };
		k->status = (struct sink_status){ .name = k->cf->name, .kind = k->cf->ops->name };
		r = start_thread(k);
	}
	if (r < 0) {
		sinks_close(&s);
		return err_errno(e, r, "cannot start a sink's thread");
	}
	*ret = s;
	return 0;
}

size_t sinks_count(const struct sinks *s)
{
	return s->count;
}

void sinks_status(struct sinks *s, size_t i, int64_t now_utc_s, struct sink_status *ret)
{
	struct sink_run *k = &s->runs[i];

	pthread_mutex_lock(&s->lock);
	*ret = k->status;
	ret->lag_s = k->oldest_utc_s < now_utc_s ? (uint64_t)(now_utc_s - k->oldest_utc_s) : 0;
	pthread_mutex_unlock(&s->lock);
}

const char *sink_state_text(enum sink_state s)
{
	static const char *const texts[] = { "starting", "ok", "behind", "failing", "stopped" };

	return texts[s];
}

int sinks_retry(struct sinks *s, const char *name, bool from_start, struct err *e)
{
	char names[256] = "";
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count; i++) {
		struct sink_run *k = &s->runs[i];
		size_t used = strlen(names);

		snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", k->cf->name);
		if (strcmp(k->cf->name, name) != 0)
			continue;
		k->retry = k->wake = found = true;
		k->retry_from_start |= from_start;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return found ? 0 : err_set(e, -ENOENT, "no sink '%.60s'; there are: %s", name, names[0] ? names : "none");
}

void sinks_stop(struct sinks *s, unsigned timeout_s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	s->stop_by_ns = engine_monotonic_ns(s) + timeout_s * NS_PER_S;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool sinks_have_stopped(struct sinks *s)
{
	bool all = true;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count; i++)
		all &= s->runs[i].ended;
	pthread_mutex_unlock(&s->lock);
	return all;
}

void sinks_close(struct sinks **ps)
{
	struct sinks *s = *ps;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	if (!s->stopping)
		s->stop_by_ns = 0;
	s->stopping = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->count; i++)
		if (s->runs[i].has_thread)
			pthread_join(s->runs[i].thread, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	sink_set_unref(&s->set);
	free(s->runs);
	free(s);
	*ps = NULL;
}
