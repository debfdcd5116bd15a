/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink_message_test.c -- messages made here, whole, cut at every byte and at odds with
 * themselves. */
#include "capture/netlink_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

struct message {
	_Alignas(4) uint8_t at[1024];
	size_t len;
};

static void put(struct message *m, const void *from, size_t len)
{
	memcpy(m->at + m->len, from, len);
	m->len += len;
	while (m->len % 4)
		m->at[m->len++] = 0;
}

static void put_attr(struct message *m, uint16_t type, const void *value, size_t len)
{
	struct rtattr head = { .rta_len = (uint16_t)(sizeof head + len), .rta_type = type };

	put(m, &head, sizeof head);
	put(m, value, len);
}

static void put_u32(struct message *m, uint16_t type, uint32_t value)
{
	put_attr(m, type, &value, sizeof value);
}

static struct slice slice_of(const struct message *m)
{
	return (struct slice){ m->at, m->len };
}

static struct message veth_link(void)
{
	struct ifinfomsg head = { .ifi_index = 7, .ifi_type = ARPHRD_ETHER, .ifi_flags = IFF_UP | IFF_LOWER_UP };
	struct rtnl_link_stats64 stats = { .rx_packets = 1ULL << 40, .rx_bytes = 2, .tx_packets = 3, .tx_bytes = 4,
					   .rx_errors = 5, .tx_errors = 6, .rx_dropped = 7, .tx_dropped = 8 };
	struct message m = { 0 }, info = { 0 };

	put_attr(&info, IFLA_INFO_KIND, "veth", 5);
	put(&m, &head, sizeof head);
	put_attr(&m, IFLA_IFNAME, "wire0", 6);
	put_u32(&m, IFLA_MTU, 1500);
	put_attr(&m, IFLA_ADDRESS, "\2\0\0\0\0\x11", 6);
	put_attr(&m, IFLA_STATS64, &stats, sizeof stats);
	put_attr(&m, IFLA_LINKINFO | NLA_F_NESTED, info.at, info.len);
	return m;
}

static void whole_link(void **state)
{
	struct message m = veth_link();
	struct interface_info i;

	(void)state;
	assert_int_equal(netlink_parse_link(slice_of(&m), &i), 0);
	assert_string_equal(i.name, "wire0");
	assert_string_equal(i.kind, "veth");
	assert_int_equal(i.ifindex, 7);
	assert_int_equal(i.mtu, 1500);
	assert_true(i.up && i.running && i.has_mac && !i.loopback);
	assert_memory_equal(i.mac, "\2\0\0\0\0\x11", 6);
	assert_true(i.stats.rx_packets == 1ULL << 40 && i.stats.tx_bytes == 4 && i.stats.tx_dropped == 8);
	assert_true(i.stats.rx_errors == 5 && i.stats.tx_errors == 6 && i.stats.rx_dropped == 7);
}

/* A message that ends between two attributes is whole, with less in it; all others are refused. */
static void link_cut_at_every_byte(void **state)
{
	struct message m = veth_link();
	struct interface_info i;
	unsigned whole = 0;

	(void)state;
	for (size_t len = 0; len < m.len; len++)
		whole += netlink_parse_link((struct slice){ m.at, len }, &i) == 0;
	/* Behind IFNAME (with or without its two bytes of padding: 3 lengths), MTU, ADDRESS (3),
	 * STATS64. */
	assert_int_equal(whole, 8);
}

static void odd_links(void **state)
{
	static const struct {
		const char *why;
		uint32_t ifindex;
		const char *name;
		size_t name_len;
		int want;
		const char *want_name;
	} cases[] = {
		{ "no zero at the end", 1, "eth0", 4, 0, "eth0" },
		{ "longer than a name can be", 1, "abcdefghijklmnopqrstuvw", 24, 0, "abcdefghijklmno" },
		{ "no name", 1, "", 1, -EBADMSG, NULL },
		{ "an empty attribute", 1, "", 0, -EBADMSG, NULL },
		{ "no index", 0, "eth0", 5, -EBADMSG, NULL },
	};

	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct ifinfomsg head = { .ifi_index = (int)cases[c].ifindex };
		struct interface_info i;
		struct message m = { 0 };

		put(&m, &head, sizeof head);
		put_attr(&m, IFLA_IFNAME, cases[c].name, cases[c].name_len);
		if (netlink_parse_link(slice_of(&m), &i) != cases[c].want)
			fail_msg("%s", cases[c].why);
		if (cases[c].want_name)
			assert_string_equal(i.name, cases[c].want_name);
	}
}

static void attribute_length_below_its_header(void **state)
{
	struct message m = veth_link();
	struct interface_info i;

	(void)state;
	m.at[sizeof(struct ifinfomsg)] = 3;
	assert_int_equal(netlink_parse_link(slice_of(&m), &i), -EBADMSG);
}

static void addrs(void **state)
{
	static const struct {
		const char *why;
		int family;
		const char *local, *far;
		uint8_t bits;
		int want;
		const char *want_addr, *want_network;
	} cases[] = {
		{ "IPv4", AF_INET, "192.0.2.77", "192.0.2.77", 26, 0, "192.0.2.77", "192.0.2.64/26" },
		{ "point to point", AF_INET, "10.0.0.1", "10.9.9.9", 32, 0, "10.0.0.1", "10.9.9.9/32" },
		{ "everything", AF_INET, "10.0.0.1", NULL, 0, 0, "10.0.0.1", "0.0.0.0/0" },
		{ "IPv6 has no local one", AF_INET6, NULL, "2001:db8::1", 63, 0, "2001:db8::1", "2001:db8::/63" },
		{ "bits beyond IPv4", AF_INET, "10.0.0.1", NULL, 33, -EBADMSG, NULL, NULL },
		{ "bits beyond IPv6", AF_INET6, NULL, "::1", 129, -EBADMSG, NULL, NULL },
		{ "no address", AF_INET, NULL, NULL, 0, 0, "-", NULL },
	};

	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct ifaddrmsg head = { .ifa_family = (uint8_t)cases[c].family, .ifa_index = 3,
					  .ifa_prefixlen = cases[c].bits };
		size_t len = cases[c].family == AF_INET ? 4 : 16;
		struct message m = { 0 };
		struct netlink_addr a;
		char text[PREFIX_TEXT_MAX];
		uint8_t bytes[16];

		put(&m, &head, sizeof head);
		if (cases[c].far && inet_pton(cases[c].family, cases[c].far, bytes) == 1)
			put_attr(&m, IFA_ADDRESS, bytes, len);
		if (cases[c].local && inet_pton(cases[c].family, cases[c].local, bytes) == 1)
			put_attr(&m, IFA_LOCAL, bytes, len);
		if (netlink_parse_addr(slice_of(&m), &a) != cases[c].want)
			fail_msg("%s", cases[c].why);
		if (cases[c].want < 0)
			continue;
		assert_int_equal(a.ifindex, 3);
		addr_format(&a.addr, text);
		assert_string_equal(text, cases[c].want_addr);
		prefix_format(&a.prefix, text);
		if (cases[c].want_network)
			assert_string_equal(text, cases[c].want_network);
	}
}

static void routes(void **state)
{
	static const struct {
		const char *why;
		struct rtmsg head;
		uint32_t table, oif, hop;
		bool want;
	} cases[] = {
		{ "a default route", { .rtm_type = RTN_UNICAST, .rtm_table = RT_TABLE_MAIN }, 0, 4, 0, true },
		{ "its table as an attribute", { .rtm_type = RTN_UNICAST }, RT_TABLE_MAIN, 4, 0, true },
		{ "several next hops", { .rtm_type = RTN_UNICAST, .rtm_table = RT_TABLE_MAIN }, 0, 0, 4, true },
		{ "another table", { .rtm_type = RTN_UNICAST, .rtm_table = RT_TABLE_MAIN }, 100, 4, 0, false },
		{ "a network", { .rtm_type = RTN_UNICAST, .rtm_table = RT_TABLE_MAIN, .rtm_dst_len = 24 }, 0, 4, 0, false },
		{ "unreachable", { .rtm_type = RTN_UNREACHABLE, .rtm_table = RT_TABLE_MAIN }, 0, 1, 0, false },
		{ "no interface", { .rtm_type = RTN_UNICAST, .rtm_table = RT_TABLE_MAIN }, 0, 0, 0, false },
	};

	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct rtnexthop hop = { .rtnh_len = sizeof hop, .rtnh_ifindex = (int)cases[c].hop };
		struct message m = { 0 };
		struct netlink_route r;

		put(&m, &cases[c].head, sizeof cases[c].head);
		if (cases[c].table)
			put_u32(&m, RTA_TABLE, cases[c].table);
		if (cases[c].oif)
			put_u32(&m, RTA_OIF, cases[c].oif);
		if (cases[c].hop)
			put_attr(&m, RTA_MULTIPATH, &hop, sizeof hop);
		put_u32(&m, RTA_PRIORITY, 100);
		assert_int_equal(netlink_parse_route(slice_of(&m), &r), 0);
		if (r.is_default != cases[c].want || (cases[c].want && r.ifindex != 4) || r.metric != 100)
			fail_msg("%s", cases[c].why);
	}
}

static void stats(void **state)
{
	struct if_stats_msg head = { .ifindex = 3 };
	struct rtnl_link_stats64 s = { .rx_packets = 9 };
	struct interface_stats got;
	struct message m = { 0 };

	(void)state;
	put(&m, &head, sizeof head);
	assert_int_equal(netlink_parse_stats(slice_of(&m), &got), -EBADMSG);
	put_attr(&m, IFLA_STATS_LINK_64, &s, 64); /* an older kernel's, shorter */
	assert_int_equal(netlink_parse_stats(slice_of(&m), &got), 0);
	assert_int_equal(got.rx_packets, 9);
}

static void messages(void **state)
{
	struct nlmsghdr first = { .nlmsg_len = sizeof first + 5, .nlmsg_type = RTM_NEWLINK, .nlmsg_seq = 8 };
	struct nlmsghdr second = { .nlmsg_len = sizeof second, .nlmsg_type = NLMSG_DONE };
	struct netlink_message got;
	struct message m = { 0 };
	struct cursor c;

	(void)state;
	put(&m, &first, sizeof first);
	put(&m, "abcde", 5);
	put(&m, &second, sizeof second);
	c = cursor_of(slice_of(&m));
	assert_int_equal(netlink_message_next(&c, &got), 1);
	assert_int_equal(got.type, RTM_NEWLINK);
	assert_int_equal(got.seq, 8);
	assert_int_equal(got.payload.len, 5);
	assert_int_equal(netlink_message_next(&c, &got), 1);
	assert_int_equal(got.payload.len, 0);
	assert_int_equal(netlink_message_next(&c, &got), 0);

	c = cursor_of((struct slice){ m.at, sizeof first + 4 });
	assert_int_equal(netlink_message_next(&c, &got), -EBADMSG);
	m.at[0] = sizeof first - 1;
	c = cursor_of(slice_of(&m));
	assert_int_equal(netlink_message_next(&c, &got), -EBADMSG);
}

static void errors(void **state)
{
	static const struct {
		const char *why;
		int32_t code;
		size_t len;
		int want;
	} cases[] = {
		{ "acknowledged", 0, 4, 0 },
		{ "an errno", -ENODEV, 4, -ENODEV },
		{ "a positive one", 5, 4, -EBADMSG },
		{ "no errno", -100000, 4, -EBADMSG },
		{ "cut short", -ENODEV, 3, -EBADMSG },
	};

	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
		if (netlink_parse_error((struct slice){ (const uint8_t *)&cases[c].code, cases[c].len }) != cases[c].want)
			fail_msg("%s", cases[c].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_link), cmocka_unit_test(link_cut_at_every_byte), cmocka_unit_test(odd_links),
		cmocka_unit_test(attribute_length_below_its_header), cmocka_unit_test(addrs), cmocka_unit_test(routes),
		cmocka_unit_test(stats), cmocka_unit_test(messages), cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
