/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline_kernel.c -- epochs of kernel tables: what an earlier run left is booked at the start; what is
 * booked now is told to the sources, which empty or remove those tables only then. */
#include "daemon/pipeline_internal.h"

#include "daemon/kernel_source.h"
#include "daemon/leftovers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

void pipeline_take_left(void *arg, struct kernel_generation *g)
{
	struct pipeline *p = arg;
	struct kernel_generation **grown = realloc(p->left, (p->left_count + 1) * sizeof *grown);

	if (!grown) {
		kernel_generation_close(&g); /* its pins stay: the next start books it */
		return;
	}
	p->left = grown;
	p->left[p->left_count++] = g;
}

void pipeline_drop_left(struct pipeline *p)
{
	for (size_t i = 0; i < p->left_count; i++)
		kernel_generation_close(&p->left[i]);
	p->left_count = 0;
}

static void book_one_left(struct pipeline *p, struct ledger *l, struct kernel_generation *g, struct leftovers_sum *sum)
{
	const struct kernel_description *d = kernel_describe(g);
	struct err e = { 0 };

	if (leftovers_book(l, p->strings, p->netlink, g, sum, &e) == 0) {
		kernel_generation_remove(&g);
		return;
	}
	log_error("%s: what was left in the kernel could not be booked: %s; the next start tries again", d->interface, e.msg);
	kernel_generation_close(&g);
}

static bool is_configured(const struct pipeline *p, const char *interface)
{
	for (size_t i = 0; i < p->config->interface_count; i++)
		if (strcmp(p->config->interfaces[i].name, interface) == 0)
			return true;
	return false;
}

/* An interface by that name is not counted any more: gone, renamed, or no longer configured. Its programs go
 * before any new one is put anywhere: the same interface may be there under another name. */
static void reap_one(struct pipeline *p, const char *interface)
{
	struct kernel_generation **left;
	struct err e = { 0 };
	size_t count;

	if (kernel_reap(p->pins, interface, &left, &count, &e) < 0) {
		log_error("%s: what counts there in the kernel cannot be taken off: %s", interface, e.msg);
		return;
	}
	for (size_t i = 0; i < count; i++)
		pipeline_take_left(p, left[i]);
	free(left);
	log_notice("%s: no longer counted in the kernel; what it had is booked", interface);
}

/* For each interface that has pins and is not configured. How many there are. */
static size_t for_others(struct pipeline *p, void (*what)(struct pipeline *p, const char *interface))
{
	size_t count, others = 0;
	char **names;

	if (!p->pins || kernel_list(p->pins, &names, &count, NULL) < 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!is_configured(p, names[i])) {
			others++;
			if (what)
				what(p, names[i]);
		}
		free(names[i]);
	}
	free(names);
	return others;
}

void pipeline_reap_others(struct pipeline *p)
{
	for_others(p, reap_one);
}

static void forget_one(struct pipeline *p, const char *interface)
{
	kernel_forget_booked(p->pins, interface);
}

/* Tables that this build cannot read are there, and wait for one that can. */
static bool some_are_unreadable(const struct pipeline *p)
{
	for (size_t i = 0; i < p->point_count; i++)
		if (p->points[i]->source_count && strcmp(p->points[i]->books.capture, "socket") != 0 &&
		    kernel_warning(kernel_source_point(p->points[i]->slots[0].source)))
			return true;
	return false;
}

static int continue_books(struct pipeline *p, struct ledger *l, struct err *e)
{
	for (size_t i = 0; i < p->point_count; i++) {
		struct interface_books before;
		int r;

		r = ledger_interface(l, p->points[i]->cf.name, &before, e);
		if (r < 0)
			return r;
		if (r == 1)
			point_continue(p->points[i], &before);
	}
	return 0;
}

/* Epochs of tables that are gone are not asked for again. Those of the tables that were found now are kept until
 * the next start: should one have resisted its removal, it is found once more. */
static int forget_epochs(struct pipeline *p, struct ledger *l, char (*ids)[KERNEL_ID_TEXT], size_t count, struct err *e)
{
	const char **keep;
	int r;

	if (for_others(p, NULL) || some_are_unreadable(p))
		return 0;
	keep = calloc(count + 1, sizeof *keep);
	if (!keep)
		return err_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < count; i++)
		keep[i] = ids[i];
	r = ledger_forget_epochs(l, keep, count, e);
	free(keep);
	return r;
}

int pipeline_book_left(struct pipeline *p, struct ledger *l, struct err *e)
{
	char (*ids)[KERNEL_ID_TEXT] = calloc(p->left_count + 1, sizeof *ids);
	struct leftovers_sum sum = { 0 };
	size_t count = p->left_count;
	int r;

	if (!ids)
		return err_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < count; i++) {
		memcpy(ids[i], kernel_describe(p->left[i])->id, sizeof ids[i]);
		book_one_left(p, l, p->left[i], &sum);
	}
	p->left_count = 0;
	for_others(p, forget_one);
	r = forget_epochs(p, l, ids, count, e);
	free(ids);
	if (r < 0)
		return r;
	p->counters.kernel_left += sum.epochs;
	if (sum.packets)
		log_notice("booked %" PRIu64 " packets that the kernel counted while no daemon ran", sum.packets);
	return continue_books(p, l, e);
}

int pipeline_reserve_epochs(struct pipeline *p)
{
	size_t room = 0;
	struct booked_epoch *grown;

	for (size_t i = 0; i < p->point_count; i++)
		room += p->points[i]->source_count * (size_t)TABLES_EPOCHS_MAX;
	if (room <= p->epoch_room)
		return 0;
	grown = realloc(p->epochs, room * sizeof *grown);
	if (!grown)
		return -ENOMEM;
	p->epochs = grown;
	p->epoch_room = room;
	return 0;
}

void pipeline_note_epochs(struct pipeline *p, const struct tables *t)
{
	memcpy(p->epochs + p->epoch_count, t->epochs, t->epoch_count * sizeof *t->epochs);
	p->epoch_count += t->epoch_count;
}

void pipeline_give_epochs(struct pipeline *p, struct booking *b)
{
	if (p->epoch_count == 0)
		return;
	b->epochs = p->epochs;
	b->epoch_count = p->epoch_count;
	p->counters.kernel_epochs += p->epoch_count;
	p->epochs = NULL;
	p->epoch_count = p->epoch_room = 0;
}

void pipeline_epoch_booked(struct pipeline *p, const struct booked_epoch *epoch)
{
	closing_booked(&p->closing, epoch);
	for (size_t i = 0; i < p->point_count; i++)
		for (unsigned k = 0; k < p->points[i]->source_count; k++)
			source_booked(p->points[i]->slots[k].source, epoch);
}

void pipeline_hear_booked(struct pipeline *p)
{
	struct booked_epoch *epochs;
	size_t count;

	if (!p->booker)
		return;
	booker_take_booked(p->booker, &epochs, &count);
	for (size_t i = 0; i < count; i++)
		pipeline_epoch_booked(p, &epochs[i]);
	free(epochs);
}

void pipeline_settle(struct pipeline *p)
{
	pipeline_hear_booked(p);
	p->booker = NULL;
	if (!p->detaches || !p->pins)
		return;
	for (size_t i = 0; i < p->point_count; i++)
		kernel_forget_booked(p->pins, p->points[i]->cf.name);
	rmdir(p->pins); /* where it is empty */
}
