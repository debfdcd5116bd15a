/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http.c -- see http.h. A request is answered as soon as its header is whole: there are only GET
 * and HEAD. */
#include "web/http.h"

#include "base/addr.h"
#include "base/text.h"
#include "web/routes.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define TIMEOUT_S 10
#define THREADS 8
#define QUERIES_MAX 6 /* of the threads: the others stay for /healthz and what is in memory */

struct http {
	struct site site;
	struct MHD_Daemon *daemon;
	bool loopback; /* then only names of this machine are answered: a web page elsewhere may have its name point here */
	char own[ADDR_TEXT_MAX];
	char address[ADDR_TEXT_MAX + 16];
	char *ledger_path;
};

struct visit { /* from the request line to the end of the reply */
	struct url url;
	int code; /* of url_parse() */
	struct err e;
};

static void *on_request_line(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct visit *v = malloc(sizeof *v);

	(void)arg;
	(void)connection;
	if (v) {
		v->e.msg[0] = '\0';
		v->code = url_parse(&v->url, (struct slice){ (const uint8_t *)uri, strlen(uri) }, &v->e);
	}
	return v;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **visit,
			 enum MHD_RequestTerminationCode how)
{
	(void)arg;
	(void)connection;
	(void)how;
	free(*visit);
	*visit = NULL;
}

/* True for "NAME", "NAME:1234". */
static bool host_is(const char *host, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(host, name, len) != 0)
		return false;
	host += len;
	return *host == '\0' || (*host == ':' && host[1 + strspn(host + 1, "0123456789")] == '\0');
}

static bool host_allowed(const struct http *h, const char *host)
{
	return !h->loopback || !host || host_is(host, "localhost") || host_is(host, "127.0.0.1") || host_is(host, "[::1]") ||
	       host_is(host, h->own);
}

static int answer(struct http *h, struct MHD_Connection *connection, const char *method, struct visit *v,
		  struct reply *ret)
{
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);

	if (!v)
		return reply_error(ret, 503, "no memory");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return reply_error(ret, 405, "only GET and HEAD");
	if (!host_allowed(h, host))
		return reply_error(ret, 403, "ask this server as localhost, 127.0.0.1 or [::1]: it answers this machine only");
	if (v->code < 0)
		return reply_error(ret, v->code == -ENAMETOOLONG ? 414 : 400, v->e.msg);
	return route(ret, &(struct request){ .site = &h->site, .url = &v->url });
}

static void add_headers(struct MHD_Response *response, const struct reply *reply)
{
	char csp[256];

	snprintf(csp, sizeof csp, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
	if (reply->nonce[0])
		snprintf(csp, sizeof csp,
			 "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; img-src data:; "
			 "frame-ancestors 'none'; base-uri 'none'; form-action 'none'", reply->nonce, reply->nonce);
	MHD_add_response_header(response, "Content-Security-Policy", csp);
	MHD_add_response_header(response, "Content-Type", reply->type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	if (reply->status == 405)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	if (reply->retry)
		MHD_add_response_header(response, "Retry-After", "1");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *upload, size_t *upload_len, void **visit)
{
	struct reply reply = { 0 };
	struct MHD_Response *response;
	enum MHD_Result result;

	(void)url;
	(void)version;
	(void)upload;
	(void)upload_len;
	if (answer(arg, connection, method, *visit, &reply) < 0) {
		free(reply.body);
		return MHD_NO; /* no memory: closes the connection */
	}
	response = MHD_create_response_from_buffer(reply.body_len, reply.body, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(reply.body);
		return MHD_NO;
	}
	add_headers(response, &reply);
	result = MHD_queue_response(connection, reply.status, response);
	MHD_destroy_response(response);
	return result;
}

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

static socklen_t address_make(union address *ret, const struct addr *a, uint16_t port)
{
	memset(ret, 0, sizeof *ret);
	if (a->family == ADDR_IP4) {
		ret->ip4.sin_family = AF_INET;
		ret->ip4.sin_port = htons(port);
		memcpy(&ret->ip4.sin_addr, addr_ip4_bytes(a), 4);
		return sizeof ret->ip4;
	}
	ret->ip6.sin6_family = AF_INET6;
	ret->ip6.sin6_port = htons(port);
	memcpy(&ret->ip6.sin6_addr, a->bytes, 16);
	return sizeof ret->ip6;
}

static int explain(int code, const struct http_config *cf, struct err *e)
{
	if (code == -EADDRINUSE)
		return err_set(e, code, "web server: %s port %u is in use by another program: choose another with "
			       "--listen ADDRESS:PORT or web { listen = ... } (port 0 takes a free one), or --listen off",
			       cf->address, cf->port);
	if (code == -EADDRNOTAVAIL)
		return err_set(e, code, "web server: %s is no address of this machine", cf->address);
	return err_errno(e, code, "web server: %s port %u", cf->address, cf->port);
}

/* *ret_fd is the caller's; `port` of the configuration may be 0, *ret_port is not. */
static int listen_on(const struct http_config *cf, const struct addr *a, int *ret_fd, uint16_t *ret_port, struct err *e)
{
	union address address;
	socklen_t len = address_make(&address, a, cf->port);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, code;

	if (fd < 0)
		return explain(-errno, cf, e);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->family == ADDR_IP6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &address.any, len) < 0 || listen(fd, CONNECTIONS_MAX) < 0 || getsockname(fd, &address.any, &len) < 0) {
		code = -errno;
		close(fd);
		return explain(code, cf, e);
	}
	*ret_port = ntohs(a->family == ADDR_IP4 ? address.ip4.sin_port : address.ip6.sin6_port);
	*ret_fd = fd;
	return 0;
}

static bool is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == ADDR_IP4 ? addr_ip4_bytes(a)[0] == 127 : memcmp(a->bytes, one, sizeof one) == 0;
}

static void on_log(void *arg, const char *fmt, va_list ap) /* what clients do wrong is theirs */
{
	(void)arg;
	(void)fmt;
	(void)ap;
}

static int http_start(struct http *h, const struct http_config *cf, struct err *e)
{
	struct addr a;
	uint16_t port = 0;
	int fd = -1, r;

	if (addr_parse(&a, cf->address) < 0)
		return err_set(e, -EINVAL, "web server: '%.60s' is no address", cf->address);
	r = listen_on(cf, &a, &fd, &port, e);
	if (r < 0)
		return r;
	h->loopback = is_loopback(&a);
	snprintf(h->own, sizeof h->own, a.family == ADDR_IP4 ? "%.40s" : "[%.40s]", cf->address);
	snprintf(h->address, sizeof h->address, "%s:%u", h->own, port);
	/* ITC: without it, threads that have no room for another client would not hear that they
	 * are to end */
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, h,
				     MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
				     MHD_OPTION_URI_LOG_CALLBACK, on_request_line, h,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
	if (!h->daemon) {
		close(fd);
		return err_set(e, -EIO, "web server: its threads could not be started");
	}
	return 0;
}

int http_open(struct http **ret, const struct http_config *cf, struct err *e)
{
	struct http *h = calloc(1, sizeof *h);
	int r;

	if (!h)
		return err_set(e, -ENOMEM, "no memory for the web server");
	sem_init(&h->site.queries, 0, QUERIES_MAX);
	h->site.box = cf->box;
	h->ledger_path = cf->ledger_path ? strdup(cf->ledger_path) : NULL;
	h->site.ledger_path = h->ledger_path;
	r = cf->ledger_path && !h->ledger_path ? err_set(e, -ENOMEM, "no memory for the web server") : http_start(h, cf, e);
	if (r < 0) {
		http_close(&h);
		return r;
	}
	*ret = h;
	return 0;
}

const char *http_address(const struct http *h)
{
	return h->address;
}

void http_close(struct http **ph)
{
	struct http *h = *ph;

	*ph = NULL;
	if (!h)
		return;
	if (h->daemon)
		MHD_stop_daemon(h->daemon); /* waits for its threads */
	sem_destroy(&h->site.queries);
	free(h->ledger_path);
	free(h);
}
