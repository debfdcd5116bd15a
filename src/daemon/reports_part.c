/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reports_part.c -- reports as a part of the daemon: what the config says becomes a listener, keys and routers for the
 * source (report_source.h), and what the source saw becomes facts. */
#include "daemon/reports_part.h"

#include "base/log.h"
#include "daemon/config_reports.h"
#include "daemon/pipeline.h"
#include "daemon/report_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reports_part {
	const struct parts_world *world;
	char address[ADDR_TEXT_MAX];
	uint16_t port;                 /* as configured */
	bool listens, failed;
	struct report_change change;   /* made while the privileges were there, for the source when it is there */
	struct source *source;         /* the pipeline's; NULL = nobody listens yet */
};

static void forget_change(struct report_change *c)
{
	listener_close(&c->listener);
	keys_free(&c->keys);
	report_routers_free(&c->routers);
}

static int add_router(struct report_routers *r, const struct prefix *p, uint32_t id)
{
	struct report_router *grown = realloc(r->at, (r->count + 1) * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	r->at = grown;
	grown[r->count++] = (struct report_router){ *p, id };
	return 0;
}

/* Which `routes` section serves which servers. */
static int make_routers(struct report_routers **ret, const struct config *cf, struct strings *strings)
{
	struct report_routers *r = calloc(1, sizeof *r);
	int err = r ? 0 : -ENOMEM;

	for (size_t i = 0; i < cf->routes.view_count && err == 0; i++) {
		const struct routes_view *view = &cf->routes.views[i];
		uint32_t id = strings_add(strings, view->name);

		for (size_t k = 0; k < view->serves.count && err == 0; k++)
			err = add_router(r, &view->serves.at[k], id);
	}
	if (err < 0)
		report_routers_free(&r);
	else
		*ret = r;
	return err;
}

static bool same_place(const struct reports_part *p, const struct config_reports *cf)
{
	return p->listens && p->port == cf->port && strcmp(p->address, cf->address) == 0;
}

static void say_short_secrets(const struct config_reports *cf)
{
	for (size_t i = 0; i < cf->secret_count; i++)
		if (cf->secrets[i].secret.len < KEY_SECRET_LEAST)
			log_warning("reports: the secret of key %s (%s) has only %zu bytes, which can be guessed; make one by: "
				    "openssl rand -hex 32", cf->secrets[i].name, cf->secrets[i].path, cf->secrets[i].secret.len);
}

/* Everything that `cf` asks for and is not so already. */
static int prepare(struct reports_part *p, const struct config *cf, struct err *e)
{
	const struct config_reports *r = cf->reports;
	int err = make_routers(&p->change.routers, cf, p->world->strings);

	if (err < 0)
		return err_set(e, err, "no memory for reports");
	if (!r) {
		p->change.deaf = p->listens;
		p->listens = false;
		return 0;
	}
	err = config_reports_keys(&p->change.keys, r, e);
	if (err == 0 && !same_place(p, r))
		err = listener_open(&p->change.listener, r->address, r->port, e);
	if (err < 0) {
		forget_change(&p->change);
		return err;
	}
	say_short_secrets(r);
	if (!p->change.listener)
		return 0;
	p->listens = true;
	p->port = r->port;
	memcpy(p->address, r->address, sizeof p->address);
	log_notice("hearing reports on %s port %u, buffer %u bytes", *r->address ? r->address : "all addresses",
		   listener_port(p->change.listener), listener_buffer_bytes(p->change.listener));
	return 0;
}

static void part_close(void **part)
{
	struct reports_part *p = *part;

	if (!p)
		return;
	forget_change(&p->change);
	free(p);
	*part = NULL;
}

static int part_open(void **ret, const struct parts_world *w, const struct config *cf, struct err *e)
{
	struct reports_part *p;
	void *part;
	int err;

	if (!cf->reports)
		return 0;
	part = p = calloc(1, sizeof *p);
	if (!p)
		return err_set(e, -ENOMEM, "no memory for reports");
	p->world = w;
	err = prepare(p, cf, e);
	if (err < 0)
		part_close(&part);
	else
		*ret = p;
	return err;
}

static int open_source(struct source **ret, const struct feed_setting *s, struct tables *first, void *arg, struct err *e)
{
	const struct report_source_config cf = {
		.strings = s->strings, .clock = s->clock, .ready = s->ready, .arg = s->ready_arg,
	};
	struct reports_part *p = arg;
	int err = report_source_open(ret, &cf, first, e);

	if (err < 0)
		return err;
	p->source = *ret;
	report_source_change(p->source, &p->change);
	return 0;
}

static int part_join(void *part, const struct parts_world *w, struct err *e)
{
	return pipeline_add_feed(w->pipeline, open_source, part, e);
}

static void part_reload(void **part, const struct parts_world *w, const struct config *cf)
{
	struct reports_part *p = *part;
	struct err e = { 0 };
	int r = 0;

	if (!p) {
		r = part_open(part, w, cf, &e);
		if (r == 0 && *part)
			r = part_join(*part, w, &e);
		if (r == 0 && *part)
			r = source_start(((struct reports_part *)*part)->source, &e);
	} else {
		r = prepare(p, cf, &e);
		if (r == 0)
			report_source_change(p->source, &p->change);
	}
	if (r < 0)
		log_error("reload: reports: %s; they are heard as before", e.msg);
}

static void show_sender(struct snapshot *s, const struct sender *one)
{
	struct fact_row *row = facts_add(&s->facts, "report_senders", "report_sender", "sender", one->name);

	fact_label2(row, "key", one->key);
	fact_number(row, "datagrams", FACT_COUNTER, one->datagrams, "datagrams booked");
	fact_number(row, "records", FACT_COUNTER, one->records, "records booked");
	fact_number(row, "bytes", FACT_COUNTER, one->bytes, "payload bytes of those records");
	fact_number(row, "requests", FACT_COUNTER, one->requests, "requests of those records");
	fact_number(row, "refused_datagrams", FACT_COUNTER, one->refused, "datagrams signed rightly that were not booked");
	fact_number(row, "missing_records", FACT_COUNTER, one->gaps.missing_records, "records in gaps of the numbering");
	fact_number(row, "late_records", FACT_COUNTER, one->gaps.late_records, "of the missing ones, those that came late");
	fact_number(row, "sessions", FACT_COUNTER, one->sessions, "sessions that began");
	fact_number(row, "rtt_microseconds", FACT_GAUGE, one->requests_with_rtt ? one->rtt_us / one->requests_with_rtt : 0,
		    "mean smoothed round-trip time of its clients");
	fact_number(row, "heard", FACT_TIME, (uint64_t)one->heard_utc_us / 1000000, "when it was heard last");
}

static void show_refusals(struct snapshot *s, const struct report_counters *c)
{
	for (unsigned i = 0; i < REFUSALS_COUNT; i++) {
		struct fact_row *row = facts_add(&s->facts, "reports_refused", "reports_refused", "reason", refusal_name(i));

		fact_number(row, "datagrams", FACT_COUNTER, c->refused[i], "datagrams that were not booked, by reason");
	}
}

static void part_show(void *part, struct snapshot *s)
{
	struct reports_part *p = part;
	struct report_shown *shown = malloc(sizeof *shown);
	struct fact_row *row;
	const struct report_counters *c;

	if (!shown)
		return;
	report_source_show(p->source, shown);
	c = &shown->counters;
	if (shown->failure && !p->failed)
		log_error("reports cannot be heard any more: %s", strerror(-shown->failure));
	p->failed = shown->failure != 0;
	row = facts_add(&s->facts, "reports", "reports", NULL, NULL);
	fact_number(row, "port", FACT_GAUGE, shown->port, "UDP port where reports are heard, 0 = nowhere");
	fact_number(row, "buffer_bytes", FACT_GAUGE, shown->buffer_bytes, "what the socket's buffer may hold");
	fact_number(row, "datagrams", FACT_COUNTER, c->datagrams, "datagrams that the socket gave");
	fact_number(row, "booked_datagrams", FACT_COUNTER, c->booked_datagrams, "datagrams booked");
	fact_number(row, "booked_records", FACT_COUNTER, c->booked_records, "records booked");
	fact_number(row, "trafstat_datagrams", FACT_COUNTER, c->trafstat_datagrams, "of those booked, of trafstat's protocol");
	fact_number(row, "kernel_dropped_datagrams", FACT_COUNTER, c->kernel_dropped, "the socket's buffer was full");
	fact_number(row, "malformed_records", FACT_COUNTER, c->malformed_records, "that malformed datagrams said they had");
	fact_number(row, "missing_datagrams", FACT_COUNTER, c->gaps.missing_datagrams, "in gaps of the numbering");
	fact_number(row, "missing_records", FACT_COUNTER, c->gaps.missing_records, "in gaps; lost = missing - late");
	fact_number(row, "late_datagrams", FACT_COUNTER, c->gaps.late_datagrams, "of the missing ones, those that came late");
	fact_number(row, "late_records", FACT_COUNTER, c->gaps.late_records, "of the missing ones, those that came late");
	fact_number(row, "other_type_records", FACT_COUNTER, shown->types_other, "booked under the type `other`: too many types");
	fact_number(row, "uncounted_records", FACT_COUNTER, shown->uncounted_records, "no account is from = reports");
	fact_number(row, "senders", FACT_GAUGE, shown->sender_count, "senders that were heard");
	if (p->failed)
		fact_text(row, "problem", strerror(-shown->failure));
	show_refusals(s, c);
	for (unsigned i = 0; i < shown->sender_count && i < REPORT_SENDERS_SHOWN; i++)
		show_sender(s, &shown->senders[i]);
	free(shown);
}

const struct part_ops reports_part = {
	.name = "reports",
	.open = part_open,
	.join = part_join,
	.reload = part_reload,
	.show = part_show,
	.close = part_close,
};
