/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that names come from: read at the start, and again when they have changed and come to rest (a lease file may be
 * emptied and written anew in place). What cannot be read later leaves what was read before, and is said once. */
#include "names/host_files.h"
#include "names/names_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RESTLESS_MAX 5 /* looks, 2 s apart: a file that never rests is read all the same */

typedef int parse_fn(struct known *k, struct slice text, struct host_file_counts *counts);

static int read_into(struct known *k, const char *path, parse_fn *parse, bool lenient, struct err *e)
{
	struct host_file_counts counts = { 0 };
	struct file_text f = { 0 };
	int r = file_text_read(&f, path, e);

	if (r == -ENOENT && lenient)
		return 0;
	if (r < 0)
		return r;
	r = parse(k, f.text, &counts);
	file_text_free(&f);
	return r < 0 ? err_set(e, r, "%s: no memory", path) : 0;
}

/* Kea moves what it has written to FILE.1 and sums that up in FILE.2, by way of FILE.completed; FILE goes on with what comes
 * then (Kea's manual, "Lease File Cleanup"). Others' files of such names are not looked at. */
static int read_kea_part(struct known *k, const char *path, const char *suffix, struct err *e)
{
	struct host_file_counts counts = { 0 };
	struct file_text f = { 0 };
	char part[300];
	int r;

	snprintf(part, sizeof part, "%.255s%s", path, suffix);
	r = file_text_read(&f, part, e);
	if (r < 0)
		return r;
	if (f.text.len >= 8 && memcmp(f.text.at, "address,", 8) == 0)
		r = leases_kea_parse(k, f.text, &counts);
	file_text_free(&f);
	return r < 0 ? err_set(e, r, "%s: no memory", part) : 0;
}

/* What is not there, or not ours to read, is left out: FILE itself is what was asked for. */
static int read_kea_before(struct known *k, const char *path, struct err *e)
{
	int r = read_kea_part(k, path, ".completed", e);

	if (r < 0 && r != -ENOMEM)
		r = read_kea_part(k, path, ".2", e);
	if (r != -ENOMEM)
		r = read_kea_part(k, path, ".1", e);
	return r == -ENOMEM ? r : 0;
}

static int finish_read(struct known *k, int r, struct known **ret)
{
	if (r < 0)
		known_free(&k);
	else
		*ret = k;
	return r;
}

int names_read_leases(const struct names_config *cf, struct known **ret, bool lenient, struct err *e)
{
	struct known *k = known_new();
	int r = k ? 0 : err_set(e, -ENOMEM, "no memory");

	for (size_t i = 0; i < cf->lease_count && r == 0; i++) {
		r = read_kea_before(k, cf->leases[i], e);
		if (r == 0)
			r = read_into(k, cf->leases[i], leases_parse, lenient, e);
	}
	return finish_read(k, r, ret);
}

int names_read_hosts(const struct names_config *cf, struct known **ret, bool lenient, struct err *e)
{
	struct known *k = known_new();
	int r = k ? 0 : err_set(e, -ENOMEM, "no memory");

	lenient = lenient || strcmp(cf->hosts, NAMES_HOSTS_DEFAULT) == 0;
	if (r == 0 && cf->hosts[0])
		r = read_into(k, cf->hosts, hosts_parse, lenient, e);
	return finish_read(k, r, ret);
}

int names_read_given(const struct names_config *cf, struct known **ret, struct err *e)
{
	struct known *k = known_new();
	int r = k ? 0 : err_set(e, -ENOMEM, "no memory");

	for (size_t i = 0; i < cf->given_count && r == 0; i++) {
		struct known_row row = {
			.host = cf->given[i].host, .mac = cf->given[i].mac, .name = cf->given[i].name, .until_utc_s = INT64_MAX,
		};

		if (known_add(k, &row, false) < 0)
			r = err_set(e, -ENOMEM, "no memory");
	}
	return finish_read(k, r, ret);
}

/* True where it is to be read now. */
static bool look(struct watched *w, const char *path)
{
	if (file_mark_changed(&w->mark, path)) {
		w->unread = true;
		w->restless++;
		return w->restless >= RESTLESS_MAX;
	}
	w->restless = 0;
	return w->unread;
}

static void say_failure(struct names *n, struct watched *w, const char *why)
{
	char text[600];

	pthread_mutex_lock(&n->lock);
	n->counts.unreadable++;
	pthread_mutex_unlock(&n->lock);
	if (w->failed)
		return;
	w->failed = true;
	snprintf(text, sizeof text, "names: %s; what it said before holds", why);
	n->say(n->arg, text);
}

static void take_in(struct names *n, struct known **at, struct known *fresh)
{
	struct known *before;

	pthread_mutex_lock(&n->lock);
	before = *at;
	*at = fresh;
	n->counts.reread++;
	n->sweep = true;
	pthread_mutex_unlock(&n->lock);
	known_free(&before);
}

static void look_at_leases(struct names *n)
{
	struct watched *news = NULL;
	struct known *fresh;
	struct err e = { 0 };

	for (size_t i = 0; i < n->mine.lease_count; i++)
		if (look(&n->lease_files[i], n->mine.leases[i]))
			news = &n->lease_files[i];
	if (!news)
		return;
	for (size_t i = 0; i < n->mine.lease_count; i++)
		n->lease_files[i].unread = false;
	if (names_read_leases(&n->mine, &fresh, false, &e) < 0) {
		say_failure(n, news, e.msg);
		return;
	}
	news->failed = false;
	take_in(n, &n->leases, fresh);
}

static void look_at_hosts(struct names *n)
{
	struct known *fresh;
	struct err e = { 0 };

	if (!n->mine.hosts[0] || !look(&n->hosts_file, n->mine.hosts))
		return;
	n->hosts_file.unread = false;
	if (names_read_hosts(&n->mine, &fresh, false, &e) < 0) {
		say_failure(n, &n->hosts_file, e.msg);
		return;
	}
	n->hosts_file.failed = false;
	take_in(n, &n->hosts, fresh);
}

void names_look_at_files(struct names *n)
{
	look_at_leases(n);
	look_at_hosts(n);
	if (n->mine.dns && !n->mine.resolver[0] && look(&n->resolv_conf, "/etc/resolv.conf")) {
		n->resolv_conf.unread = false;
		resolver_close(&n->resolver); /* names_thread.c opens it anew */
	}
}

static void mark(struct watched *w, const char *path, bool unread)
{
	*w = (struct watched){ .unread = unread };
	file_mark_changed(&w->mark, path);
}

void names_mark_files(struct names *n, bool unread)
{
	for (size_t i = 0; i < n->mine.lease_count; i++)
		mark(&n->lease_files[i], n->mine.leases[i], unread);
	mark(&n->hosts_file, n->mine.hosts, unread && n->mine.hosts[0]);
	mark(&n->resolv_conf, "/etc/resolv.conf", false);
}
