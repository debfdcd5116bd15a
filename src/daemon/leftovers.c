/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/leftovers.h"

#include "base/clock.h"
#include "daemon/interface_run.h"
#include "daemon/kernel_tables.h"
#include "daemon/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* FNV-1a: a name for a path, no more. */
static uint32_t path_number(const char *path)
{
	uint32_t h = 2166136261u;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 16777619u;
	return h;
}

int leftovers_directory(const char *pins, const char *ledger_path, char ret[static LEFTOVERS_PATH_MAX], struct err *e)
{
	char path[LEFTOVERS_PATH_MAX], name[33];
	const char *last;
	int r = leftovers_whole_path(ledger_path, path, e);

	if (r < 0)
		return r;
	last = strrchr(path, '/') + 1;
	snprintf(name, sizeof name, "%s", last);
	for (char *c = name; *c; c++) /* bpffs reserves dots */
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *c))
			*c = '_';
	if (snprintf(ret, LEFTOVERS_PATH_MAX, "%s/%s-%08" PRIx32, pins, name, path_number(path)) >= LEFTOVERS_PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "%.60s...: too long a path", pins);
	return 0;
}

/* What one generation becomes a booking with. */
struct work {
	const struct kernel_generation *g;
	const struct kernel_description *d;
	struct ledger *ledger;
	struct strings *strings;
	struct config *config;
	struct plan *plan;
	struct tables *tables;
	struct books **books;
	uint32_t *service_ids;
	struct own_addresses own;
	struct booking *booking;
	uint64_t epochs;
};

static void work_free(struct work *w)
{
	booking_free(&w->booking);
	for (size_t i = 0; w->books && i < w->config->account_count; i++)
		books_free(&w->books[i]);
	free(w->books);
	tables_free(&w->tables);
	plan_free(&w->plan);
	config_free(&w->config);
	free(w->service_ids);
	own_addresses_free(&w->own);
}

static int intern_services(struct work *w, struct strings *strings, struct err *e)
{
	w->service_ids = calloc(w->d->service_count + 1, sizeof *w->service_ids);
	if (!w->service_ids)
		return err_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < w->d->service_count; i++)
		w->service_ids[i] = strings_add(strings, w->d->services[i]);
	return 0;
}

/* The epochs that the ledger does not know yet. */
static int read_epochs(struct work *w, struct strings *strings, struct err *e)
{
	struct kernel_names names = {
		.interface = strings_add(strings, w->d->interface),
		.service_ids = w->service_ids,
		.service_count = w->d->service_count,
	};
	struct kernel_epoch epochs[TALLY_EPOCHS];
	uint64_t booked;
	int r = ledger_epoch(w->ledger, w->d->id, &booked, e);

	if (r < 0)
		return r;
	kernel_epochs(w->g, epochs);
	for (unsigned i = 0; i < TALLY_EPOCHS; i++) {
		if (epochs[i].number <= booked)
			continue;
		if (kernel_tables_add(w->tables, w->g, &epochs[i], &names))
			w->epochs++;
		kernel_tables_note_epoch(w->tables, w->g, epochs[i].number);
	}
	return 0;
}

static int load_books(struct work *w, size_t i, struct err *e)
{
	struct series_state *states = NULL;
	struct party_tally total;
	size_t count;
	int r = books_new(&w->books[i], w->config->accounts[i], e);

	if (r == 0)
		r = ledger_series(w->ledger, w->config->accounts[i], &states, &count, &total, e);
	if (r < 0)
		return r;
	series_keep_strangers(books_series(w->books[i]));
	series_load(books_series(w->books[i]), states, count);
	series_make_whole(books_series(w->books[i]), &total);
	books_set_total(w->books[i], &total);
	free(states);
	return 0;
}

static int book_accounts(struct work *w, struct err *e)
{
	struct tables_booking b = {
		.own = &w->own, .book_count = w->config->account_count, .interface = strings_add(w->strings, w->d->interface),
	};
	int r = 0;

	w->books = calloc(w->config->account_count + 1, sizeof(struct books *));
	if (!w->books)
		return err_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < w->config->account_count && r == 0; i++)
		r = load_books(w, i, e);
	if (r < 0)
		return r;
	b.books = w->books;
	tables_book(w->tables, &b);
	for (size_t i = 0; i < w->config->account_count && r == 0; i++)
		r = books_close_tick(w->books[i], w->booking, e);
	return r;
}

/* The interface is gone, and its counters with it: they are taken to have counted what the tables did. */
static void take_as_counted(struct interface_books *b, const struct tables *t)
{
	b->kernel_rx_packets += t->ingress_frames;
	b->kernel_rx_bytes += t->ingress_frame_bytes;
	b->kernel_tx_packets += t->egress_frames;
	b->kernel_tx_bytes += t->frame_bytes - t->ingress_frame_bytes;
}

/* The interface's books go on where the ledger has them: the same run, as far as its tables are of it. */
static int book_interface(struct work *w, struct netlink *n, struct err *e)
{
	struct interface_books *b = calloc(1, sizeof *b);
	struct interface_info now;
	int r;

	if (!b)
		return err_set(e, -ENOMEM, "no memory");
	w->booking->interfaces = b;
	r = ledger_interface(w->ledger, w->d->interface, b, e);
	if (r < 0)
		return r;
	if (r == 0 || b->since_utc_s != w->d->since_utc_s)
		*b = (struct interface_books){ .since_utc_s = w->d->since_utc_s, .ifindex = w->d->ifindex };
	memcpy(b->name, w->d->interface, sizeof b->name);
	memcpy(b->capture, w->d->capture, sizeof b->capture);
	interface_run_add(b, w->tables);
	b->up = false;
	b->in_flight_packets = 0;
	if (n && netlink_interface(n, NULL, w->d->ifindex, &now, NULL) == 0 && w->d->netns == own_netns() &&
	    strcmp(now.name, w->d->interface) == 0)
		interface_run_set_kernel(b, &now.stats, &w->d->base, now.loopback);
	else
		take_as_counted(b, w->tables);
	w->booking->interface_count = 1;
	return 0;
}

static int note_epochs(struct work *w, struct err *e)
{
	w->booking->epochs = calloc(w->tables->epoch_count + 1, sizeof *w->booking->epochs);
	if (!w->booking->epochs)
		return err_set(e, -ENOMEM, "no memory");
	memcpy(w->booking->epochs, w->tables->epochs, w->tables->epoch_count * sizeof *w->booking->epochs);
	w->booking->epoch_count = w->tables->epoch_count;
	return 0;
}

static int prepare(struct work *w, struct strings *strings, struct netlink *n, struct err *e)
{
	int r = leftovers_config(w->d, &w->config, e);

	if (r == 0)
		r = config_rules_intern(w->config, strings, e);
	if (r == 0)
		r = plan_make(&w->plan, w->config, &w->config->local, e);
	if (r == 0)
		r = tables_new(&w->tables, w->plan, e);
	if (r == 0)
		r = intern_services(w, strings, e);
	if (r == 0 && n)
		own_addresses_read(&w->own, n);
	if (r == 0 && !(w->booking = booking_new()))
		r = err_set(e, -ENOMEM, "no memory");
	return r;
}

int leftovers_book(struct ledger *l, struct strings *strings, struct netlink *n, const struct kernel_generation *g,
		   struct leftovers_sum *sum, struct err *e)
{
	struct work w = { .g = g, .d = kernel_describe(g), .ledger = l, .strings = strings };
	int r = prepare(&w, strings, n, e);

	if (r == 0)
		r = read_epochs(&w, strings, e);
	if (r == 0 && w.tables->epoch_count) {
		w.booking->taken_utc_s = ns_to_s(clock_system().utc_ns(NULL));
		r = book_accounts(&w, e);
		if (r == 0)
			r = book_interface(&w, n, e);
		if (r == 0)
			r = note_epochs(&w, e);
		if (r == 0)
			r = ledger_book(l, w.booking, e);
	}
	if (r == 0) {
		sum->epochs += w.epochs;
		sum->packets += w.tables->packets;
		sum->l2_bytes += w.tables->l2_bytes;
	}
	work_free(&w);
	return r;
}

/* Packets that nobody will book. */
static uint64_t packets_in(const struct kernel_generation *g)
{
	struct kernel_epoch epochs[TALLY_EPOCHS];
	uint64_t packets = 0;

	kernel_epochs(g, epochs);
	for (unsigned i = 0; i < TALLY_EPOCHS; i++) {
		struct tally_sums sums;

		if (epochs[i].number == 0)
			continue;
		kernel_sums(g, &epochs[i], &sums);
		for (unsigned h = 0; h < TALLY_HOOKS; h++)
			packets += sums.hooks[h].frames + sums.hooks[h].more_packets;
	}
	return packets;
}

int leftovers_detach(const char *dir, const char *interface, struct ledger *l, struct strings *strings,
		     struct netlink *n, struct leftovers_sum *sum, struct err *e)
{
	struct kernel_generation **all;
	size_t count;
	int r = kernel_reap(dir, interface, &all, &count, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (l && r == 0)
			r = leftovers_book(l, strings, n, all[i], sum, e);
		if (!l)
			sum->given_up_packets += packets_in(all[i]);
		if (r == 0)
			kernel_generation_remove(&all[i]);
		else
			kernel_generation_close(&all[i]);
	}
	free(all);
	if (!l)
		kernel_forget(dir, interface);
	else
		kernel_forget_booked(dir, interface);
	return r;
}
