/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names_test.c -- which name holds, what becomes known, how long an answer counts; and a resolver of our own that is asked. */
#include "names/testing.h"

#include "names/names_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAC(n) (UINT64_C(1) << 48 | UINT64_C(0x00163e000000) | (n))

struct bench {
	char hosts[64], leases[64], said[512];
	struct names_config cf;
	struct name_given given[3];
	struct names *names;
};

static void say(void *arg, const char *text)
{
	struct bench *b = arg;

	snprintf(b->said, sizeof b->said, "%s", text);
}

static void write_file(char path[static 64], const char *text)
{
	FILE *to;

	if (!*path) {
		int fd;

		snprintf(path, 64, "/tmp/names_test.XXXXXX");
		fd = mkstemp(path);
		assert_true(fd >= 0);
		close(fd);
	}
	to = fopen(path, "w");
	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	names_config_default(&b->cf);
	b->cf.oui[0] = '\0';
	b->cf.neighbours = false;
	write_file(b->hosts, "10.0.0.1 hosts-one\n10.0.0.2 hosts-two\n10.0.0.5 hosts-five\n");
	write_file(b->leases, "0 00:16:3e:00:00:01 10.0.0.1 lease-one *\n0 00:16:3e:00:00:03 10.0.0.3 lease-three *\n"
			      "1 00:16:3e:00:00:05 10.0.0.5 lease-over *\n");
	snprintf(b->cf.hosts, sizeof b->cf.hosts, "%s", b->hosts);
	snprintf(b->cf.leases[0], sizeof b->cf.leases[0], "%s", b->leases);
	b->cf.lease_count = 1;
	b->given[0] = (struct name_given){ .mac = MAC(1), .name = "Config One" };
	b->given[1] = (struct name_given){ .host = addr_of("10.0.0.2"), .name = "Config Two" };
	b->cf.given = b->given;
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	names_stop(&b->names);
	unlink(b->hosts);
	unlink(b->leases);
	free(b);
	return 0;
}

static void start(struct bench *b)
{
	struct err e = { 0 };

	if (names_new(&b->names, &b->cf, say, b, &e) < 0)
		fail_msg("%s", e.msg);
}

static void check_host(struct bench *b, const char *host, const char *want, enum name_source from)
{
	struct addr a = addr_of(host);
	char got[NAME_MAX_TEXT];
	enum name_source s;

	assert_string_equal(names_of_host(b->names, &a, got, &s), want);
	assert_int_equal(s, from);
}

static void check_mac(struct bench *b, uint64_t mac, const char *want, enum name_source from)
{
	char got[NAME_MAX_TEXT];
	enum name_source s;

	assert_string_equal(names_of_mac(b->names, mac, got, &s), want);
	assert_int_equal(s, from);
}

static void want(struct bench *b, const char *host, uint64_t mac)
{
	struct addr none = { 0 }, a = host ? addr_of(host) : none;

	names_want(b->names, &a, mac, true);
}

static void the_order_of_trust(void **state)
{
	struct bench *b = *state;

	b->cf.given_count = 0;
	start(b);
	check_host(b, "10.0.0.1", "lease-one", NAME_LEASE);
	check_host(b, "10.0.0.2", "hosts-two", NAME_HOSTS);
	check_host(b, "10.0.0.5", "hosts-five", NAME_HOSTS); /* its lease is over */
	check_host(b, "10.0.0.9", "-", NAME_NONE);
	check_mac(b, MAC(3), "lease-three", NAME_LEASE);
	check_mac(b, MAC(5), "-", NAME_NONE);
	names_stop(&b->names);
	b->cf.given_count = 2;
	start(b);
	check_host(b, "10.0.0.1", "Config One", NAME_CONFIG); /* by the lease's MAC */
	check_host(b, "10.0.0.2", "Config Two", NAME_CONFIG);
	check_mac(b, MAC(1), "Config One", NAME_CONFIG);
}

/* IPv4 and IPv6 of one device have one name, until the device has so many addresses that it must be a router. */
static void a_device_has_one_name(void **state)
{
	struct bench *b = *state;
	char host[32];

	b->cf.given_count = 2;
	start(b);
	want(b, "10.0.0.3", MAC(3));
	want(b, "2001:db8::3", MAC(3));
	check_host(b, "2001:db8::3", "lease-three", NAME_LEASE);
	want(b, "10.0.0.5", MAC(7));
	want(b, "2001:db8::7", MAC(7));
	check_host(b, "2001:db8::7", "hosts-five", NAME_HOSTS);
	check_mac(b, MAC(7), "hosts-five", NAME_HOSTS);
	want(b, "10.0.0.2", MAC(7)); /* and this one is called by the config: it goes first */
	check_mac(b, MAC(7), "Config Two", NAME_CONFIG);
	for (unsigned i = 0; i <= ROUTER_HOLDS; i++) {
		snprintf(host, sizeof host, "10.0.9.%u", i);
		want(b, host, MAC(1));
	}
	check_host(b, "10.0.9.1", "-", NAME_NONE);
	check_mac(b, MAC(1), "Config One", NAME_CONFIG);
}

static size_t take(struct bench *b, struct learnt **ret)
{
	size_t count;

	names_take(b->names, ret, &count);
	return count;
}

static void what_becomes_known(void **state)
{
	struct bench *b = *state;
	struct learnt *l;
	struct err e = { 0 };

	b->cf.given_count = 1;
	start(b);
	want(b, "10.0.0.1", MAC(1));
	assert_int_equal(take(b, &l), 3);
	assert_int_equal(l[0].what, LEARNT_NAME);
	assert_string_equal(l[0].text, "Config One");
	assert_string_equal(l[0].source, "config");
	assert_int_equal(l[0].mac, MAC(1));
	assert_int_equal(l[1].host.family, ADDR_IP4);
	assert_string_equal(l[1].text, "Config One");
	assert_int_equal(l[2].what, LEARNT_HOLDER);
	assert_int_equal(l[2].mac, MAC(1));
	learnt_free(l, 3);
	want(b, "10.0.0.1", MAC(1));
	assert_int_equal(take(b, &l), 0);
	want(b, "10.0.0.1", MAC(2));
	assert_int_equal(take(b, &l), 2); /* another device has that address, and so its name */
	assert_int_equal(l[0].mac, MAC(2));
	assert_string_equal(l[0].text, "lease-one");
	assert_int_equal(l[1].what, LEARNT_HOLDER);
	learnt_free(l, 2);
	b->cf.given[0] = (struct name_given){ .host = addr_of("10.0.0.1"), .name = "New" };
	assert_int_equal(names_change(b->names, &b->cf, &e), 0);
	want(b, "10.0.0.1", MAC(2));
	assert_int_equal(take(b, &l), 2); /* of the host, then of the device that has it */
	assert_string_equal(l[0].text, "New");
	learnt_free(l, 2);
}

/* What the ledger has is not told again. */
static void recalled_names_are_no_news(void **state)
{
	struct bench *b = *state;
	struct learnt *l, name = { .what = LEARNT_NAME, .host = addr_of("10.0.0.2"), .source = "hosts",
		.text = (char[]){ "hosts-two" } },
		      holder = { .what = LEARNT_HOLDER, .host = addr_of("10.0.0.2"), .mac = MAC(2) },
		      dns = { .what = LEARNT_NAME, .host = addr_of("10.0.0.8"), .source = "dns",
		      	.text = (char[]){ "eight.example" } };

	b->cf.dns = true;
	start(b);
	names_recall(b->names, &name);
	names_recall(b->names, &holder);
	names_recall(b->names, &dns);
	check_host(b, "10.0.0.8", "eight.example", NAME_DNS); /* until DNS is heard */
	want(b, "10.0.0.2", 0);
	want(b, "10.0.0.8", 0);
	assert_int_equal(take(b, &l), 0);
	want(b, "10.0.0.2", MAC(2));
	assert_int_equal(take(b, &l), 1); /* the device's name is new */
	assert_int_equal(l[0].mac, MAC(2));
	learnt_free(l, 1);
}

static void files_that_are_wrong(void **state)
{
	struct bench *b = *state;
	struct err e = { 0 };

	snprintf(b->cf.leases[0], sizeof b->cf.leases[0], "/nowhere/leases");
	assert_int_equal(names_new(&b->names, &b->cf, say, b, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/nowhere/leases"));
	snprintf(b->cf.leases[0], sizeof b->cf.leases[0], "/dev/null");
	assert_int_equal(names_new(&b->names, &b->cf, say, b, &e), -EINVAL);
	b->cf.lease_count = 0;
	snprintf(b->cf.hosts, sizeof b->cf.hosts, "/nowhere/hosts");
	assert_int_equal(names_new(&b->names, &b->cf, say, b, &e), -ENOENT);
	snprintf(b->cf.hosts, sizeof b->cf.hosts, "%s", b->hosts);
	start(b);
	snprintf(b->cf.hosts, sizeof b->cf.hosts, "/nowhere/hosts");
	assert_int_equal(names_change(b->names, &b->cf, &e), -ENOENT);
	check_host(b, "10.0.0.2", "hosts-two", NAME_HOSTS);
}

#define KEA "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"

/* Kea's file holds what came last alone; what was before stands beside it. */
static void leases_of_kea_in_parts(void **state)
{
	struct bench *b = *state;
	char one[80], two[80];
	FILE *to;

	snprintf(one, sizeof one, "%s.1", b->leases);
	snprintf(two, sizeof two, "%s.2", b->leases);
	to = fopen(two, "w");
	fputs(KEA "10.0.0.1,,,9,9999999999,1,0,0,from-two,0,\n10.0.0.2,,,9,9999999999,1,0,0,stays,0,\n", to);
	fclose(to);
	to = fopen(one, "w");
	fputs(KEA "10.0.0.1,,,9,9999999999,1,0,0,from-one,0,\n10.0.0.3,,,9,9999999999,1,0,0,goes,0,\n", to);
	fclose(to);
	write_file(b->leases, KEA "10.0.0.3,,,0,9999999999,1,0,0,goes,0,\n10.0.0.4,,,9,9999999999,1,0,0,new,0,\n");
	b->cf.hosts[0] = '\0';
	b->cf.given_count = 0;
	start(b);
	unlink(one);
	unlink(two);
	check_host(b, "10.0.0.1", "from-one", NAME_LEASE);
	check_host(b, "10.0.0.2", "stays", NAME_LEASE);
	check_host(b, "10.0.0.3", "-", NAME_NONE);
	check_host(b, "10.0.0.4", "new", NAME_LEASE);
}

static void who_is_not_asked_for(void **state)
{
	static const char *const hosts[] = { "fe80::1", "::1", "127.0.0.53", "169.254.9.9" };
	struct bench *b = *state;
	struct names_state st;

	b->cf.dns = true;
	start(b);
	for (size_t i = 0; i < COUNT(hosts); i++)
		want(b, hosts[i], 0);
	names_state(b->names, &st);
	assert_int_equal(st.waiting, 0);
	want(b, "192.168.1.1", 0);
	want(b, "fd00::1", 0);
	names_state(b->names, &st);
	assert_int_equal(st.waiting, 2);
}

static void resolvers(void **state)
{
	static const struct { const char *text; int want; } rows[] = {
		{ "192.0.2.1", 0 }, { "192.0.2.1:53", 0 }, { "2001:db8::1", 0 }, { "[2001:db8::1]:53", 0 },
		{ "[2001:db8::1]", 0 },
		{ "192.0.2.1,192.0.2.2:5353", 0 }, { "", -EINVAL }, { ",", -EINVAL }, { "x", -EINVAL }, { "192.0.2.1:", -EINVAL },
		{ "192.0.2.1:0", -EINVAL }, { "192.0.2.1:65536", -EINVAL }, { "[192.0.2.1]:53", -EINVAL },
		{ "[2001:db8::1", -EINVAL },
		{ "[2001:db8::1]:x", -EINVAL }, { "192.0.2.1:53x", -EINVAL }, { "dns.example", -EINVAL },
		{ "[", -EINVAL }, { ":53", -EINVAL },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].text);
		assert_int_equal(names_resolver_check(rows[i].text, &e), rows[i].want);
	}
}

static void vendors(void **state)
{
	struct bench *b = *state;
	uint64_t local = UINT64_C(1) << 48 | UINT64_C(0x02aabbccddee);

	start(b);
	assert_null(names_vendor(b->names, MAC(1)));
	assert_string_equal(names_vendor(b->names, local), "(random)");
	assert_null(names_vendor(b->names, 0));
	assert_null(names_vendor(b->names, UINT64_MAX));
	names_stop(&b->names);
	write_file(b->hosts, "00-16-3E   (hex)\t\tXensource, Inc.\n00163E     (base 16)\t\tXensource, Inc.\n");
	b->cf.lease_count = 0;
	snprintf(b->cf.oui, sizeof b->cf.oui, "%s", b->hosts);
	start(b);
	assert_string_equal(names_vendor(b->names, MAC(1)), "Xensource, Inc.");
}

static void how_long_an_answer_counts(void **state)
{
	static const struct { const char *why; enum answer a; uint32_t ttl_s; uint8_t failures; uint32_t want; } rows[] = {
		{ "its TTL", ANSWER_NAME, 3600, 0, 3600 }, { "a floor", ANSWER_NAME, 0, 0, 60 },
		{ "a cap", ANSWER_NAME, 1000000, 0, 86400 },
		{ "none, by its SOA", ANSWER_NONE, 900, 0, 900 }, { "none, floor", ANSWER_NONE, 1, 0, 300 },
		{ "none, no SOA", ANSWER_NONE, 0, 0, 3600 },
		{ "refused", ANSWER_REFUSED, 0, 3, 3600 }, { "failed", ANSWER_FAILED, 0, 0, 300 },
		{ "failed twice", ANSWER_FAILED, 0, 1, 600 },
		{ "failed often", ANSWER_FAILED, 0, 200, 3600 }, { "silent", ANSWER_SILENCE, 0, 0, 15 },
		{ "silent often", ANSWER_SILENCE, 0, 9, 3600 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].why);
		assert_int_equal(names_holds_for_s(rows[i].a, rows[i].ttl_s, rows[i].failures), rows[i].want);
	}
}

/* A resolver that says "a" to every question, once. */
static void answer_one(int fd)
{
	static const uint8_t rest[] = { 0xc0, 0x0c, 0, 12, 0, 1, 0, 0, 14, 16, 0, 3, 1, 'a', 0 };
	uint8_t message[512];
	struct sockaddr_in peer;
	socklen_t size = sizeof peer;
	ssize_t n = recvfrom(fd, message, sizeof message - sizeof rest, 0, (struct sockaddr *)&peer, &size);

	assert_true(n > 12);
	message[2] = 0x81;
	message[3] = 0x80;
	message[7] = 1;
	memcpy(message + n, rest, sizeof rest);
	assert_int_equal(sendto(fd, message, (size_t)n + sizeof rest, 0, (struct sockaddr *)&peer, size),
		n + (ssize_t)sizeof rest);
}

static void the_thread_asks(void **state)
{
	struct bench *b = *state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	struct timeval patience = { .tv_sec = 5 };
	struct names_state st = { 0 };
	struct learnt *l = NULL;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	getsockname(fd, (struct sockaddr *)&at, &size);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	snprintf(b->cf.resolver, sizeof b->cf.resolver, "127.0.0.1:%u", ntohs(at.sin_port));
	b->cf.dns = true;
	start(b);
	assert_int_equal(names_start(b->names, NULL), 0);
	want(b, "10.0.0.77", 0);
	answer_one(fd);
	for (unsigned i = 0; i < 500 && st.found == 0; i++) {
		usleep(10000);
		names_state(b->names, &st);
	}
	check_host(b, "10.0.0.77", "a", NAME_DNS);
	assert_int_equal(take(b, &l), 1);
	assert_string_equal(l[0].text, "a");
	learnt_free(l, 1);
	assert_int_equal(st.asked, 1);
	want(b, "10.0.0.77", 0); /* its TTL is an hour */
	usleep(50000);
	names_state(b->names, &st);
	assert_int_equal(st.asked, 1);
	want(b, "10.0.0.78", 0); /* on its way when all ends */
	usleep(20000);
	close(fd);
}

#define names_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		names_test(the_order_of_trust), names_test(a_device_has_one_name), names_test(what_becomes_known),
		names_test(recalled_names_are_no_news), names_test(files_that_are_wrong),
		names_test(leases_of_kea_in_parts), names_test(who_is_not_asked_for), cmocka_unit_test(resolvers),
		names_test(vendors), cmocka_unit_test(how_long_an_answer_counts), names_test(the_thread_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
