/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink_message.h -- rtnetlink messages, from bytes to facts (netlink(7), rtnetlink(7)).
 *
 * Pure functions over slices; host byte order, as netlink is. 0 or -EBADMSG where a length
 * contradicts itself. What is missing stays zero. Thread: any. */
#ifndef NETTALLY_CAPTURE_NETLINK_MESSAGE_H
#define NETTALLY_CAPTURE_NETLINK_MESSAGE_H

#include "base/slice.h"
#include "capture/netlink.h"

struct netlink_message {
	uint16_t type, flags;
	uint32_t seq;
	struct slice payload; /* behind the struct nlmsghdr */
};

/* The next message of a datagram: 1, 0 at its end, -EBADMSG. */
int netlink_message_next(struct cursor *c, struct netlink_message *ret);

/* NLMSG_ERROR (0 = acknowledged) and NLMSG_DONE: the negative errno inside; a missing one is
 * -EBADMSG. */
int netlink_parse_error(struct slice payload);

/* RTM_NEWLINK: everything but driver, default_route and addrs. */
int netlink_parse_link(struct slice payload, struct interface_info *ret);

struct netlink_addr {
	uint32_t ifindex;
	struct addr addr;     /* our own end */
	struct prefix prefix; /* the connected network: the other end's on a point-to-point link */
};

/* RTM_NEWADDR; a family that we do not know gives addr.family ADDR_NONE. */
int netlink_parse_addr(struct slice payload, struct netlink_addr *ret);

struct netlink_route {
	bool is_default; /* a unicast route to everywhere, in the main table */
	bool is_ip6;
	uint32_t ifindex, metric;
};

/* RTM_NEWROUTE; of several next hops the first. */
int netlink_parse_route(struct slice payload, struct netlink_route *ret);

/* RTM_NEWSTATS with IFLA_STATS_LINK_64. */
int netlink_parse_stats(struct slice payload, struct interface_stats *ret);

#endif
