/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sender_test.c -- libnettally-report, the listener and the receiver together: what is added is what is booked. */
#include "reports/nettally-report.h"

#include "reports/listener.h"
#include "reports/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <time.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct books {
	uint64_t reports, bytes, packets, retransmits, requests, duration_us, rtt_us, ip6, typed, port;
} books;

static void on_batch(void *arg, const struct report_batch *b)
{
	struct books *to = arg;

	for (unsigned i = 0; i < b->count; i++) {
		const struct report *r = &b->reports[i];

		to->reports++;
		to->bytes += r->bytes;
		to->packets += r->packets;
		to->retransmits += r->retransmits;
		to->requests += r->requests;
		to->duration_us += r->duration_us;
		to->rtt_us += r->rtt_us;
		to->ip6 += r->client.family == ADDR_IP6;
		to->typed += b->types[r->type].len;
		to->port += b->servers[r->server].port;
	}
}

struct both {
	struct listener *listener;
	struct receiver *receiver;
	struct nettally_report *sender;
};

static struct nettally_report_options options(const struct both *b, char to[static 32])
{
	snprintf(to, 32, "127.0.0.1:%u", listener_port(b->listener));
	return (struct nettally_report_options){
		.to = to, .secret = TEST_SECRET, .secret_len = sizeof TEST_SECRET - 1, .sender = "web1",
	};
}

static void open_both(struct both *b, size_t datagram_max)
{
	struct timespec now;
	struct receiver_config cf = { .book = on_batch, .arg = &books };
	struct nettally_report_options o;
	struct keys *k;
	struct err e;
	char to[32], why[256] = "";

	books = (struct books){ 0 };
	clock_gettime(CLOCK_REALTIME, &now);
	cf.opened_utc_us = now.tv_sec * INT64_C(1000000) - 1000000;
	assert_int_equal(keys_new(&k, &e), 0);
	assert_int_equal(keys_add(k, "web1", (struct slice){ (const uint8_t *)TEST_SECRET, sizeof TEST_SECRET - 1 }, &e), 0);
	assert_int_equal(receiver_open(&b->receiver, &cf, k, &e), 0);
	assert_int_equal(listener_open(&b->listener, "127.0.0.1", 0, &e), 0);
	o = options(b, to);
	o.datagram_max = datagram_max;
	assert_int_equal(nettally_report_open(&b->sender, &o, why, sizeof why), 0);
}

static void close_both(struct both *b)
{
	nettally_report_close(&b->sender);
	listener_close(&b->listener);
	receiver_close(&b->receiver);
}

/* Loopback delivers before send() returns. */
static void read_all(struct both *b)
{
	while (listener_read(b->listener, b->receiver) > 0)
		;
}

static struct sockaddr_storage address(const char *text, uint16_t port)
{
	struct sockaddr_storage a = { 0 };
	struct sockaddr_in *in = (void *)&a;
	struct sockaddr_in6 *in6 = (void *)&a;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
	}
	return a;
}

/* Many records of all kinds: sums on both sides. */
static void what_is_added_is_booked(void **state)
{
	static const size_t lengths[] = { 256, 1400, LAYOUT_DATAGRAM_MAX };
	static const char *const types[] = { NULL, "video", "image", "12345678901234567890123456789012" };
	static const unsigned type_lengths[] = { 0, 5, 5, 32 };

	(void)state;
	for (size_t l = 0; l < 3; l++) {
		struct books want = { 0 };
		struct nettally_report_stats stats;
		struct both b;

		open_both(&b, lengths[l]);
		for (uint64_t i = 0; i < 3000; i++) {
			struct sockaddr_storage client = address(i % 3 ? "198.51.100.7" : "2001:db8::7", 1234);
			struct sockaddr_storage server = address(i % 5 ? "192.0.2.1" : "2001:db8::1", (uint16_t)(i % 7));
			struct nettally_delivery d = {
				(void *)&client, (void *)&server, types[i % 4], i << (i % 40), i, i % 2, 1, i * 1000, i % 100,
			};

			assert_int_equal(nettally_report_add(b.sender, &d), 0);
			want.reports++;
			want.bytes += d.bytes;
			want.packets += d.packets;
			want.retransmits += d.retransmits;
			want.requests++;
			want.duration_us += d.duration_us;
			want.rtt_us += d.rtt_us;
			want.ip6 += i % 3 == 0;
			want.typed += type_lengths[i % 4];
			want.port += i % 7;
			if (i % 500 == 0)
				read_all(&b);
		}
		nettally_report_flush(b.sender);
		read_all(&b);
		nettally_report_get_stats(b.sender, &stats);
		assert_int_equal(stats.records, 3000);
		assert_int_equal(stats.lost_records, 0);
		assert_memory_equal(&books, &want, sizeof want);
		assert_int_equal(receiver_counters(b.receiver)->booked_datagrams, stats.datagrams);
		assert_int_equal(receiver_counters(b.receiver)->gaps.missing_datagrams, 0);
		assert_int_equal(listener_dropped(b.listener), 0);
		close_both(&b);
	}
}

static void an_end_shows_what_was_lost(void **state)
{
	struct sockaddr_storage client = address("198.51.100.7", 0);
	struct nettally_delivery d = { .client = (void *)&client, .requests = 1 };
	const struct session_gaps *g;
	struct both b;

	(void)state;
	open_both(&b, 0);
	assert_int_equal(nettally_report_add(b.sender, &d), 0);
	assert_int_equal(nettally_report_flush(b.sender), 0);
	assert_int_equal(listener_read(b.listener, b.receiver), 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(nettally_report_flush(b.sender), 0); /* says how much there was */
		assert_int_equal(listener_read(b.listener, b.receiver), 1);
	}
	assert_int_equal(nettally_report_flush(b.sender), 0);
	assert_int_equal(listener_read(b.listener, b.receiver), 0);
	assert_int_equal(nettally_report_add(b.sender, &d), 0);
	assert_int_equal(nettally_report_pending(b.sender), 1);
	nettally_report_close(&b.sender);
	read_all(&b);
	g = &receiver_counters(b.receiver)->gaps;
	assert_int_equal(g->missing_records, 0);
	assert_int_equal(books.reports, 2);
	close_both(&b);
}

static void mistakes(void **state)
{
	struct sockaddr_storage client = address("198.51.100.7", 0), nothing = { 0 };
	struct nettally_delivery d = { .client = (void *)&client, .requests = 1 };
	static const struct {
		const char *to, *sender, *key_file;
		int want;
	} cases[] = {
		{ "", "x", NULL, -EINVAL }, { ":1", "x", NULL, -EINVAL }, { "[::1", "x", NULL, -EINVAL },
		{ "[::1]x", "x", NULL, -EINVAL }, { "127.0.0.1:", "x", NULL, -EINVAL },
		{ "127.0.0.1:123456", "x", NULL, -EINVAL },
		{ "127.0.0.1:x", "x", NULL, -EHOSTUNREACH }, { "127.0.0.1:1", "", NULL, -EINVAL },
		{ "127.0.0.1:1", "123456789012345678901234567890123", NULL, -EINVAL },
		{ "127.0.0.1:1", "a\nb", NULL, -EINVAL }, { "127.0.0.1:1", "x", "/nowhere/key", -ENOENT },
		{ "127.0.0.1", "x", NULL, 0 }, { "127.0.0.1:1", NULL, NULL, 0 },
	};
	struct both b;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nettally_report_options o = { .to = cases[i].to, .sender = cases[i].sender, .key_file = cases[i].key_file,
						     .secret = "s", .secret_len = 1 };
		struct nettally_report *r = NULL;
		char why[256] = "";

		assert_int_equal(nettally_report_open(&r, &o, why, sizeof why), cases[i].want);
		assert_int_equal(cases[i].want == 0, why[0] == '\0');
		nettally_report_close(&r);
	}
	open_both(&b, 0);
	d.client = (void *)&nothing;
	assert_int_equal(nettally_report_add(b.sender, &d), -EINVAL);
	d.client = (void *)&client;
	d.bytes = UINT64_C(1) << 56;
	assert_int_equal(nettally_report_add(b.sender, &d), -ERANGE);
	d.bytes--;
	assert_int_equal(nettally_report_add(b.sender, &d), 0);
	d.requests = 0;
	assert_int_equal(nettally_report_add(b.sender, &d), -EINVAL);
	d.requests = 1;
	d.type = "a\nb";
	assert_int_equal(nettally_report_add(b.sender, &d), 0);
	nettally_report_close(&b.sender);
	read_all(&b);
	assert_int_equal(books.reports, 2);
	close_both(&b);
}

/* Nobody listens: nothing blocks, nothing fails for good. */
static void nobody_listens(void **state)
{
	struct sockaddr_storage client = address("198.51.100.7", 0);
	struct nettally_delivery d = { .client = (void *)&client, .requests = 1 };
	struct nettally_report_stats stats;
	struct both b;

	(void)state;
	open_both(&b, 0);
	listener_close(&b.listener);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(nettally_report_add(b.sender, &d), 0);
		(void)nettally_report_flush(b.sender);
	}
	nettally_report_get_stats(b.sender, &stats);
	assert_int_equal(stats.records + stats.lost_records, 100);
	close_both(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_booked), cmocka_unit_test(an_end_shows_what_was_lost),
		cmocka_unit_test(mistakes), cmocka_unit_test(nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
