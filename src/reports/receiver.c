/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reports/receiver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct receiver {
	struct receiver_config cf;
	struct keys *keys;
	struct sessions *sessions;
	struct report_counters counters;
	struct addr latest_from;        /* of the old protocol */
	struct sender *latest_sender;
	struct wire_body body;
};

static const struct {
	const char *name, *help;
} refusals[REFUSALS_COUNT] = {
#define X(id, name, help) [REFUSED_##id] = { name, help },
	REFUSALS(X)
#undef X
};

const char *refusal_name(enum refusal r)
{
	return refusals[r].name;
}

const char *refusal_help(enum refusal r)
{
	return refusals[r].help;
}

int receiver_open(struct receiver **ret, const struct receiver_config *cf, struct keys *keys, struct err *e)
{
	struct receiver *r = calloc(1, sizeof *r);
	int err = r ? sessions_open(&r->sessions, cf->opened_utc_us, e) : err_set(e, -ENOMEM, "no memory for reports");

	if (err < 0) {
		free(r);
		return err;
	}
	r->cf = *cf;
	r->keys = keys;
	*ret = r;
	return 0;
}

void receiver_close(struct receiver **pr)
{
	struct receiver *r = *pr;

	if (!r)
		return;
	keys_free(&r->keys);
	sessions_close(&r->sessions);
	free(r);
	*pr = NULL;
}

void receiver_set_keys(struct receiver *r, struct keys *keys)
{
	keys_free(&r->keys);
	r->keys = keys;
}

struct report_counters *receiver_counters(struct receiver *r)
{
	r->counters.gaps = *sessions_gaps(r->sessions);
	return &r->counters;
}

unsigned receiver_senders(const struct receiver *r, const struct sender **ret)
{
	return sessions_senders(r->sessions, ret);
}

static void refuse(struct receiver *r, enum refusal why)
{
	r->counters.refused[why]++;
}

static void book(struct receiver *r, struct sender *sender, const struct report_batch *b, int64_t now_utc_us)
{
	for (unsigned i = 0; i < b->count; i++) {
		const struct report *report = &b->reports[i];

		sender->bytes += report->bytes;
		sender->requests += report->requests;
		if (report->rtt_us) {
			sender->requests_with_rtt += report->requests;
			sender->rtt_us += report->rtt_us * report->requests;
		}
	}
	sender->datagrams++;
	sender->records += b->count;
	sender->heard_utc_us = now_utc_us;
	r->counters.booked_datagrams++;
	r->counters.booked_records += b->count;
	r->cf.book(r->cf.arg, b);
}

static void take_trafstat(struct receiver *r, const uint8_t *datagram, const struct addr *from, int64_t now_utc_us)
{
	char type[TRAFSTAT_TYPE_MAX];
	struct report_server server = { .addr = *from };
	struct report report;
	struct slice type_text, sender_text;

	if (!trafstat_is_fresh(datagram, now_utc_us / 1000000)) {
		refuse(r, REFUSED_STALE);
		return;
	}
	if (!trafstat_is_signed(keys_trafstat(r->keys), datagram)) {
		refuse(r, REFUSED_BAD_SIGNATURE);
		return;
	}
	if (!r->latest_sender || !addr_equal(&r->latest_from, from)) {
		r->latest_sender = sessions_address(r->sessions, from);
		r->latest_from = *from;
	}
	if (trafstat_read(&report, type, datagram) < 0) {
		refuse(r, REFUSED_MALFORMED);
		r->counters.malformed_records++;
		r->latest_sender->refused++;
		return;
	}
	type_text = (struct slice){ (const uint8_t *)type, strlen(type) };
	sender_text = (struct slice){ (const uint8_t *)r->latest_sender->name, strlen(r->latest_sender->name) };
	r->counters.trafstat_datagrams++;
	book(r, r->latest_sender, &(struct report_batch){
		.sender = sender_text, .types = &type_text, .type_count = 1,
		.servers = &server, .server_count = 1, .reports = &report, .count = 1,
	}, now_utc_us);
}

static enum refusal refusal_of_head(int err)
{
	switch (err) {
	case -EPROTONOSUPPORT:
		return REFUSED_BAD_VERSION;
	case -EMSGSIZE:
		return REFUSED_BAD_LENGTH;
	default:
		return REFUSED_BAD_FORMAT;
	}
}

static enum refusal refusal_of_session(enum session_answer answer)
{
	switch (answer) {
	case SESSION_STALE:
		return REFUSED_STALE;
	case SESSION_NO_ROOM:
		return REFUSED_NO_ROOM;
	default:
		return REFUSED_REPLAYED;
	}
}

static void take_ours(struct receiver *r, struct slice datagram, const struct addr *from, int64_t now_utc_us)
{
	struct wire_head h;
	enum session_answer answer;
	struct sender *sender;
	int err = wire_head(&h, datagram), key;

	if (err < 0) {
		refuse(r, refusal_of_head(err));
		return;
	}
	key = keys_find(r->keys, h.key_id);
	if (key < 0) {
		refuse(r, REFUSED_UNKNOWN_KEY);
		return;
	}
	if (h.time_us < now_utc_us - SESSION_TOLERANCE_US || h.time_us > now_utc_us + SESSION_TOLERANCE_US) {
		refuse(r, REFUSED_STALE);
		return;
	}
	if (!keys_verify(r->keys, (unsigned)key, h.signed_part, h.signature.at)) {
		refuse(r, REFUSED_BAD_SIGNATURE);
		return;
	}
	answer = sessions_take(r->sessions, &h, keys_name(r->keys, (unsigned)key), now_utc_us, &sender);
	if (answer != SESSION_TAKE) {
		refuse(r, refusal_of_session(answer));
		if (sender)
			sender->refused++;
		return;
	}
	if (wire_body(&r->body, &h) < 0) {
		refuse(r, REFUSED_MALFORMED);
		r->counters.malformed_records += h.records;
		sender->refused++;
		return;
	}
	for (unsigned i = 0; i < h.servers; i++)
		if (r->body.servers[i].addr.family == ADDR_NONE)
			r->body.servers[i].addr = *from;
	book(r, sender, &r->body.batch, now_utc_us);
}

void receiver_take(struct receiver *r, struct slice datagram, const struct addr *from, bool cut, int64_t now_utc_us)
{
	r->counters.datagrams++;
	if (cut)
		refuse(r, REFUSED_BAD_LENGTH);
	else if (wire_is_ours(datagram))
		take_ours(r, datagram, from, now_utc_us);
	else if (!keys_trafstat(r->keys))
		refuse(r, REFUSED_BAD_FORMAT);
	else if (datagram.len != TRAFSTAT_LENGTH)
		refuse(r, REFUSED_BAD_LENGTH);
	else
		take_trafstat(r, datagram.at, from, now_utc_us);
}
