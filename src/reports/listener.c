/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reports/listener.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define BATCHES_MAX 64 /* in one read: a flood does not keep the thread from its other work */

struct listener {
	int fd;
	uint16_t port;
	uint32_t buffer_bytes;
	uint32_t dropped_kernel;        /* as the kernel counts, modulo 2^32 */
	uint64_t dropped;
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	struct sockaddr_storage from[BATCH];
	uint8_t bytes[BATCH][LAYOUT_DATAGRAM_MAX + 1]; /* one more, to know what is longer */
};

/* An IPv4 sender at a socket of both families has the form ::ffff:a.b.c.d. */
static void addr_of(struct addr *ret, const struct sockaddr_storage *from)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	*ret = (struct addr){ .family = ADDR_NONE };
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;

		ret->family = ADDR_IP4;
		memcpy(ret->bytes, mapped, sizeof mapped);
		memcpy(ret->bytes + sizeof mapped, &in->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;

		ret->family = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? ADDR_IP4 : ADDR_IP6;
		memcpy(ret->bytes, &in6->sin6_addr, 16);
	}
}

static void make_messages(struct listener *l)
{
	for (unsigned i = 0; i < BATCH; i++) {
		l->parts[i] = (struct iovec){ l->bytes[i], sizeof l->bytes[i] };
		l->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &l->from[i], .msg_namelen = sizeof l->from[i], .msg_iov = &l->parts[i], .msg_iovlen = 1,
		};
	}
}

/* SO_RCVBUFFORCE needs CAP_NET_ADMIN; without it rmem_max is the most. */
static void enlarge(struct listener *l)
{
	int wanted = (int)(LISTENER_BUFFER_BYTES / 2), got = 0; /* the kernel doubles it */
	socklen_t len = sizeof got;

	if (setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) < 0)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
	if (getsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &got, &len) == 0)
		l->buffer_bytes = (uint32_t)got;
}

static int bind_to(struct listener *l, const struct addrinfo *at)
{
	int off = 0;
	struct sockaddr_storage own;
	socklen_t len = sizeof own;

	l->fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	if (at->ai_family == AF_INET6)
		(void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	enlarge(l);
	if (bind(l->fd, at->ai_addr, at->ai_addrlen) < 0 || getsockname(l->fd, (struct sockaddr *)&own, &len) < 0) {
		int err = -errno;

		close(l->fd);
		l->fd = -1;
		return err;
	}
	l->port = ntohs(own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port :
						     ((struct sockaddr_in *)&own)->sin_port);
	return 0;
}

int listener_open(struct listener **ret, const char *address, uint16_t port, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV }, *at;
	struct listener *l = calloc(1, sizeof *l);
	char service[8];
	int err;

	if (!l)
		return err_set(e, -ENOMEM, "no memory for a listener of reports");
	l->fd = -1;
	snprintf(service, sizeof service, "%u", port);
	err = getaddrinfo(*address ? address : "::", service, &hints, &at);
	if (err) {
		free(l);
		return err_set(e, -EINVAL, "%s: %s", address, gai_strerror(err));
	}
	err = bind_to(l, at);
	freeaddrinfo(at);
	if (err == -EAFNOSUPPORT && !*address) {
		free(l);
		return listener_open(ret, "0.0.0.0", port, e); /* a machine without IPv6 */
	}
	if (err < 0) {
		free(l);
		return err_errno(e, err, "cannot listen for reports on %s port %u", *address ? address : "all addresses", port);
	}
	make_messages(l);
	*ret = l;
	return 0;
}

uint16_t listener_port(const struct listener *l)
{
	return l->port;
}

uint32_t listener_buffer_bytes(const struct listener *l)
{
	return l->buffer_bytes;
}

static void hand_over(struct listener *l, struct receiver *receiver, unsigned n)
{
	struct clock clock = clock_system();
	int64_t now_utc_us = clock.utc_ns(clock.arg) / 1000;

	for (unsigned i = 0; i < n; i++) {
		struct mmsghdr *m = &l->messages[i];
		struct addr from;

		addr_of(&from, &l->from[i]);
		receiver_take(receiver, (struct slice){ l->bytes[i], m->msg_len }, &from,
			      m->msg_len > LAYOUT_DATAGRAM_MAX || (m->msg_hdr.msg_flags & MSG_TRUNC), now_utc_us);
		m->msg_hdr.msg_namelen = sizeof l->from[i];
	}
	receiver_flush(receiver);
}

int listener_read(struct listener *l, struct receiver *receiver)
{
	int all = 0;

	for (unsigned turn = 0; turn < BATCHES_MAX; turn++) {
		int n = recvmmsg(l->fd, l->messages, BATCH, MSG_DONTWAIT, NULL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED))
			break;
		if (n < 0)
			return -errno;
		hand_over(l, receiver, (unsigned)n);
		all += n;
		if (n < BATCH)
			break;
	}
	return all;
}

int listener_fd(const struct listener *l)
{
	return l->fd;
}

uint64_t listener_dropped(struct listener *l)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t len = sizeof info;

	if (getsockopt(l->fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0 && len >= (SK_MEMINFO_DROPS + 1) * sizeof *info) {
		l->dropped += info[SK_MEMINFO_DROPS] - l->dropped_kernel;
		l->dropped_kernel = info[SK_MEMINFO_DROPS];
	}
	return l->dropped;
}

void listener_close(struct listener **pl)
{
	if (!*pl)
		return;
	if ((*pl)->fd >= 0)
		close((*pl)->fd);
	free(*pl);
	*pl = NULL;
}
