/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names/resolver.h"

#include "base/clock.h"
#include "names/ptr_reply.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>

enum { CLASS_IN = 1, TYPE_PTR = 12 };

struct resolver {
	ares_channel channel;
	struct resolver_config cf;
	uint32_t flying, silent, back_off_s;
	int64_t down_until_ns;        /* 0 = up */
	int64_t now_ns, filled_ns;
	int64_t credit_ns;            /* a question costs NS_PER_S / rate */
	bool closing;
};

struct question {
	struct resolver *resolver;
	struct addr host;
};

static int64_t cost_ns(const struct resolver *r)
{
	return NS_PER_S / (int64_t)r->cf.rate;
}

/* A tenth of a second's questions may go out at once. */
static void fill(struct resolver *r, int64_t now_ns)
{
	int64_t most = NS_PER_S / 10 > cost_ns(r) ? NS_PER_S / 10 : cost_ns(r);

	r->credit_ns += now_ns - r->filled_ns;
	if (r->credit_ns > most)
		r->credit_ns = most;
	r->filled_ns = now_ns;
}

bool resolver_may_ask(struct resolver *r, int64_t now_ns)
{
	fill(r, now_ns);
	if (r->credit_ns < cost_ns(r) || r->flying >= RESOLVER_FLYING_MAX)
		return false;
	return !r->down_until_ns || (now_ns >= r->down_until_ns && r->flying == 0);
}

bool resolver_is_down(const struct resolver *r)
{
	return r->down_until_ns != 0;
}

int resolver_wait_ms(struct resolver *r, bool wanting, int64_t now_ns)
{
	struct timeval tv, *next = ares_timeout(r->channel, NULL, &tv);
	int64_t wait_ms = next ? (int64_t)tv.tv_sec * 1000 + tv.tv_usec / 1000 + 1 : -1, ready_ms;

	if (!wanting || r->flying >= RESOLVER_FLYING_MAX || (r->down_until_ns && r->flying))
		return (int)wait_ms;
	fill(r, now_ns);
	ready_ms = r->credit_ns >= cost_ns(r) ? 0 : (cost_ns(r) - r->credit_ns) / 1000000 + 1;
	if (r->down_until_ns > now_ns && (r->down_until_ns - now_ns) / 1000000 + 1 > ready_ms)
		ready_ms = (r->down_until_ns - now_ns) / 1000000 + 1;
	return (int)(wait_ms < 0 || ready_ms < wait_ms ? ready_ms : wait_ms);
}

/* Nobody answered: the resolver may be down, or the way to it. */
static void note_silence(struct resolver *r)
{
	r->silent++;
	if (r->silent < RESOLVER_SILENT_MAX || (r->down_until_ns && r->flying))
		return; /* of those that were on their way when it went down the last one counts */
	r->back_off_s = !r->down_until_ns ? 1 : r->back_off_s < RESOLVER_BACK_OFF_MAX_S ? r->back_off_s * 2 : r->back_off_s;
	r->down_until_ns = r->now_ns + r->back_off_s * NS_PER_S;
}

static enum answer answer_of(int status)
{
	switch (status) {
	case ARES_SUCCESS: return ANSWER_NAME;
	case ARES_ENODATA:
	case ARES_ENOTFOUND: return ANSWER_NONE;
	case ARES_EREFUSED: return ANSWER_REFUSED;
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED: return ANSWER_SILENCE;
	default: return ANSWER_FAILED; /* SERVFAIL, FORMERR, NOTIMP, no memory */
	}
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *reply, int reply_len)
{
	struct question *q = arg;
	struct resolver *r = q->resolver;
	struct addr host = q->host;
	enum answer a = answer_of(status);
	struct ptr_reply parsed = { .ttl_s = 0 };

	(void)timeouts;
	free(q);
	r->flying--;
	if (r->closing || status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
		return;
	if (a == ANSWER_SILENCE) {
		note_silence(r);
	} else {
		r->silent = 0;
		r->down_until_ns = 0;
	}
	if (a <= ANSWER_NONE && reply && reply_len > 0 &&
	    ptr_reply_parse(&parsed, (struct slice){ reply, (size_t)reply_len }) < 0)
		a = ANSWER_FAILED;
	if (a == ANSWER_NAME && !parsed.name.used)
		a = ANSWER_NONE;
	r->cf.hear(r->cf.arg, &host, a, a == ANSWER_NAME ? parsed.name.at : NULL,
		   a == ANSWER_NAME ? parsed.ttl_s : parsed.negative_ttl_s);
}

void resolver_ask(struct resolver *r, const struct addr *host, int64_t now_ns)
{
	struct question *q = malloc(sizeof *q);
	char text[PTR_QUESTION_MAX];

	fill(r, now_ns);
	r->credit_ns -= cost_ns(r);
	r->now_ns = now_ns;
	if (!q) {
		r->cf.hear(r->cf.arg, host, ANSWER_FAILED, NULL, 0);
		return;
	}
	*q = (struct question){ r, *host };
	r->flying++;
	ptr_question(host, text);
	ares_query(r->channel, text, CLASS_IN, TYPE_PTR, on_reply, q);
}

void resolver_handle(struct resolver *r, int fd, uint32_t events, int64_t now_ns)
{
	bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP), out = events & EPOLLOUT;

	r->now_ns = now_ns;
	ares_process_fd(r->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
}

void resolver_expire(struct resolver *r, int64_t now_ns)
{
	r->now_ns = now_ns;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct epoll_event ev = { .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u), .data.fd = fd };

	if (!ev.events)
		epoll_ctl(r->cf.epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* before it is closed */
	else if (epoll_ctl(r->cf.epoll_fd, EPOLL_CTL_MOD, fd, &ev) < 0)
		epoll_ctl(r->cf.epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

int resolver_open(struct resolver **ret, const struct resolver_config *cf, struct err *e)
{
	struct resolver *r = calloc(1, sizeof *r);
	struct ares_options options = {
		/* what is refused is an answer, not a reason to ask the next server */
		.flags = ARES_FLAG_NOCHECKRESP, .timeout = RESOLVER_TIMEOUT_MS, .tries = 1, .lookups = (char[]){ "b" },
		.sock_state_cb = on_socket, .sock_state_cb_data = r,
	};
	int status;

	if (!r)
		return err_set(e, -ENOMEM, "no memory");
	r->cf = *cf;
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status != ARES_SUCCESS) {
		free(r);
		return err_set(e, -EIO, "the resolver: %s", ares_strerror(status));
	}
	status = ares_init_options(&r->channel, &options,
				   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
				   ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS && cf->servers[0]) {
		status = ares_set_servers_ports_csv(r->channel, cf->servers);
		if (status != ARES_SUCCESS)
			ares_destroy(r->channel);
	}
	if (status != ARES_SUCCESS) {
		ares_library_cleanup();
		free(r);
		return err_set(e, -EIO, "the resolver: %s", ares_strerror(status));
	}
	*ret = r;
	return 0;
}

void resolver_close(struct resolver **pr)
{
	struct resolver *r = *pr;

	if (!r)
		return;
	r->closing = true;
	ares_destroy(r->channel);
	ares_library_cleanup();
	free(r);
	*pr = NULL;
}
