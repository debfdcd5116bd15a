/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/ring.h"

#include "decode/decode.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAIT_MS 25          /* how long a request may wait for an idle ring */
#define LAST_QUIET_TURNS 3  /* empty turns after which a ring is drained: a block is retired within one */
#define LAST_TURNS_MAX 40000 /* frames keep coming: the last handover does not wait for ever */

struct ring {
	struct source source;                  /* first: a source is a ring */
	struct afpacket *socket;
	struct filter *filter;
	struct ring_config cf;
	struct tables *counting;               /* the thread's */
	_Atomic(struct tables *) next;         /* given by the main loop; NULL = not asked */
	_Atomic(struct tables *) full;         /* handed over */
	atomic_bool last, stop;
	atomic_int failure;
	atomic_uint_fast64_t beats;
	pthread_t thread;
	bool running;
};

static struct ring *ring_of(struct source *s)
{
	return (struct ring *)(void *)s;
}

static unsigned keep_matching(struct ring *r, struct frame *frames, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (filter_match(r->filter, &frames[i]))
			frames[kept++] = frames[i];
	if (!r->cf.rules_only)
		r->counting->filtered += n - kept;
	return kept;
}

static void count_frames(struct ring *r, struct frame *frames, unsigned n)
{
	struct packet packets[FRAME_BATCH];
	struct tables *t = r->counting;

	if (r->filter)
		n = keep_matching(r, frames, n);
	decode_batch(frames, n, packets);
	tables_count_rules(t, frames, packets, n);
	if (r->cf.rules_only)
		return;
	for (unsigned g = 0; g < PLAN_PACKET_GRAINS; g++)
		if (t->plan->used[g])
			count_packets(&t->counts[g], packets, n);
	t->frames += n;
	for (unsigned i = 0; i < n; i++) {
		bool egress = packets[i].direction == DIRECTION_EGRESS;

		t->frame_bytes += frames[i].wire_len;
		t->packets += packets[i].segments;
		t->l2_bytes += packets[i].l2_bytes;
		t->malformed += packets[i].malformed;
		*(egress ? &t->egress_frames : &t->ingress_frames) += 1;
		*(egress ? &t->egress_packets : &t->ingress_packets) += packets[i].segments;
		t->ingress_frame_bytes += egress ? 0 : frames[i].wire_len;
		t->ingress_l2_bytes += egress ? 0 : packets[i].l2_bytes;
	}
}

/* -ENETDOWN is a pause, not an end: the socket goes on when the interface is up again. */
static int read_frames(struct ring *r)
{
	struct frame frames[FRAME_BATCH];
	int n = afpacket_next(r->socket, frames, WAIT_MS, NULL);

	atomic_fetch_add_explicit(&r->beats, 1, memory_order_relaxed);
	if (n > 0)
		count_frames(r, frames, (unsigned)n);
	else if (n < 0 && n != -ENETDOWN)
		atomic_store(&r->failure, n);
	return n;
}

static void hand_over(struct ring *r)
{
	struct tables *next = atomic_load(&r->next), *full = r->counting;
	struct afpacket_stats stats = { 0 };

	if (afpacket_stats(r->socket, &stats, NULL) == 0)
		*(r->cf.rules_only ? &full->rules_missed : &full->lost) += stats.dropped;
	tables_pass_rules(full, next);
	r->counting = next;
	atomic_store(&r->next, NULL);
	atomic_store(&r->full, full);
	r->cf.ready(r->cf.arg);
}

static void drain(struct ring *r)
{
	unsigned quiet = 0;

	for (unsigned turn = 0; turn < LAST_TURNS_MAX && quiet < LAST_QUIET_TURNS; turn++)
		quiet = read_frames(r) > 0 ? 0 : quiet + 1;
}

static void *ring_thread(void *arg)
{
	struct ring *r = arg;

	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		if (atomic_load_explicit(&r->next, memory_order_acquire)) {
			bool last = atomic_load(&r->last);

			if (last)
				drain(r);
			hand_over(r);
			if (last)
				break;
		}
		if (atomic_load_explicit(&r->failure, memory_order_relaxed)) {
			struct timespec pause = { .tv_nsec = WAIT_MS * 1000000L };

			nanosleep(&pause, NULL); /* until the main loop asks for the last tables */
			atomic_fetch_add_explicit(&r->beats, 1, memory_order_relaxed);
			continue;
		}
		read_frames(r);
	}
	return NULL;
}

static int ring_start(struct source *s, struct err *e)
{
	struct ring *r = ring_of(s);
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main loop's */
	err = pthread_create(&r->thread, NULL, ring_thread, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return err_errno(e, -err, "cannot start a capture thread");
	r->running = true;
	return 0;
}

static void ring_request(struct source *s, struct tables *next, enum source_next what)
{
	struct ring *r = ring_of(s);

	atomic_store(&r->last, what != SOURCE_GOES_ON);
	atomic_store_explicit(&r->next, next, memory_order_release);
}

static struct tables *ring_take(struct source *s)
{
	return atomic_exchange(&ring_of(s)->full, NULL);
}

static int ring_failure(const struct source *s)
{
	return atomic_load(&((const struct ring *)(const void *)s)->failure);
}

static uint64_t ring_beats(const struct source *s)
{
	return atomic_load_explicit(&((const struct ring *)(const void *)s)->beats, memory_order_relaxed);
}

static void ring_close(struct source **ps)
{
	struct ring *r = ring_of(*ps);
	struct tables *left;

	if (r->running) {
		atomic_store(&r->stop, true);
		pthread_join(r->thread, NULL);
	}
	left = atomic_load(&r->next);
	tables_free(&left);
	left = atomic_load(&r->full);
	tables_free(&left);
	tables_free(&r->counting);
	filter_close(&r->filter);
	afpacket_close(&r->socket);
	free(r);
	*ps = NULL;
}

static const struct source_ops ring_ops = {
	.start = ring_start,
	.request = ring_request,
	.take = ring_take,
	.failure = ring_failure,
	.beats = ring_beats,
	.close = ring_close,
};

int ring_open(struct source **ret, const struct ring_config *cf, struct tables *first, struct err *e)
{
	struct ring *r = calloc(1, sizeof *r);
	struct source *s = &r->source;
	int err;

	if (!r)
		return err_set(e, -ENOMEM, "no memory for a ring");
	s->ops = &ring_ops;
	r->cf = *cf;
	err = afpacket_open(&r->socket, &cf->socket, e);
	if (err == 0 && cf->filter)
		err = filter_open(&r->filter, cf->filter, afpacket_linktype(r->socket), e);
	if (err < 0) {
		ring_close(&s);
		return err;
	}
	r->counting = first;
	*ret = s;
	return 0;
}
