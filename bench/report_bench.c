/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_bench.c -- what a web server's report costs, and a sender for tests.
 *
 *   report_bench send new|old ADDRESS:PORT KEYFILE RECORDS [CLIENTS]   sends as fast as it can; prints what it sent
 *   report_bench receive new|old|seed [RECORDS [CLIENTS]]     CPU time per record of the daemon's own source (new, old), or
 *                                                              of a loop as trafstat's receiver has one (seed)
 *
 * `receive` fills the socket's buffer, then lets the source empty it, again and again: what is measured is receiving,
 * checking and counting alone, on one core, and not the sender. The seed's loop: receive, SHA-1, a line of the log, which
 * is line-buffered, for each datagram. */
#include "daemon/config_internal.h"
#include "daemon/config_reports.h"
#include "daemon/report_source.h"
#include "reports/nettally-report.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECRET "0123456789abcdef"
#define OLD_LENGTH 308
#define ROUND_NEW 1000000 /* records that fit the socket's buffer */
#define ROUND_OLD 20000
#define BYTES_EACH 14480
#define MSS 1448

static uint64_t clients = 10000;

static void die(const char *what)
{
	fprintf(stderr, "report_bench: %s\n", what);
	exit(1);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- senders */

struct old_datagram {
	uint64_t time, bytes_sent;
	uint32_t type, seconds, retransmits, mss;
	char ip[256];
	uint8_t sign[20];
} __attribute__((packed)); /* little-endian, as the machines that this runs on */

static uint32_t client_address(uint64_t i)
{
	return (uint32_t)(0x0a000000 + i % clients * 7919 % 0xffffff);
}

static uint64_t send_new(const char *to, const struct key_secret *secret, uint64_t records, uint64_t *ret_bytes)
{
	struct nettally_report_options o = { .to = to, .secret = secret->bytes, .secret_len = secret->len, .sender = "bench" };
	static const char *const types[] = { "video", "image", "page" };
	struct sockaddr_in client = { .sin_family = AF_INET }, server = { .sin_family = AF_INET, .sin_port = htons(443) };
	struct nettally_report_stats stats;
	struct nettally_report *r = NULL;
	char why[256];

	if (nettally_report_open(&r, &o, why, sizeof why) < 0)
		die(why);
	server.sin_addr.s_addr = htonl(0xc0000201);
	for (uint64_t i = 0; i < records; i++) {
		struct nettally_delivery d = {
			(void *)&client, (void *)&server, types[i / 64 % 3], BYTES_EACH, 11, i % 10 == 0, 1, 1000 + i % 5000,
			20000 + i % 1000,
		};

		client.sin_addr.s_addr = htonl(client_address(i));
		(void)nettally_report_add(r, &d);
	}
	(void)nettally_report_flush(r);
	usleep(records > ROUND_NEW ? 300000 : 0); /* the listener may be behind: what it loses of the end is told again */
	nettally_report_get_stats(r, &stats);
	nettally_report_close(&r);
	*ret_bytes = records * BYTES_EACH;
	return stats.lost_records;
}

static int connect_to(const char *to)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	char host[64] = "";
	unsigned port = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sscanf(to, "%63[0-9.]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &in.sin_addr) != 1)
		die("write ADDRESS:PORT");
	in.sin_port = htons((uint16_t)port);
	if (fd < 0 || connect(fd, (void *)&in, sizeof in) < 0)
		die("cannot connect");
	return fd;
}

static uint64_t send_old(const char *to, const struct key_secret *secret, uint64_t records, uint64_t *ret_bytes)
{
	int fd = connect_to(to);
	uint64_t unsent = 0;

	for (uint64_t i = 0; i < records; i++) {
		struct old_datagram d = {
			.time = (uint64_t)time(NULL), .bytes_sent = BYTES_EACH, .type = (uint32_t)(i / 64 % 3), .seconds = 1,
			.retransmits = i % 10 == 0, .mss = MSS,
		};
		struct in_addr client = { .s_addr = htonl(client_address(i)) };

		inet_ntop(AF_INET, &client, d.ip, sizeof d.ip);
		memcpy(d.sign, secret->bytes, secret->len < 20 ? secret->len : 20);
		SHA1((const uint8_t *)&d, sizeof d, d.sign);
		unsent += send(fd, &d, sizeof d, 0) < 0;
	}
	close(fd);
	*ret_bytes = records * BYTES_EACH;
	return unsent;
}

static int cmd_send(int argc, char **argv)
{
	static struct key_secret secret;
	uint64_t bytes, unsent, records;
	struct err e;
	double began = wall_s();

	if (argc < 6)
		die("send new|old ADDRESS:PORT KEYFILE RECORDS [CLIENTS]");
	clients = argc > 6 ? strtoull(argv[6], NULL, 10) : clients;
	if (key_secret_read(&secret, argv[4], &e) < 0)
		die(e.msg);
	records = strtoull(argv[5], NULL, 10);
	unsent = strcmp(argv[2], "old") == 0 ? send_old(argv[3], &secret, records, &bytes) :
					       send_new(argv[3], &secret, records, &bytes);
	if (argc == 6)
		printf("records %" PRIu64 " bytes %" PRIu64 " unsent %" PRIu64 " ms %.0f\n", records, bytes, unsent,
		       (wall_s() - began) * 1e3);
	return 0;
}

/* ---- the daemon's source */

static const char config_text[] = "account all { from = reports  by = { host, type }  every = 1h }\n";

static void on_ready(void *arg)
{
	(void)arg;
}

struct world {
	struct config *config;
	struct plan *plan;
	struct strings *strings;
	struct source *source;
	struct tables *spare;
};

static void open_world(struct world *w)
{
	struct report_source_config cf = { .clock = clock_system(), .ready = on_ready };
	struct report_change change = { 0 };
	struct prefix_set local = { 0 };
	struct slice secret = { (const uint8_t *)SECRET, sizeof SECRET - 1 };
	struct tables *first = NULL;
	struct err e = { 0 };

	if (config_load_bytes(&w->config, config_text, sizeof config_text - 1, stderr, &e) < 0 || strings_new(&w->strings) < 0 ||
	    services_intern(&w->config->services, w->strings, &e) < 0 || plan_make(&w->plan, w->config, &local, &e) < 0 ||
	    tables_new(&first, w->plan, &e) < 0 || tables_new(&w->spare, w->plan, &e) < 0)
		die(e.msg);
	cf.strings = w->strings;
	if (keys_new(&change.keys, &e) < 0 || keys_add(change.keys, "bench", secret, &e) < 0 ||
	    keys_set_trafstat(change.keys, secret, &e) < 0 || report_source_open(&w->source, &cf, first, &e) < 0)
		die(e.msg);
	report_source_change(w->source, &change);
	if (source_start(w->source, &e) < 0)
		die(e.msg);
}

static void close_world(struct world *w)
{
	source_close(&w->source);
	tables_free(&w->spare);
	plan_free(&w->plan);
	config_free(&w->config);
	strings_free(&w->strings);
}

/* What the source has seen up to now. */
static void hand_over(struct world *w, struct report_shown *ret)
{
	struct timespec pause = { .tv_nsec = 1000000 };

	source_request(w->source, w->spare, SOURCE_GOES_ON);
	while (!(w->spare = source_take(w->source)))
		nanosleep(&pause, NULL);
	tables_clear(w->spare);
	report_source_show(w->source, ret);
}

/* In a process of its own, so that its time is not ours; not forked, which would make our pages copies. */
static void fill(const char *protocol, const char *to, uint64_t records)
{
	char key[] = "/tmp/report_bench.XXXXXX", count[24], all[24];
	const char *argv[] = { "report_bench", "send", protocol, to, key, count, all, NULL };
	int fd = mkstemp(key);
	pid_t child;

	snprintf(count, sizeof count, "%" PRIu64, records);
	snprintf(all, sizeof all, "%" PRIu64, clients);
	if (fd < 0 || write(fd, SECRET, sizeof SECRET - 1) < 0 ||
	    posix_spawn(&child, "/proc/self/exe", NULL, NULL, (char **)(uintptr_t)argv, environ) != 0 ||
	    waitpid(child, NULL, 0) < 0)
		die("cannot start a sender");
	close(fd);
	unlink(key);
}

static void say(const char *what, uint64_t records, double seconds)
{
	printf("%s records %" PRIu64 " cpu_ms %.0f records_per_s %.0f\n", what, records, seconds * 1e3,
	       (double)records / seconds);
}

static bool has_more(int fd)
{
	int bytes = 0;

	return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* One filled buffer, emptied. Returns the CPU time. */
static double round_of_source(struct world *w, const char *protocol, uint64_t records)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	struct report_change change = { 0 };
	struct err e;
	char to[32];
	double began;
	int fd;

	if (listener_open(&change.listener, "127.0.0.1", 0, &e) < 0)
		die(e.msg);
	fd = listener_fd(change.listener);
	snprintf(to, sizeof to, "127.0.0.1:%u", listener_port(change.listener));
	fill(protocol, to, records);
	if (listener_dropped(change.listener) > 0)
		die("the buffer is too small: run it as root");
	began = cpu_s();
	report_source_change(w->source, &change);
	while (has_more(fd))
		nanosleep(&pause, NULL);
	return cpu_s() - began;
}

/* Tables are handed over each second, as in the daemon. */
static void receive_by_source(const char *protocol, uint64_t records)
{
	uint64_t each = strcmp(protocol, "new") == 0 ? ROUND_NEW : ROUND_OLD;
	static struct report_shown shown;
	double seconds = 0, tick = 1, began;
	struct world w = { 0 };

	open_world(&w);
	for (uint64_t sent = 0; sent < records; sent += each) {
		seconds += round_of_source(&w, protocol, each);
		if (seconds < tick)
			continue;
		tick += 1;
		began = cpu_s();
		hand_over(&w, &shown);
		seconds += cpu_s() - began;
	}
	hand_over(&w, &shown);
	if (shown.counters.booked_records < records)
		die("not all was booked");
	say(protocol, shown.counters.booked_records, seconds);
	close_world(&w);
}

/* ---- as the seed does it */

static int open_seed(char to[static 32])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), size = 32 << 20;
	socklen_t len = sizeof in;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	if (fd < 0 || bind(fd, (void *)&in, sizeof in) < 0 || getsockname(fd, (void *)&in, &len) < 0)
		die("cannot listen");
	snprintf(to, 32, "127.0.0.1:%u", ntohs(in.sin_port));
	return fd;
}

static uint64_t seed_loop(int fd, FILE *log)
{
	uint64_t taken = 0;

	for (;;) {
		struct old_datagram d;
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		uint8_t sign[20], right[20];
		char router[INET_ADDRSTRLEN];
		ssize_t n = recvfrom(fd, &d, sizeof d, 0, (void *)&from, &len);

		if (n < 0)
			return taken;
		if (n != OLD_LENGTH)
			continue;
		memcpy(sign, d.sign, sizeof sign);
		memset(d.sign, 0, sizeof d.sign);
		memcpy(d.sign, SECRET, sizeof SECRET - 1);
		SHA1((const uint8_t *)&d, sizeof d, right);
		if (memcmp(sign, right, sizeof sign) != 0 || llabs((long long)d.time - (long long)time(NULL)) > 20)
			continue;
		inet_ntop(AF_INET, &from.sin_addr, router, sizeof router);
		fprintf(log, "%" PRIu64 " %s %u %s %" PRIu64 " %" PRIu64 " %u\n", d.time, router, d.type, d.ip, d.bytes_sent,
			d.bytes_sent / (d.mss ? d.mss : 1), d.retransmits);
		taken++;
	}
}

static void receive_as_seed(uint64_t records)
{
	char to[32], path[] = "/tmp/report_bench.XXXXXX";
	int fd = open_seed(to), log_fd = mkstemp(path);
	FILE *log = log_fd < 0 ? NULL : fdopen(log_fd, "w");
	uint64_t taken = 0;
	double seconds = 0;

	if (!log)
		die("no place for a log");
	unlink(path);
	setvbuf(log, NULL, _IOLBF, 4096);
	while (taken < records) {
		double began;

		fill("old", to, ROUND_OLD);
		began = cpu_s();
		taken += seed_loop(fd, log);
		seconds += cpu_s() - began;
	}
	say("seed", taken, seconds);
	fclose(log);
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t records;

	if (argc > 1 && strcmp(argv[1], "send") == 0)
		return cmd_send(argc, argv);
	if (argc < 3 || strcmp(argv[1], "receive") != 0)
		die("send new|old ADDRESS:PORT KEYFILE RECORDS, or receive new|old|seed [RECORDS [CLIENTS]]");
	records = argc > 3 ? strtoull(argv[3], NULL, 10) : strcmp(argv[2], "new") == 0 ? 10000000 : 500000;
	clients = argc > 4 ? strtoull(argv[4], NULL, 10) : clients;
	if (strcmp(argv[2], "seed") == 0)
		receive_as_seed(records);
	else
		receive_by_source(argv[2], records);
	return 0;
}
