/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tables.h -- what a source hands over at each tick: counts by one plan, and what it saw in that time.
 *
 * Belongs to one thread at a time, changes hands whole. */
#ifndef NETTALLY_DAEMON_TABLES_H
#define NETTALLY_DAEMON_TABLES_H

#include "daemon/books.h"
#include "daemon/plan.h"
#include "model/booking.h"
#include "rules/rule_counts.h"

#define TABLES_EPOCHS_MAX 16 /* generations of kernel tables in one handover */

struct tables {
	struct plan *plan;                  /* borrowed */
	struct count counts[PLAN_GRAINS];   /* those that plan->used */
	/* Of the accounts by rule, plan->rules_count of them: what was counted, whoever did it. */
	struct rule_counts *rules;
	/* The rules to run on frames, where a packet socket does it: a ring moves them from the tables it hands over
	 * to those it goes on with, unless these have their own. NULL = none. */
	struct rule_counter **counters;
	/* The same for the kernel's programs, which take them over with the plan. NULL = none, or as before. */
	struct point_rules *compiled;
	uint64_t frames, frame_bytes;       /* as the kernel handed them over */
	uint64_t packets, l2_bytes;         /* on the wire */
	uint64_t ingress_frames, egress_frames, ingress_packets, egress_packets;
	uint64_t ingress_frame_bytes, ingress_l2_bytes;
	uint64_t lost, malformed;           /* frames */
	uint64_t filtered, filtered_more;   /* packets; of super-packets, those beyond the first */
	uint64_t rules_missed;              /* frames that some rules were not asked about */
	uint64_t overflowed;                /* bookings that found no room in a kernel table */
	/* These counts stay in the kernel's tables, because the ledger is behind, and come again, grown, with a
	 * later handover: to be shown, not to be booked. */
	bool preview;
	uint64_t renewed;                   /* larger kernel tables that were made */
	struct booked_epoch epochs[TABLES_EPOCHS_MAX];
	unsigned epoch_count;
};

int tables_new(struct tables **ret, struct plan *plan, struct err *e);
void tables_free(struct tables **t);
void tables_clear(struct tables *t);

/* Opens the plan's rules for the frames of an interface; on the main thread (libpcap's compiler). `never`, unless NULL,
 * is called for each rule that can match nothing there. */
struct tables_rules {
	const uint8_t *mac;                 /* NULL = none */
	uint16_t linktype;
	const uint8_t *only;                /* those that are not 0, by rule of the plan (point_rules.h); NULL = all */
	void (*never)(void *arg, const struct rule_file *file, const struct rule *rule, const char *why);
	void *arg;
};
int tables_open_rules(struct tables *t, const struct tables_rules *of, struct err *e);
/* Frames of one source with their packets, at most FRAME_BATCH, by the rules that are open. */
void tables_count_rules(struct tables *t, const struct frame *frames, const struct packet *packets, unsigned n);
/* The end of a handover: all counts are in `t`, and `next` (may be NULL) goes on with the rules. */
void tables_pass_rules(struct tables *t, struct tables *next);

/* Into the books of the accounts that the plan was made of, in their order. `see`, unless NULL, is called for
 * each entry of a party: of the packets', and of deliveries. Returns how many entries there were. */
struct tables_booking {
	struct books *const *books;
	size_t book_count;
	const struct own_addresses *own;
	const struct attributor *attributor; /* NULL = none */
	uint32_t interface; /* id in struct strings, of where the tables come from; 0 = no interface */
	void (*see)(void *arg, const struct key_layout *l, const uint8_t *key, bool sent);
	void *arg;
};
uint64_t tables_book(const struct tables *t, const struct tables_booking *b);

#endif
