/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receiver.h -- judges report datagrams of both protocols, one by one: book it, or count why not.
 *
 * What is not signed costs a look-up of its key and one HMAC at most, and is never answered. A datagram is booked whole or
 * not at all, by receiver_flush() at the latest. Every one that is handed in is in exactly one of `booked_datagrams` and
 * `refused`.
 * Thread: one at a time. */
#ifndef NETTALLY_REPORTS_RECEIVER_H
#define NETTALLY_REPORTS_RECEIVER_H

#include "reports/keys.h"
#include "reports/sessions.h"

/* Why a datagram is not booked: name in /metrics and `status`, in words. */
#define REFUSALS(X)                                                                                    \
	X(BAD_LENGTH, "bad_length", "shorter or longer than any report")                               \
	X(BAD_FORMAT, "bad_format", "no report, or a head that contradicts itself")                    \
	X(BAD_VERSION, "bad_version", "a version of the protocol that is not known")                   \
	X(UNKNOWN_KEY, "unknown_key", "signed with a secret that is not configured")                   \
	X(BAD_SIGNATURE, "bad_signature", "the signature is not of these bytes")                       \
	X(STALE, "stale", "its time is too far from ours, or before our start")                        \
	X(REPLAYED, "replayed", "it was here already, or is too late to tell")                         \
	X(MALFORMED, "malformed", "signed rightly, but its records cannot be read")                    \
	X(NO_ROOM, "no_room", "more sessions at a time than there is room for")

enum refusal {
#define X(id, name, help) REFUSED_##id,
	REFUSALS(X)
#undef X
	REFUSALS_COUNT
};

struct report_counters {
	uint64_t datagrams;             /* that the socket gave */
	uint64_t booked_datagrams, booked_records;
	uint64_t trafstat_datagrams;    /* of those booked */
	uint64_t refused[REFUSALS_COUNT];
	uint64_t malformed_records;     /* that the refused datagrams say they had */
	struct session_gaps gaps;       /* lost = missing - late; what was refused as malformed came */
	uint64_t kernel_dropped;        /* datagrams: the socket's buffer was full; of numbered ones also in `missing` */
};

const char *refusal_name(enum refusal r);
const char *refusal_help(enum refusal r);

struct receiver;

struct receiver_config {
	int64_t opened_utc_us;
	void (*book)(void *arg, const struct report_batch *b);
	void *arg;
};

/* Takes `keys` on success. */
int receiver_open(struct receiver **ret, const struct receiver_config *cf, struct keys *keys, struct err *e);
void receiver_set_keys(struct receiver *r, struct keys *keys); /* takes them */
/* `cut`: it was longer than the buffer. */
void receiver_take(struct receiver *r, struct slice datagram, const struct addr *from, bool cut, int64_t now_utc_us);
/* Books what was taken and waits for more of its kind: after each lot of datagrams. */
void receiver_flush(struct receiver *r);
struct report_counters *receiver_counters(struct receiver *r);
unsigned receiver_senders(const struct receiver *r, const struct sender **ret);
void receiver_close(struct receiver **r);

#endif
