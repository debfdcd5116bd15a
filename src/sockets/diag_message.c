/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag_message.c -- headers by memcpy, attributes by a child cursor each. */
#include "sockets/diag_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define TCP_CLOSE_STATE 7   /* include/net/tcp_states.h */
#define TCP_LISTEN_STATE 10

static bool take_struct(struct cursor *c, void *to, size_t size)
{
	const uint8_t *at = cursor_take(c, size);

	if (at)
		memcpy(to, at, size);
	return at != NULL;
}

/* The padding behind the last element of a list may be missing. */
static void skip_padding(struct cursor *c, size_t len)
{
	size_t padding = (4 - len % 4) % 4;

	cursor_slice(c, padding < c->rest.len ? padding : c->rest.len);
}

/* Each kernel has more members than the one before: those that ours has are asked for. False: it lacks the last one that
 * is needed (before 4.19). */
static bool read_info(struct slice value, struct connection *to)
{
	struct tcp_info info = { 0 };

	if (value.len < offsetof(struct tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans)
		return false;
	memcpy(&info, value.at, value.len < sizeof info ? value.len : sizeof info);
	to->counters = (struct sockets_counters){
		.bytes_acked = info.tcpi_bytes_acked,
		.bytes_sent = info.tcpi_bytes_sent,
		.bytes_retrans = info.tcpi_bytes_retrans,
		.data_segments = info.tcpi_data_segs_out,
		.retransmits = info.tcpi_total_retrans,
	};
	to->srtt_us = info.tcpi_rtt;
	return true;
}

static void put_addr(uint8_t to[static 16], const __be32 from[static 4], unsigned family)
{
	if (family == AF_INET6) {
		memcpy(to, from, 16);
		return;
	}
	to[10] = to[11] = 0xff;
	memcpy(to + 12, from, 4);
}

static bool read_head(const struct inet_diag_msg *m, struct connection *to)
{
	*to = (struct connection){
		.cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0],
		.listens = m->idiag_state == TCP_LISTEN_STATE,
	};
	to->ends.local_port = ntohs(m->id.idiag_sport);
	to->ends.remote_port = ntohs(m->id.idiag_dport);
	put_addr(to->ends.local, m->id.idiag_src, m->idiag_family);
	put_addr(to->ends.remote, m->id.idiag_dst, m->idiag_family);
	return (m->idiag_family == AF_INET || m->idiag_family == AF_INET6) && m->idiag_state != TCP_CLOSE_STATE;
}

static int parse_connection(struct slice payload, enum diag_kind *ret_kind, struct connection *ret)
{
	struct cursor c = cursor_of(payload);
	struct inet_diag_msg m;
	bool known, counters = false;

	if (!take_struct(&c, &m, sizeof m))
		return -EBADMSG;
	known = read_head(&m, ret);
	while (c.rest.len) {
		struct rtattr head;
		struct slice value;

		if (!take_struct(&c, &head, sizeof head) || head.rta_len < sizeof head)
			return -EBADMSG;
		value = cursor_slice(&c, head.rta_len - sizeof head);
		if (c.truncated)
			return -EBADMSG;
		if ((head.rta_type & NLA_TYPE_MASK) == INET_DIAG_INFO)
			counters = read_info(value, ret);
		skip_padding(&c, head.rta_len);
	}
	*ret_kind = known && (counters || ret->listens) ? DIAG_CONNECTION : DIAG_OTHER;
	return 1;
}

static int parse_error(struct slice payload)
{
	struct cursor c = cursor_of(payload);
	int code;

	if (!take_struct(&c, &code, sizeof code) || code > 0 || code < -4095)
		return -EBADMSG;
	return code;
}

int diag_message_next(struct cursor *c, enum diag_kind *ret_kind, struct connection *ret)
{
	struct nlmsghdr head;
	struct slice payload;
	int code;

	if (c->rest.len == 0)
		return 0;
	if (!take_struct(c, &head, sizeof head) || head.nlmsg_len < sizeof head)
		return -EBADMSG;
	payload = cursor_slice(c, head.nlmsg_len - sizeof head);
	if (c->truncated)
		return -EBADMSG;
	skip_padding(c, head.nlmsg_len);
	*ret_kind = DIAG_OTHER;
	switch (head.nlmsg_type) {
	case SOCK_DIAG_BY_FAMILY: return parse_connection(payload, ret_kind, ret);
	case NLMSG_DONE: /* a dump that failed says so here */
	case NLMSG_ERROR:
		code = parse_error(payload);
		*ret_kind = DIAG_DONE;
		return code < 0 ? code : 1;
	default: return 1;
	}
}
