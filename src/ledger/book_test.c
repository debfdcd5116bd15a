/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a booking leaves in the file, read as anyone's sqlite3 reads it. */
#include "ledger/testing.h"

#include <errno.h>

#define W 1700000040 /* a whole minute */

static void test_adds_up_over_ticks(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	for (int tick = 0; tick < 5; tick++)
		book_some(b, a, W, 1, 10);
	book_some(b, a, W, 6, 10);
	book_some(b, a, W + 60, 1, 1);
	assert_ask(b, "SELECT count(*) FROM record_hosts", "16");
	assert_ask(b, "SELECT rx_packets || ' ' || tx_l3_bytes FROM hosts WHERE host = '10.0.0.7'", "6 1032");
	assert_ask(b, "SELECT start FROM hosts LIMIT 1", "2023-11-14 22:14:00");
	assert_ask(b, "SELECT records || ' ' || first_window || ' ' || last_window FROM account",
		   "16 1700000040 1700000100");
	assert_ask(b, "SELECT records || ' ' || rx_packets || ' ' || tx_packets FROM total", "16 61 122");
	assert_ask(b, "SELECT value FROM meta WHERE key = 'bookings'", "7");
	struct ledger_facts f;
	ledger_facts(b->ledger, &f);
	assert_int_equal(f.booked_records, 61);
	assert_int_equal(f.booked_transactions, 7);
	assert_true(f.size_bytes > 0);
	account_unref(&a);
}

static void test_keys_as_people_read_them(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("ports", "src_port,service", 60);
	struct booking *k = make_booking(a, W, 0, 3, b->strings);

	key_set_other(&a->layout, k->batches[0].records + 2 * record_size(a));
	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	must(ledger_book(b->ledger, k, &e));
	assert_ask(b, "SELECT group_concat(src_port || '/' || service || '/' || typeof(src_port), ' ') FROM ports",
		   "1/service1/integer -/-/text other/other/text");
	assert_ask(b, "SELECT packets || ' ' || l2_bytes || ' ' || l3_bytes FROM ports WHERE src_port = 1", "1 100 86");
	booking_free(&k);
	account_unref(&a);
}

static void test_counters_stay_at_the_top(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);
	struct booking *k = make_booking(a, W, 1, 1, b->strings);
	struct party_tally t = { { UINT64_MAX, INT64_MAX, 5 }, { INT64_MAX - 1, 0, 1 } };

	memcpy(k->batches[0].records + a->layout.size, &t, sizeof t);
	bench_open(b);
	must(ledger_book(b->ledger, k, &e));
	must(ledger_book(b->ledger, k, &e));
	assert_ask(b, "SELECT rx_packets || ' ' || rx_l2_bytes || ' ' || rx_l3_bytes || ' ' || tx_packets || ' ' || "
		      "typeof(tx_packets)"
		      " FROM record_hosts", "9223372036854775807 9223372036854775807 10 9223372036854775807 integer");
	assert_ask(b, "SELECT rx_packets FROM total", "9223372036854775807");
	booking_free(&k);
	account_unref(&a);
}

static void set_sighting(struct sighting *s, uint64_t mac, const char *addr)
{
	*s = (struct sighting){ .mac = mac ? UINT64_C(1) << 48 | mac : 0 };
	if (addr)
		assert_int_equal(addr_parse(&s->addr, addr), 0);
}

static void see(struct bench *b, int64_t when, uint64_t mac, const char *addr)
{
	struct booking *k = booking_new();

	k->taken_utc_s = when;
	k->sightings = calloc(1, sizeof *k->sightings);
	k->sighting_count = 1;
	set_sighting(k->sightings, mac, addr);
	must(ledger_book(b->ledger, k, &e));
	booking_free(&k);
}

static void test_devices_and_hosts(void **state)
{
	struct bench *b = *state;
	struct prefix p;

	prefix_parse(&p, "192.168.0.0/16", NULL);
	prefix_set_add(&b->local, &p);
	prefix_parse(&p, "fd00::/8", NULL);
	prefix_set_add(&b->local, &p);
	bench_open(b);
	see(b, 100, 0x1a, "192.168.0.5");
	see(b, 200, 0x1a, "8.8.8.8");     /* through it, not its own */
	see(b, 300, 0x1a, "fd00::5");
	see(b, 50, 0x1a, NULL);           /* the clock stepped back */
	see(b, 400, 0, "2001:db8::1");
	assert_ask(b, "SELECT mac || ' ' || first_seen || ' ' || last_seen || ' ' || ipv4 || ' ' || ipv6 FROM device",
		   "00:00:00:00:00:1a 50 300 192.168.0.5 fd00::5");
	assert_ask(b, "SELECT group_concat(host || '=' || first_seen || '-' || last_seen, ' ') FROM host",
		   "192.168.0.5=100-100 2001:db8::1=400-400 8.8.8.8=200-200 fd00::5=300-300");
	see(b, 500, 0x1a, "192.168.0.6");
	assert_ask(b, "SELECT ipv4 || ' ' || last_seen FROM device", "192.168.0.6 500");
}

static void test_any_address_names_a_device_without_local(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	see(b, 100, 0x1a, "8.8.8.8");
	see(b, 100, 0x1a, "224.0.0.251");
	see(b, 100, 0x1a, "0.0.0.0");
	assert_ask(b, "SELECT ipv4 FROM device", "8.8.8.8");
}

static void test_series_come_back(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("clients", "host,service,src_port", 60);
	struct booking *k = make_booking(a, W, 1, 4, b->strings);
	struct series_state *got;
	struct party_tally total;
	size_t count;

	k->series = calloc(3, sizeof *k->series);
	k->series_count = 3;
	for (uint32_t i = 0; i < 3; i++) {
		k->series[i].account = account_ref(a);
		make_key(a, k->series[i].key, i, b->strings);
		k->series[i].total = (struct party_tally){ { i, 10 * i, 0 }, { 7, 8, 9 } };
	}
	key_set_other(&a->layout, k->series[2].key);
	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	must(ledger_book(b->ledger, k, &e));
	must(ledger_book(b->ledger, k, &e)); /* replaced, not added */
	ledger_close(&b->ledger);
	bench_open(b);
	must(ledger_series(b->ledger, a, &got, &count, &total, &e));
	assert_int_equal(count, 3);
	assert_int_equal(total.rx.packets, 8);
	assert_int_equal(total.tx.l2_bytes, 1600);
	for (size_t i = 0, found = 0; i < 3; i++, assert_int_equal(found, i))
		for (size_t j = 0; j < 3; j++)
			if (memcmp(got[i].key, k->series[j].key, a->layout.size) == 0) {
				assert_memory_equal(&got[i].total, &k->series[j].total, sizeof total);
				found = i + 1;
			}
	free(got);
	k->series[1].total = (struct party_tally){ 0 }; /* given up */
	must(ledger_book(b->ledger, k, &e));
	assert_ask(b, "SELECT group_concat(host, ' ') FROM series_clients", "- other");
	booking_free(&k);
	account_unref(&a);
}

static void test_expressions_come_back(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("rules", "rule", 60);
	struct booking *k = make_booking(a, W, 1, 1, b->strings);
	struct series_state *got;
	struct party_tally total;
	size_t count;

	k->series = calloc(1, sizeof *k->series);
	k->series_count = 1;
	k->series[0].account = account_ref(a);
	make_key(a, k->series[0].key, 1, b->strings);
	k->series[0].total = (struct party_tally){ { 1, 2, 3 }, { 0, 0, 0 } };
	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	for (uint64_t sum = 0; sum < 3; sum++) {
		k->series[0].expression = sum << 62;
		must(ledger_book(b->ledger, k, &e));
		must(ledger_series(b->ledger, a, &got, &count, &total, &e));
		assert_int_equal(count, 1);
		assert_int_equal(got[0].expression, sum << 62);
		free(got);
	}
	assert_ask(b, "SELECT count(*) FROM expression", "1");
	booking_free(&k);
	account_unref(&a);
}

static void book_interface(struct bench *b, int64_t since, uint64_t frames)
{
	struct booking *k = booking_new();

	k->interfaces = calloc(1, sizeof *k->interfaces);
	k->interface_count = 1;
	k->interfaces[0] = (struct interface_books){ .name = "eth0", .since_utc_s = since, .capture = "socket", .up = true,
						     .booked_frames = frames, .kernel_tx_dropped = 1 };
	must(ledger_book(b->ledger, k, &e));
	booking_free(&k);
}

static void test_interfaces_over_restarts(void **state)
{
	struct bench *b = *state;

	bench_open(b);
	book_interface(b, 100, 5);
	book_interface(b, 100, 9);
	assert_ask(b, "SELECT count(*) || ' ' || booked_frames FROM interface", "1 9");
	book_interface(b, 200, 3);
	book_interface(b, 200, 1); /* began in the same second */
	book_interface(b, 200, 2);
	assert_ask(b, "SELECT group_concat(run || ' ' || booked_frames || ' ' || kernel_tx_dropped, ', ') FROM interface",
		   "before 12 2, last 2 1");
}

/* A run of kernel tables: they count on while no daemon is there. */
static void book_kernel_interface(struct bench *b, int64_t since, uint64_t n, uint64_t overflowed)
{
	struct booking *k = booking_new();

	k->interfaces = calloc(1, sizeof *k->interfaces);
	k->interface_count = 1;
	k->interfaces[0] = (struct interface_books){
		.name = "eth0", .since_utc_s = since, .capture = "kernel", .capture_why = "auto: tcx, pinned", .up = true,
		.ifindex = 3, .booked_frames = 2 * n, .booked_packets = 20 * n, .booked_frame_bytes = 2000 * n,
		.booked_l2_bytes = 2500 * n, .ingress_frames = n, .egress_frames = n, .ingress_packets = 10 * n,
		.egress_packets = 10 * n, .ingress_frame_bytes = 900 * n, .egress_frame_bytes = 1100 * n,
		.ingress_l2_bytes = 1200 * n, .egress_l2_bytes = 1300 * n, .overflowed = overflowed,
		.kernel_rx_packets = n, .kernel_rx_bytes = 900 * n, .kernel_tx_packets = n, .kernel_tx_bytes = 1100 * n,
	};
	must(ledger_book(b->ledger, k, &e));
	booking_free(&k);
}

static void test_a_run_goes_on_over_a_restart(void **state)
{
	struct bench *b = *state;
	struct interface_books i = { .booked_frames = 5 };

	bench_open(b);
	assert_int_equal(ledger_interface(b->ledger, "eth0", &i, NULL), 0);
	assert_int_equal(i.booked_frames, 5);
	book_kernel_interface(b, 100, 5, 1);
	ledger_close(&b->ledger);
	bench_open(b);
	assert_int_equal(ledger_interface(b->ledger, "eth0", &i, NULL), 1);
	assert_string_equal(i.name, "eth0");
	assert_string_equal(i.capture, "kernel");
	assert_string_equal(i.capture_why, "auto: tcx, pinned");
	assert_int_equal(i.since_utc_s, 100);
	assert_int_equal(i.ifindex, 3);
	assert_int_equal(i.ingress_frame_bytes, 4500);
	assert_int_equal(i.egress_frame_bytes, 5500);
	assert_int_equal(i.ingress_l2_bytes, 6000);
	assert_int_equal(i.egress_l2_bytes, 6500);
	assert_int_equal(i.overflowed, 1);
	book_kernel_interface(b, 100, 5, 1); /* nothing came meanwhile */
	book_kernel_interface(b, 100, 9, 4);
	assert_ask(b, "SELECT group_concat(run || ' ' || booked_frames || ' ' || overflowed, ', ') FROM interface", "last 18 4");
	book_kernel_interface(b, 300, 1, 0); /* made anew: another run */
	assert_ask(b, "SELECT group_concat(run || ' ' || booked_frames || ' ' || overflowed || ' ' || ingress_l2_bytes || ' ' || "
		      "egress_frame_bytes || ' ' || capture_why, ', ') FROM interface",
		   "before 18 4 10800 9900 auto: tcx, pinned, last 2 0 1200 1100 auto: tcx, pinned");
}

static void test_form_changes(void **state)
{
	struct bench *b = *state;
	struct account *hosts = make_account("hosts", "host", 60), *pairs = make_account("hosts", "host,service", 60);
	struct account *name = make_account("host", "mac", 60);
	struct account *set[] = { hosts, name };

	bench_open(b);
	must(ledger_define(b->ledger, set, 2, &e));
	book_some(b, hosts, W, 1, 3);
	set[0] = pairs;
	must(ledger_define(b->ledger, set, 1, &e));
	book_some(b, pairs, W, 1, 5);
	book_some(b, hosts, W, 1, 3); /* late, of the old form */
	assert_ask(b, "SELECT count(*) || ' ' || sum(rx_packets) FROM record_hosts_1", "3 6");
	assert_ask(b, "SELECT count(*) FROM hosts WHERE service LIKE 'service%'", "5");
	assert_ask(b, "SELECT group_concat(name || ' ' || keys || ' ' || table_name || ' ' || is_current || configured, ', ') "
		      "FROM account",
		   "hosts host record_hosts_1 00, host mac record_host 10, hosts host,service record_hosts 11");
	assert_ask(b, "SELECT type FROM sqlite_schema WHERE name = 'host'", "table");
	set[0] = hosts; /* and back again: the old records go on */
	must(ledger_define(b->ledger, set, 2, &e));
	book_some(b, hosts, W, 1, 3);
	assert_ask(b, "SELECT count(*) || ' ' || sum(rx_packets) FROM hosts", "3 9");
	assert_ask(b, "SELECT count(*) FROM record_hosts_2", "5");
	ledger_close(&b->ledger);
	bench_open(b);
	must(ledger_define(b->ledger, set, 2, &e));
	book_some(b, hosts, W, 1, 3);
	assert_ask(b, "SELECT count(*) || ' ' || sum(rx_packets) FROM hosts", "3 12");
	account_unref(&hosts);
	account_unref(&pairs);
	account_unref(&name);
}

static void test_many_keys_keep_their_tallies(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("devices", "mac,host", 60);

	bench_open(b);
	book_some(b, a, W, 1, 3000);
	book_some(b, a, W, 2000, 3000);
	assert_ask(b, "SELECT count(*) || ' ' || sum(rx_packets) || ' ' || sum(rx_packets = 2) FROM record_devices",
		   "4999 6000 1001");
	assert_ask(b, "SELECT count(*) FROM record_devices WHERE substr(mac, 13) = printf('%02x:%02x', "
		      "CAST(substr(host, 6, instr(substr(host, 6), '.') - 1) AS INTEGER), "
		      "CAST(substr(substr(host, 6), instr(substr(host, 6), '.') + 1) AS INTEGER))", "4999");
	account_unref(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(test_adds_up_over_ticks),
		ledger_test(test_keys_as_people_read_them),
		ledger_test(test_counters_stay_at_the_top),
		ledger_test(test_devices_and_hosts),
		ledger_test(test_any_address_names_a_device_without_local),
		ledger_test(test_series_come_back),
		ledger_test(test_expressions_come_back),
		ledger_test(test_interfaces_over_restarts),
		ledger_test(test_a_run_goes_on_over_a_restart),
		ledger_test(test_form_changes),
		ledger_test(test_many_keys_keep_their_tallies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
