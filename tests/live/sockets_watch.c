/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets_watch.c -- what src/sockets/ tells, a line of JSON for each delivery, until SIGTERM; then its counters.
 *
 * sockets_watch [-p SERVICE_PORT] [-l LOOK_MS] [-m CONNECTIONS_MAX] [-r RING_BYTES] [-w BEFORE_READING_MS] */
#include "base/clock.h"
#include "sockets/sockets.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signo)
{
	(void)signo;
	ended = 1;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "sockets_watch: %s: %s\n", what, why);
	exit(1);
}

static void tell(void *arg, const struct socket_delivery *d)
{
	char client[ADDR_TEXT_MAX], server[ADDR_TEXT_MAX];

	(void)arg;
	addr_format(&d->client, client);
	addr_format(&d->server, server);
	printf("{\"client\": \"%s\", \"client_port\": %u, \"server\": \"%s\", \"port\": %u, \"requests\": %" PRIu64
	       ", \"packets\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"retransmits\": %" PRIu64 ", \"srtt_us\": %u}\n",
	       client, d->client_port, server, d->port, d->requests, d->packets, d->bytes, d->retransmits, d->srtt_us);
}

static void say_stats(const struct sockets *s)
{
	struct sockets_stats st;

	sockets_stats(s, &st);
	printf("{\"closed\": %" PRIu64 ", \"living\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"unknown\": %" PRIu64
	       ", \"crowded\": %" PRIu64 ", \"accepted_lost\": %" PRIu64 ", \"missed\": %" PRIu64
	       ", \"looks\": %" PRIu64 ", \"looks_failed\": %" PRIu64 "}\n",
	       st.closed, st.living, st.lost, st.unknown, st.crowded, st.accepted_lost, st.missed, st.looks, st.looks_failed);
}

/* `look_ms` 0: only at the end. */
static void watch(struct sockets *s, int look_ms)
{
	const struct clock clock = clock_system();
	int64_t next = clock.monotonic_ns(NULL) + look_ms * INT64_C(1000000);
	struct err e;

	while (!ended) {
		struct pollfd p = { .fd = sockets_fd(s), .events = POLLIN };

		if (poll(&p, 1, 20) > 0 && sockets_read(s, tell, NULL) < 0)
			die("read", "failed");
		if (look_ms && clock.monotonic_ns(NULL) >= next) {
			next += look_ms * INT64_C(1000000);
			if (sockets_look(s, tell, NULL, &e) < 0)
				die("look", e.msg);
		}
	}
	if (sockets_look(s, tell, NULL, &e) < 0)
		die("look", e.msg);
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = end };
	struct sockets_config cf = { 0 };
	struct services services = { 0 };
	int option, look_ms = 0, wait_ms = 0;
	struct sockets *s;
	struct err e;

	while ((option = getopt(argc, argv, "p:l:m:r:w:")) != -1) {
		switch (option) {
		case 'p':
			if (services_add(&services, "test", SERVICE_TCP, (uint16_t)atoi(optarg), &e) < 0)
				die(optarg, e.msg);
			break;
		case 'l': look_ms = atoi(optarg); break;
		case 'm': cf.connections_max = (uint32_t)atoi(optarg); break;
		case 'r': cf.ring_bytes = (uint32_t)atoi(optarg); break;
		case 'w': wait_ms = atoi(optarg); break;
		default: die("usage", "see the head of sockets_watch.c");
		}
	}
	cf.services = &services;
	sigaction(SIGTERM, &act, NULL);
	if (sockets_open(&s, &cf, &e) < 0)
		die("open", e.msg);
	printf("ready\n");
	fflush(stdout);
	usleep((useconds_t)wait_ms * 1000);
	watch(s, look_ms);
	say_stats(s);
	sockets_close(&s);
	services_free(&services);
	return 0;
}
