/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolver.h -- reverse look-ups by c-ares, never more than a resolver is to be asked.
 *
 * At most `rate` questions a second and RESOLVER_FLYING_MAX without an answer; each is sent once to each server, until one
 * answers. When RESOLVER_SILENT_MAX in a row find no answer the resolver is down: one question goes out after 1 s, 2 s, 4 s
 * ... 64 s, until one is answered, whatever the answer. Thread: its owner's, who waits on `epoll_fd`, where the sockets are,
 * with their descriptor as data.fd. */
#ifndef NETTALLY_NAMES_RESOLVER_H
#define NETTALLY_NAMES_RESOLVER_H

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define RESOLVER_FLYING_MAX 64
#define RESOLVER_SILENT_MAX 16
#define RESOLVER_TIMEOUT_MS 2000
#define RESOLVER_BACK_OFF_MAX_S 64

enum answer { ANSWER_NAME, ANSWER_NONE, ANSWER_REFUSED, ANSWER_FAILED, ANSWER_SILENCE };

struct resolver;

struct resolver_config {
	const char *servers;     /* "" = as resolv.conf(5) says */
	uint32_t rate;
	int epoll_fd;
	/* `name` of ANSWER_NAME alone; ttl_s as the answer has it, 0 = it has none. Not from within resolver_close(). */
	void (*hear)(void *arg, const struct addr *host, enum answer a, const char *name, uint32_t ttl_s);
	void *arg;
};

int resolver_open(struct resolver **ret, const struct resolver_config *cf, struct err *e);
void resolver_close(struct resolver **r);

bool resolver_may_ask(struct resolver *r, int64_t now_ns);
void resolver_ask(struct resolver *r, const struct addr *host, int64_t now_ns);
void resolver_handle(struct resolver *r, int fd, uint32_t events, int64_t now_ns);
void resolver_expire(struct resolver *r, int64_t now_ns);  /* looks at the timeouts */
/* Until something is to be done, in ms; `wanting`: there are questions to ask. -1: nothing. */
int resolver_wait_ms(struct resolver *r, bool wanting, int64_t now_ns);
bool resolver_is_down(const struct resolver *r);

#endif
