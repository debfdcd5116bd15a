/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink.h -- what interfaces there are, their facts and their counters, from rtnetlink(7).
 *
 * Never from /sys/class/net: that mount may belong to another network namespace. No question
 * waits longer than 5 s (-ETIMEDOUT). At most 65536 interfaces. To ask needs no privilege. Thread: a
 * handle belongs to one thread. */
#ifndef NETTALLY_CAPTURE_NETLINK_H
#define NETTALLY_CAPTURE_NETLINK_H

#include "base/addr.h"
#include "base/err.h"
#include "base/prefix.h"
#include "model/interface_books.h"

#include <stddef.h>

struct interface_stats { /* IFLA_STATS64 */
	uint64_t rx_packets, rx_bytes, rx_dropped, rx_errors;
	uint64_t tx_packets, tx_bytes, tx_dropped, tx_errors;
};

#define INTERFACE_ADDRS_MAX 32

struct interface_info {
	char name[INTERFACE_NAME_MAX];
	uint32_t ifindex;
	uint32_t mtu;
	uint16_t arphrd;        /* ARPHRD_ETHER ... */
	bool up;                /* set up by the administrator */
	bool running;           /* has a carrier */
	bool loopback;
	bool promiscuous;       /* switched on by hand, or by netlink_set_promiscuous(); a packet socket's does not show */
	bool default_route;     /* the default route leaves through it; only netlink_interfaces() looks */
	bool has_mac;
	uint8_t mac[6];
	char kind[16];          /* "veth", "bridge", "vlan", "" = a physical card or unknown (IFLA_INFO_KIND) */
	char driver[32];        /* "" = unknown (ethtool) */
	struct interface_stats stats;
	struct {
		struct addr addr;
		struct prefix prefix; /* the connected network */
	} addrs[INTERFACE_ADDRS_MAX];
	size_t addr_count;
};

struct netlink;

int netlink_open(struct netlink **ret, struct err *e);
void netlink_close(struct netlink **n);

/* All interfaces, in ifindex order, with addresses; free() the array. */
int netlink_interfaces(struct netlink *n, struct interface_info **ret, size_t *ret_count, struct err *e);
/* One, by name or (name NULL) by index. -ENODEV with a sentence that lists those there are. */
int netlink_interface(struct netlink *n, const char *name, uint32_t ifindex, struct interface_info *ret,
		      struct err *e);
/* Only the counters: cheap, for each tick. */
int netlink_stats(struct netlink *n, uint32_t ifindex, struct interface_stats *ret, struct err *e);
/* The interface of the default route (IPv4 first, then IPv6; lowest metric). -ENODEV: none. */
int netlink_default_interface(struct netlink *n, char ret[static INTERFACE_NAME_MAX], struct err *e);

/* As `ip link set promisc on` does: it stays until it is switched off. Needs CAP_NET_ADMIN. */
int netlink_set_promiscuous(struct netlink *n, uint32_t ifindex, bool on, struct err *e);

/* A descriptor that becomes readable when a link or an address changes (RTNLGRP_LINK,
 * _IPV4_IFADDR, _IPV6_IFADDR); after that call netlink_events_drain() and look at the interfaces
 * again. Lost events (ENOBUFS) count as a change. */
int netlink_events_open(int *ret_fd, struct err *e);
void netlink_events_drain(int fd);

#endif
