/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_bench -- updates a second that the BMP station absorbs over TCP while addresses are looked up in the same process.
 *
 *   bmp_bench [PREFIXES] [SECONDS]      default 200000 10
 * A child sends the whole table, then changes paths of random prefixes, one UPDATE each, as fast as TCP takes them. */
#include "base/clock.h"
#include "routes/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH 400

static uint64_t state = 88172645463325252u;

static uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		*at++ = (uint8_t)(value >> 8 * i);
	return at;
}

static uint8_t *put_peer(uint8_t *at, uint8_t type, uint32_t len)
{
	at = put(at, 3, 1);
	at = put(at, len, 4);
	at = put(at, type, 1);
	memset(at, 0, 42);
	put(at + 22, 0xc0000202, 4);
	put(at + 26, 64500, 4);
	put(at + 30, 0xc0000202, 4);
	return at + 42;
}

static uint8_t *put_bgp(uint8_t *at, uint8_t type, uint32_t len)
{
	memset(at, 0xff, 16);
	at = put(at + 16, len, 2);
	return put(at, type, 1);
}

static uint8_t *put_open(uint8_t *at, uint32_t as)
{
	at = put_bgp(at, 1, 37);
	at = put(at, 4, 1);
	at = put(at, as & 0xffff, 2);
	at = put(at, 180, 2);
	at = put(at, 0xc0000201, 4);
	at = put(at, 0x0802064104, 5);
	return put(at, as, 4);
}

static uint8_t *put_peer_up(uint8_t *at)
{
	at = put_peer(at, 3, 48 + 20 + 74);
	memset(at, 0, 20);
	return put_open(put_open(at + 20, 65001), 64500);
}

/* A /24 and a path of four. */
static uint8_t *put_update(uint8_t *at, uint32_t n, uint32_t change)
{
	uint32_t attributes = 4 + 3 + 2 + 16 + 7, bgp = 19 + 4 + attributes + 4;

	at = put_bgp(put_peer(at, 0, 48 + bgp), 2, bgp);
	at = put(at, attributes, 4); /* nothing withdrawn */
	at = put(at, 0x40010100, 4);
	at = put(at, 0x400212, 3);
	at = put(at, 0x0204, 2);
	at = put(at, 64500, 4);
	at = put(at, 3000 + change % 50, 4);
	at = put(at, 100000 + n % 9000, 4);
	at = put(at, 200000 + n % 60000, 4);
	at = put(at, UINT64_C(0x400304c0000202), 7);
	return put(at, UINT64_C(24) << 24 | (n + (1 << 16)), 4);
}

static void send_all(int fd, const uint8_t *at, size_t len)
{
	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			_exit(0);
		at += n;
		len -= (size_t)n;
	}
}

static void send_updates(int port, uint32_t prefixes)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(0x7f000001) };
	uint8_t *bytes = malloc(BATCH * 200), *at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint32_t next = 0;

	if (!bytes || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		_exit(1);
	at = put_peer_up(bytes);
	for (;;) {
		for (unsigned i = 0; i < BATCH; i++, next++)
			at = put_update(at, next < prefixes ? next : random32() % prefixes, next < prefixes ? 0 : random32());
		send_all(fd, bytes, (size_t)(at - bytes));
		at = bytes;
	}
}

static int64_t now_ns(void)
{
	struct clock c = clock_system();

	return c.monotonic_ns(c.arg);
}

struct round {
	int64_t longest_ns;
	uint64_t lookups, found;
};

/* A tick's worth: addresses attributed for 50 ms. */
static void look_up(struct routes *r, uint32_t prefixes, struct round *x)
{
	int64_t end_ns = now_ns() + NS_PER_S / 20, before_ns;
	const uint64_t wanted = FIELD_BIT(FIELD_ORIGIN_AS) | FIELD_BIT(FIELD_NEIGHBOUR_AS);

	before_ns = now_ns();
	routes_tick(r);
	if (now_ns() - before_ns > x->longest_ns)
		x->longest_ns = now_ns() - before_ns;
	do {
		for (unsigned i = 0; i < 1000; i++) {
			struct addr a = { .bytes = { [10] = 0xff, [11] = 0xff }, .family = ADDR_IP4 };
			struct attribution at = { 0 };

			put(a.bytes + 12, (random32() % prefixes + (1 << 16)) << 8 | (random32() & 0xff), 4);
			routes_attribute(r, 0, &a, wanted, &at);
			x->found += at.origin_as != 0;
		}
		x->lookups += 1000;
	} while (now_ns() < end_ns);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void measure(struct routes *r, uint32_t prefixes, unsigned seconds)
{
	struct timespec pause = { .tv_nsec = 50000000 };
	struct routes_view_facts before, after;
	struct round x = { 0 };
	int64_t began_ns;
	double cpu;

	do { /* until the whole table is there */
		nanosleep(&pause, NULL);
		routes_tick(r);
		routes_view_facts(r, 0, &before);
		free(before.peers);
	} while (before.router.counters.messages < prefixes);
	began_ns = now_ns();
	cpu = cpu_s();
	while (now_ns() - began_ns < (int64_t)seconds * NS_PER_S) {
		look_up(r, prefixes, &x);
		nanosleep(&pause, NULL);
	}
	routes_view_facts(r, 0, &after);
	free(after.peers);
	double took = (double)(now_ns() - began_ns) / 1e9;
	printf("%.0f updates/s absorbed, %.0f look-ups/s beside (%.1f%% found), %" PRIu64 " tables in force, "
	       "%.1f CPU s of %.1f s\n",
	       (double)(after.router.counters.messages - before.router.counters.messages) / took, (double)x.lookups / took,
	       100.0 * (double)x.found / (double)x.lookups, after.loads - before.loads, cpu_s() - cpu, took);
	printf("%" PRIu64 " routes, table %.1f MB, what was told %.1f MB, compiled in %.2f s, longest swap %.2f ms\n",
	       after.router.routes, (double)after.bytes / 1e6, (double)after.router.bytes / 1e6, (double)after.compile_ns / 1e9,
	       (double)x.longest_ns / 1e6);
}

int main(int argc, char **argv)
{
	uint32_t prefixes = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 200000;
	unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10;
	struct routes_view view = { .name = "edge1", .table = BMP_TABLE_AUTO };
	struct routes_config c = { .views = &view, .view_count = 1 };
	struct routes_facts facts;
	struct strings *strings;
	struct routes *r = NULL;
	struct err e = { 0 };
	pid_t child;

	addr_parse(&view.router, "127.0.0.1");
	c.bmp.on = true;
	strcpy(c.bmp.address, "127.0.0.1");
	c.bmp.memory_bytes = UINT64_C(4) << 30;
	if (prefixes < 1 || prefixes > 8000000 || strings_new(&strings) < 0 || routes_open(&r, &c, strings, "", &e) < 0 ||
	    routes_start(r, &e) < 0) {
		fprintf(stderr, "bmp_bench: %s\n", e.msg);
		return 1;
	}
	routes_facts(r, &facts);
	child = fork();
	if (child == 0)
		send_updates(atoi(strrchr(facts.listen, ':') + 1), prefixes);
	measure(r, prefixes, seconds);
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	routes_close(&r);
	strings_free(&strings);
	return 0;
}
