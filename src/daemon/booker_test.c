/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger's thread on a good disk and on one that is full, and the queue before it. */
#include "daemon/booker.h"

#include "daemon/pending.h"
#include "ledger/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

#define W 1700006400

static struct booker *start(struct bench *b, struct account *a)
{
	struct booker *booker;

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	must(booker_start(&booker, &b->ledger, b->path, 0, &e));
	assert_null(b->ledger);
	return booker;
}

/* Until nothing waits, at most ten seconds. */
static struct snapshot_ledger settle(struct booker *booker)
{
	struct snapshot_ledger s;

	for (int i = 0; i < 1000; i++) {
		booker_state(booker, &s);
		if (s.pending_bookings == 0)
			return s;
		usleep(10000);
	}
	fail_msg("still %d bookings wait: %s", (int)s.pending_bookings, s.problem);
	return s;
}

static void test_books_in_order(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60), *pairs = make_account("hosts", "host,service", 60);
	struct booker *booker = start(b, a);

	for (int i = 0; i < 20; i++)
		booker_give(booker, make_booking(a, W, 1, 100, b->strings));
	assert_int_equal(booker_define(booker, &pairs, 1), 0);
	booker_give(booker, make_booking(pairs, W, 1, 10, b->strings));
	struct snapshot_ledger s = settle(booker);
	assert_int_equal(s.booked_records, 2010);
	assert_int_equal(s.booked_transactions, 21);
	assert_int_equal(s.state, LEDGER_OK);
	assert_string_equal(s.path, b->path);
	assert_true(s.size_bytes > 0 && s.last_booked_utc_s > W);
	booker_give(booker, make_booking(pairs, W + 60, 1, 10, b->strings));
	must(booker_stop(&booker, 5, &e));
	assert_null(booker);
	assert_ask(b, "SELECT sum(rx_packets) FROM record_hosts_1", "2000");
	assert_ask(b, "SELECT sum(rx_packets) FROM hosts", "20");
	account_unref(&a);
	account_unref(&pairs);
}

static void eat_disk(const char *path)
{
	static const uint8_t zeros[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	while (write(fd, zeros, sizeof zeros) > 0)
		;
	close(fd);
}

static void test_full_disk(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);
	struct snapshot_ledger s;
	char eater[128];
	struct err why;

	if (mount("tmpfs", b->dir, "tmpfs", 0, "size=6m") < 0) {
		print_message("skipped: needs the privilege to mount\n");
		account_unref(&a);
		return;
	}
	struct booker *booker = start(b, a);
	snprintf(eater, sizeof eater, "%s/eater", b->dir);
	eat_disk(eater);
	for (int i = 0; i < 4; i++)
		booker_give(booker, make_booking(a, W + 60 * i, 1, 8000, b->strings));
	usleep(1500000);
	booker_state(booker, &s);
	assert_int_equal(s.state, LEDGER_FAILING);
	assert_non_null(strstr(s.problem, "no space left"));
	assert_true(s.failing_since_utc_s > W);
	assert_int_equal(s.pending_records + s.booked_records, 32000);
	unlink(eater);
	s = settle(booker);
	assert_int_equal(s.state, LEDGER_OK);
	assert_string_equal(s.problem, "");
	assert_ask(b, "SELECT count(*) || ' ' || sum(rx_packets) FROM hosts", "32000 32000");
	eat_disk(eater); /* and a stop that cannot book */
	for (int i = 0; i < 20; i++)
		booker_give(booker, make_booking(a, W + 600 + 60 * i, 1, 8000, b->strings));
	assert_int_equal(booker_stop(&booker, 1, &why), -ETIME);
	assert_non_null(strstr(why.msg, "records could not be booked and are lost"));
	unlink(eater);
	assert_int_equal(umount2(b->dir, MNT_DETACH), 0);
	account_unref(&a);
}

static uint64_t sum_waiting(struct pending *p, uint64_t *ret_tx_l3)
{
	uint64_t packets = 0;

	*ret_tx_l3 = 0;
	for (struct pending_group *g = p->first; g; g = g->next)
		for (struct booking *k = g->first; k; k = k->next)
			for (size_t i = 0; i < k->batch_count; i++)
				for (size_t j = 0; j < k->batches[i].count; j++) {
					struct party_tally t;

					memcpy(&t, k->batches[i].records + j * record_size(k->batches[i].account) +
							   k->batches[i].account->layout.size, sizeof t);
					packets += t.rx.packets;
					*ret_tx_l3 += t.tx.l3_bytes;
				}
	return packets;
}

static void test_what_waits_is_bounded(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);
	struct pending p;
	uint64_t l3;

	assert_int_equal(pending_init(&p), 0);
	for (int i = 0; i < 50; i++) {
		struct booking *k = make_booking(a, W + 60 * (i / 25), 1 + (uint32_t)i, 1000, b->strings);

		k->sightings = calloc(2, sizeof *k->sightings);
		k->sighting_count = 2;
		k->sightings[0].mac = 1;
		k->sightings[1].mac = 2 + (uint64_t)(i % 2);
		k->learnt = calloc(10000, sizeof *k->learnt);
		k->learnt_count = 10000;
		for (uint64_t j = 0; j < 10000; j++)
			k->learnt[j] = (struct learnt){ .mac = (uint64_t)i * 10000 + j, .text = strdup("a name") };
		k->series = calloc(1, sizeof *k->series);
		k->series_count = 1;
		k->series[0].account = account_ref(a);
		k->series[0].total.rx.packets = (uint64_t)i;
		k->interfaces = calloc(1, sizeof *k->interfaces);
		k->interface_count = 1;
		k->interfaces[0].since_utc_s = i < 30 ? 1 : 2;
		k->interfaces[0].booked_frames = (uint64_t)i;
		pending_add(&p, k);
	}
	assert_int_equal(p.records, 50000);
	size_t bytes = p.bytes;
	assert_int_equal(pending_shrink(&p, bytes), 0); /* fits: nothing happens */
	assert_int_equal(p.bookings, 50);
	assert_int_equal(pending_shrink(&p, bytes / 10 * 6), 0); /* merged is small enough */
	assert_int_equal(p.bookings, 1);
	assert_int_equal(p.records, 2048);
	assert_int_equal(sum_waiting(&p, &l3), 50000);
	assert_int_equal(l3, 50000 * 172);
	struct booking *k = p.first->first;
	assert_int_equal(k->sighting_count, 3);
	assert_int_equal(k->learnt_count, 1 << 18); /* the newest */
	assert_int_equal(k->learnt[k->learnt_count - 1].mac, 499999);
	assert_int_equal(k->learnt[0].mac, 500000 - (1 << 18));
	assert_int_equal(k->series_count, 1);
	assert_int_equal(k->series[0].total.rx.packets, 49);
	assert_int_equal(k->interface_count, 2);
	assert_int_equal(k->interfaces[0].booked_frames, 29);
	assert_int_equal(k->interfaces[1].booked_frames, 49);
	assert_int_equal(pending_shrink(&p, 1000), 2048); /* folded */
	assert_int_equal(p.records, 2);
	assert_int_equal(k->batches[0].overflowed + k->batches[1].overflowed, 2048);
	assert_int_equal(sum_waiting(&p, &l3), 50000);
	assert_int_equal(l3, 50000 * 172);
	assert_true(key_field_is_other(&a->layout, k->batches[0].records, FIELD_HOST));
	pending_free(&p);
	account_unref(&a);
}

static void test_queue(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);
	struct pending p, later;
	struct booking *k;

	assert_int_equal(pending_init(&p), 0);
	assert_int_equal(pending_init(&later), 0);
	assert_null(pending_take(&p));
	pending_add(&p, make_booking(a, 1, 1, 1, b->strings));
	assert_int_equal(pending_define(&p, &a, 1), 0);
	pending_add(&p, make_booking(a, 2, 1, 1, b->strings));
	pending_add(&later, make_booking(a, 3, 1, 1, b->strings));
	assert_int_equal(pending_define(&later, &a, 1), 0);
	pending_add(&later, make_booking(a, 4, 1, 1, b->strings));
	pending_join(&p, &later);
	assert_int_equal(p.bookings, 4);
	for (int64_t i = 1; i <= 4; i++) {
		k = pending_take(&p);
		if (!k) {
			assert_true(i == 2 || i == 4);
			assert_true(p.first->defines);
			pending_defined(&p);
			k = pending_take(&p);
		}
		assert_int_equal(k->batches[0].window_utc_s, i);
		pending_put_back(&p, k);
		k = pending_take(&p);
		assert_int_equal(k->batches[0].window_utc_s, i);
		booking_free(&k);
	}
	assert_null(pending_take(&p));
	assert_int_equal(p.bytes, 0);
	pending_free(&p);
	account_unref(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(test_books_in_order),
		ledger_test(test_full_disk),
		ledger_test(test_what_waits_is_bounded),
		ledger_test(test_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
