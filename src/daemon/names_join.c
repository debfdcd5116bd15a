/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/names_join.h"

#include "base/log.h"
#include "daemon/pipeline.h"
#include "ledger/names.h"

#include <errno.h>
#include <stdlib.h>

#define VENDORS_REMEMBERED 4096 /* by the MAC, so that its text is looked for once; a power of two */
#define LOCAL_AGAIN_TICKS 30    /* where the interfaces' networks are `local` */

struct names_join {
	struct names *names;
	struct strings *strings;
	struct netlink *netlink;
	const struct config *config;  /* the one in force; its `local` alone is used */
	struct prefix_set local;
	unsigned ticks;
	struct attributor attributor;
	struct { uint64_t mac; uint32_t id; } vendors[VENDORS_REMEMBERED];
};

static void say(void *arg, const char *text)
{
	(void)arg;
	log_warning("%s", text);
}

static void find_local(struct names_join *j, const struct config *cf)
{
	struct prefix_set fresh = { 0 };

	if (pipeline_find_local(j->netlink, cf, &fresh, NULL) < 0) {
		prefix_set_free(&fresh);
		return; /* as they were */
	}
	prefix_set_free(&j->local);
	j->local = fresh;
}

static void recall(void *arg, const struct learnt *l)
{
	names_recall(arg, l);
}

static void close_part(void **part)
{
	struct names_join *j = *part;

	names_stop(&j->names);
	prefix_set_free(&j->local);
	free(j);
	*part = NULL;
}

static uint32_t vendor_of(struct names_join *j, uint64_t mac)
{
	size_t at = (mac ^ mac >> 12 ^ mac >> 24) & (VENDORS_REMEMBERED - 1);
	const char *vendor;

	if (!mac || mac == UINT64_MAX)
		return 0;
	if (j->vendors[at].mac == mac)
		return j->vendors[at].id;
	vendor = names_vendor(j->names, mac);
	j->vendors[at].mac = mac;
	j->vendors[at].id = vendor ? strings_add(j->strings, vendor) : 0;
	return j->vendors[at].id;
}

static void find(void *arg, uint64_t fields, uint32_t router, const struct addr *host, uint64_t mac, struct attribution *ret)
{
	(void)router;
	(void)host;
	if (fields & FIELD_BIT(FIELD_VENDOR))
		ret->vendor = vendor_of(arg, mac);
}

static int open_part(void **ret, const struct parts_world *w, const struct config *cf, struct err *e)
{
	struct names_join *j = calloc(1, sizeof *j);
	void *part = j;
	int r;

	if (!j)
		return err_set(e, -ENOMEM, "no memory");
	j->strings = w->strings;
	j->netlink = w->netlink;
	j->config = cf;
	j->attributor = (struct attributor){ find, j };
	r = names_new(&j->names, &cf->names, say, NULL, e);
	if (r == 0 && w->ledger)
		r = ledger_names(w->ledger, recall, j->names, e);
	if (r < 0) {
		close_part(&part);
		return r;
	}
	find_local(j, cf);
	*ret = j;
	return 0;
}

static int join_part(void *part, const struct parts_world *w, struct err *e)
{
	struct names_join *j = part;

	return pipeline_add_attributor(w->pipeline, &j->attributor, e);
}

static int start_part(void *part, const struct parts_world *w, struct err *e)
{
	struct names_join *j = part;

	(void)w;
	return names_start(j->names, e);
}

static void reload_part(void **part, const struct parts_world *w, const struct config *cf)
{
	struct names_join *j = *part;
	struct err e = { 0 };

	(void)w;
	j->config = cf;
	find_local(j, cf);
	if (names_change(j->names, &cf->names, &e) < 0)
		log_error("names: %s; the names of before hold", e.msg);
}

/* A host that a device speaks from is held by it, if it is of a local network: behind a router's MAC stands the whole
 * Internet. */
static void tick_part(void *part, struct booking *b)
{
	struct names_join *j = part;

	if (j->config->local.count == 0 && ++j->ticks % LOCAL_AGAIN_TICKS == 0)
		find_local(j, j->config);
	for (size_t i = 0; i < b->sighting_count; i++) {
		const struct sighting *s = &b->sightings[i];

		names_want(j->names, &s->addr, s->mac, j->local.count == 0 || prefix_set_contains(&j->local, &s->addr));
	}
	names_take(j->names, &b->learnt, &b->learnt_count);
}

/* For who prints a key: any thread, as long as there are readers of snapshots (they end before the parts do). */
static const char *name_of(const void *arg, const struct addr *host, uint64_t mac, char scratch[static KEY_TEXT_MAX])
{
	struct names *n = (struct names *)arg;

	_Static_assert(KEY_TEXT_MAX >= NAME_MAX_TEXT, "a name has room");
	return host->family != ADDR_NONE ? names_of_host(n, host, scratch, NULL) : names_of_mac(n, mac, scratch, NULL);
}

static void show_part(void *part, struct snapshot *s)
{
	struct names_join *j = part;
	struct fact_row *r = facts_add(&s->facts, "names", "names", NULL, NULL);
	struct names_state st;

	s->name_of = name_of;
	s->name_arg = j->names;
	names_state(j->names, &st);
	fact_number(r, "remembered", FACT_GAUGE, st.remembered, "hosts and devices whose names are remembered");
	fact_number(r, "waiting", FACT_GAUGE, st.waiting, "hosts that DNS is still to be asked for");
	fact_number(r, "questions", FACT_COUNTER, st.asked, "hosts that DNS was asked for");
	fact_number(r, "named", FACT_COUNTER, st.found, "answers of DNS with a name");
	fact_number(r, "nameless", FACT_COUNTER, st.none, "answers of DNS that there is none");
	fact_number(r, "refused", FACT_COUNTER, st.refused, "questions that the resolver refused");
	fact_number(r, "failed", FACT_COUNTER, st.failed, "questions that the resolver failed to answer");
	fact_number(r, "silent", FACT_COUNTER, st.silent, "questions without an answer in time");
	fact_number(r, "evicted", FACT_COUNTER, st.evicted, "hosts and devices forgotten to make room for others");
	fact_number(r, "files_read", FACT_COUNTER, st.reread, "times that a file of names was read again");
	fact_number(r, "files_failed", FACT_COUNTER, st.unreadable, "times that a file of names could not be read again");
	if (st.is_down)
		fact_text(r, "resolver", "does not answer");
}

static void stop_part(void *part, unsigned timeout_s)
{
	(void)part; /* its thread waits for nothing that takes long: names_stop() joins it */
	(void)timeout_s;
}

struct names *names_join_names(void *part)
{
	return ((struct names_join *)part)->names;
}

const struct part_ops names_part = {
	.name = "names", .open = open_part, .join = join_part, .start = start_part, .reload = reload_part,
	.tick = tick_part, .show = show_part, .stop = stop_part, .close = close_part,
};
