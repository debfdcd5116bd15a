/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send_xdp.c -- sends frames of many hosts as fast as the kernel can make them, and says as JSON how many.
 *
 * The kernel runs send_xdp.bpf.c over frames of its own and redirects them to the interface (bpf(2)
 * BPF_PROG_TEST_RUN, live frames): they enter at the other end of a veth without a socket, and without the
 * sending end's egress hook. The other end must poll (an XDP program or GRO, see --gro), else they are dropped.
 * What host h sent follows from "sent" (per thread): frame k is from host k * step mod hosts, of
 * size + h % sizes bytes. "dropped" is the interface's own count of what did not fit the other end's queue. */
#include "base/clock.h"
#include "capture/netlink.h"
#include "send_xdp.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 16
#define FRAME_BYTES_MAX 3000 /* of a page, behind the kernel's own headers */
#define HEADERS_BYTES 62
#define FRAMES_AT_ONCE 2000000
#define RUNS_PER_S 8           /* where a rate is asked for: a run waits for RCU twice, which takes 50 ms */
#define NO_BPF 77            /* exit status: not permitted here, or not possible */

struct options {
	const char *interface, *gro;
	uint64_t count, rate;
	uint32_t ifindex, threads, hosts, step, size, sizes, families;
	bool check;
};

struct sender {
	const struct options *o;
	struct send_xdp_bpf *bpf;
	pthread_t thread;
	unsigned cpu;
	uint64_t count, rate, sent;
	int error;
};

/* Set by the signal that ends it early. */
static atomic_bool asked_to_stop;

static void die(const char *what, int error)
{
	fprintf(stderr, "send_xdp: %s%s%s\n", what, error ? ": " : "", error ? strerror(error) : "");
	exit(1);
}

static int open_program(const struct options *o, struct send_xdp_bpf **ret)
{
	struct send_xdp_bpf *bpf = send_xdp_bpf__open();
	int error;

	if (!bpf)
		return -errno;
	bpf->rodata->ifindex = o->ifindex;
	bpf->rodata->hosts = o->hosts;
	bpf->rodata->step = o->step;
	bpf->rodata->size = o->size;
	bpf->rodata->sizes = o->sizes;
	bpf->rodata->families = o->families;
	error = send_xdp_bpf__load(bpf);
	if (error < 0) {
		send_xdp_bpf__destroy(bpf);
		return error;
	}
	*ret = bpf;
	return 0;
}

static int run_program(const struct sender *s, uint64_t frames)
{
	uint8_t bytes[FRAME_BYTES_MAX] = { 0 };
	struct xdp_md context = { .data_end = s->o->size + s->o->sizes - 1 };

	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = context.data_end, .ctx_in = &context,
		    .ctx_size_in = sizeof context, .repeat = (int)frames, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
	return bpf_prog_test_run_opts(bpf_program__fd(s->bpf->progs.send_frame), &opts);
}

static void keep_rate(const struct sender *s, int64_t start_ns)
{
	int64_t due_ns = start_ns + (int64_t)((double)s->sent * 1e9 / (double)s->rate);
	struct timespec due = { .tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

static void *send_all(void *arg)
{
	struct sender *s = arg;
	struct clock clock = clock_system();
	uint64_t at_once = s->rate ? s->rate / RUNS_PER_S + 1 : FRAMES_AT_ONCE;
	int64_t start_ns = clock.monotonic_ns(NULL);
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(s->cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
	if (at_once > FRAMES_AT_ONCE)
		at_once = FRAMES_AT_ONCE;
	while (s->sent < s->count && !s->error && !asked_to_stop) {
		uint64_t rest = s->count - s->sent;

		s->error = run_program(s, rest < at_once ? rest : at_once);
		s->sent = s->bpf->bss->sent; /* what it really ran, whatever happened */
		if (s->rate)
			keep_rate(s, start_ns);
	}
	return NULL;
}

static uint64_t tx_dropped(uint32_t ifindex)
{
	struct interface_stats stats;
	struct netlink *n;
	struct err e;

	if (netlink_open(&n, &e) < 0 || netlink_stats(n, ifindex, &stats, &e) < 0)
		die(e.msg, 0);
	netlink_close(&n);
	return stats.tx_dropped;
}

/* Signals end it early; what was sent is still said exactly. They come to this thread alone, for they would
 * interrupt the kernel in the middle of a run. */
static void *wait_for_signal(void *arg)
{
	int signo;

	sigwait(arg, &signo);
	asked_to_stop = true;
	return NULL;
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
}

static void start_senders(struct sender *senders, const struct options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int error;

	for (unsigned i = 0; i < o->threads; i++) {
		struct sender *s = &senders[i];

		*s = (struct sender){ .o = o, .cpu = i % (unsigned)cpus, .rate = o->rate / o->threads,
				      .count = o->count / o->threads + (i < o->count % o->threads) };
		error = open_program(o, &s->bpf);
		if (error < 0)
			die("cannot load its program", -error);
	}
	for (unsigned i = 0; i < o->threads; i++) {
		error = pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
		if (error)
			die("no thread", error);
	}
}

static int send_and_tell(const struct options *o)
{
	struct sender senders[THREADS_MAX];
	struct clock clock = clock_system();
	uint64_t dropped_before = tx_dropped(o->ifindex);
	int64_t start_ns = clock.monotonic_ns(NULL);
	pthread_t waiter;
	sigset_t signals;
	int error = 0;

	block_signals(&signals);
	if (pthread_create(&waiter, NULL, wait_for_signal, &signals) != 0)
		die("no thread", 0);
	start_senders(senders, o);
	printf("{\"sent\": [");
	for (unsigned i = 0; i < o->threads; i++) {
		pthread_join(senders[i].thread, NULL);
		printf("%s%" PRIu64, i ? ", " : "", senders[i].sent);
		error = senders[i].error ? senders[i].error : error;
		send_xdp_bpf__destroy(senders[i].bpf);
	}
	printf("], \"hosts\": %u, \"step\": %u, \"size\": %u, \"sizes\": %u, \"families\": %u, \"seconds\": %.6f, "
	       "\"dropped\": %" PRIu64 ", \"error\": \"%s\"}\n", o->hosts, o->step, o->size, o->sizes, o->families,
	       (double)(clock.monotonic_ns(NULL) - start_ns) / 1e9, tx_dropped(o->ifindex) - dropped_before,
	       error ? strerror(-error) : "");
	return error != 0;
}

/* Lets a veth poll, which is what takes redirected frames. */
static void switch_gro_on(const char *interface)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ifreq request = { .ifr_data = (void *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0)
		die(interface, errno);
	close(fd);
}

/* Can programs be loaded and run as live frames here? They are sent nowhere: to no interface. */
static int check_bpf(struct options *o)
{
	struct sender s = { .o = o };
	int error = open_program(o, &s.bpf);

	if (error == 0) {
		error = run_program(&s, 1);
		send_xdp_bpf__destroy(s.bpf);
	}
	printf("%s\n", error ? strerror(-error) : "ok");
	return error ? NO_BPF : 0;
}

static uint32_t greatest_divisor(uint32_t a, uint32_t b)
{
	return b ? greatest_divisor(b, a % b) : a;
}

static void parse_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "interface", required_argument, NULL, 'i' }, { "count", required_argument, NULL, 'c' },
		{ "threads", required_argument, NULL, 't' },   { "hosts", required_argument, NULL, 'n' },
		{ "size", required_argument, NULL, 's' },      { "sizes", required_argument, NULL, 'S' },
		{ "families", required_argument, NULL, 'f' },  { "rate", required_argument, NULL, 'r' },
		{ "gro", required_argument, NULL, 'g' },       { "check", no_argument, NULL, 'C' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "i:c:t:n:s:S:f:r:g:C", names, NULL)) != -1) {
		switch (c) {
		case 'i': o->interface = optarg; break;
		case 'c': o->count = strtoull(optarg, NULL, 10); break;
		case 't': o->threads = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'n': o->hosts = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 's': o->size = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'S': o->sizes = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'f': o->families = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'r': o->rate = strtoull(optarg, NULL, 10); break;
		case 'g': o->gro = optarg; break;
		case 'C': o->check = true; break;
		default:
			die("unknown option", 0);
		}
	}
}

static void check_options(struct options *o)
{
	if (!o->interface)
		die("needs --interface; takes --count, --threads, --hosts, --size BYTES, --sizes HOW_MANY, --families 4|6|46, "
		    "--rate FRAMES_PER_S; or --check; or --gro INTERFACE", 0);
	o->ifindex = if_nametoindex(o->interface);
	if (!o->ifindex)
		die(o->interface, errno);
	if (o->threads < 1 || o->threads > THREADS_MAX || o->hosts < 1 || o->hosts > 1u << 24)
		die("--threads is 1 to 16, --hosts 1 to 16777216", 0);
	if (o->sizes < 1 || o->size < HEADERS_BYTES || o->size > FRAME_BYTES_MAX || o->sizes > FRAME_BYTES_MAX - o->size)
		die("--size is 62 to 3000, and --size + --sizes no more", 0);
	/* About the golden ratio of them, without a common divisor: every host comes once in a round. */
	o->step = (uint32_t)(o->hosts * 0.618) + 1;
	while (greatest_divisor(o->step, o->hosts) != 1)
		o->step++;
	o->step %= o->hosts;
}

static int no_words(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static int silence(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .count = 1, .threads = 1, .hosts = 1, .size = 64, .sizes = 1, .families = 4, .ifindex = 1 };

	parse_options(&o, argc, argv);
	libbpf_set_print(o.check ? silence : no_words);
	if (o.check)
		return check_bpf(&o);
	if (o.gro) {
		switch_gro_on(o.gro);
		return 0;
	}
	check_options(&o);
	return send_and_tell(&o);
}
