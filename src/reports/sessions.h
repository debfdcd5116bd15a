/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sessions.h -- which datagrams of a sender have been here: nothing is taken twice, and what is missing is counted.
 *
 * A session is one life of one sending process: its datagrams are numbered from 1, and each says how many records went
 * before it. A window of the last SESSION_WINDOW numbers refuses what was here already, and what is too old to be told.
 * A jump ahead counts the datagrams and records between as missing; one that arrives late, within the window, is taken
 * and counted as late. So lost = missing - late, and each of the two only grows.
 *
 * A session that is not known must be younger than the listener, or the datagram at least: what an earlier run has
 * booked cannot be repeated to this one. Of a session from before only what follows its first datagram here can be missing.
 * Only for datagrams whose signature is right. Thread: the listener's. Limits: SESSIONS_MAX, SENDERS_MAX. */
#ifndef NETTALLY_REPORTS_SESSIONS_H
#define NETTALLY_REPORTS_SESSIONS_H

#include "base/err.h"
#include "reports/wire.h"

#define SESSIONS_MAX 4096u
#define SENDERS_MAX 1024u
#define SESSION_WINDOW 1024u
/* How far a datagram's time may be from ours. A session without a word for longer than twice this can be
 * forgotten when room is short: all its datagrams are too old by then. */
#define SESSION_TOLERANCE_US (60 * INT64_C(1000000))

/* In gaps of the numbering: never came, or late. */
struct session_gaps {
	uint64_t missing_datagrams, missing_records, late_datagrams, late_records;
};

/* What is told of a sender: a name and the key it signs with, or an address that speaks the old protocol. */
struct sender {
	char name[ADDR_TEXT_MAX > LAYOUT_NAME_MAX + 1 ? ADDR_TEXT_MAX : LAYOUT_NAME_MAX + 1];
	char key[48];                        /* the key's name; "trafstat" */
	uint64_t datagrams, records, bytes;  /* booked */
	uint64_t requests, rtt_us;           /* the latter summed over requests with one, for its mean */
	uint64_t requests_with_rtt;
	uint64_t refused;                    /* datagrams, signed rightly, that were not booked */
	struct session_gaps gaps;
	uint64_t sessions;                   /* begun here */
	int64_t heard_utc_us;
};

struct sessions;

enum session_answer {
	SESSION_TAKE,
	SESSION_REPLAYED,  /* was here */
	SESSION_OLD,       /* before the window */
	SESSION_STALE,     /* from before our start */
	SESSION_NO_ROOM,   /* all sessions are in use */
};

int sessions_open(struct sessions **ret, int64_t opened_utc_us, struct err *e);
void sessions_close(struct sessions **s);

/* Marks the datagram as taken. *ret_sender is its account whatever the answer; NULL with SESSION_NO_ROOM. */
enum session_answer sessions_take(struct sessions *s, const struct wire_head *h, const char *key_name, int64_t now_utc_us,
				  struct sender **ret_sender);
/* The account of an address; never NULL: where there is no room, all others share one. */
struct sender *sessions_address(struct sessions *s, const struct addr *a);

/* Of all senders. */
const struct session_gaps *sessions_gaps(const struct sessions *s);
/* All senders, for copying: *ret points to `count` of them. */
unsigned sessions_senders(const struct sessions *s, const struct sender **ret);

#endif
