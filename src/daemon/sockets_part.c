/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets_part.c -- connections are followed from the moment the part is opened; the pipeline's feed counts them. */
#include "daemon/sockets_part.h"

#include "base/log.h"
#include "daemon/pipeline.h"
#include "daemon/socket_source.h"

#include <errno.h>
#include <stdlib.h>

struct sockets_part {
	struct sockets *sockets;       /* until the source takes it */
	struct source *source;         /* the pipeline's */
	uint64_t looks_failed;         /* that the log was told of */
};

static bool is_wanted(const struct config *cf)
{
	for (size_t i = 0; i < cf->account_count; i++)
		if (cf->accounts[i]->from == FROM_SOCKETS)
			return true;
	return false;
}

static void part_close(void **part)
{
	struct sockets_part *p = *part;

	if (!p)
		return;
	sockets_close(&p->sockets);
	free(p);
	*part = NULL;
}

static int part_open(void **ret, const struct parts_world *w, const struct config *cf, struct err *e)
{
	const struct sockets_config config = { .services = &cf->services };
	struct sockets_part *p;
	void *part;
	int r;

	(void)w;
	if (!is_wanted(cf))
		return 0;
	part = p = calloc(1, sizeof *p);
	if (!p)
		return err_set(e, -ENOMEM, "no memory to follow TCP connections");
	r = sockets_open(&p->sockets, &config, e);
	if (r < 0) {
		part_close(&part);
		return err_prefix(e, r, "from = sockets");
	}
	*ret = p;
	return 0;
}

static int open_source(struct source **ret, const struct feed_setting *s, struct tables *first, void *arg, struct err *e)
{
	const struct socket_source_config cf = { .clock = s->clock, .ready = s->ready, .arg = s->ready_arg };
	struct sockets_part *p = arg;
	int r = socket_source_open(ret, &cf, p->sockets, first, e);

	if (r < 0)
		return r;
	p->sockets = NULL;
	p->source = *ret;
	return 0;
}

static int part_join(void *part, const struct parts_world *w, struct err *e)
{
	return pipeline_add_feed(w->pipeline, open_source, part, e);
}

/* One that is there goes on, by the services of the new tables, whether they are counted or not. */
static void part_reload(void **part, const struct parts_world *w, const struct config *cf)
{
	struct sockets_part *p;
	struct err e = { 0 };
	int r;

	if (*part)
		return;
	r = part_open(part, w, cf, &e);
	p = *part;
	if (r == 0 && p)
		r = part_join(p, w, &e);
	if (r == 0 && p)
		r = source_start(p->source, &e);
	if (r < 0) {
		log_error("reload: %s; accounts from sockets stay empty", e.msg);
		if (p && !p->source)
			part_close(part);
	}
}

static void part_show(void *part, struct snapshot *s)
{
	struct sockets_part *p = part;
	struct socket_shown shown;
	struct fact_row *row;

	if (!p->source)
		return;
	socket_source_show(p->source, &shown);
	if (shown.stats.looks_failed > p->looks_failed && shown.failure)
		log_warning("%s", shown.problem);
	p->looks_failed = shown.stats.looks_failed;
	row = facts_add(&s->facts, "sockets", "sockets", NULL, NULL);
	fact_number(row, "living", FACT_GAUGE, shown.stats.living, "TCP connections at the last look, outgoing ones too");
	fact_number(row, "closed_connections", FACT_COUNTER, shown.stats.closed, "deliveries that were closed and counted");
	fact_number(row, "lost_connections", FACT_COUNTER, shown.stats.lost, "closed without being told: the ring was full");
	fact_number(row, "unknown_connections", FACT_COUNTER, shown.stats.unknown,
		    "closed and not counted: nobody knows what they had moved before we began");
	fact_number(row, "crowded", FACT_COUNTER, shown.stats.crowded, "looks at one without room to remember it");
	fact_number(row, "accepted_lost_connections", FACT_COUNTER, shown.stats.accepted_lost,
		    "accepted without room in the kernel's table: known by their port alone");
	fact_number(row, "missed_changes", FACT_COUNTER, shown.stats.missed, "changes of state that were not seen");
	fact_number(row, "looks", FACT_COUNTER, shown.stats.looks, "looks at living connections");
	fact_number(row, "failed_looks", FACT_COUNTER, shown.stats.looks_failed, "looks that the kernel did not answer");
	if (shown.failure)
		fact_text(row, "problem", shown.problem);
}

const struct part_ops sockets_part = {
	.name = "sockets",
	.open = part_open,
	.join = part_join,
	.reload = part_reload,
	.show = part_show,
	.close = part_close,
};
