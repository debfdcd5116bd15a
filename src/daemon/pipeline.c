/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline.c -- the life of a tick: ask the rings, wait for all, book, give away, show. */
#include "daemon/pipeline.h"

#include "base/log.h"
#include "daemon/books.h"
#include "daemon/point.h"
#include "daemon/sightings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TICK_NS NS_PER_S
#define STUCK_NS (10 * NS_PER_S)       /* a tick that takes longer is stuck: the watchdog may know */
#define CLOCK_STEP_NS (NS_PER_S / 2)

struct pipeline {
	struct loop *loop;
	struct clock clock;
	struct netlink *netlink;
	struct strings *strings;
	struct snapshot_box *box;
	struct booker *booker;
	struct loop_timer *timer;

	struct config *config;
	struct plan *plan;
	struct books **books;          /* one per account, in the config's order */
	struct sightings *sightings;
	struct own_addresses own;
	struct point **points;
	size_t point_count;

	struct config *next_config;    /* a reload or changed networks: in force after this tick */
	struct plan *next_plan;

	bool ticking, finishing;
	bool tick_changes_plan, tick_is_last; /* as the rings were asked when it began */
	int64_t tick_began_ns, last_tick_ns;
	int64_t clock_offset_ns;       /* wall clock less monotonic */
	int64_t started_utc_s;
	uint64_t ticks, entries;
	uint64_t reloads, reloads_refused;
	char reload_problem[256];
	char listen[64];
	struct counters counters;
	uint16_t next_group;
	struct log_limit memory_limit;
};

static int64_t utc_s(const struct pipeline *p)
{
	return ns_to_s(p->clock.utc_ns(p->clock.arg));
}

static int64_t monotonic_ns(const struct pipeline *p)
{
	return p->clock.monotonic_ns(p->clock.arg);
}

/* ---- a tick's end: from tables to a booking ---- */

static void book_entry(struct pipeline *p, unsigned grain, const struct grain *g, const uint8_t *key,
		       const struct party_tally *t)
{
	for (size_t i = 0; i < p->config->account_count; i++)
		if (p->plan->grain_of[i] == grain)
			books_add(p->books[i], g, &p->own, key, t);
}

static void book_table(struct pipeline *p, unsigned grain, const struct grain *g, const struct table *t, int64_t now)
{
	for (uint64_t i = 0; i < table_slots(t); i++) {
		uint8_t *slot = table_slot(t, i);
		struct party_tally tally;

		if (!slot_is_taken(t, slot))
			continue;
		count_get(g, slot_counters(t, slot), &tally);
		book_entry(p, grain, g, slot, &tally);
		if (grain == PLAN_PARTY)
			sightings_see(p->sightings, &g->layout, slot, tally.tx.packets != 0, now);
	}
	p->entries += t->used;
}

static void book_tables(struct pipeline *p, struct point *point, const struct tables *t, int64_t now)
{
	for (unsigned g = 0; g < PLAN_GRAINS; g++) {
		const struct count *c = &t->counts[g];

		if (!t->plan->used[g])
			continue;
		book_table(p, g, &c->grain, &c->table, now);
		book_table(p, g, &c->grain, &c->others, now);
		p->counters.overflowed += c->overflowed;
	}
	point_book(point, t);
	p->counters.capture_packets += t->packets;
	p->counters.capture_bytes += t->l2_bytes;
	p->counters.capture_frames += t->frames;
	p->counters.lost_ring += t->lost;
	p->counters.filtered += t->filtered;
	p->counters.malformed += t->malformed;
}

static int copy_interfaces(const struct pipeline *p, struct interface_books **ret, size_t *ret_count)
{
	struct interface_books *all = calloc(p->point_count + 1, sizeof *all);

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < p->point_count; i++)
		all[i] = p->points[i]->books;
	*ret = all;
	*ret_count = p->point_count;
	return 0;
}

static void give_booking(struct pipeline *p, int64_t now)
{
	struct booking *b = booking_new();
	struct err e = { 0 };
	int r = b ? 0 : -ENOMEM;
	uint64_t left_out;

	for (size_t i = 0; i < p->config->account_count && r == 0; i++) {
		size_t before = b->batch_count;

		r = books_close_tick(p->books[i], b, &e);
		if (b->batch_count > before)
			p->counters.overflowed += b->batches[before].overflowed;
	}
	if (r == 0)
		r = copy_interfaces(p, &b->interfaces, &b->interface_count);
	if (r < 0) {
		if (log_limit_pass(&p->memory_limit, monotonic_ns(p), &left_out))
			log_error("a tick could not be booked: no memory");
		booking_free(&b);
		return;
	}
	sightings_tell(p->sightings, b);
	b->taken_utc_s = now;
	b->closing = p->finishing;
	if (p->booker)
		booker_give(p->booker, b);
	else
		booking_free(&b);
}

/* ---- what readers see ---- */

static int snapshot_accounts(const struct pipeline *p, struct snapshot *s)
{
	s->accounts = calloc(p->config->account_count + 1, sizeof *s->accounts);
	if (!s->accounts)
		return -ENOMEM;
	for (size_t i = 0; i < p->config->account_count; i++) {
		int r = books_snapshot(p->books[i], &s->accounts[i]);

		s->account_count = i + 1;
		if (r < 0)
			return r;
	}
	return 0;
}

static void snapshot_facts(const struct pipeline *p, struct snapshot *s)
{
	s->taken_utc_s = utc_s(p);
	s->started_utc_s = p->started_utc_s;
	s->tick_s = TICK_NS / NS_PER_S;
	s->ticks = p->ticks;
	s->version = NETTALLY_VERSION;
	memcpy(s->listen, p->listen, sizeof s->listen);
	memcpy(s->config_path, p->config->path, sizeof s->config_path);
	memcpy(s->reload_problem, p->reload_problem, sizeof s->reload_problem);
	s->reloads = p->reloads;
	s->reloads_refused = p->reloads_refused;
	s->counters = p->counters;
	s->table_entries = p->entries;
	s->strings = p->strings;
	for (unsigned g = 0; g < PLAN_GRAINS; g++)
		if (p->plan->used[g])
			s->table_limit += p->plan->grains[g].limit;
	if (p->booker)
		booker_state(p->booker, &s->ledger);
}

static void show(struct pipeline *p)
{
	struct snapshot *s = snapshot_new();

	if (!s)
		return;
	snapshot_facts(p, s);
	if (snapshot_accounts(p, s) < 0 || copy_interfaces(p, &s->interfaces, &s->interface_count) < 0) {
		snapshot_unref(&s);
		return;
	}
	snapshot_box_put(p->box, s);
}

/* ---- interfaces that come and go ---- */

static void request_last(struct point *point)
{
	if (point->ring_count)
		point->leaving = true;
}

/* On a ring's thread. */
static void wake_loop(void *arg)
{
	loop_wake(arg);
}

static int take_up(struct pipeline *p, struct point *point, struct err *e)
{
	struct point_rings r = {
		.plan = p->plan,
		.ready = wake_loop,
		.arg = p->loop,
		.now_utc_s = utc_s(p),
		.fanout_group = p->next_group++,
	};
	int err = point_take_up(point, p->netlink, &r, e);

	if (err == 0)
		p->counters.interface_found++;
	return err;
}

/* An interface that was away: is it back? */
static void look_for(struct pipeline *p, struct point *point)
{
	struct err e = { 0 };
	int r;

	if (point->ring_count || point->unwanted)
		return;
	r = take_up(p, point, &e);
	if (r == 0)
		r = point_start(point, &e);
	if (r == 0)
		log_notice("%s: is there, counting", point->cf.name);
	else if (r != -ENODEV)
		log_warning("%s: %s", point->cf.name, e.msg);
}

static void check_point(struct pipeline *p, struct point *point)
{
	struct interface_info now;
	int r;

	if (!point->ring_count || point->leaving)
		return;
	r = netlink_interface(p->netlink, point->cf.name, 0, &now, NULL);
	if (r == -ENODEV || (r == 0 && now.ifindex != point->info.ifindex)) {
		log_warning("%s: went away; counting goes on when it is back", point->cf.name);
		p->counters.interface_lost++;
		request_last(point);
		return;
	}
	if (r == 0 && now.up != point->info.up)
		log_notice("%s: is %s", point->cf.name, now.up ? "up" : "down");
	if (r == 0)
		point->info.up = now.up;
}

static int add_own(struct own_addresses *o, const struct interface_info *info)
{
	uint64_t *macs = realloc(o->macs, (o->mac_count + 1) * sizeof *macs);
	struct addr *addrs;

	if (!macs)
		return -ENOMEM;
	o->macs = macs;
	if (info->has_mac && !info->loopback) {
		uint64_t mac = UINT64_C(1) << 48;

		for (unsigned i = 0; i < 6; i++)
			mac |= (uint64_t)info->mac[i] << (40 - 8 * i);
		o->macs[o->mac_count++] = mac;
	}
	addrs = realloc(o->addrs, (o->addr_count + info->addr_count + 1) * sizeof *addrs);
	if (!addrs)
		return -ENOMEM;
	o->addrs = addrs;
	for (size_t i = 0; i < info->addr_count; i++) {
		o->addrs[o->addr_count++] = info->addrs[i].addr;
		if (prefix_set_add(&o->networks, &info->addrs[i].prefix) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void read_own_addresses(struct pipeline *p)
{
	struct own_addresses o = { 0 };
	struct interface_info *all;
	size_t count;

	if (netlink_interfaces(p->netlink, &all, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (add_own(&o, &all[i]) < 0)
			break;
	free(all);
	own_addresses_free(&p->own);
	p->own = o;
}

/* ---- reload ---- */

static bool is_wanted_interface(const struct config *cf, const struct config_interface *have)
{
	for (size_t i = 0; i < cf->interface_count; i++) {
		const struct config_interface *want = &cf->interfaces[i];

		if (strcmp(want->name, have->name) == 0)
			return want->rings == have->rings && want->mirror == have->mirror &&
			       want->promiscuous == have->promiscuous && want->ring_bytes == have->ring_bytes &&
			       want->snap_len == have->snap_len &&
			       strcmp(want->filter ? want->filter : "", have->filter ? have->filter : "") == 0;
	}
	return false;
}

static int add_point(struct pipeline *p, const struct config_interface *cf, struct err *e)
{
	struct point **grown = realloc(p->points, (p->point_count + 1) * sizeof *grown);
	int r;

	if (!grown)
		return err_set(e, -ENOMEM, "no memory");
	p->points = grown;
	r = point_new(&p->points[p->point_count], cf, strings_add(p->strings, cf->name), e);
	if (r == 0)
		p->point_count++;
	return r;
}

static bool has_point(const struct pipeline *p, const char *name)
{
	for (size_t i = 0; i < p->point_count; i++)
		if (!p->points[i]->unwanted && strcmp(p->points[i]->cf.name, name) == 0)
			return true;
	return false;
}

static void change_points(struct pipeline *p)
{
	struct err e = { 0 };

	for (size_t i = 0; i < p->config->interface_count; i++) {
		if (has_point(p, p->config->interfaces[i].name))
			continue;
		if (add_point(p, &p->config->interfaces[i], &e) < 0)
			log_error("%s: %s", p->config->interfaces[i].name, e.msg);
		else
			look_for(p, p->points[p->point_count - 1]);
	}
}

static struct books *old_books(struct books **books, size_t count, const struct account *a)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(books_account(books[i])->name, a->name) == 0 && account_same_form(books_account(books[i]), a))
			return books[i];
	return NULL;
}

static int books_for(struct books ***ret, const struct config *cf, struct err *e)
{
	struct books **all = calloc(cf->account_count + 1, sizeof *all);
	int r = all ? 0 : err_set(e, -ENOMEM, "no memory");

	for (size_t i = 0; i < cf->account_count && r == 0; i++)
		r = books_new(&all[i], cf->accounts[i], e);
	if (r < 0) {
		for (size_t i = 0; all && i < cf->account_count; i++)
			books_free(&all[i]);
		free(all);
		return r;
	}
	*ret = all;
	return 0;
}

static void replace_books(struct pipeline *p, struct books **fresh, struct config *cf)
{
	for (size_t i = 0; i < cf->account_count; i++) {
		struct books *old = old_books(p->books, p->config->account_count, cf->accounts[i]);

		if (old)
			books_inherit(fresh[i], old);
	}
	for (size_t i = 0; i < p->config->account_count; i++)
		books_free(&p->books[i]);
	free(p->books);
	p->books = fresh;
}

/* All tables of the old plan have been booked and are gone: the new one is in force. */
static void change_over(struct pipeline *p)
{
	struct books **fresh;
	struct err e = { 0 };

	if (!p->tick_changes_plan)
		return;
	plan_free(&p->plan);
	p->plan = p->next_plan;
	p->next_plan = NULL;
	if (!p->next_config)
		return;
	if (books_for(&fresh, p->next_config, &e) < 0) {
		log_error("reload: %s", e.msg); /* cannot be without books: keep what fits is no option */
		abort();
	}
	replace_books(p, fresh, p->next_config);
	config_free(&p->config);
	p->config = p->next_config;
	p->next_config = NULL;
	if (p->booker)
		booker_define(p->booker, p->config->accounts, p->config->account_count);
	p->reloads++;
	p->reload_problem[0] = '\0';
	change_points(p);
	log_notice("reloaded %s: %zu accounts, %zu interfaces", p->config->path, p->config->account_count,
		   p->config->interface_count);
}

int pipeline_find_local(struct netlink *n, const struct config *cf, struct prefix_set *ret, struct err *e)
{
	const struct prefix_set *from = cf->local.count ? &cf->local : NULL;

	for (size_t i = 0; from && i < from->count; i++)
		if (prefix_set_add(ret, &from->at[i]) < 0)
			return err_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; !from && i < cf->interface_count; i++) {
		struct interface_info info;

		if (netlink_interface(n, cf->interfaces[i].name, 0, &info, NULL) < 0)
			continue;
		for (size_t a = 0; a < info.addr_count; a++)
			if (prefix_set_add(ret, &info.addrs[a].prefix) < 0)
				return err_set(e, -ENOMEM, "no memory");
	}
	return 0;
}

static int make_plan(struct pipeline *p, struct config *cf, struct plan **ret, struct err *e)
{
	struct prefix_set local = { 0 };
	int r = pipeline_find_local(p->netlink, cf, &local, e);

	if (r == 0)
		r = services_intern(&cf->services, p->strings, e);
	if (r == 0)
		r = plan_make(ret, cf, &local, e);
	prefix_set_free(&local);
	return r;
}

int pipeline_reload(struct pipeline *p, struct config *config, struct err *e)
{
	struct plan *plan;
	int r;

	if (p->next_plan)
		return err_set(e, -EBUSY, "the reload before is not in force yet; try again in a second");
	for (size_t i = 0; i < config->interface_count; i++) {
		struct interface_info info;

		r = netlink_interface(p->netlink, config->interfaces[i].name, 0, &info, e);
		if (r < 0)
			return r;
	}
	r = make_plan(p, config, &plan, e);
	if (r < 0)
		return r;
	p->next_plan = plan;
	p->next_config = config;
	for (size_t i = 0; i < p->point_count; i++) {
		p->points[i]->unwanted = !is_wanted_interface(config, &p->points[i]->cf);
		if (p->points[i]->unwanted)
			request_last(p->points[i]);
	}
	return 0;
}

void pipeline_refuse_reload(struct pipeline *p, const char *why)
{
	p->reloads_refused++;
	snprintf(p->reload_problem, sizeof p->reload_problem, "%s", why);
	show(p);
}

/* ---- the tick ---- */

static void close_point_if_left(struct pipeline *p, size_t i)
{
	struct point *point = p->points[i];

	if (point->leaving)
		point_close_rings(point);
	if (point->unwanted && point->ring_count == 0) {
		point_free(&p->points[i]);
		p->points[i] = p->points[--p->point_count];
	}
}

static bool rings_failed(const struct point *point)
{
	for (unsigned i = 0; i < point->ring_count; i++)
		if (ring_failure(point->rings[i].ring))
			return true;
	return false;
}

/* Handed-over tables serve again, unless the plan they were made by goes. */
static void recycle(struct pipeline *p, struct point *point)
{
	for (unsigned i = 0; i < point->ring_count; i++) {
		struct ring_slot *slot = &point->rings[i];

		if (!slot->spare)
			continue;
		book_tables(p, point, slot->spare, utc_s(p));
		if (p->tick_changes_plan || point->leaving)
			tables_free(&slot->spare);
		else
			tables_clear(slot->spare);
	}
}

static void begin_tick(struct pipeline *p);

static void finish_tick(struct pipeline *p)
{
	int64_t now = utc_s(p);

	p->entries = 0;
	for (size_t i = 0; i < p->point_count; i++)
		recycle(p, p->points[i]);
	for (size_t i = 0; i < p->point_count; i++)
		if (p->points[i]->ring_count)
			point_read_kernel(p->points[i], p->netlink);
	give_booking(p, now);
	for (size_t i = p->point_count; i-- > 0;)
		close_point_if_left(p, i);
	change_over(p);
	for (size_t i = 0; i < p->point_count; i++)
		look_for(p, p->points[i]);
	p->ticking = false;
	p->ticks++;
	p->last_tick_ns = monotonic_ns(p);
	show(p);
	if (p->tick_is_last)
		loop_stop(p->loop);
	else if (p->finishing)
		begin_tick(p);
}

/* Called after each handover: takes what is there; the last one ends the tick. */
static void on_ready(void *arg)
{
	struct pipeline *p = arg;
	bool all = true;

	if (!p->ticking)
		return;
	for (size_t i = 0; i < p->point_count; i++) {
		for (unsigned k = 0; k < p->points[i]->ring_count; k++) {
			struct ring_slot *slot = &p->points[i]->rings[k];

			if (slot->waiting && (slot->spare = ring_take(slot->ring)))
				slot->waiting = false;
			all = all && !slot->waiting;
		}
	}
	if (all)
		finish_tick(p);
}

static void ask_ring(struct pipeline *p, struct point *point, struct ring_slot *slot)
{
	struct plan *plan = p->next_plan ? p->next_plan : p->plan;
	struct tables *next = slot->spare;
	struct err e = { 0 };

	slot->spare = NULL;
	if (next && next->plan != plan)
		tables_free(&next);
	if (!next && tables_new(&next, plan, &e) < 0) {
		log_error("%s: %s", point->cf.name, e.msg); /* it counts on; the next tick tries again */
		return;
	}
	slot->waiting = true;
	ring_request(slot->ring, next, point->leaving);
}

static void begin_tick(struct pipeline *p)
{
	p->ticking = true;
	p->tick_began_ns = monotonic_ns(p);
	p->tick_changes_plan = p->next_plan != NULL;
	p->tick_is_last = p->finishing;
	for (size_t i = 0; i < p->point_count; i++) {
		struct point *point = p->points[i];

		if (point->ring_count && (p->finishing || rings_failed(point)))
			point->leaving = true;
		for (unsigned k = 0; k < point->ring_count; k++)
			ask_ring(p, point, &point->rings[k]);
	}
	on_ready(p);
}

static void watch_clock(struct pipeline *p)
{
	int64_t offset = p->clock.utc_ns(p->clock.arg) - monotonic_ns(p);
	int64_t step = offset - p->clock_offset_ns;

	p->clock_offset_ns = offset;
	if (step > CLOCK_STEP_NS || step < -CLOCK_STEP_NS) {
		p->counters.clock_steps++;
		log_warning("the wall clock stepped by %+.3f s; records keep the time their packets had", (double)step / 1e9);
	}
}

/* The ledger is behind: larger ticks cost it less. */
static bool ledger_wants_rest(const struct pipeline *p)
{
	struct snapshot_ledger state;

	if (!p->booker || monotonic_ns(p) - p->last_tick_ns >= p->plan->tick_most_s * NS_PER_S)
		return false;
	booker_state(p->booker, &state);
	return state.pending_bookings > 1;
}

static void on_timer(void *arg)
{
	struct pipeline *p = arg;

	watch_clock(p);
	for (size_t i = 0; i < p->point_count; i++)
		check_point(p, p->points[i]);
	if (!p->ticking && !ledger_wants_rest(p))
		begin_tick(p);
}

void pipeline_links_changed(struct pipeline *p)
{
	read_own_addresses(p);
	for (size_t i = 0; i < p->point_count; i++)
		check_point(p, p->points[i]);
	if (!p->ticking)
		begin_tick(p);
}

void pipeline_finish(struct pipeline *p)
{
	p->finishing = true;
	if (!p->ticking)
		begin_tick(p);
}

/* ---- life ---- */

int pipeline_open(struct pipeline **ret, struct pipeline_config *cf, struct err *e)
{
	struct pipeline *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return err_set(e, -ENOMEM, "no memory");
	p->loop = cf->loop;
	p->clock = cf->clock;
	p->netlink = cf->netlink;
	p->strings = cf->strings;
	p->box = cf->box;
	p->config = cf->config;
	p->started_utc_s = utc_s(p);
	p->clock_offset_ns = p->clock.utc_ns(p->clock.arg) - monotonic_ns(p);
	p->next_group = (uint16_t)(getpid() & 0x7fff) | 1;
	r = sightings_new(&p->sightings, e);
	if (r == 0)
		r = make_plan(p, p->config, &p->plan, e);
	if (r == 0)
		r = books_for(&p->books, p->config, e);
	for (size_t i = 0; i < p->config->interface_count && r == 0; i++) {
		r = add_point(p, &p->config->interfaces[i], e);
		if (r == 0)
			r = take_up(p, p->points[i], e);
	}
	if (r == 0)
		r = loop_set_wake(p->loop, on_ready, p, e);
	if (r < 0) {
		p->config = NULL; /* stays the caller's */
		pipeline_close(&p);
		return r;
	}
	cf->config = NULL;
	*ret = p;
	return 0;
}

int pipeline_load(struct pipeline *p, struct ledger *l, struct err *e)
{
	for (size_t i = 0; i < p->config->account_count; i++) {
		struct series_state *states = NULL;
		struct party_tally total;
		size_t count;
		int r = ledger_series(l, p->config->accounts[i], &states, &count, &total, e);

		if (r < 0)
			return r;
		series_load(books_series(p->books[i]), states, count);
		books_set_total(p->books[i], &total);
		free(states);
	}
	return 0;
}

int pipeline_start(struct pipeline *p, struct booker *booker, struct err *e)
{
	int r = 0;

	p->booker = booker;
	read_own_addresses(p);
	for (size_t i = 0; i < p->point_count && r == 0; i++)
		r = point_start(p->points[i], e);
	if (r == 0)
		r = loop_add_timer(p->loop, &p->timer, TICK_NS, TICK_NS, on_timer, p, e);
	p->last_tick_ns = monotonic_ns(p);
	if (r == 0)
		show(p);
	return r;
}

bool pipeline_advances(struct pipeline *p)
{
	int64_t now = monotonic_ns(p);

	if (p->ticking && now - p->tick_began_ns > STUCK_NS)
		return false;
	for (size_t i = 0; i < p->point_count; i++) {
		for (unsigned k = 0; k < p->points[i]->ring_count; k++) {
			struct ring_slot *slot = &p->points[i]->rings[k];
			uint64_t beats = ring_beats(slot->ring);

			if (beats == slot->beats_seen)
				return false;
			slot->beats_seen = beats;
		}
	}
	return true;
}

struct config *pipeline_config(struct pipeline *p)
{
	return p->config;
}

void pipeline_set_listen(struct pipeline *p, const char *listen)
{
	snprintf(p->listen, sizeof p->listen, "%s", listen);
}

void pipeline_close(struct pipeline **pp)
{
	struct pipeline *p = *pp;

	if (!p)
		return;
	if (p->timer)
		loop_remove_timer(p->loop, &p->timer);
	for (size_t i = 0; i < p->point_count; i++)
		point_free(&p->points[i]);
	for (size_t i = 0; p->books && p->plan && i < p->plan->account_count; i++)
		books_free(&p->books[i]);
	free(p->points);
	free(p->books);
	sightings_free(&p->sightings);
	own_addresses_free(&p->own);
	plan_free(&p->plan);
	plan_free(&p->next_plan);
	config_free(&p->next_config);
	config_free(&p->config);
	free(p);
	*pp = NULL;
}
