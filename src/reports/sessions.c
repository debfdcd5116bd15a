/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reports/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (SESSIONS_MAX * 2)
#define WINDOW_WORDS (SESSION_WINDOW / 64)

struct session {
	uint8_t key_id[LAYOUT_KEY_ID];
	int64_t began_us;
	uint32_t nonce;
	uint32_t sender;             /* index */
	uint64_t highest;            /* sequence number; 0 = the slot is free */
	uint64_t records;            /* in the session's datagrams up to the highest */
	int64_t heard_utc_us;
	uint64_t seen[WINDOW_WORDS]; /* a bit for each of the last SESSION_WINDOW numbers, at number % SESSION_WINDOW */
};

struct sessions {
	int64_t opened_utc_us;
	struct session *at;          /* open addressing; SLOTS */
	unsigned used;
	unsigned sender_count;
	struct sender senders[SENDERS_MAX + 1]; /* the last: all that found no room */
	struct session_gaps gaps;
	struct session *latest;      /* most datagrams come from the one before */
};

int sessions_open(struct sessions **ret, int64_t opened_utc_us, struct err *e)
{
	struct sessions *s = calloc(1, sizeof *s);

	if (s)
		s->at = calloc(SLOTS, sizeof *s->at);
	if (!s || !s->at) {
		sessions_close(&s);
		return err_set(e, -ENOMEM, "no memory for sessions of reports");
	}
	s->opened_utc_us = opened_utc_us;
	*ret = s;
	return 0;
}

void sessions_close(struct sessions **ps)
{
	if (!*ps)
		return;
	free((*ps)->at);
	free(*ps);
	*ps = NULL;
}

static struct sender *find_sender(struct sessions *s, const char *name, size_t len, const char *key)
{
	struct sender *sender;

	for (unsigned i = 0; i < s->sender_count; i++)
		if (strncmp(s->senders[i].name, name, len) == 0 && s->senders[i].name[len] == '\0' &&
		    strcmp(s->senders[i].key, key) == 0)
			return &s->senders[i];
	if (s->sender_count == SENDERS_MAX) {
		sender = &s->senders[SENDERS_MAX];
		snprintf(sender->name, sizeof sender->name, "other");
		snprintf(sender->key, sizeof sender->key, "other");
		return sender;
	}
	sender = &s->senders[s->sender_count++];
	memcpy(sender->name, name, len);
	snprintf(sender->key, sizeof sender->key, "%s", key);
	return sender;
}

struct sender *sessions_address(struct sessions *s, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return find_sender(s, text, addr_format(a, text), "trafstat");
}

const struct session_gaps *sessions_gaps(const struct sessions *s)
{
	return &s->gaps;
}

unsigned sessions_senders(const struct sessions *s, const struct sender **ret)
{
	*ret = s->senders;
	return s->sender_count + (s->senders[SENDERS_MAX].name[0] ? 1 : 0);
}

static bool is_session(const struct sessions *s, const struct session *at, const struct wire_head *h)
{
	return at->began_us == h->began_us && at->nonce == h->nonce && memcmp(at->key_id, h->key_id, LAYOUT_KEY_ID) == 0 &&
	       strncmp(s->senders[at->sender].name, (const char *)h->sender.at, h->sender.len) == 0 &&
	       s->senders[at->sender].name[h->sender.len] == '\0';
}

/* Only who knows a secret chooses these, so no seed. */
static unsigned home_of(int64_t began_us, uint32_t nonce)
{
	return (unsigned)((((uint64_t)began_us ^ (uint64_t)nonce << 32) * UINT64_C(0x9e3779b97f4a7c15)) >> 51) % SLOTS;
}

/* The session, or the free slot for it. */
static struct session *find_session(struct sessions *s, const struct wire_head *h)
{
	unsigned i = home_of(h->began_us, h->nonce);

	while (s->at[i].highest && !is_session(s, &s->at[i], h))
		i = (i + 1) % SLOTS;
	return &s->at[i];
}

/* Keeps those that were heard lately; takes all of them anew, since a slot is found by the run before it. */
static void forget_idle(struct sessions *s, int64_t now_utc_us)
{
	struct session *old = s->at, *fresh = calloc(SLOTS, sizeof *fresh);

	if (!fresh)
		return;
	s->used = 0;
	s->latest = NULL;
	for (unsigned i = 0; i < SLOTS; i++) {
		unsigned to;

		if (!old[i].highest || now_utc_us - old[i].heard_utc_us > 2 * SESSION_TOLERANCE_US)
			continue;
		for (to = home_of(old[i].began_us, old[i].nonce); fresh[to].highest;)
			to = (to + 1) % SLOTS;
		fresh[to] = old[i];
		s->used++;
	}
	s->at = fresh;
	free(old);
}

static bool seen(const struct session *at, uint64_t sequence)
{
	return at->seen[sequence % SESSION_WINDOW / 64] >> (sequence % 64) & 1;
}

static void mark(struct session *at, uint64_t sequence)
{
	at->seen[sequence % SESSION_WINDOW / 64] |= UINT64_C(1) << (sequence % 64);
}

/* The window's upper end becomes `sequence`: what it now covers anew was not seen. */
static void advance(struct session *at, uint64_t sequence)
{
	if (sequence - at->highest >= SESSION_WINDOW)
		memset(at->seen, 0, sizeof at->seen);
	else
		for (uint64_t i = at->highest + 1; i < sequence; i++)
			at->seen[i % SESSION_WINDOW / 64] &= ~(UINT64_C(1) << (i % 64));
	at->highest = sequence;
	mark(at, sequence);
}

static enum session_answer begin(struct sessions *s, const struct wire_head *h, const char *key_name, int64_t now_utc_us,
				 struct session **ret)
{
	struct session *at;

	if (h->time_us < s->opened_utc_us)
		return SESSION_STALE;
	if (s->used == SESSIONS_MAX)
		forget_idle(s, now_utc_us);
	if (s->used == SESSIONS_MAX)
		return SESSION_NO_ROOM;
	at = find_session(s, h);
	*at = (struct session){ .began_us = h->began_us, .nonce = h->nonce };
	memcpy(at->key_id, h->key_id, LAYOUT_KEY_ID);
	at->sender = (uint32_t)(find_sender(s, (const char *)h->sender.at, h->sender.len, key_name) - s->senders);
	s->senders[at->sender].sessions++;
	s->used++;
	if (h->began_us < s->opened_utc_us) { /* what went before was not sent to us */
		at->highest = h->sequence - 1;
		at->records = h->before;
		memset(at->seen, 0xff, sizeof at->seen);
	}
	*ret = at;
	return SESSION_TAKE;
}

static void add_gaps(struct session_gaps *to, const struct session_gaps *g)
{
	to->missing_datagrams += g->missing_datagrams;
	to->missing_records += g->missing_records;
	to->late_datagrams += g->late_datagrams;
	to->late_records += g->late_records;
}

static enum session_answer take(struct session *at, const struct wire_head *h, struct session_gaps *ret)
{
	*ret = (struct session_gaps){ 0 };
	if (h->sequence > at->highest) {
		ret->missing_datagrams = h->sequence - at->highest - 1;
		ret->missing_records = h->before > at->records ? h->before - at->records : 0;
		at->records = h->before + h->records;
		advance(at, h->sequence);
		return SESSION_TAKE;
	}
	if (at->highest - h->sequence >= SESSION_WINDOW)
		return SESSION_OLD;
	if (seen(at, h->sequence))
		return SESSION_REPLAYED;
	mark(at, h->sequence);
	ret->late_datagrams = 1;
	ret->late_records = h->records;
	return SESSION_TAKE;
}

enum session_answer sessions_take(struct sessions *s, const struct wire_head *h, const char *key_name, int64_t now_utc_us,
				  struct sender **ret_sender)
{
	struct session *at = s->latest;
	enum session_answer answer = SESSION_TAKE;
	struct session_gaps gaps;

	*ret_sender = NULL;
	if (!at || !is_session(s, at, h)) {
		at = find_session(s, h);
		if (!at->highest)
			answer = begin(s, h, key_name, now_utc_us, &at);
	}
	if (answer == SESSION_STALE)
		*ret_sender = find_sender(s, (const char *)h->sender.at, h->sender.len, key_name);
	if (answer != SESSION_TAKE)
		return answer;
	s->latest = at;
	at->heard_utc_us = now_utc_us;
	*ret_sender = &s->senders[at->sender];
	answer = take(at, h, &gaps);
	add_gaps(&(*ret_sender)->gaps, &gaps);
	add_gaps(&s->gaps, &gaps);
	return answer;
}
