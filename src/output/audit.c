/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit.c -- do the books close? Per interface: what its own counters say against what became of
 * the packets. Per account over all parties: the sum received against the sum sent. */
#include "base/text.h"
#include "output/audit_bytes.h"
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

static void reasons_json(struct json *j, const char *direction, const struct byte_balance *x)
{
	for (size_t i = 0; i < x->reason_count; i++) {
		json_begin(j, NULL, '{');
		json_text(j, "direction", direction);
		json_text(j, "what", x->reasons[i].what);
		json_signed(j, "bytes", x->reasons[i].bytes);
		json_end(j, '}');
	}
}

static void bytes_json(struct json *j, const struct interface_books *b)
{
	struct byte_balance rx, tx;

	audit_bytes(b, BYTES_RX, &rx);
	audit_bytes(b, BYTES_TX, &tx);
	json_number(j, "ingress_frame_bytes", b->ingress_frame_bytes);
	json_number(j, "egress_frame_bytes", b->egress_frame_bytes);
	json_number(j, "ingress_l2_bytes", b->ingress_l2_bytes);
	json_number(j, "egress_l2_bytes", b->egress_l2_bytes);
	if (!rx.is_known)
		return;
	json_begin(j, "explained", '[');
	reasons_json(j, "rx", &rx);
	reasons_json(j, "tx", &tx);
	json_end(j, ']');
	json_signed(j, "unexplained_rx_bytes", rx.unexplained);
	json_signed(j, "unexplained_tx_bytes", tx.unexplained);
}

static void interface_json(struct json *j, const struct interface_books *b)
{
	int64_t unaccounted = interface_unaccounted(b);

	json_begin(j, NULL, '{');
	json_text(j, "interface", b->name);
	json_text(j, "capture", b->capture);
	json_text(j, "capture_why", b->capture_why);
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
	json_number(j, "ingress_frames", b->ingress_frames);
	json_number(j, "egress_frames", b->egress_frames);
	bytes_json(j, b);
	json_number(j, "overflowed", b->overflowed);
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

/* Super-packets are one frame and several packets: said where it makes a difference. */
static const char *basis_word(const struct interface_books *b, const struct interface_balance *x)
{
	if (b->booked_frames == b->booked_packets)
		return "";
	if (x->rx_in_packets != x->tx_in_packets)
		return x->rx_in_packets ? " (received in packets, sent in frames)" : " (received in frames, sent in packets)";
	return x->rx_in_packets ? " packets" : " frames";
}

static void side_of_bytes(FILE *to, const char *verb, const struct byte_balance *x)
{
	fprintf(to, "kernel %s %" PRId64 " %s: ", verb, x->difference < 0 ? -x->difference : x->difference,
		x->difference < 0 ? "less" : "more");
	for (size_t i = 0; i < x->reason_count; i++)
		fprintf(to, "%s%s", i ? " and " : "", x->reasons[i].what);
	if (x->unexplained)
		fprintf(to, "%swhy is not known", x->reason_count ? "; " : "");
}

/* Only where they differ: bytes do not decide whether the books close. */
static void bytes_line(FILE *to, const struct interface_books *b)
{
	struct byte_balance rx, tx;

	audit_bytes(b, BYTES_RX, &rx);
	audit_bytes(b, BYTES_TX, &tx);
	if (!rx.difference && !tx.difference)
		return;
	page_field(to, "", 15);
	fputs(" bytes: ", to);
	if (rx.difference)
		side_of_bytes(to, "received", &rx);
	if (rx.difference && tx.difference)
		fputs("; ", to);
	if (tx.difference)
		side_of_bytes(to, "sent", &tx);
	fputc('\n', to);
}

static void interface_line(FILE *to, const struct interface_books *b, bool colour)
{
	struct interface_balance x;

	interface_balance(b, &x);
	page_field(to, b->name, 15);
	fprintf(to, " kernel counted %" PRIu64 ", booked %" PRIu64 "%s", b->kernel_rx_packets + b->kernel_tx_packets, x.booked,
		basis_word(b, &x));
	if (b->overflowed)
		fprintf(to, " (of these %" PRIu64 " under other: kernel table full)", b->overflowed);
	fprintf(to, ", lost %" PRIu64 ", filtered %" PRIu64, b->lost_packets, x.filtered);
	if (x.on_their_way)
		fprintf(to, ", on their way %" PRIu64, x.on_their_way);
	if (x.dropped_behind)
		fprintf(to, ", dropped by the driver %" PRIu64, x.dropped_behind);
	fprintf(to, ", unaccounted %" PRId64 ": ", x.unaccounted);
	page_word(to, colour, x.unaccounted ? PAGE_BAD : PAGE_GOOD, x.unaccounted ? "does NOT close" : "closes");
	fputc('\n', to);
	bytes_line(to, b);
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
