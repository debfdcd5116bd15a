/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink_message.c -- headers by memcpy, attributes by a child cursor each. */
#include "capture/netlink_message.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

struct attr {
	uint16_t type; /* without NLA_F_NESTED and NLA_F_NET_BYTEORDER */
	struct slice value;
};

/* Copies a fixed part; false leaves the cursor truncated. */
static bool take_struct(struct cursor *c, void *to, size_t size)
{
	const uint8_t *at = cursor_take(c, size);

	if (!at)
		return false;
	memcpy(to, at, size);
	return true;
}

/* The padding behind the last element of a list may be missing. */
static void skip_padding(struct cursor *c, size_t len)
{
	size_t padding = (4 - len % 4) % 4;

	if (padding > c->rest.len)
		padding = c->rest.len;
	cursor_slice(c, padding);
}

static bool next_attr(struct cursor *c, struct attr *ret)
{
	struct rtattr head;

	if (c->rest.len == 0 || !take_struct(c, &head, sizeof head))
		return false;
	if (head.rta_len < sizeof head) {
		c->truncated = true;
		return false;
	}
	ret->type = head.rta_type & NLA_TYPE_MASK;
	ret->value = cursor_slice(c, head.rta_len - sizeof head);
	if (c->truncated)
		return false;
	skip_padding(c, head.rta_len);
	return true;
}

static uint32_t value_u32(struct slice value)
{
	uint32_t v = 0;

	if (value.len >= sizeof v)
		memcpy(&v, value.at, sizeof v);
	return v;
}

static void value_text(struct slice value, char *to, size_t size)
{
	size_t len = strnlen((const char *)value.at, value.len);

	if (len > size - 1)
		len = size - 1;
	memcpy(to, value.at, len);
	to[len] = '\0';
}

int netlink_message_next(struct cursor *c, struct netlink_message *ret)
{
	struct nlmsghdr head;

	if (c->rest.len == 0)
		return 0;
	if (!take_struct(c, &head, sizeof head) || head.nlmsg_len < sizeof head)
		return -EBADMSG;
	ret->type = head.nlmsg_type;
	ret->flags = head.nlmsg_flags;
	ret->seq = head.nlmsg_seq;
	ret->payload = cursor_slice(c, head.nlmsg_len - sizeof head);
	if (c->truncated)
		return -EBADMSG;
	skip_padding(c, head.nlmsg_len);
	return 1;
}

int netlink_parse_error(struct slice payload)
{
	struct cursor c = cursor_of(payload);
	int32_t code;

	if (!take_struct(&c, &code, sizeof code) || code > 0 || code < -4095) /* MAX_ERRNO, linux/err.h */
		return -EBADMSG;
	return code;
}

/* A shorter struct rtnl_link_stats64 (an older kernel's) still has all that we read. */
static void parse_stats64(struct slice value, struct interface_stats *ret)
{
	struct rtnl_link_stats64 s = { 0 };

	if (value.len)
		memcpy(&s, value.at, value.len < sizeof s ? value.len : sizeof s);
	*ret = (struct interface_stats){
		.rx_packets = s.rx_packets, .rx_bytes = s.rx_bytes,
		.rx_dropped = s.rx_dropped, .rx_errors = s.rx_errors,
		.tx_packets = s.tx_packets, .tx_bytes = s.tx_bytes,
		.tx_dropped = s.tx_dropped, .tx_errors = s.tx_errors,
	};
}

static int parse_linkinfo(struct slice value, struct interface_info *ret)
{
	struct cursor c = cursor_of(value);
	struct attr a;

	while (next_attr(&c, &a))
		if (a.type == IFLA_INFO_KIND)
			value_text(a.value, ret->kind, sizeof ret->kind);
	return c.truncated ? -EBADMSG : 0;
}

static int parse_link_attr(const struct attr *a, struct interface_info *ret)
{
	switch (a->type) {
	case IFLA_IFNAME:
		value_text(a->value, ret->name, sizeof ret->name);
		break;
	case IFLA_MTU:
		ret->mtu = value_u32(a->value);
		break;
	case IFLA_ADDRESS:
		ret->has_mac = ret->arphrd == ARPHRD_ETHER && a->value.len == sizeof ret->mac;
		if (ret->has_mac)
			memcpy(ret->mac, a->value.at, sizeof ret->mac);
		break;
	case IFLA_STATS64:
		parse_stats64(a->value, &ret->stats);
		break;
	case IFLA_LINKINFO:
		return parse_linkinfo(a->value, ret);
	default:
		break;
	}
	return 0;
}

int netlink_parse_link(struct slice payload, struct interface_info *ret)
{
	struct cursor c = cursor_of(payload);
	struct interface_info info = { 0 };
	struct ifinfomsg head;
	struct attr a;

	if (!take_struct(&c, &head, sizeof head))
		return -EBADMSG;
	info.ifindex = (uint32_t)head.ifi_index;
	info.arphrd = head.ifi_type;
	info.up = head.ifi_flags & IFF_UP;
	/* The carrier itself: IFF_RUNNING follows up to a second later (net/core/link_watch.c). */
	info.running = head.ifi_flags & IFF_LOWER_UP;
	info.loopback = head.ifi_flags & IFF_LOOPBACK;
	info.promiscuous = head.ifi_flags & IFF_PROMISC;
	while (next_attr(&c, &a))
		if (parse_link_attr(&a, &info) < 0)
			return -EBADMSG;
	if (c.truncated || info.ifindex == 0 || info.name[0] == '\0')
		return -EBADMSG;
	*ret = info;
	return 0;
}

static struct addr value_addr(struct slice value, uint8_t family)
{
	struct addr a = { 0 };

	if (family == AF_INET && value.len == 4) {
		a.family = ADDR_IP4;
		a.bytes[10] = a.bytes[11] = 0xff;
		memcpy(a.bytes + 12, value.at, 4);
	} else if (family == AF_INET6 && value.len == 16) {
		a.family = ADDR_IP6;
		memcpy(a.bytes, value.at, 16);
	}
	return a;
}

static struct prefix network_of(struct addr a, uint8_t bits)
{
	const unsigned start = a.family == ADDR_IP4 ? 96 : 0;

	for (unsigned bit = start + bits; bit < 128; bit++)
		a.bytes[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
	return (struct prefix){ .addr = a, .bits = bits };
}

int netlink_parse_addr(struct slice payload, struct netlink_addr *ret)
{
	struct cursor c = cursor_of(payload);
	struct addr local = { 0 }, far = { 0 };
	struct ifaddrmsg head;
	struct attr a;

	if (!take_struct(&c, &head, sizeof head))
		return -EBADMSG;
	while (next_attr(&c, &a)) {
		if (a.type == IFA_LOCAL)
			local = value_addr(a.value, head.ifa_family);
		else if (a.type == IFA_ADDRESS)
			far = value_addr(a.value, head.ifa_family);
	}
	/* IPv6 gives IFA_LOCAL only where the other end has an address of its own. */
	if (local.family == ADDR_NONE)
		local = far;
	if (far.family == ADDR_NONE)
		far = local;
	if (c.truncated || head.ifa_prefixlen > (local.family == ADDR_IP4 ? 32 : 128))
		return -EBADMSG;
	*ret = (struct netlink_addr){ head.ifa_index, local, network_of(far, head.ifa_prefixlen) };
	return 0;
}

static uint32_t first_hop(struct slice value)
{
	struct cursor c = cursor_of(value);
	struct rtnexthop hop;

	return take_struct(&c, &hop, sizeof hop) ? (uint32_t)hop.rtnh_ifindex : 0;
}

int netlink_parse_route(struct slice payload, struct netlink_route *ret)
{
	struct cursor c = cursor_of(payload);
	struct netlink_route route = { 0 };
	struct rtmsg head;
	struct attr a;
	uint32_t table;

	if (!take_struct(&c, &head, sizeof head))
		return -EBADMSG;
	table = head.rtm_table;
	while (next_attr(&c, &a)) {
		if (a.type == RTA_TABLE)
			table = value_u32(a.value);
		else if (a.type == RTA_OIF)
			route.ifindex = value_u32(a.value);
		else if (a.type == RTA_PRIORITY)
			route.metric = value_u32(a.value);
		else if (a.type == RTA_MULTIPATH && route.ifindex == 0)
			route.ifindex = first_hop(a.value);
	}
	if (c.truncated)
		return -EBADMSG;
	route.is_ip6 = head.rtm_family == AF_INET6;
	route.is_default = head.rtm_dst_len == 0 && head.rtm_type == RTN_UNICAST && table == RT_TABLE_MAIN &&
			   !(head.rtm_flags & RTM_F_CLONED) && route.ifindex != 0;
	*ret = route;
	return 0;
}

int netlink_parse_stats(struct slice payload, struct interface_stats *ret)
{
	struct cursor c = cursor_of(payload);
	struct if_stats_msg head;
	struct interface_stats stats;
	bool found = false;
	struct attr a;

	if (!take_struct(&c, &head, sizeof head))
		return -EBADMSG;
	while (next_attr(&c, &a)) {
		if (a.type != IFLA_STATS_LINK_64)
			continue;
		parse_stats64(a.value, &stats);
		found = true;
	}
	if (c.truncated || !found)
		return -EBADMSG;
	*ret = stats;
	return 0;
}
