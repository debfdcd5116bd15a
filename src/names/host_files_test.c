/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_files_test.c -- hosts(5) and leases of three servers. */
#include "names/testing.h"

#include "names/host_files.h"
#include "names/name_text.h"

#define NOW 1700000000

struct want { const char *host, *name, *mac; }; /* name NULL: no row; mac NULL: none */

static void check(struct known *k, const struct want *want)
{
	for (; want->host; want++) {
		struct addr a = addr_of(want->host);
		const struct known_row *row = known_host(k, &a, NOW);
		uint8_t mac[6];

		print_message("  %s\n", want->host);
		if (!want->name) {
			assert_null(row);
			continue;
		}
		assert_non_null(row);
		assert_string_equal(row->name, want->name);
		if (want->mac)
			assert_int_equal(mac_parse(mac, want->mac), 0);
		assert_int_equal(row->mac, want->mac ? mac_key_of(mac) : 0);
	}
}

static void hosts_files(void **state)
{
	static const struct { const char *why, *text; uint64_t left_out; struct want want[4]; } rows[] = {
		{ "usual", "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n", 0,
		  { { "127.0.0.1", "localhost", NULL }, { "::1", "localhost", NULL } } },
		{ "the first name counts, and the first line", "192.0.2.1 a.example a b\n192.0.2.1 c\n", 0,
		  { { "192.0.2.1", "a.example", NULL } } },
		{ "comments", "# 192.0.2.1 a\n192.0.2.2 b # c\n 192.0.2.3 d#e\n", 0,
		  { { "192.0.2.1", NULL, NULL }, { "192.0.2.2", "b", NULL }, { "192.0.2.3", "d", NULL } } },
		{ "no end of line, returns", "192.0.2.1 a\r\n192.0.2.2 b", 0, { { "192.0.2.1", "a", NULL },
		  { "192.0.2.2", "b", NULL } } },
		{ "a zone", "fe80::1%eth0 router\n", 0, { { "fe80::1", "router", NULL } } },
		{ "no name", "192.0.2.1\n", 1, { { "192.0.2.1", NULL, NULL } } },
		{ "no address", "host 192.0.2.1\n999.1.1.1 x\n", 2, { { "192.0.2.1", NULL, NULL } } },
		{ "hostile", "192.0.2.1 a\033[31m<b>\n", 0, { { "192.0.2.1", "a\\027\\09131m\\060b\\062", NULL } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct host_file_counts counts = { 0 };
		struct known *k = known_new();

		print_message("%s\n", rows[i].why);
		assert_int_equal(hosts_parse(k, slice_of(rows[i].text), &counts), 0);
		assert_int_equal(counts.left_out, rows[i].left_out);
		check(k, rows[i].want);
		known_free(&k);
	}
}

#define KEA4 "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
#define KEA6 "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev," \
	"hostname,hwaddr,state,user_context,hwtype,hwaddr_source\n"

static const struct { const char *why, *text; uint64_t left_out; struct want want[4]; } lease_rows[] = {
	{ "dnsmasq", "1700003600 aa:bb:cc:00:00:01 192.0.2.1 laptop 01:aa:bb:cc:00:00:01\n", 0,
	  { { "192.0.2.1", "laptop", "aa:bb:cc:00:00:01" } } },
	{ "dnsmasq: no name", "1700003600 aa:bb:cc:00:00:01 192.0.2.1 * *\n", 0, { { "192.0.2.1", "", "aa:bb:cc:00:00:01" } } },
	{ "dnsmasq: over, without end", "1699999999 aa:bb:cc:00:00:01 192.0.2.1 old *\n0 aa:bb:cc:00:00:02 192.0.2.2 ever *\n", 0,
	  { { "192.0.2.1", NULL, NULL }, { "192.0.2.2", "ever", "aa:bb:cc:00:00:02" } } },
	{ "dnsmasq: the last line counts", "0 aa:bb:cc:00:00:01 192.0.2.1 a *\n0 aa:bb:cc:00:00:02 192.0.2.1 b *\n", 0,
	  { { "192.0.2.1", "b", "aa:bb:cc:00:00:02" } } },
	{ "dnsmasq: IPv6, DUID-LLT and DUID-LL", "1700003600 aa:bb:cc:00:00:01 192.0.2.1 laptop *\n"
	  "duid 00:01:00:01:11:22:33:44:aa:bb:cc:00:00:09\n"
	  "1700003600 11 2001:db8::1 laptop 00:01:00:01:11:22:33:44:aa:bb:cc:00:00:01\n"
	  "1700003600 T12 2001:db8::2 tablet 00:03:00:01:aa:bb:cc:00:00:02\n1700003600 13 2001:db8::3 x 00:02:00:00:01:02\n", 0,
	  { { "2001:db8::1", "laptop", "aa:bb:cc:00:00:01" }, { "2001:db8::2", "tablet", "aa:bb:cc:00:00:02" },
	    { "2001:db8::3", "x", NULL } } },
	{ "dnsmasq: damaged lines", "1700003600 aa 192.0.2.2\nx aa:bb:cc:00:00:01 192.0.2.1 a *\n1 2\n", 2,
	  { { "192.0.2.1", NULL, NULL }, { "192.0.2.2", "", NULL } } },
	{ "dnsmasq: another hardware", "0 06-aa:bb:cc:00:00:01 192.0.2.1 a *\n", 0, { { "192.0.2.1", "a", NULL } } },
	{ "ISC",
	  "# comment; with { in it\nauthoring-byte-order little-endian;\nlease 192.0.2.1 {\n  starts 2 2023/11/14 22:00:00;\n"
	  "  ends 2 2023/11/14 23:00:00;\n  binding state active;\n  next binding state free;\n"
	  "  hardware ethernet AA:bb:cc:00:00:01;\n  uid \"\\001\\252\\273;}\";\n  client-hostname \"laptop\";\n}\n", 0,
	  { { "192.0.2.1", "laptop", "aa:bb:cc:00:00:01" } } },
	{ "ISC: over, never, epoch", "lease 192.0.2.1 { ends 2 2023/11/14 22:13:20; client-hostname \"a\"; }\n"
	  "lease 192.0.2.2 { ends never; client-hostname \"b\"; }\nlease 192.0.2.3 { ends epoch 1700000001; # x\n "
	  "client-hostname \"c\"; }\n",
	  0, { { "192.0.2.1", NULL, NULL }, { "192.0.2.2", "b", NULL }, { "192.0.2.3", "c", NULL } } },
	{ "ISC: the last block counts", "lease 192.0.2.1 { client-hostname \"a\"; }\nlease 192.0.2.1 { binding state free; }\n"
	  "lease 192.0.2.2 { binding state free; } lease 192.0.2.2 { binding state active; client-hostname \"b\"; }\n", 0,
	  { { "192.0.2.1", NULL, NULL }, { "192.0.2.2", "b", NULL } } },
	{ "ISC: DHCPv6, the server's name", "ia-na \"\\001\\000\" {\n cltt 2 2023/11/14 22:00:00;\n iaaddr 2001:db8::5 {\n"
	  "  binding state active;\n  preferred-life 375;\n  ends 2 2023/11/14 23:00:00;\n"
	  "  set ddns-fwd-name = \"six.example.net.\";\n }\n}\n", 0, { { "2001:db8::5", "six.example.net", NULL } } },
	{ "ISC: escapes in a name", "lease 192.0.2.1 { client-hostname \"a\\\"\\033b\"; }", 0,
	  { { "192.0.2.1", "a\\034\\027b", NULL } } },
	{ "ISC: cut off", "lease 192.0.2.1 { client-hostname \"a\"; }\nlease 192.0.2.2 { client-hostname \"b", 0,
	  { { "192.0.2.1", "a", NULL }, { "192.0.2.2", NULL, NULL } } },
	{ "ISC: no address", "lease x { client-hostname \"a\"; }\nlease 192.0.2.2 { client-hostname \"b\"; }", 1,
	  { { "192.0.2.2", "b", NULL } } },
	{ "Kea", KEA4 "192.0.2.1,aa:bb:cc:00:00:01,01:aa,3600,1700003600,1,0,0,laptop.example.net.,0,\n", 0,
	  { { "192.0.2.1", "laptop.example.net", "aa:bb:cc:00:00:01" } } },
	{ "Kea: the last line counts, a comma", KEA4 "192.0.2.1,aa:bb:cc:00:00:01,,3600,1700003600,1,0,0,a,0,\n"
	  "192.0.2.1,aa:bb:cc:00:00:01,,3600,1700003600,1,0,0,b&#x2cc,0,{ \"x\": 1 }\n", 0,
	  { { "192.0.2.1", "b\\044c", "aa:bb:cc:00:00:01" } } },
	{ "Kea: released, declined, expired", KEA4 "192.0.2.1,aa:bb:cc:00:00:01,,3600,1700003600,1,0,0,a,0,\n"
	  "192.0.2.1,aa:bb:cc:00:00:01,,0,1700003600,1,0,0,a,0,\n192.0.2.2,aa:bb:cc:00:00:02,,3600,1700003600,1,0,0,b,1,\n"
	  "192.0.2.3,aa:bb:cc:00:00:03,,3600,1699999000,1,0,0,c,0,\n", 0,
	  { { "192.0.2.1", NULL, NULL }, { "192.0.2.2", NULL, NULL }, { "192.0.2.3", NULL, NULL } } },
	{ "Kea: IPv6, a prefix is no host",
	  KEA6 "2001:db8::1,00:01,3600,1700003600,1,1800,0,7,128,0,0,six,aa:bb:cc:00:00:01,0,,1,0\n"
	  "2001:db8:1::,00:01,3600,1700003600,1,1800,2,8,56,0,0,net,,0,,,\n", 0,
	  { { "2001:db8::1", "six", "aa:bb:cc:00:00:01" }, { "2001:db8:1::", NULL, NULL } } },
	{ "Kea: damaged", KEA4 "192.0.2.1\n,,,,\n192.0.2.2,x,y,1,z,1,0,0,n,0,\n", 3, { { "192.0.2.1", NULL, NULL } } },
	{ "empty", "", 0, { { "192.0.2.1", NULL, NULL } } },
};

static void leases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lease_rows); i++) {
		struct host_file_counts counts = { 0 };
		struct known *k = known_new();

		print_message("%s\n", lease_rows[i].why);
		assert_int_equal(leases_parse(k, slice_of(lease_rows[i].text), &counts), 0);
		check(k, lease_rows[i].want);
		assert_int_equal(counts.left_out, lease_rows[i].left_out);
		known_free(&k);
	}
}

/* By its MAC a device has the name of its newest lease that has one. */
static void names_of_devices(void **state)
{
	struct host_file_counts counts = { 0 };
	struct known *k = known_new();
	uint8_t mac[6];

	(void)state;
	mac_parse(mac, "aa:bb:cc:00:00:01");
	leases_parse(k, slice_of("0 aa:bb:cc:00:00:01 192.0.2.1 old *\n0 aa:bb:cc:00:00:01 192.0.2.2 new *\n"
				 "0 aa:bb:cc:00:00:01 192.0.2.3 * *\n"), &counts);
	assert_string_equal(known_mac(k, mac_key_of(mac), NOW)->name, "new");
	assert_null(known_mac(k, mac_key_of(mac) + 1, NOW));
	known_free(&k);
}

/* A journal of a million lines for a few addresses takes a few rows. */
static void journals_take_few_rows(void **state)
{
	struct known *k = known_new();
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		struct known_row row = { .host = addr_of("192.0.2.1"), .mac = UINT64_C(1) << 48 | i % 7, .name = name,
			.until_utc_s = INT64_MAX };

		row.host.bytes[15] = (uint8_t)(i % 5);
		snprintf(name, sizeof name, "n%u", i);
		assert_int_equal(known_add(k, &row, false), 0);
	}
	assert_true(known_count(k) <= 5);
	assert_int_equal(known_left_out(k), 0);
	assert_string_equal(known_mac(k, UINT64_C(1) << 48 | 199999 % 7, NOW)->name, "n199999");
	known_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_files), cmocka_unit_test(leases), cmocka_unit_test(names_of_devices),
		cmocka_unit_test(journals_take_few_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
