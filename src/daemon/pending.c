/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue before the ledger, and how it is kept small while the ledger cannot write. */
#include "daemon/pending.h"

#include <errno.h>
#include <stdlib.h>

int pending_init(struct pending *p)
{
	struct pending_group *g = calloc(1, sizeof *g);

	if (!g)
		return -ENOMEM;
	g->end = &g->first;
	*p = (struct pending){ .first = g, .last = g };
	return 0;
}

static void free_accounts(struct pending_group *g)
{
	for (size_t i = 0; i < g->account_count; i++)
		account_unref(&g->accounts[i]);
	free(g->accounts);
	g->accounts = NULL;
	g->account_count = 0;
}

static void free_group(struct pending_group *g)
{
	for (struct booking *b = g->first, *next; b; b = next) {
		next = b->next;
		booking_free(&b);
	}
	free_accounts(g);
	free(g);
}

void pending_free(struct pending *p)
{
	for (struct pending_group *g = p->first, *next; g; g = next) {
		next = g->next;
		free_group(g);
	}
	*p = (struct pending){ 0 };
}

int pending_define(struct pending *p, struct account *const *accounts, size_t count)
{
	struct pending_group *g = calloc(1, sizeof *g);

	if (!g)
		return -ENOMEM;
	g->end = &g->first;
	g->defines = true;
	g->accounts = calloc(count + 1, sizeof(struct account *));
	if (!g->accounts) {
		free(g);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		g->accounts[g->account_count++] = account_ref(accounts[i]);
	p->last = p->last->next = g;
	return 0;
}

void pending_defined(struct pending *p)
{
	p->first->defines = false;
	free_accounts(p->first);
}

#define LEARNT_WAITING_MAX (1u << 18)
#define LEARNT_TEXT_BYTES 32 /* a usual name, with malloc()'s own */

size_t booking_bytes(const struct booking *b)
{
	size_t bytes = sizeof *b + b->batch_count * sizeof *b->batches + b->sighting_count * sizeof *b->sightings +
		       b->series_count * sizeof *b->series + b->interface_count * sizeof *b->interfaces +
		       b->epoch_count * sizeof *b->epochs + b->learnt_count * (sizeof *b->learnt + LEARNT_TEXT_BYTES);

	for (size_t i = 0; i < b->batch_count; i++)
		bytes += (b->batches[i].room > b->batches[i].count ? b->batches[i].room : b->batches[i].count) *
			 record_size(b->batches[i].account);
	return bytes;
}

uint64_t booking_records(const struct booking *b)
{
	uint64_t records = 0;

	for (size_t i = 0; i < b->batch_count; i++)
		records += b->batches[i].count;
	return records;
}

static void count_in(struct pending *p, const struct booking *b)
{
	p->bytes += booking_bytes(b);
	p->records += booking_records(b);
	p->bookings++;
}

static void count_out(struct pending *p, const struct booking *b)
{
	p->bytes -= booking_bytes(b);
	p->records -= booking_records(b);
	p->bookings--;
}

void pending_add(struct pending *p, struct booking *b)
{
	b->next = NULL;
	*p->last->end = b;
	p->last->end = &b->next;
	count_in(p, b);
}

void pending_put_back(struct pending *p, struct booking *b)
{
	struct pending_group *g = p->first;

	b->next = g->first;
	if (!g->first)
		g->end = &b->next;
	g->first = b;
	count_in(p, b);
}

struct booking *pending_take(struct pending *p)
{
	while (!p->first->defines && !p->first->first && p->first->next) {
		struct pending_group *done = p->first;

		p->first = done->next;
		free_group(done);
	}
	struct pending_group *g = p->first;
	struct booking *b = g->defines ? NULL : g->first;
	if (!b)
		return NULL;
	g->first = b->next;
	if (!g->first)
		g->end = &g->first;
	b->next = NULL;
	count_out(p, b);
	return b;
}

void pending_join(struct pending *p, struct pending *later)
{
	struct pending_group *g = later->first; /* defines nothing: pending_init() made it */

	if (g->first) {
		*p->last->end = g->first;
		p->last->end = g->end;
		g->first = NULL;
	}
	if (g->next) {
		p->last->next = g->next;
		p->last = later->last;
	}
	g->next = NULL;
	free_group(g);
	p->bytes += later->bytes;
	p->bookings += later->bookings;
	p->records += later->records;
	*later = (struct pending){ 0 };
}

static void sum_of(const struct batch *b, struct party_tally *ret)
{
	size_t size = record_size(b->account);

	*ret = (struct party_tally){ 0 };
	for (size_t i = 0; i < b->count; i++) {
		struct party_tally t;

		memcpy(&t, b->records + i * size + b->account->layout.size, sizeof t);
		party_tally_add(ret, &t);
	}
}

static uint64_t fold_batch(struct batch *b)
{
	uint64_t folded = b->count;
	struct party_tally sum;

	if (b->count <= 1)
		return 0;
	sum_of(b, &sum);
	memset(b->records, 0, b->account->layout.size);
	key_set_other(&b->account->layout, b->records);
	memcpy(b->records + b->account->layout.size, &sum, sizeof sum);
	uint8_t *less = realloc(b->records, record_size(b->account));
	if (less)
		b->records = less;
	b->count = b->room = 1;
	b->overflowed += folded;
	return folded;
}

uint64_t booking_fold(struct booking *b)
{
	uint64_t folded = 0;

	for (size_t i = 0; i < b->batch_count; i++)
		folded += fold_batch(&b->batches[i]);
	return folded;
}

static int compare_keys(const void *a, const void *b, void *size)
{
	return memcmp(a, b, *(const size_t *)size);
}

/* Sums the records of equal keys. */
static void compact_batch(struct batch *b)
{
	size_t size = record_size(b->account), key = b->account->layout.size, kept = 0;

	qsort_r(b->records, b->count, size, compare_keys, &key);
	for (size_t i = 0; i < b->count; i++) {
		uint8_t *from = b->records + i * size, *last = b->records + (kept - 1) * size;

		if (kept && memcmp(last, from, key) == 0) {
			struct party_tally sum, t;

			memcpy(&sum, last + key, sizeof sum);
			memcpy(&t, from + key, sizeof t);
			party_tally_add(&sum, &t);
			memcpy(last + key, &sum, sizeof sum);
		} else {
			memmove(b->records + kept++ * size, from, size);
		}
	}
	b->count = kept;
	uint8_t *less = kept ? realloc(b->records, kept * size) : NULL;
	if (less)
		b->records = less;
	b->room = b->count;
}

static bool is_same_window(const struct batch *a, const struct batch *b)
{
	return a->account == b->account && a->window_utc_s == b->window_utc_s;
}

/* Moves the records of `from` behind those of `to`, not yet summed. */
static int append_batch(struct batch *to, struct batch *from)
{
	size_t size = record_size(to->account), count = to->count + from->count;
	uint8_t *records = realloc(to->records, count * size + 1);

	if (!records)
		return -ENOMEM;
	memcpy(records + to->count * size, from->records, from->count * size);
	to->records = records;
	to->count = to->room = count;
	to->overflowed += from->overflowed;
	account_unref(&from->account);
	free(from->records);
	return 0;
}

/* Takes the last batch of `from` into `to`. */
static int move_batch(struct booking *to, struct booking *from)
{
	struct batch *b = &from->batches[from->batch_count - 1];

	for (size_t i = 0; i < to->batch_count; i++)
		if (is_same_window(&to->batches[i], b)) {
			if (append_batch(&to->batches[i], b) < 0)
				return -ENOMEM;
			from->batch_count--;
			return 0;
		}
	struct batch *more = realloc(to->batches, (to->batch_count + 1) * sizeof *more);
	if (!more)
		return -ENOMEM;
	to->batches = more;
	to->batches[to->batch_count++] = *b;
	from->batch_count--;
	return 0;
}

static int append_array(void **to, size_t *to_count, void **from, size_t *from_count, size_t size)
{
	char *more = realloc(*to, (*to_count + *from_count) * size + 1);

	if (!more)
		return -ENOMEM;
	*to = more;
	if (*from_count)
		memcpy(more + *to_count * size, *from, *from_count * size);
	*to_count += *from_count;
	*from_count = 0;
	return 0;
}

/* Of cumulative counters only the last word counts, unless an interface began anew. */
static void drop_older_interfaces(struct booking *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->interface_count; i++) {
		bool is_last = true;

		for (size_t j = i + 1; j < b->interface_count && is_last; j++)
			is_last = strcmp(b->interfaces[i].name, b->interfaces[j].name) != 0 ||
				  b->interfaces[i].since_utc_s != b->interfaces[j].since_utc_s;
		if (is_last)
			b->interfaces[kept++] = b->interfaces[i];
	}
	b->interface_count = kept;
}

static int compare_sightings(const void *pa, const void *pb)
{
	const struct sighting *a = pa, *b = pb;

	if (a->mac != b->mac)
		return a->mac < b->mac ? -1 : 1;
	return memcmp(&a->addr, &b->addr, sizeof a->addr);
}

static void drop_repeated_sightings(struct booking *b)
{
	size_t kept = 0;

	qsort(b->sightings, b->sighting_count, sizeof *b->sightings, compare_sightings);
	for (size_t i = 0; i < b->sighting_count; i++)
		if (!kept || compare_sightings(&b->sightings[kept - 1], &b->sightings[i]) != 0)
			b->sightings[kept++] = b->sightings[i];
	b->sighting_count = kept;
}

static int compare_series(const void *pa, const void *pb)
{
	const struct series_state *const *a = pa, *const *b = pb;
	int c;

	if ((*a)->account != (*b)->account)
		return (*a)->account < (*b)->account ? -1 : 1;
	c = memcmp((*a)->key, (*b)->key, (*a)->account->layout.size);
	return c ? c : *a < *b ? -1 : 1; /* by age */
}

/* Series are replaced key by key, so the last word on each is enough. */
static void drop_older_series(struct booking *b)
{
	struct series_state **order = malloc((b->series_count + 1) * sizeof *order);
	struct series_state *kept = malloc((b->series_count + 1) * sizeof *kept);
	size_t count = 0;

	for (size_t i = 0; order && kept && i < b->series_count; i++)
		order[i] = &b->series[i];
	if (order && kept) {
		qsort(order, b->series_count, sizeof *order, compare_series);
		for (size_t i = 0; i < b->series_count; i++) {
			const struct series_state *later = i + 1 < b->series_count ? order[i + 1] : NULL;

			if (later && later->account == order[i]->account &&
			    memcmp(later->key, order[i]->key, later->account->layout.size) == 0)
				account_unref(&order[i]->account);
			else
				kept[count++] = *order[i];
		}
		free(b->series);
		b->series = kept;
		b->series_count = count;
		kept = NULL;
	}
	free(order);
	free(kept);
}

/* Names and holders are small and rarely new. Should the ledger be away for so long that they are many all the same, the
 * oldest go: what holds now counts for more than what held while nothing could be written. */
static void bound_learnt(struct booking *b)
{
	size_t over = b->learnt_count > LEARNT_WAITING_MAX ? b->learnt_count - LEARNT_WAITING_MAX : 0;

	for (size_t i = 0; i < over; i++)
		free(b->learnt[i].text);
	if (over)
		memmove(b->learnt, b->learnt + over, LEARNT_WAITING_MAX * sizeof *b->learnt);
	b->learnt_count -= over;
}

/* Everything of `from` into `to`, or as much as there is memory for; nothing is lost or doubled. */
static int merge_booking(struct booking *to, struct booking *from)
{
	if (append_array((void **)&to->epochs, &to->epoch_count, (void **)&from->epochs, &from->epoch_count,
			 sizeof *to->epochs) < 0)
		return -ENOMEM;
	while (from->batch_count)
		if (move_batch(to, from) < 0)
			return -ENOMEM;
	if (append_array((void **)&to->sightings, &to->sighting_count, (void **)&from->sightings,
			 &from->sighting_count, sizeof *to->sightings) < 0 ||
	    append_array((void **)&to->learnt, &to->learnt_count, (void **)&from->learnt, &from->learnt_count,
			 sizeof *to->learnt) < 0 ||
	    append_array((void **)&to->interfaces, &to->interface_count, (void **)&from->interfaces,
			 &from->interface_count, sizeof *to->interfaces) < 0)
		return -ENOMEM;
	if (append_array((void **)&to->series, &to->series_count, (void **)&from->series, &from->series_count,
			 sizeof *to->series) < 0)
		return -ENOMEM;
	to->taken_utc_s = from->taken_utc_s;
	return 0;
}

static void merge_group(struct pending_group *g)
{
	struct booking *to = g->first;

	if (to && to->tried)
		to = to->next;
	if (!to || !to->next)
		return;
	while (to->next && merge_booking(to, to->next) == 0) {
		struct booking *empty = to->next;

		to->next = empty->next;
		booking_free(&empty);
	}
	if (!to->next)
		g->end = &to->next;
	for (size_t i = 0; i < to->batch_count; i++)
		compact_batch(&to->batches[i]);
	bound_learnt(to);
	drop_repeated_sightings(to);
	drop_older_interfaces(to);
	drop_older_series(to);
}

static void recount(struct pending *p)
{
	p->bytes = 0;
	p->bookings = p->records = 0;
	for (struct pending_group *g = p->first; g; g = g->next)
		for (struct booking *b = g->first; b; b = b->next)
			count_in(p, b);
}

uint64_t pending_shrink(struct pending *p, size_t max_bytes)
{
	uint64_t folded = 0;

	if (p->bytes <= max_bytes)
		return 0;
	for (struct pending_group *g = p->first; g; g = g->next)
		merge_group(g);
	recount(p);
	for (struct pending_group *g = p->first; g; g = g->next)
		for (struct booking *b = g->first; b && p->bytes > max_bytes; b = b->next) {
			size_t before = booking_bytes(b);

			folded += booking_fold(b);
			p->bytes -= before - booking_bytes(b);
		}
	recount(p);
	return folded;
}
