/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockets/diag.h"

#include "sockets/diag_message.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REPLY_BYTES 65536     /* the kernel's dumps fill 32 KiB at most */
#define ANSWER_WITHIN_S 5
#define DATAGRAMS_MAX 1000000 /* of one answer */

/* include/net/tcp_states.h: established, fin_wait1, fin_wait2, close_wait, last_ack, listen, closing. Not those that have
 * no counters of their own (syn_recv, time_wait), nor what was not answered yet. */
#define STATES (1u << 1 | 1u << 4 | 1u << 5 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11)

struct diag {
	int fd;
	uint32_t seq;
	_Alignas(8) uint8_t reply[REPLY_BYTES];
};

int diag_open(struct diag **ret, struct err *e)
{
	const struct timeval within = { .tv_sec = ANSWER_WITHIN_S };
	struct diag *d = calloc(1, sizeof *d);
	int code;

	if (!d)
		return err_set(e, -ENOMEM, "no memory for sock_diag");
	d->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (d->fd < 0 || setsockopt(d->fd, SOL_SOCKET, SO_RCVTIMEO, &within, sizeof within) < 0) {
		code = err_errno(e, -errno, "cannot ask for TCP connections (sock_diag)");
		diag_close(&d);
		return code;
	}
	*ret = d;
	return 0;
}

static int ask(struct diag *d, uint8_t family)
{
	const struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head = { .nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = ++d->seq },
		.body = { .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_ext = 1 << (INET_DIAG_INFO - 1),
			  .idiag_states = STATES },
	};

	return send(d->fd, &request, sizeof request, 0) < 0 ? -errno : 0;
}

/* 1: the dump is at its end. */
static int take_datagram(struct diag *d, void (*take)(void *arg, const struct connection *c), void *arg)
{
	ssize_t len = recv(d->fd, d->reply, sizeof d->reply, MSG_TRUNC);
	struct connection connection;
	enum diag_kind kind;
	struct cursor c;
	int r;

	if (len < 0)
		return errno == EINTR ? 0 : -errno;
	if (len == 0 || (size_t)len > sizeof d->reply)
		return -EMSGSIZE;
	c = cursor_of((struct slice){ d->reply, (size_t)len });
	while ((r = diag_message_next(&c, &kind, &connection)) > 0) {
		if (kind == DIAG_DONE)
			return 1;
		if (kind == DIAG_CONNECTION)
			take(arg, &connection);
	}
	return r;
}

/* What is left of an answer that was given up would be taken for the next one. */
static int begin_anew(struct diag *d, int code)
{
	struct diag *fresh;

	if (diag_open(&fresh, NULL) == 0) {
		close(d->fd);
		d->fd = fresh->fd;
		free(fresh);
	}
	return code;
}

static int list(struct diag *d, uint8_t family, void (*take)(void *arg, const struct connection *c), void *arg)
{
	int r = ask(d, family);

	for (unsigned i = 0; i < DATAGRAMS_MAX && r == 0; i++)
		r = take_datagram(d, take, arg);
	return r == 1 ? 0 : begin_anew(d, r < 0 ? r : -E2BIG);
}

int diag_list(struct diag *d, void (*take)(void *arg, const struct connection *c), void *arg, struct err *e)
{
	int r = list(d, AF_INET, take, arg);

	if (r == 0)
		r = list(d, AF_INET6, take, arg);
	return r < 0 ? err_errno(e, r, "the kernel does not list its TCP connections (sock_diag)") : 0;
}

void diag_close(struct diag **d)
{
	if (!*d)
		return;
	if ((*d)->fd >= 0)
		close((*d)->fd);
	free(*d);
	*d = NULL;
}
