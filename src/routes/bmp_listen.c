/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/bmp_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64

static int parse_listen(const struct routes_config *c, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, c->bmp.address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(c->bmp.port);
		*ret_len = sizeof *in;
		return 0;
	}
	if (inet_pton(AF_INET6, c->bmp.address, &in6->sin6_addr) != 1)
		return -EINVAL;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(c->bmp.port);
	*ret_len = sizeof *in6;
	return 0;
}

void bmp_listen_name(int fd, char *text, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	char host[INET6_ADDRSTRLEN] = "";

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return;
	if (ss.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&ss;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
		snprintf(text, size, "%s:%u", host, ntohs(in->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
		snprintf(text, size, "[%s]:%u", host, ntohs(in6->sin6_port));
	}
}

int bmp_listen(const struct routes_config *c, int *ret_fd, struct err *e)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, on = 1;

	if (parse_listen(c, &ss, &len) < 0)
		return err_set(e, -EINVAL, "bmp: listen: %s is no address", c->bmp.address);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, -errno, "bmp: socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;

		close(fd);
		return err_errno(e, r, "bmp: cannot listen at %s port %u", c->bmp.address, c->bmp.port);
	}
	*ret_fd = fd;
	return 0;
}

/* An IPv4 router that reaches an IPv6 socket is still that one. */
static void addr_of(const struct sockaddr_storage *ss, struct addr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(ret, 0, sizeof *ret);
	if (ss->ss_family == AF_INET6) {
		memcpy(ret->bytes, &((const struct sockaddr_in6 *)ss)->sin6_addr, 16);
		ret->family = memcmp(ret->bytes, mapped, 12) == 0 ? ADDR_IP4 : ADDR_IP6;
	} else {
		memcpy(ret->bytes, mapped, 12);
		memcpy(ret->bytes + 12, &((const struct sockaddr_in *)ss)->sin_addr, 4);
		ret->family = ADDR_IP4;
	}
}

static void set_options(int fd)
{
	static const struct { int level, name, value; } options[] = {
		/* BMP says nothing while nothing changes: only TCP tells that a router is gone */
		{ SOL_SOCKET, SO_KEEPALIVE, 1 }, { IPPROTO_TCP, TCP_KEEPIDLE, 30 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 10 }, { IPPROTO_TCP, TCP_KEEPCNT, 3 },
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

int bmp_accept(int listen_fd, struct addr *ret_from)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	int fd = accept4(listen_fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	addr_of(&ss, ret_from);
	set_options(fd);
	return fd;
}
