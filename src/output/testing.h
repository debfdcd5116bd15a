/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.h -- for unit tests only: a snapshot made by hand, with hostile names in it. */
#ifndef NETTALLY_OUTPUT_TESTING_H
#define NETTALLY_OUTPUT_TESTING_H

#include "model/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* Quotes, markup, a terminal's escape, a line end, a backslash, what is no UTF-8, and what is. */
#define HOSTILE "\"<b>\x1b[31m\n\\\xff{}\xc3\xa4"

static inline struct account *testing_account(const char *name, enum field a, enum field b)
{
	struct account *account = account_new();

	strcpy(account->name, name);
	account->by[account->by_count++] = a;
	if (b != a)
		account->by[account->by_count++] = b;
	if (account_finish(account, NULL) < 0)
		abort();
	return account;
}

/* `strings` outlives it. Interface eth0 closes, the hostile one is down and does not; account
 * hosts (by host, direction) has a series and `other`; account capture (a name that is also a
 * family of ours) is by a hostile service. */
static inline struct snapshot *testing_snapshot(struct strings *strings)
{
	struct snapshot *s = snapshot_new();
	struct snapshot_account *hosts, *capture;
	struct addr a;
	uint32_t id = strings_add(strings, HOSTILE);

	s->version = "0.1";
	s->taken_utc_s = 1700000100;
	s->started_utc_s = 1700000000;
	s->tick_s = 1;
	s->ticks = 100;
	s->strings = strings;
	s->table_limit = 1000;
	s->counters.capture_packets = 12;
	s->counters.lost_ring = 3;
	strcpy(s->listen, "127.0.0.1:9390");
	s->interface_count = 2;
	s->interfaces = calloc(2, sizeof *s->interfaces);
	s->interfaces[0] = (struct interface_books){
		.name = "eth0", .up = true, .capture = "socket", .since_utc_s = 1700000000, .booked_frames = 7,
		.booked_packets = 7, .booked_l2_bytes = 700, .ingress_packets = 4, .egress_packets = 3, .ingress_frames = 4,
		.egress_frames = 3, .lost_packets = 2, .filtered_packets = 1,
		.kernel_rx_packets = 6, .kernel_tx_packets = 4, .capture_why = "asked for",
		.kernel_rx_bytes = 640, .kernel_tx_bytes = 341, .booked_frame_bytes = 700, .ingress_frame_bytes = 400,
		.egress_frame_bytes = 300, .ingress_l2_bytes = 400, .egress_l2_bytes = 300,
	};
	s->interfaces[1] = (struct interface_books){ .capture = "socket", .booked_frames = 5, .booked_packets = 5,
						     .kernel_rx_packets = 9 };
	memcpy(s->interfaces[1].name, HOSTILE, sizeof s->interfaces[1].name - 1);
	s->account_count = 2;
	s->accounts = calloc(2, sizeof *s->accounts);
	hosts = &s->accounts[0];
	hosts->account = testing_account("hosts", FIELD_HOST, FIELD_DIRECTION);
	hosts->series_count = 2;
	hosts->series = calloc(2, sizeof *hosts->series);
	addr_parse(&a, "192.0.2.1");
	memcpy(hosts->series[0].key + hosts->account->layout.at[FIELD_HOST], a.bytes, sizeof a.bytes);
	hosts->series[0].key[hosts->account->layout.at[FIELD_HOST_FAMILY]] = ADDR_IP4;
	hosts->series[0].key[hosts->account->layout.at[FIELD_DIRECTION]] = DIRECTION_INGRESS;
	hosts->series[0].total = (struct party_tally){ .rx = { 1, 100, 86 }, .tx = { 2, 200, 172 } };
	key_set_other(&hosts->account->layout, hosts->series[1].key);
	hosts->series[1].total = (struct party_tally){ .rx = { 6, 600, 516 }, .tx = { 5, 500, 430 } };
	hosts->total = (struct party_tally){ .rx = { 7, 700, 602 }, .tx = { 7, 700, 602 } };
	capture = &s->accounts[1];
	capture->account = testing_account("capture", FIELD_SERVICE, FIELD_SERVICE);
	capture->series_count = 1;
	capture->series = calloc(1, sizeof *capture->series);
	memcpy(capture->series[0].key + capture->account->layout.at[FIELD_SERVICE], &id, sizeof id);
	capture->series[0].total.rx = capture->total.rx = (struct tally){ 7, 700, 602 };
	s->ledger.state = LEDGER_FAILING;
	strcpy(s->ledger.path, "/tmp/" HOSTILE);
	strcpy(s->ledger.problem, "disk full " HOSTILE);
	s->ledger.pending_records = 17;
	return s;
}

#endif
