/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline.c -- the life of a tick: ask the rings, wait for all, book, give away, show. */
#include "daemon/pipeline_internal.h"

#include "daemon/own.h"
#include "daemon/parts.h"
#include "daemon/point_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STUCK_NS (10 * NS_PER_S)       /* a tick that takes longer is stuck: the watchdog may know */
#define CLOCK_STEP_NS (NS_PER_S / 2)

void pipeline_see(void *arg, const struct key_layout *l, const uint8_t *key, bool sent)
{
	struct pipeline *p = arg;

	sightings_see(p->sightings, l, key, sent, p->booking_utc_s);
}

static void book_tables(struct pipeline *p, struct point *point, const struct source_slot *slot)
{
	const struct attributor attributor = { pipeline_attribute, p };
	const struct tables *t = slot->spare;
	struct tables_booking b = {
		.books = p->books, .book_count = p->config->account_count, .own = &p->own, .see = pipeline_see, .arg = p,
		.attributor = &attributor,
		.interface = point->interface_id,
	};

	if (!slot->side)
		point_book(point, t);
	if (t->preview)
		return; /* pipeline_show() shows it */
	p->entries += tables_book(t, &b);
	for (unsigned g = 0; g < PLAN_GRAINS; g++)
		if (t->plan->used[g])
			p->counters.overflowed += t->counts[g].overflowed;
	pipeline_note_epochs(p, t);
	p->counters.capture_packets += t->packets;
	p->counters.capture_bytes += t->l2_bytes;
	p->counters.capture_frames += t->frames;
	p->counters.lost_ring += t->lost;
	p->counters.filtered += t->filtered;
	p->counters.rules_missed += t->rules_missed;
	p->counters.malformed += t->malformed;
	p->counters.kernel_renewed += t->renewed;
}

static void give_booking(struct pipeline *p, int64_t now)
{
	struct booking *b = booking_new();
	struct err e = { 0 };
	int r = b ? 0 : -ENOMEM;
	uint64_t left_out;

	if (b)
		b->taken_utc_s = now;
	for (size_t i = 0; i < p->config->account_count && r == 0; i++) {
		size_t before = b->batch_count;

		r = books_close_tick(p->books[i], b, &e);
		if (b->batch_count > before)
			p->counters.overflowed += b->batches[before].overflowed;
	}
	if (r == 0)
		r = pipeline_copy_interfaces(p, &b->interfaces, &b->interface_count);
	if (r < 0) {
		if (log_limit_pass(&p->memory_limit, monotonic_ns(p), &left_out))
			log_error("a tick could not be booked: no memory");
		booking_free(&b);
		return;
	}
	sightings_tell(p->sightings, b);
	parts_tick(p->parts, b);
	pipeline_give_epochs(p, b);
	if (p->booker) {
		booker_give(p->booker, b);
		return;
	}
	for (size_t i = 0; i < b->epoch_count; i++) /* nobody else will ever book them */
		pipeline_epoch_booked(p, &b->epochs[i]);
	booking_free(&b);
}

static void close_point_if_left(struct pipeline *p, size_t i)
{
	struct point *point = p->points[i];

	if (point->asked_last)
		point_close_sources(point);
	if (point->unwanted && point->source_count == 0) {
		point_free(&p->points[i]);
		p->points[i] = p->points[--p->point_count];
	}
}

static bool sources_failed(const struct point *point)
{
	for (unsigned i = 0; i < point->source_count; i++)
		if (source_failure(point->slots[i].source))
			return true;
	return false;
}

/* The socket beside the kernel, where no rule needs it any more. */
static void close_slot_if_last(struct point *point, struct source_slot *slot)
{
	slot->fresh = false;
	if (!slot->last)
		return;
	source_close(&slot->source);
	*slot = (struct source_slot){ 0 };
	point->source_count--; /* it is the last one */
}

/* Handed-over tables serve again, unless the plan they were made by goes. */
static void recycle(struct pipeline *p, struct point *point)
{
	for (unsigned i = 0; i < point->source_count; i++) {
		struct source_slot *slot = &point->slots[i];

		if (!slot->spare)
			continue;
		book_tables(p, point, slot);
		if (p->tick_changes_plan || point->asked_last || slot->fresh)
			tables_free(&slot->spare);
		else if (!slot->spare->preview)
			tables_clear(slot->spare);
		close_slot_if_last(point, slot);
	}
}

static void finish_tick(struct pipeline *p)
{
	int64_t now = p->booking_utc_s = utc_s(p);

	p->entries = 0;
	for (size_t i = 0; i < p->point_count; i++)
		recycle(p, p->points[i]);
	pipeline_book_feeds(p);
	for (size_t i = 0; i < p->point_count; i++)
		if (p->points[i]->source_count)
			point_read_kernel(p->points[i], p->netlink);
	give_booking(p, now);
	for (size_t i = p->point_count; i-- > 0;)
		close_point_if_left(p, i);
	pipeline_change_over(p);
	for (size_t i = 0; i < p->point_count; i++) {
		pipeline_look_at_rules(p, p->points[i]);
		pipeline_look_for(p, p->points[i]);
	}
	p->ticking = false;
	p->ticks++;
	p->last_tick_ns = monotonic_ns(p);
	pipeline_show(p);
	if (p->tick_is_last)
		loop_stop(p->loop);
	else if (p->finishing)
		pipeline_begin_tick(p);
}

/* Called after each handover: takes what is there; the last one ends the tick. */
static void on_ready(void *arg)
{
	struct pipeline *p = arg;
	bool all;

	if (!p->ticking)
		return;
	all = pipeline_take_feeds(p);
	for (size_t i = 0; i < p->point_count; i++) {
		for (unsigned k = 0; k < p->points[i]->source_count; k++) {
			struct source_slot *slot = &p->points[i]->slots[k];

			if (slot->waiting && (slot->spare = source_take(slot->source)))
				slot->waiting = false;
			all = all && !slot->waiting;
		}
	}
	if (all)
		finish_tick(p);
}

/* The empty tables that a source goes on with, by the plan that will be in force. */
static int prepare_spare(const struct pipeline *p, struct point *point, struct source_slot *slot, struct err *e)
{
	struct plan *plan = p->next_plan ? p->next_plan : p->plan;
	int r;

	if (slot->spare && slot->spare->plan != plan)
		tables_free(&slot->spare);
	if (slot->spare && slot->spare->preview)
		tables_clear(slot->spare);
	r = slot->spare ? 0 : tables_new(&slot->spare, plan, e);
	if (r < 0 || point->leaving)
		return r;
	if (slot->side)
		return point_rules_prepare_side(point, slot, plan != p->plan, e);
	if (slot->kernel)
		return plan != p->plan ? point_rules_compile(point, slot->spare, p->next_config != NULL, e) : 0;
	return p->next_config ? point_open_rules(point, slot->spare, slot == point->slots, e) : 0;
}

static int prepare_spares(struct pipeline *p)
{
	struct err e = { 0 };

	for (size_t i = 0; i < p->point_count; i++) {
		struct point *point = p->points[i];

		for (unsigned k = 0; k < point->source_count; k++) {
			int r = prepare_spare(p, point, &point->slots[k], &e);

			if (r < 0) {
				log_error("%s: %s; counting goes on, the next tick tries again", point->cf.name,
					  e.msg);
				return r;
			}
		}
	}
	int r = pipeline_prepare_feeds(p, p->next_plan ? p->next_plan : p->plan, &e);
	if (r < 0)
		log_error("%s; the next tick tries again", e.msg);
	return r;
}

static void ask_source(const struct pipeline *p, struct point *point, struct source_slot *slot)
{
	struct tables *next = slot->spare;

	slot->spare = NULL;
	slot->waiting = true;
	if (slot->side)
		point->side_stale = false;
	if (!point->asked_last && !slot->last)
		source_request(slot->source, next, SOURCE_GOES_ON);
	else
		source_request(slot->source, next, p->finishing && !p->detaches && !point->gone ? SOURCE_PAUSES : SOURCE_ENDS);
}

/* All sources are asked, or none: a plan that some source still counts by must not go. */
void pipeline_begin_tick(struct pipeline *p)
{
	pipeline_hear_booked(p);
	if (pipeline_reserve_epochs(p) < 0 || prepare_spares(p) < 0)
		return;
	p->ticking = true;
	p->tick_began_ns = monotonic_ns(p);
	p->tick_changes_plan = p->next_plan != NULL;
	p->tick_is_last = p->finishing;
	for (size_t i = 0; i < p->point_count; i++) {
		struct point *point = p->points[i];

		if (point->source_count && (p->finishing || sources_failed(point)))
			point->leaving = true;
		point->asked_last = point->leaving;
		for (unsigned k = 0; k < point->source_count; k++)
			ask_source(p, point, &point->slots[k]);
	}
	pipeline_ask_feeds(p);
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

/* Ticks begin with the seconds of the wall clock: what the kernel counted in one is in one window. */
static int64_t until_next_second(const struct pipeline *p)
{
	int64_t into = p->clock.utc_ns(p->clock.arg) % TICK_NS;

	return TICK_NS - (into < 0 ? into + TICK_NS : into);
}

static void set_timer(struct pipeline *p)
{
	loop_set_timer(p->loop, p->timer, until_next_second(p), 0);
}

/* The ledger is behind: larger ticks cost it less. Or a part cannot say yet what is attributed to what. */
static bool tick_may_wait(const struct pipeline *p)
{
	struct snapshot_ledger state;

	if (monotonic_ns(p) - p->last_tick_ns >= p->plan->tick_most_s * NS_PER_S)
		return false;
	if (parts_wait(p->parts))
		return true;
	if (!p->booker)
		return false;
	booker_state(p->booker, &state);
	return state.pending_bookings > 1;
}

static void on_timer(void *arg)
{
	struct pipeline *p = arg;

	watch_clock(p);
	set_timer(p);
	for (size_t i = 0; i < p->point_count; i++)
		pipeline_check_point(p, p->points[i]);
	if (p->ticking)
		return;
	if (tick_may_wait(p))
		pipeline_show(p); /* its state at least is always fresh */
	else
		pipeline_begin_tick(p);
}

void pipeline_links_changed(struct pipeline *p)
{
	own_addresses_read(&p->own, p->netlink);
	pipeline_follow_networks(p);
	for (size_t i = 0; i < p->point_count; i++)
		pipeline_check_point(p, p->points[i]);
	if (!p->ticking)
		pipeline_begin_tick(p);
}

void pipeline_finish(struct pipeline *p, bool detach)
{
	p->finishing = true;
	p->detaches = detach;
	if (!p->ticking)
		pipeline_begin_tick(p);
}

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
	p->add_counters = cf->add_counters;
	p->arg = cf->arg;
	p->parts = cf->parts;
	p->config = cf->config;
	p->started_utc_s = utc_s(p);
	p->clock_offset_ns = p->clock.utc_ns(p->clock.arg) - monotonic_ns(p);
	p->next_group = (uint16_t)(getpid() & 0x7fff) | 1;
	p->pins = cf->pins;
	p->unpinned_why = cf->unpinned_why ? cf->unpinned_why : "";
	r = sightings_new(&p->sightings, e);
	if (r == 0)
		r = pipeline_make_plan(p, p->config, &p->plan, e);
	if (r == 0)
		r = pipeline_books_for(&p->books, p->config, e);
	if (r == 0)
		pipeline_reap_others(p);
	for (size_t i = 0; i < p->config->interface_count && r == 0; i++) {
		r = pipeline_add_point(p, &p->config->interfaces[i], e);
		if (r == 0)
			r = pipeline_take_up(p, p->points[i], e);
	}
	if (r == 0)
		r = loop_set_wake(p->loop, on_ready, p, e);
	if (r < 0) {
		pipeline_books_free(&p->books, cf->config->account_count);
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
	int r = pipeline_book_left(p, l, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->config->account_count; i++) {
		struct series_state *states = NULL;
		struct party_tally total;
		size_t count;

		r = ledger_series(l, p->config->accounts[i], &states, &count, &total, e);
		if (r < 0)
			return r;
		series_load(books_series(p->books[i]), states, count);
		series_make_whole(books_series(p->books[i]), &total);
		books_set_total(p->books[i], &total);
		free(states);
	}
	return 0;
}

int pipeline_start(struct pipeline *p, struct booker *booker, struct err *e)
{
	int r = 0;

	p->booker = booker;
	own_addresses_read(&p->own, p->netlink);
	for (size_t i = 0; i < p->point_count && r == 0; i++)
		r = point_start(p->points[i], e);
	if (r == 0)
		r = pipeline_start_feeds(p, e);
	if (r == 0)
		r = loop_add_timer(p->loop, &p->timer, until_next_second(p), 0, on_timer, p, e);
	p->last_tick_ns = monotonic_ns(p);
	if (r == 0)
		pipeline_show(p);
	return r;
}

bool pipeline_advances(struct pipeline *p)
{
	int64_t now = monotonic_ns(p);

	if (p->ticking && now - p->tick_began_ns > STUCK_NS)
		return false;
	for (size_t i = 0; i < p->point_count; i++) {
		for (unsigned k = 0; k < p->points[i]->source_count; k++) {
			struct source_slot *slot = &p->points[i]->slots[k];
			uint64_t beats = source_beats(slot->source);

			if (beats == slot->beats_seen)
				return false;
			slot->beats_seen = beats;
		}
	}
	return pipeline_feeds_advance(p);
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
	pipeline_close_feeds(p);
	pipeline_drop_left(p);
	closing_free(&p->closing);
	free(p->epochs);
	free(p->left);
	if (p->config)
		pipeline_books_free(&p->books, p->config->account_count);
	if (p->next_config)
		pipeline_books_free(&p->next_books, p->next_config->account_count);
	free(p->points);
	sightings_free(&p->sightings);
	own_addresses_free(&p->own);
	plan_free(&p->plan);
	plan_free(&p->next_plan);
	config_free(&p->next_config);
	config_free(&p->config);
	free(p);
	*pp = NULL;
}
