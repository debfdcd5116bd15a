/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names/neighbours.h"

#include "names/name_text.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_MAX 64 /* datagrams at once; the rest soon */
#define BUFFER_BYTES 32768 /* what the kernel sends of a dump at once, netlink(7) */
#define USABLE_STATES (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

static void take(struct cursor *c, void *to, size_t size)
{
	const uint8_t *b = cursor_take(c, size);

	if (b)
		memcpy(to, b, size);
	else
		memset(to, 0, size);
}

static void skip_padding(struct cursor *c, size_t length)
{
	size_t padding = (4 - length % 4) % 4;

	cursor_slice(c, padding < c->rest.len ? padding : c->rest.len);
}

static bool read_host(struct addr *ret, uint8_t family, struct slice value)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	*ret = (struct addr){ 0 };
	if (family == AF_INET && value.len == 4) {
		memcpy(ret->bytes, mapped, 12);
		memcpy(ret->bytes + 12, value.at, 4);
		ret->family = ADDR_IP4;
	} else if (family == AF_INET6 && value.len == 16) {
		memcpy(ret->bytes, value.at, 16);
		ret->family = ADDR_IP6;
	}
	return ret->family != ADDR_NONE && !addr_is_group(ret);
}

static int parse_neighbour(struct slice payload, void (*hear)(void *arg, const struct neighbour *n), void *arg)
{
	struct cursor c = cursor_of(payload);
	struct slice host = { 0 }, mac = { 0 };
	struct neighbour n = { .mac = 0 };
	struct ndmsg nd;

	take(&c, &nd, sizeof nd);
	while (!c.truncated && c.rest.len >= sizeof(struct rtattr)) {
		struct rtattr attr;

		take(&c, &attr, sizeof attr);
		if (attr.rta_len < sizeof attr)
			return -EBADMSG;
		struct slice value = cursor_slice(&c, attr.rta_len - sizeof attr);
		if (attr.rta_type == NDA_DST)
			host = value;
		else if (attr.rta_type == NDA_LLADDR)
			mac = value;
		if (!c.truncated)
			skip_padding(&c, attr.rta_len);
	}
	if (c.truncated)
		return -EBADMSG;
	if (!(nd.ndm_state & USABLE_STATES) || (nd.ndm_flags & NTF_PROXY) || mac.len != 6 || mac.at[0] & 1)
		return 0;
	n.mac = mac_key_of(mac.at);
	if (n.mac != UINT64_C(1) << 48 && read_host(&n.host, nd.ndm_family, host))
		hear(arg, &n);
	return 0;
}

int neighbours_parse(struct slice datagram, void (*hear)(void *arg, const struct neighbour *n), void *arg)
{
	struct cursor c = cursor_of(datagram);

	while (c.rest.len) {
		struct nlmsghdr h;
		int r = 0;

		take(&c, &h, sizeof h);
		if (c.truncated || h.nlmsg_len < sizeof h)
			return -EBADMSG;
		struct slice payload = cursor_slice(&c, h.nlmsg_len - sizeof h);
		if (c.truncated)
			return -EBADMSG;
		if (h.nlmsg_type == RTM_NEWNEIGH)
			r = parse_neighbour(payload, hear, arg);
		if (r < 0)
			return r;
		skip_padding(&c, h.nlmsg_len);
	}
	return 0;
}

static int ask_all(int fd)
{
	struct {
		struct nlmsghdr h;
		struct ndmsg nd;
	} request = {
		.h = { .nlmsg_len = sizeof request, .nlmsg_type = RTM_GETNEIGH, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.nd = { .ndm_family = AF_UNSPEC },
	};

	return send(fd, &request, sizeof request, 0) == (ssize_t)sizeof request ? 0 : -errno;
}

int neighbours_open(int *ret_fd, struct err *e)
{
	struct sockaddr_nl local = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_NEIGH };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), room = 1 << 20, r = 0;

	if (fd < 0)
		return err_errno(e, -errno, "the neighbour table");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0)
		r = -errno;
	if (r == 0)
		r = ask_all(fd);
	if (r < 0) {
		close(fd);
		return err_errno(e, r, "the neighbour table");
	}
	*ret_fd = fd;
	return 0;
}

int neighbours_read(int fd, void (*hear)(void *arg, const struct neighbour *n), void *arg)
{
	_Alignas(8) uint8_t buffer[BUFFER_BYTES];

	for (unsigned i = 0; i < READS_MAX; i++) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_size = sizeof from;
		ssize_t n = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &from_size);

		if (n < 0 && errno == ENOBUFS) {
			ask_all(fd);
			return -ENOBUFS;
		}
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (from.nl_pid == 0) /* the kernel, and nobody else */
			neighbours_parse((struct slice){ buffer, (size_t)n }, hear, arg);
	}
	return 0;
}
