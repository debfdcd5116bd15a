/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit.c -- do the books close? Per interface: what its own counters say against what became of
 * the packets. Per account over all parties: the sum received against the sum sent. */
#include "base/text.h"
#include "output/json.h"
#include "output/page.h"
#include "output/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where parties are left out, received and sent need not be equal. */
static bool account_balances(const struct account *a)
{
	return a->party && a->from == FROM_PACKETS && a->of == OF_BOTH && a->self && a->groups;
}

static bool account_closes(const struct snapshot_account *sa)
{
	const struct party_tally *t = &sa->total;

	return t->rx.packets == t->tx.packets && t->rx.l2_bytes == t->tx.l2_bytes && t->rx.l3_bytes == t->tx.l3_bytes;
}

bool audit_closes(const struct snapshot *s)
{
	for (size_t i = 0; i < s->interface_count; i++)
		if (interface_unaccounted(&s->interfaces[i]) != 0)
			return false;
	for (size_t i = 0; i < s->account_count; i++)
		if (account_balances(s->accounts[i].account) && !account_closes(&s->accounts[i]))
			return false;
	return true;
}

static void interface_json(struct json *j, const struct interface_books *b)
{
	int64_t unaccounted = interface_unaccounted(b);

	json_begin(j, NULL, '{');
	json_text(j, "interface", b->name);
	json_text(j, "capture", b->capture);
	json_bool(j, "up", b->up);
	json_time(j, "since", b->since_utc_s);
	json_number(j, "kernel_rx_packets", b->kernel_rx_packets);
	json_number(j, "kernel_tx_packets", b->kernel_tx_packets);
	json_number(j, "kernel_packets", b->kernel_rx_packets + b->kernel_tx_packets);
	json_number(j, "kernel_rx_bytes", b->kernel_rx_bytes);
	json_number(j, "kernel_tx_bytes", b->kernel_tx_bytes);
	json_number(j, "kernel_rx_dropped", b->kernel_rx_dropped);
	json_number(j, "kernel_tx_dropped", b->kernel_tx_dropped);
	json_number(j, "booked_frames", b->booked_frames);
	json_number(j, "booked_frame_bytes", b->booked_frame_bytes);
	json_number(j, "booked_packets", b->booked_packets);
	json_number(j, "booked_l2_bytes", b->booked_l2_bytes);
	json_number(j, "ingress_packets", b->ingress_packets);
	json_number(j, "egress_packets", b->egress_packets);
	json_number(j, "lost_packets", b->lost_packets);
	json_number(j, "filtered_packets", b->filtered_packets);
	json_number(j, "malformed_packets", b->malformed_packets);
	json_number(j, "in_flight_packets", b->in_flight_packets);
	json_signed(j, "unaccounted_packets", unaccounted);
	json_bool(j, "closes", unaccounted == 0);
	json_end(j, '}');
}

static void account_json(struct json *j, const struct snapshot_account *sa)
{
	json_begin(j, NULL, '{');
	json_text(j, "account", sa->account->name);
	json_number(j, "rx_packets", sa->total.rx.packets);
	json_number(j, "tx_packets", sa->total.tx.packets);
	json_number(j, "rx_l2_bytes", sa->total.rx.l2_bytes);
	json_number(j, "tx_l2_bytes", sa->total.tx.l2_bytes);
	json_number(j, "rx_l3_bytes", sa->total.rx.l3_bytes);
	json_number(j, "tx_l3_bytes", sa->total.tx.l3_bytes);
	json_bool(j, "closes", account_closes(sa));
	json_end(j, '}');
}

void audit_json(FILE *to, const struct snapshot *s)
{
	struct buffer b;
	struct json j = { .to = &b };

	buffer_start(&b, to);
	json_begin(&j, NULL, '{');
	json_begin(&j, "interfaces", '[');
	for (size_t i = 0; i < s->interface_count; i++)
		interface_json(&j, &s->interfaces[i]);
	json_end(&j, ']');
	json_begin(&j, "accounts", '[');
	for (size_t i = 0; i < s->account_count; i++)
		if (account_balances(s->accounts[i].account))
			account_json(&j, &s->accounts[i]);
	json_end(&j, ']');
	json_bool(&j, "closes", audit_closes(s));
	json_end(&j, '}');
	buffer_flush(&b);
}

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Super-packets are one frame and several packets: the line shows the basis on which the
 * interface itself counts. */
static void interface_line(FILE *to, const struct interface_books *b, bool colour)
{
	int64_t unaccounted = interface_unaccounted(b);
	uint64_t kernel = b->kernel_rx_packets + b->kernel_tx_packets, rest = kernel - b->lost_packets - b->filtered_packets;
	bool by_frames = difference(rest, b->booked_frames) <= difference(rest, b->booked_packets);
	uint64_t booked = by_frames ? b->booked_frames : b->booked_packets;
	int64_t excused = (int64_t)(rest - booked) - unaccounted; /* see interface_unaccounted() */

	page_field(to, b->name, 15);
	fprintf(to, " kernel counted %" PRIu64 ", booked %" PRIu64 "%s, lost %" PRIu64 ", filtered %" PRIu64, kernel, booked,
		b->booked_frames == b->booked_packets ? "" : by_frames ? " frames" : " packets", b->lost_packets,
		b->filtered_packets);
	if (excused > 0)
		fprintf(to, ", on their way %" PRId64, excused);
	if (excused < 0)
		fprintf(to, ", dropped by the driver %" PRId64, -excused);
	fprintf(to, ", unaccounted %" PRId64 ": ", unaccounted);
	page_word(to, colour, unaccounted ? PAGE_BAD : PAGE_GOOD, unaccounted ? "does NOT close" : "closes");
	fputc('\n', to);
}

static void account_line(FILE *to, const struct snapshot_account *sa, bool colour)
{
	bool closes = account_closes(sa);

	page_field(to, sa->account->name, 15);
	fprintf(to, " received %" PRIu64 " packets %" PRIu64 " bytes, sent %" PRIu64 " packets %" PRIu64 " bytes: ",
		sa->total.rx.packets, sa->total.rx.l2_bytes, sa->total.tx.packets, sa->total.tx.l2_bytes);
	page_word(to, colour, closes ? PAGE_GOOD : PAGE_BAD, closes ? "closes" : "does NOT close");
	fputc('\n', to);
}

void audit_page(FILE *to, const struct snapshot *s, bool colour)
{
	char since[TIME_TEXT_MAX];
	bool closes = audit_closes(s);

	for (size_t i = 0; i < s->interface_count; i++)
		interface_line(to, &s->interfaces[i], colour);
	for (size_t i = 0; i < s->account_count; i++)
		if (account_balances(s->accounts[i].account))
			account_line(to, &s->accounts[i], colour);
	page_word(to, colour, closes ? PAGE_GOOD : PAGE_BAD, closes ? "the books close" : "the books do NOT close");
	fprintf(to, " (as of %s)\n", time_format(s->taken_utc_s, since, sizeof since));
}
