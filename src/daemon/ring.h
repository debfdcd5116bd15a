/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.h -- one capture thread: a packet-socket ring, decoded and counted into tables of its
 * own.
 *
 * The thread owns the tables until the main loop asks for them (ring_request); it then hands
 * them over whole, takes the empty ones it was given, and goes on: no lock is taken per packet.
 * ring_request, ring_take, ring_close belong to the main loop's thread. */
#ifndef NETTALLY_DAEMON_RING_H
#define NETTALLY_DAEMON_RING_H

#include "capture/afpacket.h"
#include "capture/filter.h"
#include "daemon/plan.h"

/* What one handover brings: counts by one plan, and what the ring saw in that time. */
struct tables {
	struct plan *plan;                  /* borrowed */
	struct count counts[PLAN_GRAINS];   /* those that plan->used */
	uint64_t frames, frame_bytes;       /* as the kernel handed them over */
	uint64_t packets, l2_bytes;         /* on the wire */
	uint64_t ingress_frames, egress_frames, ingress_packets, egress_packets;
	uint64_t lost, filtered, malformed; /* frames */
};

int tables_new(struct tables **ret, struct plan *plan, struct err *e);
void tables_free(struct tables **t);
void tables_clear(struct tables *t);

struct ring;

struct ring_config {
	struct afpacket_config socket;
	const char *filter;                 /* pcap expression, NULL = all */
	void (*ready)(void *arg);           /* called on the ring's thread after each handover; e.g. loop_wake() */
	void *arg;
};

/* Opens the socket (frames gather from now on) but does not read it yet. Takes `first`. */
int ring_open(struct ring **ret, const struct ring_config *cf, struct tables *first, struct err *e);
int ring_start(struct ring *r, struct err *e);

/* Asks for the tables; `next` are the empty ones to go on with. One request at a time. `last`:
 * the thread hands over what is still in the ring, then ends. */
void ring_request(struct ring *r, struct tables *next, bool last);
/* The tables that were handed over, NULL = not yet. */
struct tables *ring_take(struct ring *r);

/* 0 = well; -ENODEV the interface is gone; other negative errno. */
int ring_failure(const struct ring *r);
/* Grows with each turn of the thread: it lives. */
uint64_t ring_beats(const struct ring *r);
/* Ends the thread (whatever it still has is lost: ask for the last tables first) and closes the
 * socket. */
void ring_close(struct ring **r);

#endif
