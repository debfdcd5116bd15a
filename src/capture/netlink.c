/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.c -- asks rtnetlink, with a timeout on every wait; netlink_message.c reads the
 * answers. */
#include "capture/netlink.h"

#include "base/clock.h"
#include "capture/netlink_message.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_BYTES 65536 /* the kernel's dumps fill 32 KiB at most */
#define ANSWER_WITHIN_NS (5 * NS_PER_S)
#define DUMP_TRIES 5
#define INTERFACES_MAX 65536

struct netlink {
	int fd;
	int ioctl_fd;
	uint32_t seq;
	struct clock clock;
	_Alignas(8) uint8_t reply[REPLY_BYTES];
};

struct request {
	struct nlmsghdr head;
	_Alignas(4) uint8_t body[64]; /* the family's header, then attributes */
};

/* What to do with each message of an answer. */
struct answer {
	uint16_t type; /* RTM_NEW... */
	int (*take)(void *arg, struct slice payload);
	void (*restart)(void *arg); /* a dump was interrupted and starts again; may be NULL */
	void *arg;
};

static void request_start(struct request *r, uint16_t type, uint16_t flags, const void *header, size_t size)
{
	*r = (struct request){ .head.nlmsg_type = type, .head.nlmsg_flags = NLM_F_REQUEST | flags };
	memcpy(r->body, header, size);
	r->head.nlmsg_len = (uint32_t)(sizeof r->head + NLMSG_ALIGN(size));
}

static void request_attr(struct request *r, uint16_t type, const void *value, size_t size)
{
	struct rtattr head = { .rta_len = (uint16_t)(sizeof head + size), .rta_type = type };
	uint8_t *at = r->body + (r->head.nlmsg_len - sizeof r->head);

	memcpy(at, &head, sizeof head);
	memcpy(at + sizeof head, value, size);
	r->head.nlmsg_len += (uint32_t)NLMSG_ALIGN(head.rta_len);
}

int netlink_open(struct netlink **ret, struct err *e)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	struct netlink *n = calloc(1, sizeof *n);
	const int one = 1;
	int code;

	if (!n)
		return err_set(e, -ENOMEM, "no memory for netlink");
	n->clock = clock_system();
	n->ioctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* best effort: without it no driver's name */
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (n->fd < 0 || bind(n->fd, (struct sockaddr *)&address, sizeof address) < 0) {
		code = err_errno(e, -errno, "cannot open a netlink socket");
		netlink_close(&n);
		return code;
	}
	/* Lets the kernel select by table and interface (since 4.20); where it cannot, we do. */
	if (setsockopt(n->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one) < 0)
		errno = 0;
	*ret = n;
	return 0;
}

void netlink_close(struct netlink **n)
{
	if (!*n)
		return;
	if ((*n)->fd >= 0)
		close((*n)->fd);
	if ((*n)->ioctl_fd >= 0)
		close((*n)->ioctl_fd);
	free(*n);
	*n = NULL;
}

/* One datagram of the answer. */
static int receive(struct netlink *n, int64_t until_ns, struct slice *ret)
{
	for (;;) {
		int64_t left_ns = until_ns - n->clock.monotonic_ns(n->clock.arg);
		struct pollfd p = { .fd = n->fd, .events = POLLIN };
		struct sockaddr_nl from;
		socklen_t from_len = sizeof from;
		ssize_t len;

		if (left_ns <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)(left_ns / 1000000) + 1) <= 0)
			continue;
		len = recvfrom(n->fd, n->reply, sizeof n->reply, MSG_TRUNC | MSG_DONTWAIT,
			       (struct sockaddr *)&from, &from_len);
		if (len < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (len < 0)
			return -errno;
		if ((size_t)len > sizeof n->reply)
			return -EMSGSIZE;
		if (from.nl_pid != 0)
			continue; /* another process: only the kernel answers us */
		*ret = (struct slice){ n->reply, (size_t)len };
		return 0;
	}
}

/* One message: 1 = that was the last, 0 = go on. */
static int take_message(const struct netlink_message *m, const struct answer *a, bool is_dump)
{
	int code;

	if (m->type == NLMSG_ERROR || m->type == NLMSG_DONE) {
		/* Before 4.14 NLMSG_DONE could come empty. */
		code = m->type == NLMSG_DONE && m->payload.len == 0 ? 0 : netlink_parse_error(m->payload);
		return code < 0 ? code : 1;
	}
	if (m->type != a->type || !a->take)
		return 0;
	code = a->take(a->arg, m->payload);
	return code < 0 ? code : !is_dump;
}

/* -EINTR: complete, but the kernel's tables changed meanwhile. */
static int read_answer(struct netlink *n, const struct answer *a, bool is_dump)
{
	int64_t until_ns = n->clock.monotonic_ns(n->clock.arg) + ANSWER_WITHIN_NS;
	bool interrupted = false;

	for (;;) {
		struct netlink_message m;
		struct slice datagram = { 0 };
		struct cursor c;
		int code = receive(n, until_ns, &datagram);

		if (code < 0)
			return code;
		c = cursor_of(datagram);
		while ((code = netlink_message_next(&c, &m)) > 0) {
			if (m.seq != n->seq)
				continue; /* a late answer to what timed out */
			interrupted |= (m.flags & NLM_F_DUMP_INTR) != 0;
			code = take_message(&m, a, is_dump);
			if (code < 0)
				return code;
			if (code > 0)
				return interrupted ? -EINTR : 0;
		}
		if (code < 0)
			return code;
	}
}

/* A dump that the kernel says was interrupted by a change is asked for again; on a machine that
 * never rests (a router with a full table) the last one is taken as it is: the change sends an
 * event of its own. */
static int ask(struct netlink *n, struct request *r, const struct answer *a)
{
	bool is_dump = (r->head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	int code = 0;

	for (int i = 0; i < DUMP_TRIES; i++) {
		if (a->restart)
			a->restart(a->arg);
		r->head.nlmsg_seq = ++n->seq;
		if (send(n->fd, r, r->head.nlmsg_len, 0) < 0)
			return -errno;
		code = read_answer(n, a, is_dump);
		if (code != -EINTR)
			return code;
	}
	return 0;
}

struct interface_list {
	struct interface_info *at;
	size_t count, room;
};

static int take_link(void *arg, struct slice payload)
{
	struct interface_list *list = arg;
	struct interface_info info;
	int code = netlink_parse_link(payload, &info);

	if (code < 0)
		return code;
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		struct interface_info *at = room > INTERFACES_MAX ? NULL : realloc(list->at, room * sizeof *at);

		if (!at)
			return -ENOMEM;
		list->at = at;
		list->room = room;
	}
	list->at[list->count++] = info;
	return 0;
}

static void restart_links(void *arg)
{
	((struct interface_list *)arg)->count = 0;
}

static struct interface_info *find_index(struct interface_list *list, uint32_t ifindex)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].ifindex == ifindex)
			return &list->at[i];
	return NULL;
}

static int take_addr(void *arg, struct slice payload)
{
	struct interface_info *info;
	struct netlink_addr a;
	int code = netlink_parse_addr(payload, &a);

	if (code < 0)
		return code;
	info = find_index(arg, a.ifindex);
	if (!info || a.addr.family == ADDR_NONE || info->addr_count == INTERFACE_ADDRS_MAX)
		return 0;
	info->addrs[info->addr_count].addr = a.addr;
	info->addrs[info->addr_count++].prefix = a.prefix;
	return 0;
}

static void restart_addrs(void *arg)
{
	struct interface_list *list = arg;

	for (size_t i = 0; i < list->count; i++)
		list->at[i].addr_count = 0;
}

static void ask_driver(const struct netlink *n, struct interface_info *info)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq r = { .ifr_data = (void *)&driver };

	memcpy(r.ifr_name, info->name, sizeof r.ifr_name);
	if (ioctl(n->ioctl_fd, SIOCETHTOOL, &r) == 0)
		memcpy(info->driver, driver.driver, sizeof info->driver - 1);
}

/* Addresses of one interface, or (0) of all in the list. */
static int ask_addrs(struct netlink *n, struct interface_list *list, uint32_t ifindex)
{
	struct ifaddrmsg head = { .ifa_index = ifindex };
	struct answer answer = { RTM_NEWADDR, take_addr, restart_addrs, list };
	struct request r;

	request_start(&r, RTM_GETADDR, NLM_F_DUMP, &head, sizeof head);
	return ask(n, &r, &answer);
}

static int ask_links(struct netlink *n, struct interface_list *list)
{
	struct ifinfomsg head = { 0 };
	struct answer answer = { RTM_NEWLINK, take_link, restart_links, list };
	struct request r;

	request_start(&r, RTM_GETLINK, NLM_F_DUMP, &head, sizeof head);
	return ask(n, &r, &answer);
}

struct best_route {
	bool found;
	struct netlink_route route;
};

static int take_route(void *arg, struct slice payload)
{
	struct best_route *best = arg;
	struct netlink_route route;
	int code = netlink_parse_route(payload, &route);

	if (code < 0 || !route.is_default)
		return code;
	if (best->found && (route.is_ip6 != best->route.is_ip6 ? route.is_ip6 : route.metric >= best->route.metric))
		return 0;
	*best = (struct best_route){ true, route };
	return 0;
}

/* IPv4 and IPv6 one after the other: a dump of all families would ask for MPLS and multicast
 * too. */
static int ask_default_route(struct netlink *n, struct best_route *best)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < sizeof families; i++) {
		struct rtmsg head = { .rtm_family = families[i], .rtm_table = RT_TABLE_MAIN };
		struct answer answer = { RTM_NEWROUTE, take_route, NULL, best };
		struct request r;
		int code;

		request_start(&r, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof head);
		code = ask(n, &r, &answer);
		/* No such table yet, or a kernel without the family: no route. */
		if (code < 0 && code != -ENOENT && code != -EAFNOSUPPORT && code != -EOPNOTSUPP)
			return code;
		if (best->found)
			break;
	}
	return 0;
}

static int by_ifindex(const void *a, const void *b)
{
	const struct interface_info *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

int netlink_interfaces(struct netlink *n, struct interface_info **ret, size_t *ret_count, struct err *e)
{
	struct interface_list list = { 0 };
	struct best_route best = { 0 };
	struct interface_info *leaves_by;
	int code = ask_links(n, &list);

	if (code == 0)
		code = ask_addrs(n, &list, 0);
	if (code == 0)
		code = ask_default_route(n, &best);
	if (code < 0) {
		free(list.at);
		return err_errno(e, code, "cannot list the network interfaces");
	}
	for (size_t i = 0; i < list.count; i++)
		ask_driver(n, &list.at[i]);
	leaves_by = best.found ? find_index(&list, best.route.ifindex) : NULL;
	if (leaves_by)
		leaves_by->default_route = true;
	if (list.count)
		qsort(list.at, list.count, sizeof *list.at, by_ifindex);
	*ret = list.at;
	*ret_count = list.count;
	return 0;
}

/* "no interface eth7 here; there are: lo, eth0" */
static int no_such_interface(struct netlink *n, const char *name, uint32_t ifindex, struct err *e)
{
	struct interface_list list = { 0 };
	char names[384] = "";
	size_t len = 0;

	if (ask_links(n, &list) < 0)
		list.count = 0;
	for (size_t i = 0; i < list.count && len + INTERFACE_NAME_MAX + 8 < sizeof names; i++)
		len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i ? ", " : "", list.at[i].name);
	if (list.count && len + INTERFACE_NAME_MAX + 8 >= sizeof names)
		snprintf(names + len, sizeof names - len, ", ...");
	free(list.at);
	if (name)
		return err_set(e, -ENODEV, "no interface %.64s here; there are: %s", name, names);
	return err_set(e, -ENODEV, "no interface with index %u here; there are: %s", ifindex, names);
}

static int ask_link(struct netlink *n, const char *name, uint32_t ifindex, struct interface_list *list)
{
	struct ifinfomsg head = { .ifi_index = name ? 0 : (int)ifindex };
	struct answer answer = { RTM_NEWLINK, take_link, restart_links, list };
	struct request r;

	request_start(&r, RTM_GETLINK, 0, &head, sizeof head);
	if (name)
		request_attr(&r, IFLA_IFNAME, name, strlen(name) + 1);
	return ask(n, &r, &answer);
}

int netlink_interface(struct netlink *n, const char *name, uint32_t ifindex, struct interface_info *ret,
		      struct err *e)
{
	struct interface_list list = { 0 };
	int code;

	if (name ? name[0] == '\0' || strlen(name) >= INTERFACE_NAME_MAX : ifindex == 0 || ifindex > INT32_MAX)
		return no_such_interface(n, name, ifindex, e);
	code = ask_link(n, name, ifindex, &list);
	if (code == 0 && list.count == 0)
		code = -EBADMSG;
	if (code == 0)
		code = ask_addrs(n, &list, list.at[0].ifindex);
	if (code == 0) {
		ask_driver(n, &list.at[0]);
		*ret = list.at[0];
	}
	free(list.at);
	if (code == -ENODEV)
		return no_such_interface(n, name, ifindex, e);
	if (code < 0)
		return err_errno(e, code, "cannot ask for interface %s", name ? name : "by its index");
	return 0;
}

static int take_stats(void *arg, struct slice payload)
{
	return netlink_parse_stats(payload, arg);
}

int netlink_stats(struct netlink *n, uint32_t ifindex, struct interface_stats *ret, struct err *e)
{
	struct if_stats_msg head = {
		.ifindex = ifindex, .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64),
	};
	struct interface_stats stats;
	struct answer answer = { RTM_NEWSTATS, take_stats, NULL, &stats };
	struct request r;
	int code;

	request_start(&r, RTM_GETSTATS, 0, &head, sizeof head);
	code = ask(n, &r, &answer);
	if (code < 0)
		return err_errno(e, code, "cannot read the counters of interface %u", ifindex);
	*ret = stats;
	return 0;
}

int netlink_default_interface(struct netlink *n, char ret[static INTERFACE_NAME_MAX], struct err *e)
{
	struct interface_list list = { 0 };
	struct best_route best = { 0 };
	int code = ask_default_route(n, &best);

	if (code < 0)
		return err_errno(e, code, "cannot read the routes");
	if (!best.found)
		return err_set(e, -ENODEV, "no default route: say which interface to count with -i IFACE "
					   "(`nettally interfaces` lists them)");
	code = ask_link(n, NULL, best.route.ifindex, &list);
	if (code == 0 && list.count)
		memcpy(ret, list.at[0].name, INTERFACE_NAME_MAX);
	free(list.at);
	return code < 0 ? err_errno(e, code, "cannot ask for the default route's interface") : 0;
}

int netlink_set_promiscuous(struct netlink *n, uint32_t ifindex, bool on, struct err *e)
{
	struct ifinfomsg head = {
		.ifi_index = (int)ifindex, .ifi_flags = on ? IFF_PROMISC : 0, .ifi_change = IFF_PROMISC,
	};
	const struct answer acknowledged = { .type = NLMSG_NOOP }; /* nothing else comes */
	struct request r;
	int code;

	request_start(&r, RTM_NEWLINK, NLM_F_ACK, &head, sizeof head);
	code = ask(n, &r, &acknowledged);
	if (code == -EPERM)
		return err_set(e, code, "needs CAP_NET_ADMIN to switch promiscuous mode %s", on ? "on" : "off");
	return code < 0 ? err_errno(e, code, "cannot switch promiscuous mode %s", on ? "on" : "off") : 0;
}

int netlink_events_open(int *ret_fd, struct err *e)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int code;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
		*ret_fd = fd;
		return 0;
	}
	code = err_errno(e, -errno, "cannot watch for changes of the interfaces");
	if (fd >= 0)
		close(fd);
	return code;
}

void netlink_events_drain(int fd)
{
	char ignored[256]; /* the rest of a longer message is cut off, as we want it */

	/* ENOBUFS says that events were lost: also only a change, and the queue goes on behind
	 * it. */
	for (int i = 0; i < 10000; i++)
		if (recv(fd, ignored, sizeof ignored, MSG_DONTWAIT) < 0 && errno != ENOBUFS && errno != EINTR)
			return;
}
