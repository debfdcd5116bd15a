/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_reports.c -- the section `reports`. */
#include "daemon/config_reports.h"

#include "daemon/config_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void add_secret(struct config_loader *l, struct config_reports *r, const char *name, const struct config_value *v)
{
	struct config_report_secret *grown, *one;
	struct err e;

	if (r->secret_count == KEYS_MAX) {
		config_problem(&l->p, v->line, "secret_file: more than %d secrets", KEYS_MAX);
		return;
	}
	if (strlen(v->text) >= sizeof one->path) {
		config_problem(&l->p, v->line, "secret_file: a path has at most %zu characters", sizeof one->path - 1);
		return;
	}
	grown = realloc(r->secrets, (r->secret_count + 1) * sizeof *grown);
	if (!grown) {
		config_problem(&l->p, v->line, "secret_file: out of memory");
		return;
	}
	r->secrets = grown;
	one = &grown[r->secret_count];
	*one = (struct config_report_secret){ 0 };
	if (key_secret_read(&one->secret, v->text, &e) < 0) {
		config_problem(&l->p, v->line, "secret_file: %s", e.msg);
		return;
	}
	strcpy(one->name, name);
	strcpy(one->path, v->text);
	r->secret_count++;
}

static void load_key(struct config_loader *l, struct config_reports *r, cfg_t *s)
{
	const char *name = cfg_title(s);
	const struct config_value *v = config_value_at(s, "secret_file", 0);

	if (strlen(name) == 0 || strlen(name) >= KEY_NAME_MAX) {
		config_problem(&l->p, (unsigned)s->line, "key '%.60s': a name has 1 to %d characters", name, KEY_NAME_MAX - 1);
		return;
	}
	if (!v)
		config_problem(&l->p, (unsigned)s->line, "key %s has no secret: write secret_file = \"FILE\"", name);
	for (unsigned i = 0; (v = config_value_at(s, "secret_file", i)); i++)
		add_secret(l, r, name, v);
}

static void load_trafstat(struct config_loader *l, struct config_reports *r, cfg_t *s)
{
	const struct config_value *v = config_value(s, "trafstat_secret_file", &l->p);
	struct err e;

	if (!v)
		return;
	r->trafstat = calloc(1, sizeof *r->trafstat);
	if (!r->trafstat)
		config_problem(&l->p, v->line, "trafstat_secret_file: out of memory");
	else if (key_secret_read(r->trafstat, v->text, &e) < 0)
		config_problem(&l->p, v->line, "trafstat_secret_file: %s", e.msg);
	else if (r->trafstat->len > TRAFSTAT_SECRET_MAX)
		config_problem(&l->p, v->line, "trafstat_secret_file: %s: trafstat's secret has at most %d bytes, this one %zu",
			       v->text, TRAFSTAT_SECRET_MAX, r->trafstat->len);
}

static void load_listen(struct config_loader *l, struct config_reports *r, cfg_t *s)
{
	const struct config_value *v = config_value(s, "listen", &l->p);
	struct config_listen listen;
	struct err e;

	r->port = LAYOUT_PORT;
	if (!v)
		return;
	if (config_listen_parse(&listen, v->text, &e) < 0 || !listen.on) {
		config_problem(&l->p, v->line, "listen = '%.60s': write ADDRESS:PORT such as 0.0.0.0:%d or [::]:%d", v->text,
			       LAYOUT_PORT, LAYOUT_PORT);
		return;
	}
	r->port = listen.port;
	if (strchr(v->text, ':') && v->text[0] != ':') /* a port alone: all addresses, since reports come from elsewhere */
		memcpy(r->address, listen.address, sizeof r->address);
}

void config_load_reports(struct config_loader *l, cfg_t *top)
{
	const struct config_statement *st = config_text_section(l->text, "reports", 0);
	cfg_t *s = cfg_getsec(top, "reports");
	struct config_reports *r;

	if (!st || !s)
		return;
	r = l->c->reports = calloc(1, sizeof *r);
	if (!r) {
		config_problem(&l->p, st->line, "reports: out of memory");
		return;
	}
	load_listen(l, r, s);
	for (unsigned i = 0; i < cfg_size(s, "key") && !l->p.more; i++)
		load_key(l, r, cfg_getnsec(s, "key", i));
	load_trafstat(l, r, s);
	if (cfg_size(s, "key") == 0 && !config_value_at(s, "trafstat_secret_file", 0))
		config_problem(&l->p, st->line,
			       "reports have no key, so none could be believed: write key NAME { secret_file = \"FILE\" }");
}

void config_free_reports(struct config *c)
{
	struct config_reports *r = c->reports;

	if (!r)
		return;
	for (size_t i = 0; i < r->secret_count; i++)
		key_secret_forget(&r->secrets[i].secret);
	if (r->trafstat)
		key_secret_forget(r->trafstat);
	free(r->trafstat);
	free(r->secrets);
	free(r);
	c->reports = NULL;
}

static struct slice secret_slice(const struct key_secret *s)
{
	return (struct slice){ s->bytes, s->len };
}

int config_reports_keys(struct keys **ret, const struct config_reports *r, struct err *e)
{
	struct keys *k = NULL;
	int err = keys_new(&k, e);

	for (size_t i = 0; i < r->secret_count && err == 0; i++)
		err = keys_add(k, r->secrets[i].name, secret_slice(&r->secrets[i].secret), e);
	if (err == 0 && r->trafstat)
		err = keys_set_trafstat(k, secret_slice(r->trafstat), e);
	if (err < 0)
		keys_free(&k);
	else
		*ret = k;
	return err;
}
