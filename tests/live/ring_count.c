/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_count.c -- counts what capture/afpacket gives on an interface, until SIGTERM or a number
 * of seconds; JSON at the end. Prints "ready" when every ring is open. */
#include "base/clock.h"
#include "capture/afpacket.h"
#include "capture/filter.h"
#include "capture/netlink.h"
#include "model/key.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RINGS_MAX 8
#define EVENTS_MAX 8
#define WAIT_MS 50

struct ring {
	struct afpacket *socket;
	const struct options *o;
	struct afpacket_stats stats;
	uint64_t frames, bytes, ingress, egress, filtered, tagged, super;
	uint16_t tpid, tci, gso_size;
	uint32_t cap_len;
	int64_t cpu_start_ns, cpu_ns, last_utc_ns;
	int64_t event_ns[EVENTS_MAX];
	int event_code[EVENTS_MAX];
	int event_count;
	pthread_t thread;
};

struct options {
	const char *interface, *filter_text;
	struct filter *filter;
	unsigned rings, seconds, slow_us, ring_bytes, snap_len;
};

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int signo)
{
	(void)signo;
	asked_to_stop = 1;
}

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void count_frame(struct ring *r, const struct frame *f)
{
	if (r->o->filter && !filter_match(r->o->filter, f)) {
		r->filtered++;
		return;
	}
	r->frames++;
	r->bytes += f->wire_len;
	r->ingress += f->direction == DIRECTION_INGRESS;
	r->egress += f->direction == DIRECTION_EGRESS;
	r->cap_len = f->cap_len;
	r->last_utc_ns = f->seen_utc_ns;
	if (f->vlan_tpid) {
		r->tagged++;
		r->tpid = f->vlan_tpid;
		r->tci = f->vlan_tci;
	}
	if (f->gso_size) {
		r->super++;
		r->gso_size = f->gso_size;
	}
}

/* False when there is no use in going on. */
static bool note_event(struct ring *r, int code)
{
	if (r->event_count < EVENTS_MAX) {
		r->event_ns[r->event_count] = read_clock(CLOCK_REALTIME);
		r->event_code[r->event_count++] = code;
	}
	return code == -ENETDOWN;
}

static void *run_ring(void *arg)
{
	struct frame frames[FRAME_BATCH];
	struct ring *r = arg;
	struct err e;

	for (;;) {
		bool stopping = asked_to_stop;
		int n = afpacket_next(r->socket, frames, WAIT_MS, &e);

		if (n < 0 && !note_event(r, n))
			break;
		if (n <= 0 && stopping)
			break; /* all that came before the signal was read: a block waits 20 ms at most */
		if (n > 0 && !r->cpu_start_ns)
			r->cpu_start_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
		for (int i = 0; i < n; i++)
			count_frame(r, &frames[i]);
		if (r->o->slow_us && n > 0 && !stopping)
			usleep(r->o->slow_us);
	}
	r->cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID) - r->cpu_start_ns;
	if (afpacket_stats(r->socket, &r->stats, &e) < 0)
		fprintf(stderr, "ring_count: %s\n", e.msg);
	return NULL;
}

static void print_ring(const struct ring *r)
{
	printf("{\"frames\": %llu, \"bytes\": %llu, \"ingress\": %llu, \"egress\": %llu, \"filtered\": %llu, "
	       "\"tagged\": %llu, \"tpid\": %u, \"tci\": %u, \"super\": %llu, \"gso_size\": %u, \"cap_len\": %u, "
	       "\"seen\": %llu, \"dropped\": %llu, \"linktype\": %u, \"cpu_ns\": %lld, \"last_utc_ns\": %lld, \"events\": [",
	       (unsigned long long)r->frames, (unsigned long long)r->bytes, (unsigned long long)r->ingress,
	       (unsigned long long)r->egress, (unsigned long long)r->filtered, (unsigned long long)r->tagged, r->tpid,
	       r->tci, (unsigned long long)r->super, r->gso_size, r->cap_len, (unsigned long long)r->stats.seen,
	       (unsigned long long)r->stats.dropped, afpacket_linktype(r->socket), (long long)r->cpu_ns,
	       (long long)r->last_utc_ns);
	for (int i = 0; i < r->event_count; i++)
		printf("%s{\"what\": \"%s\", \"utc_ns\": %lld}", i ? ", " : "",
		       r->event_code[i] == -ENETDOWN ? "down" : r->event_code[i] == -ENODEV ? "gone" : "error",
		       (long long)r->event_ns[i]);
	printf("]}");
}

static void parse_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "i:r:t:u:b:s:f:")) != -1) {
		switch (c) {
		case 'i': o->interface = optarg; break;
		case 'r': o->rings = (unsigned)atoi(optarg); break;
		case 't': o->seconds = (unsigned)atoi(optarg); break;
		case 'u': o->slow_us = (unsigned)atoi(optarg); break;
		case 'b': o->ring_bytes = (unsigned)atoi(optarg); break;
		case 's': o->snap_len = (unsigned)atoi(optarg); break;
		case 'f': o->filter_text = optarg; break;
		default: exit(2);
		}
	}
	if (!o->interface || o->rings < 1 || o->rings > RINGS_MAX) {
		fprintf(stderr, "usage: ring_count -i IFACE [-r RINGS] [-t SECONDS] [-u SLEEP_US_PER_BATCH] "
				"[-b RING_BYTES] [-s SNAP_LEN] [-f FILTER]\n");
		exit(2);
	}
}

static int open_rings(struct options *o, struct ring *rings, struct err *e)
{
	struct interface_info info;
	struct netlink *n = NULL;
	int code = netlink_open(&n, e);

	if (code == 0)
		code = netlink_interface(n, o->interface, 0, &info, e);
	if (n)
		netlink_close(&n);
	for (unsigned i = 0; i < o->rings && code == 0; i++) {
		struct afpacket_config cf = {
			.interface = o->interface, .ifindex = info.ifindex, .interface_id = 1, .promiscuous = true,
			.loopback = info.loopback, .ring_bytes = o->ring_bytes, .snap_len = o->snap_len,
			.fanout_group = o->rings > 1 ? (uint16_t)(getpid() & 0x7fff) + 1 : 0,
		};

		rings[i].o = o;
		code = afpacket_open(&rings[i].socket, &cf, e);
	}
	if (code == 0 && o->filter_text)
		code = filter_open(&o->filter, o->filter_text, afpacket_linktype(rings[0].socket), e);
	return code;
}

int main(int argc, char **argv)
{
	struct options o = { .rings = 1, .seconds = 20 };
	struct ring rings[RINGS_MAX] = { 0 };
	struct sigaction action = { .sa_handler = on_signal };
	struct err e;
	int code;

	parse_options(&o, argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	alarm(o.seconds);
	code = open_rings(&o, rings, &e);
	if (code < 0)
		fprintf(stderr, "ring_count: %s\n", e.msg);
	for (unsigned i = 0; i < o.rings && code == 0; i++)
		pthread_create(&rings[i].thread, NULL, run_ring, &rings[i]);
	if (code == 0) {
		printf("ready\n");
		fflush(stdout);
	}
	for (unsigned i = 0; i < o.rings && code == 0; i++)
		pthread_join(rings[i].thread, NULL);
	for (unsigned i = 0; i < o.rings && code == 0; i++) {
		printf("%s", i ? ",\n" : "[");
		print_ring(&rings[i]);
	}
	if (code == 0)
		printf("]\n");
	for (unsigned i = 0; i < o.rings; i++)
		afpacket_close(&rings[i].socket);
	filter_close(&o.filter);
	return code < 0;
}
