/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reports/receiver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLDS_MAX 64
#define OLD_TYPES_MAX 16
#define OLD_TYPE_TEXT 12

/* Datagrams of the old protocol that came from one address, one after the other: booked together, because to look up the
 * keys of many at a time costs half. */
struct olds {
	struct addr from;
	struct sender *sender;          /* of `from`; NULL = none yet */
	unsigned count, type_count;
	struct report reports[OLDS_MAX];
	uint32_t types[OLD_TYPES_MAX];
	char texts[OLD_TYPES_MAX][OLD_TYPE_TEXT];
	struct slice slices[OLD_TYPES_MAX];
};

struct receiver {
	struct receiver_config cf;
	struct keys *keys;
	struct sessions *sessions;
	struct report_counters counters;
	struct olds olds;
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

static void book(struct receiver *r, struct sender *sender, const struct report_batch *b, unsigned datagrams)
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
	sender->datagrams += datagrams;
	sender->records += b->count;
	r->counters.booked_datagrams += datagrams;
	r->counters.booked_records += b->count;
	r->cf.book(r->cf.arg, b);
}

void receiver_flush(struct receiver *r)
{
	struct olds *o = &r->olds;
	struct report_server server = { .addr = o->from };

	if (o->count == 0)
		return;
	r->counters.trafstat_datagrams += o->count;
	book(r, o->sender, &(struct report_batch){
		.sender = { (const uint8_t *)o->sender->name, strlen(o->sender->name) },
		.types = o->slices, .type_count = o->type_count,
		.servers = &server, .server_count = 1, .reports = o->reports, .count = o->count,
		.heard_utc_us = o->sender->heard_utc_us,
	}, o->count);
	o->count = o->type_count = 0;
}

static uint8_t index_of_type(struct olds *o, uint32_t type)
{
	unsigned i = 0;

	while (i < o->type_count && o->types[i] != type)
		i++;
	if (i == o->type_count) {
		int len = snprintf(o->texts[i], OLD_TYPE_TEXT, "%" PRIu32, type);

		o->types[i] = type;
		o->slices[i] = (struct slice){ (const uint8_t *)o->texts[i], (size_t)len };
		o->type_count++;
	}
	return (uint8_t)i;
}

static void take_trafstat(struct receiver *r, const uint8_t *datagram, const struct addr *from, int64_t now_utc_us)
{
	struct olds *o = &r->olds;
	struct report *report = &o->reports[o->count];
	uint32_t type;

	if (!trafstat_is_fresh(datagram, now_utc_us / 1000000)) {
		refuse(r, REFUSED_STALE);
		return;
	}
	if (!trafstat_is_signed(keys_trafstat(r->keys), datagram)) {
		refuse(r, REFUSED_BAD_SIGNATURE);
		return;
	}
	if (!o->sender || !addr_equal(&o->from, from)) {
		receiver_flush(r);
		report = o->reports;
		o->sender = sessions_address(r->sessions, from);
		o->from = *from;
	}
	o->sender->heard_utc_us = now_utc_us;
	if (trafstat_read(report, &type, datagram) < 0) {
		refuse(r, REFUSED_MALFORMED);
		r->counters.malformed_records++;
		o->sender->refused++;
		return;
	}
	report->type = index_of_type(o, type);
	o->count++;
	if (o->count == OLDS_MAX || o->type_count == OLD_TYPES_MAX)
		receiver_flush(r);
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
	sender->heard_utc_us = r->body.batch.heard_utc_us = now_utc_us;
	book(r, sender, &r->body.batch, 1);
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
